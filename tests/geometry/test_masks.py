from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from curate.errors import RecordError
from curate.geometry import masks
from curate.records import BoolArray

mask = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=24))


@st.composite
def masks_of_one_image(draw: st.DrawFn) -> list[BoolArray]:
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))
    return draw(st.lists(arrays.arrays(np.bool_, shape), min_size=1, max_size=5))


@given(mask)
def test_encode_and_decode_are_lossless(pixels: BoolArray) -> None:
    height, width = pixels.shape
    np.testing.assert_array_equal(masks.decode(masks.encode(pixels), width=width, height=height), pixels)


@given(mask)
def test_area_and_box_are_those_of_the_pixels(pixels: BoolArray) -> None:
    height, width = pixels.shape
    rle = masks.encode(pixels)
    assert masks.area(rle, width=width, height=height) == pixels.sum()
    y, x = np.nonzero(pixels)
    expected = (x.min(), y.min(), x.max() + 1, y.max() + 1) if len(x) else None
    assert masks.bbox(rle, width=width, height=height) == expected


@given(mask)
def test_run_lengths_are_those_of_the_columns(pixels: BoolArray) -> None:
    flat = pixels.flatten(order="F")
    borders = np.flatnonzero(np.diff(flat)) + 1
    expected = np.diff([*([0] if flat[0] else []), 0, *borders, len(flat)])
    np.testing.assert_array_equal(masks.run_lengths(masks.encode(pixels)), expected)


@given(masks_of_one_image())
def test_iou_is_that_of_the_pixels(several: list[BoolArray]) -> None:
    height, width = several[0].shape
    rles = [masks.encode(pixels) for pixels in several]
    found = masks.rle_iou(rles[:1], rles, width=width, height=height)
    expected = [
        (several[0] & other).sum() / union if (union := (several[0] | other).sum()) else 0.0
        for other in several
    ]
    np.testing.assert_allclose(found, [expected])


@pytest.mark.parametrize(
    ("rle", "reason"),
    [("", "damaged"), ("0 ", "damaged"), ("P", "damaged"), ("o", "damaged"), ("é", "damaged")],
)
def test_damaged_counts_are_refused(rle: str, reason: str) -> None:
    with pytest.raises(RecordError, match=reason):
        masks.decode(rle, width=4, height=4)


def test_counts_of_another_size_are_refused_before_pycocotools_sees_them() -> None:
    rle = masks.encode(np.ones((30, 20), dtype=bool))
    with pytest.raises(RecordError, match="cover 600 pixels, expected 4 x 5 = 20"):
        masks.decode(rle, width=4, height=5)
    with pytest.raises(RecordError, match="cover 600 pixels"):
        masks.rle_iou([rle], [rle], width=4, height=5)


def test_a_stack_of_masks_is_refused() -> None:
    with pytest.raises(RecordError, match=r"expected a mask \(H, W\), got \(2, 3, 4\)"):
        masks.encode(np.zeros((2, 3, 4), dtype=bool))


@given(st.lists(mask, max_size=6))
def test_boxes_of_many_masks_are_those_of_each(planes: list[BoolArray]) -> None:
    rles = [masks.encode(plane) for plane in planes]
    sizes = np.array([plane.shape[::-1] for plane in planes], dtype=np.int64).reshape(-1, 2)
    one_by_one = [
        masks.bbox(rle, width=int(width), height=int(height)) or (0.0, 0.0, 0.0, 0.0)
        for rle, (width, height) in zip(rles, sizes, strict=True)
    ]
    assert masks.bboxes(rles, sizes).tolist() == [list(box) for box in one_by_one]


def test_rings_become_their_raster() -> None:
    square, far = [2, 1, 6, 1, 6, 4, 2, 4], [7, 6, 9, 6, 9, 8, 7, 8]
    expected = np.zeros((10, 12), dtype=np.bool_)
    expected[1:4, 2:6] = expected[6:8, 7:9] = True
    found = masks.from_polygons([square, far], width=12, height=10)
    assert found == masks.encode(expected)
    assert masks.from_polygons([[0, 0, 0, 0, 0, 0]], width=12, height=10) is None
    with pytest.raises(RecordError, match="at least 3 points"):
        masks.from_polygons([[0, 0, 1, 1]], width=12, height=10)


@pytest.mark.parametrize(
    "ring",
    [
        [10, 10, 40, 10, 4e7, 40],
        [10, 10, 40, 10, 1e12, 40],
        [1e12, 1e12, 1e12, 1e12, 1e12, 1e12],
        [10, 10, 40, 10, float("nan"), 40],
        [10, 10, 40, 10, float("-inf"), 40],
        [0, 0, 9_000, 9_000] * 500,  # within its image, to and fro
    ],
)
def test_rings_that_pycocotools_would_die_of_are_refused(ring: list[float]) -> None:
    with pytest.raises(RecordError, match=r"pixels around|no finite number"):
        masks.from_polygons([ring], width=9_000, height=9_000)


def test_a_long_ring_of_many_corners_is_filled() -> None:
    teeth = [value for x in range(1_000) for value in (x, 1_000.0, x + 0.5, 1.0)]
    found = masks.from_polygons([[0.0, 0.0, *teeth, 1_000.0, 0.0]], width=1_000, height=1_000)
    assert found is not None
