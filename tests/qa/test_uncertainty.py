"""How unsure the models are of an image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curate.qa import suggestions, uncertainty
from curate.qa.suggestions import Suggestions
from curate.qa.uncertainty import CATEGORY, MASK, SCORE, Doubt
from curate.records import Annotation, Box
from tests import builders

NAMES = ("stop_sign", "parking_sign")
THRESHOLDS = np.array([0.4, 0.3])
BOX: Box = (20.0, 20.0, 80.0, 80.0)
NEAR: Box = (24.0, 20.0, 84.0, 80.0)
IMAGES = ("one", "two", "three")


def box(name: str, category: str = "stop_sign", score: float = 0.9, at: Box = BOX, **more: Any) -> Annotation:
    return builders.annotation(name, category, at, origin="model", score=score, **more)


def read(root: Path, *given: Annotation, images: tuple[str, ...] = IMAGES, rows: int = 65_536) -> Suggestions:
    path = builders.write_annotations(root / "a.parquet", given)
    ids = pa.array(sorted(builders.image_id(name) for name in images))
    sizes = np.tile([builders.WIDTH, builders.HEIGHT], (len(ids), 1)).astype(np.int64)
    return suggestions.read(path, ids, sizes, NAMES, min_scores=THRESHOLDS - 0.1, rows=rows)


def judge(found: Suggestions) -> Doubt:
    return uncertainty.judge(found, len(IMAGES), THRESHOLDS, near=0.1, mask_iou=0.7)


def place(name: str) -> int:
    return sorted(builders.image_id(other) for other in IMAGES).index(builders.image_id(name))


def words(doubt: Doubt, found: Suggestions, name: str) -> str:
    return uncertainty.words(doubt, np.array([place(name)]), found, NAMES, THRESHOLDS)[0]


def test_sure_suggestions_leave_no_doubt(tmp_path: Path) -> None:
    found = read(tmp_path, box("one"), box("two", "parking_sign", 0.41))
    assert judge(found).value.tolist() == [0, 0, 0]
    assert judge(found).kind.tolist() == [-1, -1, -1]


def test_a_score_near_its_own_categorys_threshold(tmp_path: Path) -> None:
    found = read(tmp_path, box("one", score=0.43), box("two", "parking_sign", 0.43))
    doubt = judge(found)
    assert doubt.value[place("one")] == pytest.approx(0.7, abs=1e-6)
    assert doubt.kind[place("one")] == SCORE
    assert doubt.value[place("two")] == 0
    assert words(doubt, found, "one") == "stop_sign: score 0.43, threshold 0.40"


def test_a_rejected_box_below_the_threshold_counts_too(tmp_path: Path) -> None:
    rejected = {"outcome": "rejected", "rle": None}
    found = read(
        tmp_path,
        box("one", score=0.38, reject_reason="under_threshold", **rejected),
        box("two", score=0.38, reject_reason="repeats", **rejected),
    )
    assert judge(found).value[place("one")] == pytest.approx(0.8, abs=1e-6)
    assert judge(found).value[place("two")] == 0


def test_rejected_boxes_far_below_the_threshold_are_not_even_read(tmp_path: Path) -> None:
    rejected = {"outcome": "rejected", "reject_reason": "under_threshold", "rle": None}
    crowd = [box("one", score=0.05 + 0.001 * n, at=(n, 0, n + 9, 9), **rejected) for n in range(100)]
    strange = box("one", "unheard_of", 0.9, **rejected)
    found = read(tmp_path, *crowd, strange, box("one", score=0.31, **rejected), box("two"))
    assert found.scores.tolist() == pytest.approx([0.31, 0.9] if place("one") < place("two") else [0.9, 0.31])


def test_a_mask_that_is_elsewhere(tmp_path: Path) -> None:
    half: Box = (20.0, 20.0, 50.0, 80.0)
    found = read(tmp_path, box("one", rle=builders.rle(builders.ellipse(half))), box("two"))
    doubt = judge(found)
    assert doubt.value[place("one")] == pytest.approx((0.7 - 0.5) / 0.7)
    assert words(doubt, found, "one") == "stop_sign: mask and box overlap with IoU 0.50"
    assert doubt.kind[place("two")] == -1


def test_no_mask_is_a_doubt_only_where_a_segmenter_ran(tmp_path: Path) -> None:
    without = box("one", rle=None)
    found = read(tmp_path, without, box("two"))
    assert judge(found).value[place("one")] == 1
    assert words(judge(found), found, "one") == "stop_sign: no mask fits the box"
    assert judge(read(tmp_path, without, box("two", rle=None))).value.tolist() == [0, 0, 0]


@pytest.mark.parametrize("kept", [True, False])
def test_two_categories_for_one_object(tmp_path: Path, kept: bool) -> None:
    second = box("one", "parking_sign", 0.86, NEAR)
    if not kept:
        second = replace(second, outcome="rejected", reject_reason="other_category", rle=None)
    found = read(tmp_path, box("one", score=0.9), second, box("two", score=0.8), box("three"))
    doubt = judge(found)
    assert doubt.value[place("one")] == pytest.approx(0.6, abs=1e-6)
    assert doubt.kind[place("one")] == CATEGORY
    assert set(words(doubt, found, "one").split(" or ")) == {"stop_sign 0.90", "parking_sign 0.86"}


def test_boxes_of_different_images_or_places_are_no_pair(tmp_path: Path) -> None:
    apart = box("one", "parking_sign", 0.9, (90.0, 20.0, 150.0, 80.0))
    found = read(tmp_path, box("one"), apart, box("two", "parking_sign"))
    assert judge(found).value.tolist() == [0, 0, 0]


def test_the_worst_of_several_is_told(tmp_path: Path) -> None:
    rows = [box("one", score=0.45), box("one", score=0.41, at=NEAR), box("one", "parking_sign", 0.35)]
    found = read(tmp_path, *rows)
    doubt = judge(found)
    assert words(doubt, found, "one") == "stop_sign: score 0.41, threshold 0.40"
    assert found.ids[int(doubt.row[place("one")])].as_py() == rows[1].annotation_id


def test_images_that_are_not_kept_and_rows_of_other_outcomes_are_left_out(tmp_path: Path) -> None:
    failed = builders.annotation("one", None, None, origin="model")
    found = read(tmp_path, failed, box("two"), box("three"), images=("one", "two"))
    assert len(found.images) == 1
    assert len(read(tmp_path).images) == 0
    assert uncertainty.judge(read(tmp_path), 3, THRESHOLDS, near=0.1, mask_iou=0.7).value.tolist() == [
        0,
        0,
        0,
    ]


def test_without_a_score_there_is_no_doubt_of_scores(tmp_path: Path) -> None:
    found = read(tmp_path, replace(box("one"), score=None), replace(box("one", "parking_sign"), score=None))
    assert judge(found).value.tolist() == [0, 0, 0]
    strange = read(tmp_path, box("one", "unheard_of", 0.4))
    assert strange.categories.tolist() == [-1]
    assert judge(strange).value.tolist() == [0, 0, 0]


def test_many_rows_in_pieces_are_the_same_as_in_one(tmp_path: Path) -> None:
    rows = [box(name, score=0.41 + 0.01 * i, at=(i, 0, i + 9, 9)) for name in IMAGES for i in range(9)]
    whole = read(tmp_path, *rows)
    again = read(tmp_path, *rows, rows=4)
    assert whole.ids.equals(again.ids)
    assert (whole.images[:-1] <= whole.images[1:]).all()
    assert np.array_equal(whole.mask_iou, again.mask_iou, equal_nan=True)
    assert {MASK, SCORE} >= set(judge(whole).kind.tolist())
