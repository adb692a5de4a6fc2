"""Which objects of several people are one: joint objects by optimal assignment."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers
from curate.geometry.matching import Indices

_PAIR = 2
_FEW_GROUPS = 40  # candidates whose every combination is tried
_MAX_GROUPS = 5_000  # candidates for one tangle of objects; beyond, the best edges are joined greedily
_Value = dict[tuple[int, int], float]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Objects that mean one thing, at most one per annotator; `members` are indices into `Answers`."""

    image_id: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Clusters(Sequence[Cluster]):
    """Every object in exactly one cluster, in columns; ordered by image and content.

    Attributes:
        images: Ids of images.
        image: (C,) index into `images`.
        starts: (C + 1,) where the members of each begin.
        members: (N,) indices into `Answers`, rising within a cluster.
    """

    images: Sequence[str]
    image: Indices
    starts: Indices
    members: Indices

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: int) -> Cluster:  # type: ignore[override]
        # A row at a time, for iteration; work on the columns instead.
        if not 0 <= index < len(self):
            raise IndexError(index)
        members = self.members[self.starts[index] : self.starts[index + 1]]
        return Cluster(self.images[self.image[index]], tuple(members.tolist()))

    @property
    def sizes(self) -> Indices:
        """(C,) number of members."""
        return np.diff(self.starts)

    @property
    def number(self) -> Indices:
        """(N,) of each entry of `members`: the cluster that it is in."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def of_size(self, size: int) -> tuple[Indices, Indices]:
        """Clusters (G,) of that many members, and the members (G, size)."""
        these = np.flatnonzero(self.sizes == size)
        return these, self.members[self.starts[these][:, None] + np.arange(size)]


def cluster(answers: Answers, pairs: Pairs) -> Clusters:
    """Group what different annotators drew of the same object.

    Two objects can be one where `pairs.compare` says so. A group has at most one object of each annotator,
    and each two of its objects can be one: no chains. Of all ways to group an image's objects the one is
    taken whose pairs have the greatest sum of similarity, where a pair of one category counts 1 more. That is
    also the rule where one person drew one object and another drew two over it: the better pair is joined,
    and the third object stands alone. Of ways that are equally good, the order of the objects' content
    decides, never the order of rows or people. With two annotators the groups are the matches.

    Args:
        answers: What people drew.
        pairs: Their comparison by `compare`.

    Source:
        Set partitioning (Balas and Padberg, SIAM Review 18, 1976), solved by HiGHS (Huangfu and Hall 2018)
        wherever there is more than one way.
    """
    of_two = answers.looks <= _PAIR
    matched = np.flatnonzero(pairs.matched & of_two[pairs.image[pairs.comparison]])
    able = np.flatnonzero(~of_two[answers.image[pairs.edges.a]])
    a = np.concatenate([pairs.a[matched], pairs.edges.a[able]])
    b = np.concatenate([pairs.b[matched], pairs.edges.b[able]])
    gain = np.concatenate([pairs.gain[matched], pairs.edges.gain[able]])
    n = len(answers.boxes)
    _, part = connected_components(
        coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n)), directed=False
    )
    nodes, edges = np.bincount(part, minlength=1), np.bincount(part[a], minlength=part.max(initial=0) + 1)
    tangled = np.flatnonzero(2 * edges != nodes * (nodes - 1))  # not everything can be one
    group = part.astype(np.intp)
    rows = np.flatnonzero(np.isin(part[a], tangled))
    rows = rows[np.argsort(part[a[rows]], kind="stable")]
    number = len(nodes)
    for one in np.split(rows, np.flatnonzero(np.diff(part[a[rows]])) + 1) if len(rows) else []:
        triples = zip(a[one].tolist(), b[one].tolist(), gain[one].tolist(), strict=True)
        for members in _grouped(list(triples), answers):
            group[list(members)] = number
            number += 1
    return _in_order(answers, group)


def _in_order(answers: Answers, group: Indices) -> Clusters:
    """Clusters by their first member."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    number = rank[inverse]
    members = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[members], np.arange(len(first) + 1))
    return Clusters(answers.images, answers.image[members[starts[:-1]]], starts, members)


