"""Groups: the keeper rule, no chaining, an explanation that is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedupe.groups import Candidate, explain, group


def candidate(name: str, pixels: int = 100, sharpness: float = 1.0, size: int = 1000) -> Candidate:
    return Candidate(image_id=name, width=pixels, height=1, sharpness=sharpness, bytes=size)


def array(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def test_a_chain_is_not_a_group() -> None:
    # Frames of a cross-fade: each 4 bits from the next, the ends 12 apart.
    chain = array([0x0, 0xF, 0xFF, 0xFFF])
    images = [candidate(name) for name in "abcd"]
    grouping = group(chain, images, max_hamming=4)
    assert grouping.keeper.tolist() == [0, 0, 2, 2]
    assert grouping.hamming.tolist() == [0, 4, 0, 4]


def test_the_best_image_is_the_keeper_wherever_it_stands() -> None:
    grouping = group(
        array([1, 3, 0]), [candidate("a"), candidate("b", pixels=400), candidate("c")], max_hamming=2
    )
    assert grouping.keeper.tolist() == [1, 1, 1]


def test_an_image_goes_to_its_nearest_keeper() -> None:
    hashes = array([0b0, 0b111111, 0b011111])
    images = [candidate("a", pixels=300), candidate("b", pixels=200), candidate("c", pixels=100)]
    grouping = group(hashes, images, max_hamming=5)
    assert grouping.keeper.tolist() == [0, 1, 1]
    assert grouping.hamming.tolist() == [0, 0, 1]


def test_a_keeper_is_never_worse_than_its_members() -> None:
    # c is nearer to d, but d is a worse picture than c.
    hashes = array([0b0, 0b1111, 0b11111])
    images = [candidate("a", pixels=300), candidate("c", pixels=200), candidate("d", pixels=100)]
    grouping = group(hashes, images, max_hamming=4)
    assert grouping.keeper.tolist() == [0, 0, 2]


def test_radius_zero_joins_only_the_same_hash() -> None:
    images = [candidate(name) for name in "abc"]
    assert group(array([5, 5, 4]), images, max_hamming=0).keeper.tolist() == [0, 0, 2]


def test_the_histogram_counts_pairs_of_images() -> None:
    grouping = group(array([0, 0, 0, 1, 7]), [candidate(n) for n in "abcde"], max_hamming=1, count_to=64)
    assert grouping.pairs_by_hamming[:4].tolist() == [3, 3, 1, 3]
    assert grouping.pairs_by_hamming.sum() == 10
    assert grouping.counted_to == 64
    short = group(array([0, 0, 0, 1, 7]), [candidate(n) for n in "abcde"], max_hamming=1)
    assert short.pairs_by_hamming.tolist()[:2] == [3, 3]
    assert short.pairs_by_hamming.sum() == 6


def test_no_images() -> None:
    assert group(array([]), [], max_hamming=8).keeper.tolist() == []


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 255), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)), max_size=30
    ),
    max_hamming=st.integers(0, 8),
    seed=st.integers(0, 100),
)
@settings(max_examples=200, deadline=None)
def test_properties(rows: list[tuple[int, int, int, int]], max_hamming: int, seed: int) -> None:
    hashes = array([row[0] for row in rows])
    images = [candidate(f"{i:03d}", row[1], float(row[2]), row[3]) for i, row in enumerate(rows)]
    grouping = group(hashes, images, max_hamming=max_hamming)
    keepers = sorted(set(grouping.keeper.tolist()))
    for i, keeper in enumerate(grouping.keeper.tolist()):
        bits = (rows[i][0] ^ rows[keeper][0]).bit_count()
        assert grouping.hamming[i] == bits <= max_hamming
        assert grouping.keeper[keeper] == keeper
        assert images[keeper].rank() <= images[i].rank()
        first = min(image.rank() for image, row in zip(images, rows, strict=True) if row[0] == rows[i][0])
        nearer = [k for k in keepers if images[k].rank() <= first]
        assert bits == min((rows[i][0] ^ rows[k][0]).bit_count() for k in nearer)
    for a in keepers:
        assert all((rows[a][0] ^ rows[b][0]).bit_count() > max_hamming for b in keepers if a != b)
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    again = group(hashes[shuffled], [images[i] for i in shuffled], max_hamming=max_hamming)
    ids = {
        images[s].image_id: images[shuffled[k]].image_id for s, k in zip(shuffled, again.keeper, strict=True)
    }
    assert ids == {
        image.image_id: images[k].image_id for image, k in zip(images, grouping.keeper, strict=True)
    }


@pytest.mark.parametrize(
    ("keeper", "said"),
    [
        (
            Candidate("k", 640, 480, 1.0, 9),
            "4 bits from keeper; keeper has more pixels (640x480 over 320x240)",
        ),
        (
            Candidate("k", 320, 240, 91.25, 9),
            "4 bits from keeper; same number of pixels, keeper is sharper (91.25 over 2.5)",
        ),
        (
            Candidate("k", 320, 240, 2.5, 99),
            "4 bits from keeper; same pixels and sharpness, keeper has more bytes (99 over 10)",
        ),
        (
            Candidate("k", 320, 240, 2.5, 10),
            "4 bits from keeper; nothing tells them apart, keeper has the smaller image_id",
        ),
    ],
)
def test_the_explanation_names_what_decided(keeper: Candidate, said: str) -> None:
    assert explain(Candidate("m", 320, 240, 2.5, 10), keeper, 4) == said


def test_one_bit_is_singular() -> None:
    assert explain(candidate("m"), candidate("k", pixels=999), 1).startswith("1 bit from keeper;")
