"""What became of the suggestions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curate.qa import bootstrap_figures, joined_answers, suggestion_edits
from curate.qa.bootstrap_figures import Resampling
from curate.qa.suggestion_edits import ACCEPTED, EDITED, REJECTED, Edits
from curate.records import Annotation
from tests import builders
from tests.qa import answering
from tests.qa.answering import BOX, PEOPLE

CATEGORIES = ["parking_sign", "stop_sign"]
MASK = builders.rle(builders.ellipse(BOX))
SMALLER = builders.rle(builders.ellipse((25.0, 25.0, 75.0, 75.0)))


def traced(
    suggestions: list[Annotation], drawn: list[Annotation], *, people: int = 1, **plan: Any
) -> tuple[joined_answers.Looks, Edits]:
    record = answering.shown(answering.plans(answering.plan("one", **plan)), suggestions)
    given = answering.answers(*(answering.answer("one", person) for person in PEOPLE[:people]))
    looked = joined_answers.collect(answering.joined(given, record), record, pa.array([], pa.string()))
    return looked, suggestion_edits.trace(
        looked,
        joined_answers.drawn(looked, answering.annotations(*drawn), CATEGORIES),
        joined_answers.suggested(looked, record, "suggestions_digest", CATEGORIES),
        np.array([[builders.WIDTH, builders.HEIGHT]]),
        tolerance_px=0.5,
    )


def left(of: Annotation, person: str = PEOPLE[0], **changes: Any) -> Annotation:
    """What a person left of a suggestion."""
    kept = {"rle": of.rle, "parent_id": of.annotation_id, **changes}
    return builders.annotation(
        "one", kept.pop("category", of.category), kept.pop("box", of.bbox_xyxy), annotator_id=person, **kept
    )


@pytest.mark.parametrize(
    ("changes", "fate", "box_iou"),
    [
        ({}, ACCEPTED, 1.0),
        ({"box": (20.5, 20.0, 80.0, 79.5)}, ACCEPTED, 59.5 * 59.5 / 3600),
        ({"box": (20.6, 20.0, 80.0, 80.0)}, EDITED, 59.4 / 60),
        ({"box": (120.0, 80.0, 150.0, 110.0)}, EDITED, 0.0),  # however far: it is the same object
        ({"category": "parking_sign"}, EDITED, 1.0),
        ({"rle": SMALLER}, EDITED, 1.0),
        ({"rle": None}, EDITED, 1.0),  # the mask was deleted
    ],
)
def test_the_fate_of_one(changes: dict[str, Any], fate: int, box_iou: float) -> None:
    suggestion = answering.suggestion("one", rle=MASK)
    _, found = traced([suggestion], [left(suggestion, **changes)])
    assert found.fate.tolist() == [fate]
    assert found.box_iou.tolist() == [pytest.approx(box_iou)]
    assert found.renamed.tolist() == ["category" in changes]
    assert len(found.added) == 0


def test_a_changed_mask_is_compared_pixel_by_pixel() -> None:
    suggestion = answering.suggestion("one", rle=MASK)
    _, found = traced([suggestion], [left(suggestion, rle=SMALLER)])
    areas = [builders.ellipse(box).sum() for box in ((25.0, 25.0, 75.0, 75.0), BOX)]
    assert found.mask_iou.tolist() == [pytest.approx(areas[0] / areas[1])]
    _, without = traced([answering.suggestion("one")], [left(answering.suggestion("one"))])
    assert np.isnan(without.mask_iou).all()


def test_absent_is_rejected_and_what_descends_from_nothing_is_added() -> None:
    gone = answering.suggestion("one")
    _, found = traced([gone], [left(gone, parent_id=None), left(gone, box=(0.0, 0, 9, 9), parent_id="other")])
    assert found.fate.tolist() == [REJECTED]
    assert len(found.added) == 2
    assert np.isnan(found.box_iou).all()


def test_each_labeler_counts_and_is_not_confused_with_the_other() -> None:
    suggestion = answering.suggestion("one")
    looked, found = traced([suggestion], [left(suggestion, PEOPLE[1])], people=2)
    fates = dict(zip((looked.people[looked.person[row]] for row in found.look), found.fate, strict=True))
    assert fates == {PEOPLE[0]: REJECTED, PEOPLE[1]: ACCEPTED}


@pytest.mark.parametrize("plan", [{"arm": "control"}, {"seeded_kind": "moved"}])
def test_unseen_and_planted_suggestions_say_nothing(plan: dict[str, Any]) -> None:
    suggestion = answering.suggestion("one")
    plan = {**plan, "seeded_id": suggestion.annotation_id if "seeded_kind" in plan else None}
    _, found = traced([suggestion], [left(suggestion), left(suggestion, parent_id=None)], **plan)
    assert len(found.look) == len(found.added) == 0


def test_rates_by_category_stand_with_wilsons_interval() -> None:
    stop = [answering.suggestion("one", box=(float(x), 0.0, x + 9.0, 9.0)) for x in range(0, 100, 10)]
    park = answering.suggestion("one", "parking_sign", (0.0, 50.0, 40.0, 90.0))
    new = builders.annotation("one", "parking_sign", (60.0, 60.0, 90.0, 90.0), annotator_id=PEOPLE[0])
    kept = [left(one) for one in stop[:6]] + [left(one, box=(0.0, 100.0, 9.0, 109.0)) for one in stop[6:8]]
    looked, found = traced([*stop, park], [*kept, left(park), new])
    total, parking, stops = suggestion_edits.by_category(found, looked, Resampling(100))
    assert [row.category for row in (total, parking, stops)] == ["all", "parking_sign", "stop_sign"]
    assert [row.suggestions for row in (total, parking, stops)] == [11, 1, 10]
    assert (stops.accepted.value, stops.edited.value, stops.rejected.value) == (0.6, 0.2, 0.2)
    assert (stops.accepted.low, stops.accepted.high) == (
        pytest.approx(0.3127, abs=1e-4),
        pytest.approx(0.8318, abs=1e-4),
    )
    assert (total.added, parking.added, stops.added) == (1, 1, 0)
    assert (stops.box_iou.value, stops.box_iou.n) == (None, 1)
    assert stops.box_iou.reason == bootstrap_figures.TOO_FEW
