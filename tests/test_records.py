from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import RecordError
from curate.records import Annotation, Detections, ImageRecord, StageReport, derived_id

IMAGE = {"image_id": "a" * 64, "sources": ("s/a.jpg",), "bytes": 10, "path": "x.jpg", "width": 4, "height": 3}
OBJECT = {
    "annotation_id": "x",
    "image_id": "a" * 64,
    "origin": "human",
    "category": "cat",
    "bbox_xyxy": (0, 0, 2, 1),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": "short"}, "expected image_id of 64 hex digits, got 'short'"),
        ({"sources": ()}, "has no source"),
        ({"path": None}, "needs path, width and height"),
        ({"width": 0}, "needs path, width and height"),
        ({"duplicate_of": "b" * 64}, "is a duplicate but has no drop_reason"),
    ],
)
def test_an_image_that_contradicts_itself(change: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        ImageRecord(**{**IMAGE, **change})  # type: ignore[arg-type]


def test_a_dropped_image_needs_no_path() -> None:
    row = ImageRecord("a" * 64, ("s/a.jpg",), 0, drop_reason="empty_file").row()
    assert row["drop_reason"] == "empty_file"
    assert row["path"] is None
    assert row["sources"] == ["s/a.jpg"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox_xyxy": (2, 0, 2, 1)}, "expected x1 < x2 and y1 < y2"),
        ({"bbox_xyxy": (0, 0, math.nan, 1)}, "expected x1 < x2 and y1 < y2"),
        ({"bbox_xyxy": (0, 0, math.inf, 1)}, "expected x1 < x2 and y1 < y2"),
        ({"bbox_xyxy": None}, "needs a category and a box"),
        ({"category": None}, "needs a category and a box"),
        ({"outcome": "empty"}, "is empty but has a box"),
        ({"outcome": "rejected"}, "is rejected with reject_reason None"),
        ({"reject_reason": "inside"}, "is object with reject_reason 'inside'"),
        ({"outcome": "rejected", "reject_reason": "inside", "bbox_xyxy": None}, "needs a category and a box"),
        ({"score": 1.5}, r"expected score in \[0, 1\], got 1.5"),
    ],
)
def test_an_annotation_that_contradicts_itself(change: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        Annotation(**{**OBJECT, **change})  # type: ignore[arg-type]


@given(
    box=st.tuples(st.floats(0, 99, width=32), st.floats(0, 99, width=32)),
    score=st.none() | st.floats(0, 1, width=32),
    rle=st.none() | st.text(max_size=5),
)
def test_an_annotation_survives_its_row(
    box: tuple[float, float], score: float | None, rle: str | None
) -> None:
    x, y = box
    made = Annotation("id", "a" * 64, "model", "cat", (x, y, x + 1, y + 1), rle, score=score, prompt="a cat")
    assert Annotation.from_row(made.row()) == made


def test_detections_check_their_shapes() -> None:
    boxes, scores = np.zeros((2, 4), np.float32), np.zeros(2, np.float32)
    with pytest.raises(RecordError, match=r"expected boxes \(1, 4\), got \(2, 4\)"):
        Detections(boxes, scores, ("cat",), ("a cat",))
    with pytest.raises(RecordError, match=r"expected scores \(2,\), got \(1,\)"):
        Detections(boxes, scores[:1], ("cat", "dog"), ("a", "b"))
    taken = Detections(boxes, np.float32([0.1, 0.9]), ("cat", "dog"), ("a", "b")).take(np.array([1]))
    assert (taken.categories, taken.scores.tolist()) == (("dog",), [np.float32(0.9)])


def test_the_closing_line() -> None:
    assert StageReport("dedupe", (("images", 12_345), ("kept", 1))).line() == "dedupe: 12,345 images, 1 kept"


def test_ids_depend_on_every_part_and_on_where_it_ends() -> None:
    assert derived_id("a", 1) == derived_id("a", 1)
    assert (
        len(
            {
                derived_id("a", 1),
                derived_id("a", 2),
                derived_id("a1"),
                derived_id("", "a1"),
                derived_id("a1", ""),
            }
        )
        == 5
    )
