"""Which boxes stay, and why the others do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from curate.geometry.boxes import box_iou
from curate.labeling import nms
from curate.records import Detections


def found(*rows: tuple[str, float, tuple[float, float, float, float]]) -> Detections:
    return Detections(
        np.array([row[2] for row in rows], dtype=np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], dtype=np.float32),
        tuple(row[0] for row in rows),
        tuple(f"a {row[0]}" for row in rows),
    )


def kept(detections: Detections) -> list[tuple[str, float]]:
    scores = [round(float(score), 3) for score in detections.scores]
    return list(zip(detections.categories, scores, strict=True))


def sift(detections: Detections, **changes: Any) -> tuple[list[tuple[str, float]], list[str | None]]:
    """Category and score of the boxes that stay, and the reasons of all."""
    rules: dict[str, Any] = {
        "thresholds": {"a": 0.0, "b": 0.0}, "min_side": 1.0, "iou": 0.6, "containment": None,
        "across": "keep_best", "max_boxes": 10, **changes,
    }  # fmt: skip
    stays, reasons = nms.sift(detections, nms.Rules(**rules))
    assert {i for i, reason in enumerate(reasons) if reason is None} == set(stays.tolist())
    assert set(reasons) <= {None, *nms.REASONS}
    return kept(detections.take(stays)), reasons


def test_each_category_has_its_own_threshold() -> None:
    boxes = found(("a", 0.5, (0, 0, 9, 9)), ("b", 0.5, (20, 0, 29, 9)), ("a", 0.39, (40, 0, 49, 9)))
    low = "under_threshold"
    assert sift(boxes, thresholds={"a": 0.4, "b": 0.6}) == ([("a", 0.5)], [None, low, low])
    assert sift(boxes, thresholds={"a": 0.5, "b": 0.5})[0] == [("a", 0.5), ("b", 0.5)]


def test_the_threshold_is_compared_in_the_precision_of_the_scores() -> None:
    for hundredths in range(1, 100):
        boxes = found(("a", hundredths / 100, (0, 0, 9, 9)))
        assert sift(boxes, thresholds={"a": hundredths / 100})[1] == [None]


def test_within_a_category_the_best_stays() -> None:
    boxes = found(("a", 0.6, (1, 0, 11, 10)), ("a", 0.9, (0, 0, 10, 10)), ("a", 0.5, (30, 0, 40, 10)))
    assert sift(boxes) == ([("a", 0.9), ("a", 0.5)], ["repeats", None, None])


def test_across_categories_the_best_or_both_stay() -> None:
    boxes = found(("a", 0.6, (0, 0, 10, 10)), ("b", 0.9, (0, 0, 10, 10)))
    assert sift(boxes) == ([("b", 0.9)], ["other_category", None])
    assert sift(boxes, across="keep_both") == ([("b", 0.9), ("a", 0.6)], [None, None])


def test_what_a_category_dropped_drops_nothing_in_another() -> None:
    boxes = found(("a", 0.9, (0, 0, 10, 10)), ("a", 0.8, (3, 0, 13, 10)), ("b", 0.7, (6, 0, 16, 10)))
    assert sift(boxes, iou=0.5) == ([("a", 0.9), ("b", 0.7)], [None, "repeats", None])


def test_a_box_at_the_threshold_of_iou_stays() -> None:
    boxes = found(("a", 0.9, (0, 0, 10, 10)), ("a", 0.8, (0, 5, 10, 15)))  # IoU 50 / 150
    assert len(sift(boxes, iou=1 / 3)[0]) == 2
    assert len(sift(boxes, iou=0.33)[0]) == 1


def test_identical_boxes_never_both_stay() -> None:
    boxes = found(("a", 0.9, (0, 0, 10, 10)), ("a", 0.8, (0, 0, 10, 10)))
    assert sift(boxes, iou=1.0) == ([("a", 0.9)], [None, "repeats"])


def test_a_suppressed_box_suppresses_nothing() -> None:
    boxes = found(("a", 0.9, (0, 0, 10, 10)), ("a", 0.8, (4, 0, 14, 10)), ("a", 0.7, (8, 0, 18, 10)))
    assert sift(boxes, iou=0.3) == ([("a", 0.9), ("a", 0.7)], [None, "repeats", None])


@pytest.mark.parametrize("inner_is_better", [True, False])
def test_a_box_in_a_box_of_its_category_is_dropped_whichever_is_worse(inner_is_better: bool) -> None:
    inner, outer = (4.0, 4.0, 12.0, 9.0), (0.0, 0.0, 40.0, 40.0)  # IoU 0.025
    boxes = found(
        ("a", 0.9, inner if inner_is_better else outer), ("a", 0.8, outer if inner_is_better else inner)
    )
    assert len(sift(boxes)[0]) == 2
    assert sift(boxes, containment=1.0) == ([("a", 0.9)], [None, "inside"])


def test_the_share_that_lies_inside_counts() -> None:
    boxes = found(("a", 0.9, (0, 0, 40, 40)), ("a", 0.8, (36, 0, 46, 10)))  # 4 of 10 columns
    assert sift(boxes, containment=0.4)[1] == [None, "inside"]
    assert sift(boxes, containment=0.41)[1] == [None, None]


def test_a_box_in_a_box_of_another_category_stays() -> None:
    boxes = found(("a", 0.9, (0, 0, 40, 40)), ("b", 0.8, (4, 4, 12, 9)))
    assert sift(boxes, containment=0.5)[1] == [None, None]


def test_a_box_has_the_reason_of_the_best_that_drops_it() -> None:
    boxes = found(("a", 0.9, (0, 0, 40, 40)), ("a", 0.7, (1, 1, 11, 11)), ("a", 0.8, (0, 1, 41, 41)))
    assert sift(boxes, containment=0.9)[1] == [None, "inside", "repeats"]


def test_small_boxes_are_named() -> None:
    boxes = found(("a", 0.9, (0, 0, 8, 20)), ("a", 0.8, (50, 0, 57.9, 20)), ("a", 0.7, (80, 0, 90, 7)))
    assert sift(boxes, min_side=8.0) == ([("a", 0.9)], [None, "too_small", "too_small"])


def test_a_box_that_is_too_small_or_too_low_drops_nothing() -> None:
    boxes = found(("a", 0.9, (0, 0, 7, 7)), ("a", 0.8, (0, 0, 8, 8)), ("b", 0.85, (0, 0, 8, 8)))
    assert sift(boxes, min_side=8.0, thresholds={"a": 0.5, "b": 0.86})[0] == [("a", 0.8)]


def test_at_most_so_many_the_best() -> None:
    boxes = found(*[("a", i / 100, (20.0 * i, 0, 20.0 * i + 10, 10)) for i in range(1, 9)])
    stays, reasons = sift(boxes, max_boxes=2)
    assert stays == [("a", 0.08), ("a", 0.07)]
    assert reasons == ["surplus"] * 6 + [None] * 2


def test_on_a_tie_the_earlier_stays() -> None:
    boxes = found(("b", 0.5, (0, 0, 10, 10)), ("a", 0.5, (0, 0, 10, 10)))
    assert sift(boxes)[0] == [("b", 0.5)]


def test_nothing_found() -> None:
    assert sift(found(), containment=0.9) == ([], [])


@pytest.mark.parametrize("iou_threshold", [0.0, 0.3, 0.7])
def test_same_as_torchvision(iou_threshold: float) -> None:
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision").ops
    rng = np.random.default_rng(2)
    corner = rng.uniform(0, 80, (200, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (200, 2))], axis=1).astype(np.float32)
    scores = rng.permutation(200).astype(np.float32) / 200
    names = rng.choice(["a", "b"], 200)
    rows = Detections(boxes, scores, tuple(names.tolist()), tuple(names.tolist()))
    thresholds = {"a": 0.0, "b": 0.0}
    ours, _ = nms.sift(rows, nms.Rules(thresholds, 0.0, iou_threshold, None, "keep_both", 200))
    theirs = ops.batched_nms(
        torch.from_numpy(boxes),
        torch.from_numpy(scores),
        torch.from_numpy((names == "b").astype(int)),
        iou_threshold,
    )
    assert ours.tolist() == theirs.tolist()
    ours, _ = nms.sift(rows, nms.Rules(thresholds, 0.0, iou_threshold, None, "keep_best", 200))
    between = box_iou(boxes[ours], boxes[ours])
    assert (between[np.triu_indices(len(ours), 1)] <= iou_threshold).all()