def _grouped(edges: Sequence[tuple[int, int, float]], answers: Answers) -> list[tuple[int, ...]]:
    """The best partition of one component."""
    categories, owner = answers.categories, answers.owner
    value = {(min(a, b), max(a, b)): gain + (categories[a] == categories[b]) for a, b, gain in edges}
    nodes = sorted({node for pair in value for node in pair})
    of_whom = {node: int(owner[node]) for node in nodes}
    groups = []
    for group in _cliques(nodes, value, of_whom):
        groups.append(group)
        if len(groups) > _MAX_GROUPS:
            return _greedy(value, of_whom)
    return _best(groups, nodes, value)


def _cliques(nodes: Sequence[int], value: _Value, owner: dict[int, int]) -> Iterator[tuple[int, ...]]:
    """Every set of objects that can be one."""

    def grow(group: tuple[int, ...], rest: Sequence[int]) -> Iterator[tuple[int, ...]]:
        yield group
        for place, node in enumerate(rest):
            others = [o for o in rest[place + 1 :] if (node, o) in value and owner[o] != owner[node]]
            yield from grow((*group, node), others)

    for place, node in enumerate(nodes):
        yield from grow((node,), [o for o in nodes[place + 1 :] if (node, o) in value])


def _best(groups: Sequence[tuple[int, ...]], nodes: Sequence[int], value: _Value) -> list[tuple[int, ...]]:
    """The partition of the nodes into groups whose pairs are worth most."""
    if len(groups) <= _FEW_GROUPS:
        return _enumerated(groups, nodes, value)
    row = {node: index for index, node in enumerate(nodes)}
    covers = np.zeros((len(nodes), len(groups)))
    worth = np.zeros(len(groups))
    for column, group in enumerate(groups):
        covers[[row[node] for node in group], column] = 1.0
        worth[column] = sum(value[a, b] for i, a in enumerate(group) for b in group[i + 1 :])
    found = milp(
        -worth,
        constraints=LinearConstraint(covers, 1.0, 1.0),
        integrality=np.ones(len(groups)),
        bounds=Bounds(0.0, 1.0),
        options={"mip_rel_gap": 0.0},
    )
    return [group for group, taken in zip(groups, found.x, strict=True) if taken > 0.5]


def _enumerated(
    groups: Sequence[tuple[int, ...]], nodes: Sequence[int], value: _Value
) -> list[tuple[int, ...]]:
    """Find the best partition by trying every one."""
    starting = {node: [group for group in groups if group[0] == node] for node in nodes}
    worth = {group: sum(value[pair] for pair in itertools.combinations(group, 2)) for group in groups}
    best: tuple[float, list[tuple[int, ...]]] = (-1.0, [])

    def go_on(left: Sequence[int], total: float, taken: list[tuple[int, ...]]) -> None:
        nonlocal best
        if not left:
            best = max(best, (total, taken), key=lambda one: one[0])
            return
        for group in starting[left[0]]:
            if set(group) <= set(left):
                rest = [node for node in left if node not in group]
                go_on(rest, total + worth[group], [*taken, group])

    go_on(nodes, 0.0, [])
    return best[1]


def _greedy(value: _Value, owner: dict[int, int]) -> list[tuple[int, ...]]:
    """The best pairs first, joined where each two of the joined group can be one."""
    groups: dict[int, tuple[int, ...]] = {node: (node,) for pair in value for node in pair}
    for a, b in sorted(value, key=lambda pair: (-value[pair], pair)):
        first, second = groups[a], groups[b]
        between = all((min(i, j), max(i, j)) in value and owner[i] != owner[j] for i in first for j in second)
        if first != second and between:
            joined = tuple(sorted((*first, *second)))
            groups.update(dict.fromkeys(joined, joined))
    return sorted(set(groups.values()))
