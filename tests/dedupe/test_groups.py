"""Groups: no chaining, people overrule figures, invariants over random matches."""

from __future__ import annotations

import time
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.dedupe import groups
from curate.dedupe.decisions import components
from curate.dedupe.groups import RELATIONS, SEMANTIC, Grouping, Matches, group
from curate.dedupe.verify import VARIANT

Linkage = Literal["keeper", "complete"]
Pair = tuple[int, int]


def matches(*pairs: tuple[Any, ...]) -> Matches:
    """Of (first, second, correlation = 0.9, hamming = 4, relation = same)."""
    full = [(*pair, *(0.9, 4, 0)[len(pair) - 2 :]) for pair in pairs]
    columns = list(zip(*full, strict=True)) or [()] * 5
    return Matches(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.int64),
        np.array(columns[3], dtype=np.uint16),
        np.array(columns[2], dtype=np.float32),
        np.array(columns[4], dtype=np.int8),
    )


def grouped(
    count: int,
    found: Matches,
    *,
    linkage: Linkage = "keeper",
    variants: Literal["keep", "drop"] = "keep",
    keep: tuple[int, ...] = (),
    same: tuple[Pair, ...] = (),
    different: tuple[Pair, ...] = (),
) -> Grouping:
    wanted = np.zeros(count, dtype=np.bool_)
    wanted[list(keep)] = True
    return group(
        found,
        linkage=linkage,
        variants=variants,
        keep=wanted,
        same=np.array(same, dtype=np.int64).reshape(-1, 2),
        different=np.array(different, dtype=np.int64).reshape(-1, 2),
    )


def cross_fade(frames: int, reach: int) -> Matches:
    """Each frame matches those up to `reach` frames away, nearer ones better."""
    return matches(
        *((a, b, 1 - 0.02 * (b - a), 2 * (b - a)) for a in range(frames) for b in range(a + 1, frames)
          if b - a <= reach)
    )  # fmt: skip


@pytest.mark.parametrize("linkage", ["keeper", "complete"])
def test_a_cross_fade_does_not_become_one_group(linkage: Linkage) -> None:
    found = grouped(15, cross_fade(15, 3), linkage=linkage)
    assert found.keeper.tolist() == [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12]
    sizes = np.bincount(found.keeper)
    assert sizes.max() == 4


def test_a_star_spans_both_sides_of_its_keeper_a_complete_group_does_not() -> None:
    # The best frame stands in the middle: its neighbors on either side do not match each other.
    found = matches((0, 1), (0, 2))
    assert grouped(3, found).keeper.tolist() == [0, 0, 0]
    assert grouped(3, found, linkage="complete").keeper.tolist() == [0, 0, 2]


def test_an_image_goes_to_the_keeper_it_matches_best() -> None:
    assert grouped(3, matches((0, 2, 0.8), (1, 2, 0.9))).keeper.tolist() == [0, 1, 1]
    assert grouped(3, matches((0, 2, 0.9, 6), (1, 2, 0.9, 4))).keeper.tolist() == [0, 1, 1]
    assert grouped(3, matches((0, 2), (1, 2))).keeper.tolist() == [0, 1, 0]
    by_meaning = grouped(3, matches((0, 2, 0.99, 0, SEMANTIC), (1, 2, 0.81)))
    assert by_meaning.keeper.tolist() == [0, 1, 1]
    assert by_meaning.match.tolist() == [-1, -1, 1]


def test_a_kept_image_stays_and_shares_the_group_and_takes_members_of_its_own() -> None:
    found = grouped(4, matches((0, 1), (1, 2)), keep=(0, 1))
    assert found.keeper.tolist() == [0, 1, 1, 3]
    assert found.group.tolist() == [0, 0, 0, 3]


