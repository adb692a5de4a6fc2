"""Candidates: every pair within the radius by any hash, once, in order, and never quadratic output."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedupe.candidates import candidates, radius
from curate.dedupe.crop_hashes import PARTS, WINDOWS
from curate.dedupe.features import PLAIN, Features, Recipe

RECIPE = Recipe("phash", "fast", "mirrored", True)


def random_features(count: int, seed: int = 0) -> Features:
    """Hashes of `count` unrelated pictures; candidates look at nothing else but structure, tone and size."""
    rng = np.random.default_rng(seed)

    def words(*shape: int) -> np.ndarray:
        return rng.integers(0, 2**64, (count, *shape), dtype=np.uint64)

    phash = words()
    return Features(
        hashes=phash.copy(),
        phash=phash,
        turned=words(1),
        windows=words(len(WINDOWS)),
        parts=words(len(PARTS)),
        luma=np.zeros((count, 32, 32), dtype=np.uint8),
        color=np.zeros((count, 4, 4, 3), dtype=np.uint8),
        structure=np.full(count, 10 * PLAIN, dtype=np.float32),
        tone=words(),
        size=rng.integers(100, 200, (count, 2), dtype=np.uint32),
        detail=np.zeros((count, 64, 64), dtype=np.uint8),
        chroma=np.full((count, 2, 32, 32), 128, dtype=np.uint8),
    )


def rows(features: Features, chosen: list[int]) -> Features:
    return Features.from_columns({name: column[chosen] for name, column in features.columns().items()})


def listed(features: Features, bits: int, base: Features | None = None) -> list[tuple[int, int, int]]:
    pairs = candidates(features, RECIPE, bits, base=base)
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.hamming.tolist(), strict=True))


def flipped(word: np.uint64, bits: int) -> np.uint64:
    return word ^ np.uint64((1 << bits) - 1)


def test_unrelated_pictures_make_no_pairs() -> None:
    assert listed(random_features(200), 8) == []


def test_each_kind_of_hash_finds_its_pairs() -> None:
    features = random_features(12)
    features.hashes[1] = flipped(features.hashes[0], 3)
    features.turned[2, 0] = flipped(features.phash[3], 2)  # 2 turned looks like 3
    features.windows[5, 7] = flipped(features.phash[4], 1)  # a part of 5 looks like 4
    features.parts[6, 2] = flipped(features.parts[7, 2], 4)  # the same part of both
    features.structure[8:10] = 0
    features.tone[8] = flipped(features.tone[9], 2)  # plain pictures of nearly one color
    assert listed(features, 8) == [(0, 1, 3), (2, 3, 2), (4, 5, 1), (6, 7, 4), (8, 9, 2)]


def test_what_is_further_than_the_radius_is_left_out() -> None:
    features = random_features(6)
    features.hashes[1] = flipped(features.hashes[0], 9)
    features.windows[2, 0] = flipped(features.phash[3], 9)
    features.parts[4, 0] = flipped(features.parts[5, 0], 7)  # parts are asked for two bits less
    assert listed(features, 8) == []
    assert listed(features, 9) == [(0, 1, 9), (2, 3, 9), (4, 5, 7)]


def test_tone_counts_among_plain_pictures_only_and_parts_among_the_others() -> None:
    features = random_features(4)
    features.tone[0] = features.tone[1]
    features.structure[2:] = 0
    features.turned[2, 0] = features.phash[3]
    assert listed(features, 8) == []


def test_the_least_distance_is_told() -> None:
    features = random_features(2)
    features.hashes[1] = flipped(features.hashes[0], 6)
    features.parts[1, 0] = flipped(features.parts[0, 0], 2)
    assert listed(features, 8) == [(0, 1, 2)]


def test_a_symmetric_picture_is_no_pair_of_its_own() -> None:
    features = random_features(1)
    features.turned[0, 0] = features.phash[0]
    assert listed(features, 8) == []


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), split=st.integers(0, 30))
def test_against_a_base_finds_what_one_search_finds(seed: int, split: int) -> None:
    """Pairs across the two sides are those that all images together have there."""
    features = random_features(30, seed)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        one, two, column = int(rng.integers(30)), int(rng.integers(30)), int(rng.integers(len(PARTS)))
        target = (features.hashes, features.parts, features.windows)[int(rng.integers(3))]
        at = one if target.ndim == 1 else (one, column % target.shape[1])
        target[at] = flipped(features.phash[two], int(rng.integers(5)))
    features.hashes[:] = features.phash
    together = [
        (second - split, first, bits)
        for first, second, bits in listed(features, 6)
        if first < split <= second
    ]
    base, new = rows(features, list(range(split))), rows(features, list(range(split, 30)))
    assert listed(new, 6, base) == sorted(together)


@pytest.mark.parametrize("turned", [False, True])
def test_ten_thousand_identical_hashes_do_not_make_fifty_million_pairs(turned: bool) -> None:
    count = 10_000
    features = random_features(count)
    features.hashes[:] = features.hashes[0]
    if turned:
        features.turned[:, 0] = features.phash[:] = features.phash[0]
    features.size[7] = (5000, 5000)  # the largest picture: a keeper, so it must meet every other one
    pairs = candidates(features, RECIPE, 8)
    assert len(pairs.first) < 20 * count
    met = np.concatenate([pairs.first[pairs.second == 7], pairs.second[pairs.first == 7]])
    assert sorted(met.tolist()) == [row for row in range(count) if row != 7]
    assert (pairs.first < pairs.second).all()
    keys = pairs.first * count + pairs.second
    assert (np.diff(keys) > 0).all()


def test_few_blank_pages_against_many_meet_their_hubs() -> None:
    features = random_features(9_100)
    features.hashes[:9_000] = features.hashes[0]
    features.hashes[9_050:] = flipped(features.hashes[0], 3)
    features.size[7] = (5000, 5000)
    base, new = rows(features, list(range(9_000))), rows(features, list(range(9_000, 9_100)))
    pairs = candidates(new, RECIPE, 8, base=base)
    assert set(pairs.first.tolist()) == set(range(50, 100))
    assert set(pairs.second[pairs.first == 60].tolist()) >= {7}
    assert len(pairs.first) == 8 * 9_000 + 42 * 8
    assert set(pairs.hamming.tolist()) == {3}


def test_no_images_no_pairs() -> None:
    assert listed(random_features(0), 8) == []
    assert listed(random_features(0), 8, random_features(5)) == []
    assert listed(random_features(5), 8, random_features(0)) == []


def test_thumbnails_are_not_looked_at() -> None:
    features = random_features(20)
    features.hashes[1] = features.hashes[0]
    columns = features.columns()
    for name in ("luma", "color"):
        shape = columns[name].shape
        columns[name] = np.broadcast_to(np.zeros(shape[1:], dtype=np.uint8), shape)
    assert listed(Features.from_columns(columns), 4) == [(0, 1, 0)]


def test_the_radius_never_grows_with_the_number_of_images() -> None:
    for recipe in (
        RECIPE,
        Recipe("phash", "fast", "none", False),
        Recipe("colorhash", "fast", "none", False),
    ):
        radii = [radius(count, recipe) for count in (0, 10, 10**4, 10**5, 10**6, 10**7, 10**8, 10**9)]
        assert radii == sorted(radii, reverse=True)
        assert radii[-1] > 0
    assert radius(10_000, RECIPE) > radius(10_000_000, RECIPE)


def test_none_is_the_radius_for_that_many() -> None:
    features = random_features(300)
    features.hashes[1] = flipped(features.hashes[0], radius(300, RECIPE))
    features.hashes[3] = flipped(features.hashes[2], radius(300, RECIPE) + 1)
    pairs = candidates(features, RECIPE, None)
    assert (0, 1) in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    assert (2, 3) not in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
