"""The demo's scenes: the same bytes for the same seed, and a truth that fits the picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from demo.photographs import PHOTOGRAPHS, load_photograph
from demo.scenes import (
    DEMO_SEEDS,
    HELD_OUT_SEEDS,
    MAX_BOX_IOU,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    Scene,
    draw_scene,
    mask_bbox_xyxy,
)
from demo.signs import CATEGORIES, DISTRACTORS, draw_sign

SIZE = (320, 240)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(DEMO_SEEDS.stop - 1 - index, size=SIZE) for index in range(60)]


def test_seed_ranges_are_disjoint() -> None:
    ranges = sorted(
        (DEMO_SEEDS, TRAINING_SEEDS, VALIDATION_SEEDS, HELD_OUT_SEEDS), key=lambda seeds: seeds.start
    )
    assert all(a.stop <= b.start for a, b in pairwise(ranges))


def test_same_seed_same_bytes_whatever_was_drawn_before() -> None:
    first = draw_scene(123, size=SIZE)
    draw_scene(124, size=SIZE)
    again = draw_scene(123, size=SIZE)
    assert first.image.tobytes() == again.image.tobytes()
    assert [item.bbox_xyxy for item in first.objects] == [item.bbox_xyxy for item in again.objects]
    assert draw_scene(125, size=SIZE).image.tobytes() != first.image.tobytes()


def test_objects_fit_the_picture(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.image.shape == (SIZE[1], SIZE[0], 3)
        assert scene.image.dtype == np.uint8
        for item in scene.objects:
            assert item.category in CATEGORIES
            assert item.mask.shape == (SIZE[1], SIZE[0])
            assert item.bbox_xyxy == mask_bbox_xyxy(item.mask)


def test_masks_are_disjoint_and_boxes_overlap_little(scenes: list[Scene]) -> None:
    for scene in scenes:
        if scene.objects:
            assert np.sum([item.mask for item in scene.objects], axis=0).max() == 1
        for index, item in enumerate(scene.objects):
            for other in scene.objects[:index]:
                a, b = np.array(item.bbox_xyxy), np.array(other.bbox_xyxy)
                size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
                shared = size.prod()
                union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared
                # Later signs may hide part of an earlier one, which makes its box smaller.
                assert shared / union <= MAX_BOX_IOU * 1.5


def test_counts_and_categories_vary(scenes: list[Scene]) -> None:
    counts = {len(scene.objects) for scene in scenes}
    assert {0, 1, 2, 3} <= counts
    assert {item.category for scene in scenes for item in scene.objects} == set(CATEGORIES)


def test_signs_scale_with_the_picture() -> None:
    small = [item for seed in range(20) for item in draw_scene(seed, size=(160, 120)).objects]
    large = [item for seed in range(20) for item in draw_scene(seed, size=(320, 240)).objects]
    ratio = np.median([item.mask.sum() for item in large]) / np.median([item.mask.sum() for item in small])
    assert 2.5 < ratio < 6


@pytest.mark.parametrize("kind", CATEGORIES + DISTRACTORS)
def test_signs_are_premultiplied_and_keep_their_margin(kind: str) -> None:
    sign = draw_sign(kind, 200, np.random.default_rng(0))
    assert sign.shape == (200, 200, 4)
    assert (sign[:, :, :3] <= sign[:, :, 3:] + 1e-6).all()
    assert 0.2 < sign[:, :, 3].mean() < 0.6
    assert sign[:, (0, -1), 3].max() == 0
    assert sign[(0, -1), :, 3].max() == 0


def test_photographs_are_shared_and_read_only() -> None:
    for name in PHOTOGRAPHS:
        photograph = load_photograph(name)
        assert photograph.ndim == 3
        assert not photograph.flags.writeable