def test_people_s_same_joins_without_a_match_and_is_transitive() -> None:
    found = grouped(5, matches((0, 1)), same=((2, 1), (2, 4)))
    assert found.keeper.tolist() == [0, 0, 0, 3, 0]
    assert found.match.tolist() == [-1, 0, -1, -1, -1]
    kept = grouped(3, matches(), same=((0, 1), (1, 2)), keep=(2,))
    assert kept.keeper.tolist() == [0, 0, 2]
    assert kept.group.tolist() == [0, 0, 0]


def test_people_s_different_keeps_two_images_out_of_one_group() -> None:
    assert grouped(2, matches((0, 1)), different=((1, 0),)).keeper.tolist() == [0, 1]
    # Both match the keeper: the better one is in, the other goes elsewhere.
    apart = grouped(4, matches((0, 2), (0, 3), (1, 3, 0.8)), different=((2, 3),))
    assert apart.keeper.tolist() == [0, 1, 0, 1]
    # What is the same as one of them is kept apart from the other too.
    through = grouped(4, matches((0, 1), (0, 3)), same=((2, 3),), different=((1, 2),))
    assert through.keeper.tolist() == [0, 0, 2, 2]


def test_variants_stay_and_share_a_name_over_as_many_steps_as_there_are() -> None:
    found = matches((0, 1), (1, 2, 0.7, 6, VARIANT), (2, 3, 0.8, 6, VARIANT), (4, 5))
    tied = grouped(6, found)
    assert tied.keeper.tolist() == [0, 0, 2, 3, 4, 4]  # 1 is dropped for 0, its variants stay
    assert tied.group.tolist() == [0, 0, 0, 0, 4, 4]
    assert tied.variant.tolist() == [-1, -1, 2, 2, -1, -1]  # the likest one of each
    assert grouped(6, found, variants="drop").keeper.tolist() == [0, 0, 2, 2, 4, 4]


def test_variants_tie_nothing_that_people_call_different() -> None:
    chain = matches((0, 1, 0.9, 4, VARIANT), (1, 2, 0.8, 4, VARIANT), (3, 4, 0.9, 4, VARIANT))
    assert grouped(5, chain, different=((0, 2),)).group.tolist() == [0, 0, 2, 3, 3]


def _untorn_plainly(ends: np.ndarray, taken: np.ndarray, different: np.ndarray) -> np.ndarray:
    """One edge after the other, with all components made anew each time."""
    taken = taken.copy()
    for edge in np.flatnonzero(~taken).tolist():
        taken[edge] = True
        joined = components(ends[taken].tolist())
        if any(joined.get(a, a) == joined.get(b, b) for a, b in different.tolist()):
            taken[edge] = False
    return taken


@given(
    seed=st.integers(0, 10_000), count=st.integers(2, 30), edges=st.integers(0, 60), apart=st.integers(1, 8)
)
@settings(max_examples=300, deadline=None)
def test_edges_are_taken_as_by_the_plain_rule(seed: int, count: int, edges: int, apart: int) -> None:
    rng = np.random.default_rng(seed)
    ends, different = rng.integers(0, count, (edges, 2)), rng.integers(0, count, (apart, 2))
    different = different[different[:, 0] != different[:, 1]]
    joined = groups.connected(ends, count)
    a, b = joined[different].T
    whole = ~np.isin(joined[ends[:, 0]], a[a == b])
    found = groups._untorn(ends, whole, different)
    assert found.tolist() == _untorn_plainly(ends, whole, different).tolist()


def test_a_film_of_which_two_frames_are_called_different_takes_no_square() -> None:
    """20,000 frames: under a second, where all components anew for each edge would take hours."""
    frames = 20_000
    pairs = np.stack([np.arange(frames - 1), np.arange(1, frames)], axis=1)
    began = time.process_time()
    taken = groups._untorn(pairs, np.zeros(len(pairs), np.bool_), np.array([[0, frames - 1]]))
    assert time.process_time() - began < 10
    assert np.flatnonzero(~taken).tolist() == [frames - 2]


