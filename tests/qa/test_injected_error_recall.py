"""Planted errors that labelers put right, or leave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.intervals import wilson
from curate.params.quality import QualityParams
from curate.qa import error_injection, injected_error_recall, quality_figures
from curate.qa.quality_figures import Measured, Tables
from curate.records import Annotation, Box
from tests import builders
from tests.qa import answering
from tests.qa.answering import BOX

CATEGORIES = ["parking_sign", "stop_sign"]
SIZE = {"width": builders.WIDTH, "height": builders.HEIGHT}
NEXT: Box = (95.0, 30.0, 150.0, 80.0)
RIGHT = [answering.suggestion("one"), answering.suggestion("one", "parking_sign", NEXT)]


def measured(kind: str, identity: str, drawn: list[Annotation]) -> Measured:
    plan = answering.plans(answering.plan("one", seeded_kind=kind, seeded_id=identity))
    record = answering.shown(plan, RIGHT)
    return quality_figures.measure(
        Tables(
            plan=plan,
            answers=answering.joined(answering.answers(answering.answer("one")), record),
            annotations=answering.annotations(*drawn),
            record=record,
            known=answering.annotations(),
            images=answering.images(["one"]),
            categories=CATEGORIES,
            guideline=None,
            taxonomy=None,
        ),
        QualityParams(bootstrap=0),
    )


def planted(kind: str) -> tuple[str, list[Annotation]]:
    """seeded_id, and the objects that a labeler leaves who accepts what is shown."""
    first = (
        error_injection.spurious_id(builders.image_id("one"))
        if kind == "spurious"
        else RIGHT[0].annotation_id
    )
    shown = error_injection.plant(RIGHT, kind, first, names=CATEGORIES, **SIZE)
    return first, [answering.drew("one", str(row.category), row.bbox_xyxy or BOX) for row in shown]


@pytest.mark.parametrize("kind", error_injection.KINDS)
def test_who_accepts_everything_catches_nothing_and_who_corrects_catches_all(kind: str) -> None:
    identity, accepted = planted(kind)
    corrected = [answering.drew("one", str(row.category), row.bbox_xyxy or BOX) for row in RIGHT]
    assert measured(kind, identity, accepted).found.tolist() == [False]
    result = measured(kind, identity, corrected)
    assert result.found.tolist() == [True]
    assert result.caught["all"] == result.caught[kind] == wilson(1, 1)


@pytest.mark.parametrize("kind", error_injection.KINDS)
def test_who_draws_nothing_misses_the_missing_one_only(kind: str) -> None:
    identity, _ = planted(kind)
    assert measured(kind, identity, []).found.tolist() == [kind != "missing"]


def test_kinds_are_those_that_are_planted() -> None:
    assert injected_error_recall.KINDS == error_injection.KINDS


corner = st.integers(0, 9)
drawings = st.lists(
    st.tuples(corner, corner, st.integers(2, 8), st.integers(2, 8), st.sampled_from(CATEGORIES)), max_size=4
)


@given(st.sampled_from(error_injection.KINDS), drawings)
@settings(max_examples=60, deadline=None)
def test_the_rule_is_that_of_the_plan_for_one_image(kind: str, given: list[tuple[int, ...]]) -> None:
    """`error_injection.left_in` says the same of records as this module of columns."""
    identity, _ = planted(kind)
    drawn = [
        answering.drew("one", str(name), (10.0 * x, 10.0 * y, 10.0 * (x + w), 10.0 * (y + h)))
        for x, y, w, h, name in given
    ]
    drawn = list({row.annotation_id: row for row in drawn}.values())
    shown = error_injection.plant(RIGHT, kind, identity, names=CATEGORIES, **SIZE)
    left = error_injection.left_in(kind, identity, before=RIGHT, shown=shown, drawn=drawn, iou_threshold=0.5)
    assert measured(kind, identity, drawn).found.tolist() == [not left]


def test_gold_and_planted_errors_take_no_part_in_the_arms() -> None:
    identity, accepted = planted("moved")
    result = measured("moved", identity, accepted)
    assert not result.compared.any()
    assert result.arms[0].answers == 0
    assert result.arms[0].image_s.value is None
    assert np.isnan(result.planted.wrong).sum() == 0
