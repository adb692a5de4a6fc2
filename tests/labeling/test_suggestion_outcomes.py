"""Suggestions held against what people drew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate import schema, tables
from curate.errors import TableError
from curate.labeling import suggestion_outcomes
from curate.labeling.suggestion_outcomes import Verdicts
from curate.records import Annotation, Box
from tests import builders

ANN, BOB = builders.ANNOTATORS
LEFT, RIGHT = (10.0, 10.0, 50.0, 50.0), (90.0, 10.0, 130.0, 50.0)
HALF = (10.0, 10.0, 50.0, 30.0)  # IoU 0.5 with LEFT


def suggestion(image: str, category: str, box: Box, score: float) -> Annotation:
    return builders.annotation(image, category, box, origin="model", score=score)


def drawn(
    image: str, category: str | None, box: Box | None, who: str | None = ANN, **changes: Any
) -> Annotation:
    return builders.annotation(image, category, box, annotator_id=who, **changes)


def judge(tmp_path: Path, model: list[Annotation], people: list[Annotation], iou: float = 0.5) -> Verdicts:
    made = builders.write_annotations(tmp_path / "model.parquet", model)
    said = builders.write_annotations(tmp_path / "people.parquet", people)
    return suggestion_outcomes.judge(
        tables.read(made, schema.ANNOTATIONS), tables.read(said, schema.ANNOTATIONS), iou_threshold=iou
    )


def by_score(found: Verdicts) -> dict[float, bool]:
    return {round(float(s), 3): bool(r) for s, r in zip(found.scores, found.right, strict=True)}


def test_right_is_the_same_category_in_the_same_place(tmp_path: Path) -> None:
    model = [
        suggestion("one", "stop_sign", LEFT, 0.9),
        suggestion("one", "stop_sign", RIGHT, 0.8),  # another category there
        suggestion("two", "stop_sign", LEFT, 0.7),  # nothing there
        suggestion("three", "stop_sign", LEFT, 0.6),  # looked, found nothing
        suggestion("four", "stop_sign", LEFT, 0.5),  # skipped: not judged
        suggestion("five", "stop_sign", LEFT, 0.4),  # nobody was asked
    ]
    people = [
        drawn("one", "stop_sign", LEFT),
        drawn("one", "parking_sign", RIGHT),
        drawn("two", "stop_sign", RIGHT),
        drawn("three", None, None),
        drawn("four", None, None, outcome="skipped"),
    ]
    found = judge(tmp_path, model, people)
    assert by_score(found) == {0.9: True, 0.8: False, 0.7: False, 0.6: False}
    assert found.judged == 3
    objects = sorted(
        zip(found.object_categories, np.nan_to_num(found.object_scores, nan=-1).round(2), strict=True)
    )
    assert [(name, round(float(score), 2)) for name, score in objects] == [
        ("parking_sign", -1.0), ("stop_sign", -1.0), ("stop_sign", 0.9)
    ]  # fmt: skip


@pytest.mark.parametrize(("iou", "right"), [(0.5, True), (0.51, False)])
def test_the_threshold_of_iou_is_inclusive(tmp_path: Path, iou: float, right: bool) -> None:
    model = [suggestion("one", "stop_sign", LEFT, 0.9)]
    assert by_score(judge(tmp_path, model, [drawn("one", "stop_sign", HALF)], iou)) == {0.9: right}
    linked = drawn("one", "stop_sign", HALF, parent_id=model[0].annotation_id)
    assert by_score(judge(tmp_path, model, [linked], iou)) == {0.9: right}


def test_one_object_makes_one_suggestion_right(tmp_path: Path) -> None:
    model = [suggestion("one", "stop_sign", LEFT, 0.9), suggestion("one", "stop_sign", HALF, 0.8)]
    assert by_score(judge(tmp_path, model, [drawn("one", "stop_sign", LEFT)])) == {0.9: True, 0.8: False}
    # The link says which of the two was meant, where boxes alone would say the other one.
    edited = drawn("one", "stop_sign", LEFT, parent_id=model[1].annotation_id)
    assert by_score(judge(tmp_path, model, [edited])) == {0.9: False, 0.8: True}


def test_of_two_objects_edited_from_one_suggestion_the_closest_counts(tmp_path: Path) -> None:
    model = [suggestion("one", "stop_sign", LEFT, 0.9)]
    parent = model[0].annotation_id
    people = [drawn("one", "stop_sign", box, parent_id=parent) for box in (HALF, LEFT)]
    found = judge(tmp_path, model, people)
    assert by_score(found) == {0.9: True}
    assert np.isnan(found.object_scores).sum() == 1


def test_a_link_to_another_category_makes_nothing_right(tmp_path: Path) -> None:
    model = [suggestion("one", "stop_sign", LEFT, 0.9)]
    renamed = drawn("one", "parking_sign", LEFT, parent_id=model[0].annotation_id)
    assert by_score(judge(tmp_path, model, [renamed])) == {0.9: False}


def test_the_majority_of_those_who_looked_decides(tmp_path: Path) -> None:
    model = [suggestion("one", "stop_sign", LEFT, 0.9)]
    yes, no = drawn("one", "stop_sign", LEFT), drawn("one", None, None, BOB)
    also = drawn("one", "stop_sign", LEFT, "third@demo.invalid")
    skipped = drawn("one", None, None, BOB, outcome="skipped")
    assert by_score(judge(tmp_path, model, [yes, no])) == {0.9: False}  # a tie
    assert by_score(judge(tmp_path, model, [yes, no, also])) == {0.9: True}
    assert by_score(judge(tmp_path, model, [yes, skipped])) == {0.9: True}


def test_gold_is_one_annotator(tmp_path: Path) -> None:
    model = [suggestion("one", "stop_sign", LEFT, 0.9), suggestion("one", "parking_sign", RIGHT, 0.8)]
    gold = [drawn("one", "stop_sign", LEFT, None, origin="gold")]
    assert by_score(judge(tmp_path, model, gold)) == {0.9: True, 0.8: False}


def test_images_do_not_mix(tmp_path: Path) -> None:
    names = [f"image-{number}" for number in range(30)]
    model = [suggestion(name, "stop_sign", LEFT, 0.5 + index / 100) for index, name in enumerate(names)]
    people = [
        drawn(name, "stop_sign" if index % 3 else None, LEFT if index % 3 else None)
        for index, name in enumerate(names)
    ]
    found = judge(tmp_path, model, people)
    assert by_score(found) == {round(0.5 + index / 100, 3): bool(index % 3) for index in range(30)}
    assert len(set(found.images.tolist())) == 30


def test_nobody_has_judged_anything(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="nobody has judged an image yet"):
        judge(tmp_path, [suggestion("one", "stop_sign", LEFT, 0.9)], [])
