"""Which objects of several people are one: joint objects by optimal assignment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from curate.agreement.annotator_pairs import Edge, Pairs
from curate.agreement.by_annotator import Answers

_PAIR = 2
_MOST_GROUPS = 5_000  # candidates for one tangle of objects; beyond, the best edges are joined greedily


@dataclass(frozen=True, slots=True)
class Cluster:
    """Objects that mean one thing, at most one an annotator; `members` are indices into `Answers`."""

    image_id: str
    members: tuple[int, ...]


def cluster(answers: Answers, pairs: Pairs) -> list[Cluster]:
    """Group what different annotators drew of the same object.

    Two objects can be one where `pairs.similarity` says so. A group has at most one object of each annotator,
    and each two of its objects can be one: no chains. Of all ways to group an image's objects the one is
    taken whose pairs have the greatest sum of similarity, where a pair of one category counts 1 more. That is
    also the rule where one person drew one object and another drew two over it: the better pair is joined,
    and the third object stands alone. Of ways that are equally good, the order of the objects' content
    decides, never the order of rows or people. With two annotators the groups are the matches.

    Args:
        answers: What people drew.
        pairs: Their comparison by `compare`.

    Returns:
        Every object in exactly one cluster, ordered by image and content.

    Source:
        Set partitioning (Balas and Padberg, SIAM Review 18, 1976), solved by HiGHS (Huangfu and Hall 2018)
        wherever there is more than one way.
    """
    matched: dict[str, list[Edge]] = defaultdict(list)
    for image_id, a, b, gain in zip(pairs.images, pairs.a, pairs.b, pairs.gain, strict=True):
        if gain is not None:
            matched[image_id].append((a, b, gain))
    clusters = []
    for image_id, annotators in answers.by_image.items():
        owner = {index: person for person, drawn in annotators.items() for index in drawn.tolist()}
        edges = matched if len(annotators) <= _PAIR else pairs.edges
        joined: dict[int, tuple[int, ...]] = {}
        for tangle in _components(edges.get(image_id, ())):
            for members in _grouped(tangle, owner, answers.categories):
                joined |= dict.fromkeys(members, members)
        distinct = dict.fromkeys(joined.get(index, (index,)) for index in sorted(owner))
        clusters += [Cluster(image_id, members) for members in distinct]
    return clusters


def category_votes(
    answers: Answers, clusters: Sequence[Cluster], categories: Sequence[str]
) -> NDArray[np.float64]:
    """How many members of each cluster chose each category: (clusters, categories)."""
    column = {name: index for index, name in enumerate(categories)}
    counts = np.zeros((len(clusters), len(categories)))
    for row, group in enumerate(clusters):
        for member in group.members:
            counts[row, column[answers.categories[member]]] += 1
    return counts


def _components(edges: Sequence[Edge]) -> list[list[Edge]]:
    """The edges of each set of objects that hang together."""
    root: dict[int, int] = {}

    def find(node: int) -> int:
        while root.setdefault(node, node) != node:
            node = root[node]
        return node

    for a, b, _ in edges:
        first, second = sorted((find(a), find(b)))
        root[second] = first
    parts: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        parts[find(edge[0])].append(edge)
    return [parts[key] for key in sorted(parts)]


def _grouped(
    edges: Sequence[Edge], owner: dict[int, str], categories: Sequence[str]
) -> list[tuple[int, ...]]:
    """The best partition of one component."""
    value = {(min(a, b), max(a, b)): gain + (categories[a] == categories[b]) for a, b, gain in edges}
    nodes = sorted({node for pair in value for node in pair})
    whole = len(value) == len(nodes) * (len(nodes) - 1) // 2 and len({owner[i] for i in nodes}) == len(nodes)
    if whole:
        return [tuple(nodes)]
    groups = []
    for group in _cliques(nodes, value, owner):
        groups.append(group)
        if len(groups) > _MOST_GROUPS:
            return _greedy(value, owner)
    return _best(groups, nodes, value)


def _cliques(
    nodes: Sequence[int], value: dict[tuple[int, int], float], owner: dict[int, str]
) -> Iterator[tuple[int, ...]]:
    """Every set of objects that can be one."""

    def grow(group: tuple[int, ...], rest: Sequence[int]) -> Iterator[tuple[int, ...]]:
        yield group
        for place, node in enumerate(rest):
            others = [o for o in rest[place + 1 :] if (node, o) in value and owner[o] != owner[node]]
            yield from grow((*group, node), others)

    for place, node in enumerate(nodes):
        yield from grow((node,), [o for o in nodes[place + 1 :] if (node, o) in value])


def _best(
    groups: Sequence[tuple[int, ...]], nodes: Sequence[int], value: dict[tuple[int, int], float]
) -> list[tuple[int, ...]]:
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


def _greedy(value: dict[tuple[int, int], float], owner: dict[int, str]) -> list[tuple[int, ...]]:
    """The best pairs first, joined where each two of the joined group can be one."""
    groups: dict[int, tuple[int, ...]] = {node: (node,) for pair in value for node in pair}
    for a, b in sorted(value, key=lambda pair: (-value[pair], pair)):
        first, second = groups[a], groups[b]
        between = all((min(i, j), max(i, j)) in value and owner[i] != owner[j] for i in first for j in second)
        if first != second and between:
            joined = tuple(sorted((*first, *second)))
            groups.update(dict.fromkeys(joined, joined))
    return sorted(set(groups.values()))
