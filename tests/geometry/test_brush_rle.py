"""Label Studio's mask format: bit for bit what the SDK writes, and what a browser writes can be read."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from label_studio_sdk.converter import brush as sdk
from pycocotools import mask as coco

from curate.errors import AnnotationToolError, RecordError
from curate.geometry import brush_rle, masks

MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


def sdk_bytes(mask: np.ndarray) -> list[int]:
    return sdk.mask2rle((mask * 255).astype(np.uint8))


@given(MASKS)
@settings(deadline=None)  # the first one compiles
def test_the_same_bytes_as_the_sdk_and_back(mask: np.ndarray) -> None:
    encoded = brush_rle.encode(mask)
    assert encoded == sdk_bytes(mask)
    height, width = mask.shape
    assert np.array_equal(brush_rle.decode(encoded, width=width, height=height), mask)


# Runs are four bytes per pixel: 8, 16, 256 and 65,536 bytes are where the length of a run's code changes.
@given(
    st.lists(
        st.sampled_from([1, 2, 3, 4, 5, 63, 64, 65, 16383, 16384, 16385, 32768, 32769]),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_runs_at_the_coding_limits(lengths: list[int], first: bool) -> None:
    row = np.concatenate(
        [np.full(length, first ^ (number % 2 == 1)) for number, length in enumerate(lengths)]
    )
    mask = row.reshape(1, -1)
    encoded = brush_rle.encode(mask)
    assert encoded == sdk_bytes(mask)
    assert np.array_equal(brush_rle.decode(encoded, width=row.size, height=1), mask)


def test_twelve_megapixels() -> None:
    y, x = np.mgrid[0:3000, 0:4000]
    mask = (x - 2000) ** 2 + (y - 1500) ** 2 < 1200**2
    encoded = brush_rle.encode(mask)
    assert encoded == sdk_bytes(mask)
    assert np.array_equal(brush_rle.decode(encoded, width=4000, height=3000), mask)
    check_coco(mask)
    check_coco(~mask)


def check_coco(mask: np.ndarray) -> None:
    """Brush to COCO as pycocotools encodes the mask, and COCO to brush as the SDK encodes it."""
    height, width = mask.shape
    counts = masks.encode(mask)
    assert brush_rle.to_coco(sdk_bytes(mask), width=width, height=height) == (counts if mask.any() else None)
    assert brush_rle.from_coco(counts, width=width, height=height) == (
        sdk_bytes(mask) if mask.any() else None
    )


@given(MASKS)
@settings(deadline=None)
def test_coco_and_back_without_a_pixel_lost(mask: np.ndarray) -> None:
    check_coco(mask)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.5, 0.95]))
@settings(deadline=None)
def test_masks_that_touch_every_edge(height: int, width: int, seed: int, share: float) -> None:
    """Intervals that run on from one line into the next, in either order."""
    check_coco(np.random.default_rng(seed).random((height, width)) < share)
    check_coco(np.ones((height, width), dtype=bool))


@given(
    st.tuples(st.integers(1, 3000), st.integers(1, 4000)).filter(lambda s: s[0] * s[1] <= 12_000_000),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=8)
def test_any_size_up_to_twelve_megapixels(size: tuple[int, int], seed: int) -> None:
    height, width = size
    rng = np.random.default_rng(seed)
    coarse = rng.random((1 + height // 50, 1 + width // 50)) < rng.random()
    check_coco(np.kron(coarse, np.ones((50, 50), dtype=bool))[:height, :width].astype(bool))


def test_counts_with_runs_of_no_pixels_are_read_as_well() -> None:
    """Valid COCO that pycocotools itself does not write: 3 off, 0 on, 2 off, 4 on, 0 off, 3 on."""
    encoded = coco.frPyObjects({"size": [3, 4], "counts": [3, 0, 2, 4, 0, 3]}, 3, 4)["counts"].decode()
    assert brush_rle.from_coco(encoded, width=4, height=3) == sdk_bytes(
        masks.decode(encoded, width=4, height=3)
    )


def test_counts_of_another_size_are_refused() -> None:
    with pytest.raises(RecordError, match="covers 400 pixels, expected 20 x 21 = 420"):
        brush_rle.from_coco(masks.encode(np.eye(20, dtype=bool)), width=20, height=21)


def test_memory_goes_with_the_outline_and_not_with_the_image() -> None:
    mask = np.zeros((3000, 4000), dtype=bool)
    mask[100:2900, 100:3900] = True
    encoded = brush_rle.encode(mask)
    brush_rle.to_coco(encoded, width=4000, height=3000)  # compiled and loaded
    tracemalloc.start()
    try:
        brush_rle.to_coco(encoded, width=4000, height=3000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < mask.size / 8


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(4))),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None)
def test_colored_pixels_as_a_browser_writes_them(pixels: np.ndarray, seed: int) -> None:
    """Mixed runs of equal and of different bytes; the alpha decides at one half."""
    encoded = mixed_runs(pixels.ravel(), np.random.default_rng(seed))
    assert np.array_equal(sdk.decode_rle(encoded), pixels.ravel())
    height, width = pixels.shape[:2]
    assert np.array_equal(brush_rle.decode(encoded, width=width, height=height), pixels[:, :, 3] >= 128)


def mixed_runs(values: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Any valid stream for `values`: literal runs of random length, repeated runs where bytes repeat."""
    bits = f"{values.size:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    at = 0
    while at < values.size:
        same = int(np.argmax(np.append(values[at:] != values[at], True)))
        repeated = bool(rng.integers(2))
        length = int(rng.integers(1, (same if repeated else values.size - at) + 1))
        size = int(rng.choice([s for s, n in enumerate([3, 4, 8, 16]) if length <= 2**n]))
        bits += f"{int(repeated)}{size:02b}" + format(length - 1, f"0{[3, 4, 8, 16][size]}b")
        bits += "".join(f"{value:08b}" for value in values[at : at + (1 if repeated else length)])
        at += length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: [],
        lambda rle: rle[:5],
        lambda rle: rle[:-4],
        lambda rle: [300, *rle[1:]],
        lambda rle: [*rle[:4], 0, *rle[5:]],
    ],
    ids=["empty", "cut header", "cut runs", "not a byte", "other word size"],
)
def test_damaged_bytes_are_refused(damage) -> None:
    mask = np.eye(20, dtype=bool)
    with pytest.raises(AnnotationToolError, match="damaged"):
        brush_rle.decode(damage(brush_rle.encode(mask)), width=20, height=20)


def test_another_size_is_refused() -> None:
    with pytest.raises(AnnotationToolError, match="covers 400 pixels, expected 20 x 21 = 420"):
        brush_rle.decode(brush_rle.encode(np.eye(20, dtype=bool)), width=20, height=21)


def test_only_planes_can_be_encoded() -> None:
    with pytest.raises(AnnotationToolError, match="expected a mask"):
        brush_rle.encode(np.zeros((2, 2, 4), dtype=bool))
