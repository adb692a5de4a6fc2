"""Joint objects of three and more people, against every possible way to group them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.agreement import clusters
from curate.agreement.annotator_pairs import Pairs, compare
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import cluster
from tests.agreement.drawings import Drawn, answers
from tests.builders import HEIGHT, WIDTH, image_id

A, B, C = "ann", "ben", "cem"
BOX = (20.0, 20.0, 60.0, 60.0)


def compared(people: list[Drawn]) -> tuple[Answers, Pairs]:
    work: dict[tuple[str, str], Drawn | None] = {("one", f"p{i}"): drawn for i, drawn in enumerate(people)}
    found = answers(work)
    sizes = {image_id("one"): (WIDTH, HEIGHT)}
    return found, compare(found, found.overlapped(), sizes, iou_threshold=0.3)


def partitions(items: list[int]) -> Iterator[list[list[int]]]:
    if not items:
        yield []
        return
    first, *rest = items
    for part in partitions(rest):
        yield [[first], *part]
        for place in range(len(part)):
            yield [*part[:place], [first, *part[place]], *part[place + 1 :]]


def worth(groups: list[list[int]], found: Answers, pairs: Pairs) -> float | None:
    """Of a way to group; None where it joins what cannot be one."""
    edges = zip(
        *(column.tolist() for column in (pairs.edges.a, pairs.edges.b, pairs.edges.gain)), strict=True
    )
    edge = {(min(a, b), max(a, b)): gain for a, b, gain in edges}
    total = 0.0
    for group in groups:
        for i, a in enumerate(sorted(group)):
            for b in sorted(group)[i + 1 :]:
                if (a, b) not in edge:
                    return None
                total += edge[a, b] + (found.categories[a] == found.categories[b])
    return total


position = st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(20, 50), st.integers(20, 50))
thing = st.tuples(
    st.sampled_from(["stop", "park"]),
    position.map(lambda p: (float(p[0]), float(p[1]), float(p[0] + p[2]), float(p[1] + p[3]))),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(thing, max_size=2), min_size=3, max_size=4))
def test_no_way_to_group_is_better(people: list[Drawn]) -> None:
    found, pairs = compared(people)
    mine = worth([list(group.members) for group in cluster(found, pairs)], found, pairs)
    ways = (worth(way, found, pairs) for way in partitions(list(range(len(found.categories)))))
    assert mine == pytest.approx(max(value for value in ways if value is not None))


@settings(deadline=None, max_examples=40)
@given(st.lists(thing, max_size=4), st.lists(thing, max_size=4))
def test_with_two_annotators_the_groups_are_the_matches(first: Drawn, second: Drawn) -> None:
    found, pairs = compared([first, second])
    matched = {(a, b) for a, b in zip(pairs.a, pairs.b, strict=True) if a >= 0 and b >= 0}
    groups = {group.members for group in cluster(found, pairs) if len(group.members) > 1}
    assert groups == {tuple(sorted(pair)) for pair in matched}


def test_two_objects_over_one_leave_the_worse_alone() -> None:
    near, far = (22.0, 20.0, 62.0, 60.0), (32.0, 20.0, 72.0, 60.0)
    found, pairs = compared([[("stop", BOX)], [("stop", near), ("stop", far)], [("stop", BOX)]])
    sizes = sorted(len(group.members) for group in cluster(found, pairs))
    assert sizes == [1, 3]
    (alone,) = [group.members[0] for group in cluster(found, pairs) if len(group.members) == 1]
    assert found.boxes[alone].tolist() == list(far)


def test_a_tangle_beyond_counting_is_still_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    people: list[Drawn] = [
        [("stop", (20.0 + x, 20.0, 60.0 + x, 60.0)) for x in rng.uniform(0, 15, 4)] for _ in range(4)
    ]
    found, pairs = compared(people)
    monkeypatch.setattr(clusters, "_MAX_GROUPS", 10)
    owner = found.owners()
    groups = cluster(found, pairs)
    assert sorted(i for group in groups for i in group.members) == list(range(16))
    assert all(len({owner[i] for i in group.members}) == len(group.members) for group in groups)
    assert worth([list(group.members) for group in groups], found, pairs) is not None