def test_no_images() -> None:
    assert grouped(0, matches()).keeper.tolist() == []


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, list[tuple[Any, ...]], list[Pair], list[Pair], list[int]]:
    count = draw(st.integers(1, 12))
    rows = st.integers(0, count - 1)
    pair = st.tuples(rows, rows).filter(lambda two: two[0] != two[1]).map(lambda two: (min(two), max(two)))
    unique = draw(st.lists(pair, max_size=30, unique=True)) if count > 1 else []
    edges = [
        (*one, draw(st.sampled_from([0.8, 0.9, 1.0])), draw(st.integers(0, 6)), draw(st.integers(0, 6)))
        for one in unique
    ]
    people = draw(st.lists(pair, max_size=3, unique=True)) if count > 1 else []
    split = draw(st.integers(0, len(people)))
    return count, edges, people[:split], people[split:], draw(st.lists(rows, max_size=2))


VARIANTS_OF_TWO = [
    (0, 3, 0.8, 0, 6),
    (0, 2, 0.8, 0, 0),
    (1, 3, 0.8, 0, 6),
    (0, 1, 0.8, 0, 0),
    (1, 2, 0.8, 0, 0),
]


@example(case=(4, VARIANTS_OF_TWO, [], [(0, 1)], []), linkage="keeper", variants="keep", seed=0)
@given(
    case=cases(),
    linkage=st.sampled_from(["keeper", "complete"]),
    variants=st.sampled_from(["keep", "drop"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=300, deadline=None)
def test_invariants(  # noqa: C901, PLR0912
    case: Any, linkage: Linkage, variants: Literal["keep", "drop"], seed: int
) -> None:
    count, edges, same, different, keep = case
    linked = _linked(count, same)
    if any(linked[a] == linked[b] for a, b in different):
        return  # decisions.resolve refuses these
    options: Any = {
        "linkage": linkage,
        "variants": variants,
        "keep": keep,
        "same": same,
        "different": different,
    }
    found = grouped(count, matches(*edges), **options)
    matched = {frozenset(edge[:2]) for edge in edges if edge[4] != VARIANT or variants == "drop"}
    for image, keeper in enumerate(found.keeper.tolist()):
        assert found.keeper[keeper] == keeper
        assert found.group[image] == found.group[keeper]
        if image in keep:
            assert keeper == image
        if keeper != image and not same:
            assert keeper < image
            assert frozenset((image, keeper)) in matched
            assert set(edges[found.match[image]][:2]) == {image, keeper}
        if not same and linkage == "complete":
            mates = [other for other in range(image) if found.keeper[other] == keeper]
            assert all(frozenset((image, other)) in matched for other in mates) or keeper == image
    for a, b in same:
        assert found.group[a] == found.group[b]
    if variants == "keep":
        for a, b, *_, relation in edges:
            if relation == VARIANT and not different:
                assert found.group[a] == found.group[b]  # or a split would leak
    for image, tie in enumerate(found.variant.tolist()):
        if tie >= 0:
            assert found.keeper[image] == image != found.group[image]
            assert image in edges[tie][:2]
            assert edges[tie][4] == VARIANT
    for a, b in different:
        assert found.group[a] != found.group[b]
    if not (same or different) and linkage == "keeper":
        keepers = set(found.keeper.tolist()) - set(keep)
        assert not any(frozenset((a, b)) in matched for a in keepers for b in keepers if a < b)
    shuffled = [edges[at] for at in np.random.default_rng(seed).permutation(len(edges))]
    again = grouped(count, matches(*shuffled), **options)
    assert again.keeper.tolist() == found.keeper.tolist()
    assert again.group.tolist() == found.group.tolist()


def _linked(count: int, pairs: list[Pair]) -> list[int]:
    group = list(range(count))
    for a, b in pairs:
        group = [group[a] if name == group[b] else name for name in group]
    return group


def test_relations_are_those_of_verification_and_two_more() -> None:
    assert RELATIONS[-2:] == ("semantic", "decided")
    assert len(set(RELATIONS)) == len(RELATIONS)
