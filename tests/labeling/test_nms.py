"""Suppression of repeated boxes."""

from __future__ import annotations

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


def test_each_category_has_its_own_threshold() -> None:
    boxes = found(("a", 0.5, (0, 0, 9, 9)), ("b", 0.5, (20, 0, 29, 9)), ("a", 0.39, (40, 0, 49, 9)))
    assert kept(nms.above_threshold(boxes, {"a": 0.4, "b": 0.6})) == [("a", 0.5)]
    assert kept(nms.above_threshold(boxes, {"a": 0.5, "b": 0.5})) == [("a", 0.5), ("b", 0.5)]


def test_within_a_category_the_best_stays() -> None:
    boxes = found(("a", 0.6, (1, 0, 11, 10)), ("a", 0.9, (0, 0, 10, 10)), ("a", 0.5, (30, 0, 40, 10)))
    assert kept(nms.suppress(boxes, iou_threshold=0.6, max_boxes=10)) == [("a", 0.9), ("a", 0.5)]


def test_across_categories_the_best_stays() -> None:
    boxes = found(("a", 0.6, (0, 0, 10, 10)), ("b", 0.9, (0, 0, 10, 10)))
    assert kept(nms.suppress(boxes, iou_threshold=0.6, max_boxes=10)) == [("b", 0.9)]


def test_a_box_at_the_threshold_stays() -> None:
    boxes = found(("a", 0.9, (0, 0, 10, 10)), ("a", 0.8, (0, 5, 10, 15)))  # IoU 50 / 150
    assert len(nms.suppress(boxes, iou_threshold=1 / 3, max_boxes=10).categories) == 2
    assert len(nms.suppress(boxes, iou_threshold=0.33, max_boxes=10).categories) == 1


def test_identical_boxes_never_both_stay() -> None:
    boxes = found(("a", 0.9, (0, 0, 10, 10)), ("a", 0.8, (0, 0, 10, 10)))
    assert kept(nms.suppress(boxes, iou_threshold=1.0, max_boxes=10)) == [("a", 0.9)]


def test_a_suppressed_box_suppresses_nothing() -> None:
    boxes = found(("a", 0.9, (0, 0, 10, 10)), ("a", 0.8, (4, 0, 14, 10)), ("a", 0.7, (8, 0, 18, 10)))
    assert kept(nms.suppress(boxes, iou_threshold=0.3, max_boxes=10)) == [("a", 0.9), ("a", 0.7)]


def test_at_most_so_many_the_best() -> None:
    boxes = found(*[("a", i / 100, (20.0 * i, 0, 20.0 * i + 10, 10)) for i in range(1, 9)])
    assert kept(nms.suppress(boxes, iou_threshold=0.5, max_boxes=2)) == [("a", 0.08), ("a", 0.07)]


def test_on_a_tie_the_earlier_stays() -> None:
    boxes = found(("b", 0.5, (0, 0, 10, 10)), ("a", 0.5, (0, 0, 10, 10)))
    assert kept(nms.suppress(boxes, iou_threshold=0.5, max_boxes=9)) == [("b", 0.5)]


def test_nothing_found() -> None:
    assert nms.suppress(found(), iou_threshold=0.5, max_boxes=9).categories == ()


@pytest.mark.parametrize("iou_threshold", [0.0, 0.3, 0.7])
def test_same_as_torchvision(iou_threshold: float) -> None:
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision").ops
    rng = np.random.default_rng(2)
    corner = rng.uniform(0, 80, (200, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (200, 2))], axis=1).astype(np.float32)
    scores = rng.permutation(200).astype(np.float32) / 200
    ours = nms.greedy_nms(boxes, scores, iou_threshold)
    theirs = ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), iou_threshold).numpy()
    assert ours.tolist() == theirs.tolist()
    between = box_iou(boxes[ours], boxes[ours])
    assert (between[np.triu_indices(len(ours), 1)] <= iou_threshold).all()
