from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from curate.agreement import mask_fusion, mask_runs
from curate.agreement.fused_geometry import staple, staple_probability, weighted_medians
from curate.geometry import masks

W, H = 60, 50


def disk(x: float, y: float, radius: float) -> np.ndarray:  # type: ignore[type-arg]
    yy, xx = np.mgrid[:H, :W]
    return np.asarray((xx - x) ** 2 + (yy - y) ** 2 <= radius**2)


def fuse_masks(rles: list[str], weights: np.ndarray) -> str:  # type: ignore[type-arg]
    """The joint mask of one object."""
    runs = mask_runs.read(pa.array(rles, pa.string()), np.full(len(rles), H))
    one = np.array([0]), np.array([len(rles)]), np.array([W]), np.array([H])
    text, _, _ = mask_fusion.fuse(
        runs.text, runs.ends, runs.places, runs.starts, runs.area, runs.boxes, weights, *one, 0.5
    )
    return bytes(text).decode()


def weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return weighted_medians(values[None], weights[None])[0]


def test_staple_is_that_of_simpleitk() -> None:
    """Within the box around all masks, where ours looks too."""
    rng = np.random.default_rng(0)
    drawn = [disk(30 + rng.normal(0, 2), 25 + rng.normal(0, 2), 12 + rng.normal(0, 1)) for _ in range(4)]
    union = np.any(drawn, axis=0)
    rows, columns = np.flatnonzero(union.any(axis=1)), np.flatnonzero(union.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    images = [SimpleITK.GetImageFromArray(one[window].astype(np.uint8)) for one in drawn]
    expected = SimpleITK.GetArrayFromImage(SimpleITK.STAPLE(images, 1.0))
    found = staple([masks.encode(one) for one in drawn], width=W, height=H)
    assert found is not None
    pixels = masks.decode(found, width=W, height=H)
    np.testing.assert_array_equal(pixels[window], expected >= 0.5)
    assert pixels.sum() == pixels[window].sum()
    patterns, which = np.unique(
        np.stack([one[window].ravel() for one in drawn], 1), axis=0, return_inverse=True
    )
    probability = staple_probability(patterns, np.bincount(which.ravel()).astype(float))
    np.testing.assert_allclose(probability[which.ravel()].reshape(expected.shape), expected, atol=1e-3)


def test_one_careless_mask_of_three_does_not_count() -> None:
    good, bad = disk(30, 25, 12), disk(36, 25, 12)
    found = fuse_masks([masks.encode(m) for m in (good, good, bad)], np.ones(3))
    assert found == masks.encode(good)


def test_of_two_disks_it_is_the_disk_between() -> None:
    small, large = disk(30, 25, 8), disk(30, 25, 14)
    rles = [masks.encode(small), masks.encode(large)]
    found = fuse_masks(rles, np.ones(2))
    between, expected = masks.decode(found or "", width=W, height=H), disk(30, 25, 11)
    assert (between & expected).sum() / (between | expected).sum() > 0.95
    weighed = masks.decode(fuse_masks(rles, np.array([1.0, 2.0])) or "", width=W, height=H)
    assert between.sum() < weighed.sum() < large.sum()


def test_masks_at_the_border_end_there() -> None:
    left = np.zeros((H, W), dtype=bool)
    left[:, :10] = True
    wide = np.zeros((H, W), dtype=bool)
    wide[:, :14] = True
    found = fuse_masks([masks.encode(left), masks.encode(wide)], np.ones(2))
    expected = np.zeros((H, W), dtype=bool)
    expected[:, :12] = True
    np.testing.assert_array_equal(masks.decode(found or "", width=W, height=H), expected)


def test_one_mask_stays_and_so_do_equal_ones() -> None:
    rle = masks.encode(disk(10, 10, 5))
    assert fuse_masks([rle], np.ones(1)) == rle
    assert fuse_masks([rle, rle, rle], np.ones(3)) == rle


blots = st.lists(
    st.tuples(st.integers(0, W), st.integers(0, H), st.integers(1, 14)), min_size=1, max_size=3
).map(lambda circles: np.any([disk(*circle) for circle in circles], axis=0))


@settings(deadline=None, max_examples=60)
@given(st.lists(blots, min_size=3, max_size=6))
def test_compiled_staple_is_the_plain_one(drawn: list[np.ndarray]) -> None:  # type: ignore[type-arg]
    rles = [masks.encode(one) for one in drawn]
    assert fuse_masks(rles, np.ones(len(rles))) == (staple(rles, width=W, height=H) or "")


@settings(deadline=None, max_examples=60)
@given(blots, blots, st.floats(0.1, 10))
def test_the_shape_between_is_that_of_scipys_distances(
    first: np.ndarray,
    second: np.ndarray,
    weight: float,  # type: ignore[type-arg]
) -> None:
    """The mean of the signed distances, weighed, in the window around both, a pixel wider."""
    union = first | second
    rows, columns = np.flatnonzero(union.any(axis=1)), np.flatnonzero(union.any(axis=0))
    if not len(rows):
        return
    window = np.s_[max(0, rows[0] - 1) : rows[-1] + 2, max(0, columns[0] - 1) : columns[-1] + 2]

    def signed(mask: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        if mask.all() or not mask.any():
            return np.full(mask.shape, float(max(mask.shape)) * (1 if mask.any() else -1))
        inside, outside = distance_transform_edt(mask), distance_transform_edt(~mask)
        return np.where(mask, inside - 0.5, 0.5 - outside)

    share = weight / (weight + 1.0)
    expected = np.zeros((H, W), dtype=bool)
    expected[window] = share * signed(first[window]) + (1 - share) * signed(second[window]) >= 0
    found = fuse_masks([masks.encode(first), masks.encode(second)], np.array([weight, 1.0]))
    pixels = masks.decode(found, width=W, height=H) if found else np.zeros((H, W), dtype=bool)
    assert (pixels != expected).sum() == 0


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(5, 50), st.integers(5, 40), st.integers(3, 12)), min_size=3, max_size=5)
)
def test_staple_stays_within_the_masks(circles: list[tuple[int, int, int]]) -> None:
    drawn = [disk(*circle) for circle in circles]
    found = staple([masks.encode(one) for one in drawn], width=W, height=H)
    if found is not None:
        assert not (masks.decode(found, width=W, height=H) & ~np.any(drawn, axis=0)).any()


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=7))
def test_with_equal_weights_it_is_the_median(values: list[float]) -> None:
    found = weighted_median(np.array(values)[:, None], np.ones(len(values)))
    assert found[0] == pytest.approx(np.median(values), abs=1e-9)


def test_the_heavier_value_draws() -> None:
    values = np.array([[0.0], [1.0], [10.0]])
    assert weighted_median(values, np.array([1.0, 1.0, 100.0]))[0] > 9
