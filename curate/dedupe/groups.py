"""Groups of near-duplicates without chaining: a keeper, and images that were compared with it and match.

Images are taken best first. One that matches no keeper becomes a keeper; any other joins the keeper that it
matches best, where its group admits it. So a cross-fade, whose every frame matches the next, falls into as
many groups as it has pictures.

Variants, which show one scene with something else in it, are all kept and share the name of a group, over as
many steps as there are: a split between any two of them would leak.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
import scipy.sparse.csgraph
from numpy.typing import NDArray

from curate.dedupe.decisions import components
from curate.dedupe.verify import PIXEL_RELATIONS, VARIANT

RELATIONS: Final = (*PIXEL_RELATIONS, "semantic", "decided")
SEMANTIC: Final = RELATIONS.index("semantic")
DECIDED: Final = RELATIONS.index("decided")
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs of images that are the same picture or variants of one, each once.

    Attributes:
        first: (P,) int64.
        second: (P,) int64.
        hamming: (P,) uint16, bits between the candidate hashes.
        correlation: (P,) float32, of luma; the cosine where the relation is semantic.
        relation: (P,) int8, index into `RELATIONS`.
    """

    first: Rows
    second: Rows
    hamming: NDArray[np.uint16]
    correlation: NDArray[np.float32]
    relation: NDArray[np.int8]

    def renamed(self, names: Rows) -> Matches:
        """The matches with rows numbered anew, first < second."""
        a, b = names[self.first], names[self.second]
        return Matches(np.minimum(a, b), np.maximum(a, b), self.hamming, self.correlation, self.relation)

    def take(self, chosen: NDArray[np.bool_] | Rows) -> Matches:
        """The matches that are chosen."""
        return Matches(*(getattr(self, name)[chosen] for name in self.__slots__))


def with_semantic(
    matches: Matches,
    first: Rows,
    second: Rows,
    hamming: NDArray[np.uint16],
    cosine: NDArray[np.float32],
) -> Matches:
    """The matches, and further pairs by meaning where there is no match yet; first < second in both."""
    n_rows = 1 + max(int(matches.second.max(initial=0)), int(second.max(initial=0)))
    new = ~np.isin(first * n_rows + second, matches.first * n_rows + matches.second)
    relation = np.full(int(new.sum()), SEMANTIC, dtype=np.int8)
    further = Matches(first[new], second[new], hamming[new], cosine[new], relation)
    return Matches(
        *(np.concatenate([getattr(matches, name), getattr(further, name)]) for name in Matches.__slots__)
    )


@dataclass(frozen=True, slots=True)
class Grouping:
    """Keeper, group and variant of each image.

    Attributes:
        keeper: (N,) int64; row of the image it is dropped for, its own for images that are kept.
        group: (N,) int64; row that names the group. A keeper's own, except where a person keeps several
            images of one group, and where variants tie groups together: they share it, so that no split
            tears them apart.
        match: (N,) int64; row in the matches that ties it to its keeper, -1 where there is none: kept images,
            and those that only a person tied to it.
        variant: (N,) int64; row in the matches that ties a kept image to a variant of it, -1 where there is
            none: dropped images, those without variants, and the one that names the group.
    """

    keeper: Rows
    group: Rows
    match: Rows
    variant: Rows


def group(
    matches: Matches,
    *,
    linkage: Literal["keeper", "complete"],
    variants: Literal["keep", "drop"],
    keep: NDArray[np.bool_],
    same: Rows,
    different: Rows,
) -> Grouping:
    """Choose keepers and give the other images to them.

    An image joins the keeper that it matches best: pixels go before meaning, then the higher correlation, the
    smaller distance, the better keeper. Images that people call the same go together: the best of them
    decides where, the others follow.

    Args:
        matches: Between rows 0..N-1, of which row 0 is the best image.
        variants: keep = variants stay and share a name; drop = they are dropped as the same are.
        linkage: keeper = matched with the keeper; complete = with every member of the group.
        keep: (N,) bool; never given to another keeper.
        same: (S, 2) rows of one group.
        different: (D, 2) rows that never share a group.
    """
    count = len(keep)
    leader = np.arange(count)
    for row, best in components([(a, b) for a, b in same.tolist()]).items():
        leader[row] = best
    leads = leader == np.arange(count)
    tying = (matches.relation == VARIANT) & (variants == "keep")
    edges = _edges(matches, leads, ~tying)
    bounds = np.searchsorted(edges.worse, np.arange(count + 1))
    graph = _Graph(bounds, edges.better, *_apart(leader[different.reshape(-1, 2)], count))
    keeper, named, edge = _join(graph, keep, linkage == "complete")
    followers = np.flatnonzero(~leads)
    named[followers] = named[leader[followers]]
    keeper[followers] = np.where(keep[followers], followers, keeper[leader[followers]])
    match = np.full(count, -1, dtype=np.int64)
    match[edge >= 0] = edges.match[edge[edge >= 0]]
    named, variant = _tied(matches, np.flatnonzero(tying), keeper, named, different.reshape(-1, 2))
    return Grouping(keeper, named, match, variant)


def _tied(matches: Matches, tying: Rows, keeper: Rows, named: Rows, different: Rows) -> tuple[Rows, Rows]:
    """Names of groups that variants tie together, the best of each; and each kept image's match with one."""
    count = len(keeper)
    tying = tying[np.lexsort((matches.second[tying], matches.first[tying]))]  # whatever order they come in
    ends = np.stack([named[matches.first[tying]], named[matches.second[tying]]], axis=1)
    joined = connected(ends, count)
    a, b = joined[named[different]].T
    torn = np.unique(a[a == b])
    if len(torn):  # what people called different would meet: one tie after the other, but for those
        whole = ~np.isin(joined[ends[:, 0]], torn)
        taken = _untorn(ends, whole, named[different])
        tying, ends = tying[taken], ends[taken]
        joined = connected(ends, count)
    names = joined[named]
    variant = np.full(count, -1, dtype=np.int64)
    images = np.concatenate([matches.first[tying], matches.second[tying]])
    order = np.argsort(np.tile(matches.correlation[tying], 2), kind="stable")
    variant[images[order]] = np.tile(tying, 2)[order]  # of several the best one, which is written last
    variant[(keeper != np.arange(count)) | (names == np.arange(count))] = -1
    return names, variant


def connected(ends: Rows, count: int) -> Rows:
    """(count,) the smallest row that each row is connected to by the edges (E, 2)."""
    graph = scipy.sparse.coo_matrix((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), (count, count))
    _, label = scipy.sparse.csgraph.connected_components(graph, directed=False)
    smallest = np.full(count, count, dtype=np.int64)
    np.minimum.at(smallest, label, np.arange(count))
    found: Rows = smallest[label]
    return found


def _untorn(ends: Rows, taken: NDArray[np.bool_], different: Rows) -> NDArray[np.bool_]:
    """Which edges (E, 2) may be taken, in their order, so that no pair of `different` is connected.

    Sets of rows are merged as edges are taken; each set knows the others that it must not meet.

    Args:
        ends: (E, 2)
        taken: (E,) bool, edges that are taken whatever the others do; none connects a pair of `different`.
        different: (D, 2)
    """
    taken = taken.copy()
    rows, at = np.unique(np.concatenate([ends.reshape(-1), different.reshape(-1)]), return_inverse=True)
    edges, pairs = at[: ends.size].reshape(-1, 2), at[ends.size :].reshape(-1, 2)
    parent = connected(edges[taken], len(rows)).tolist()
    apart: dict[int, set[int]] = defaultdict(set)

    def root(row: int) -> int:
        while (above := parent[row]) != row:
            parent[row] = row = parent[above]
        return row

    for a, b in pairs.tolist():
        apart[root(a)].add(root(b))
        apart[root(b)].add(root(a))
    for edge in np.flatnonzero(~taken).tolist():
        few, many = sorted(map(root, edges[edge].tolist()), key=lambda row: len(apart[row]))
        if many in apart[few]:
            continue
        taken[edge] = True
        if few != many:  # the shorter list goes into the longer one
            parent[few] = many
            for other in apart.pop(few):
                apart[other].remove(few)
                apart[other].add(many)
                apart[many].add(other)
    return taken


@dataclass(frozen=True, slots=True)
class _Edges:
    """Matches between leaders, ordered by the worse one, then best first."""

    worse: Rows
    better: Rows
    match: Rows


class _Graph(NamedTuple):
    """Neighbors of each row: better ones that match, best match first, and rows to stay apart from.

    Attributes:
        bounds: (N + 1,) of each image's entries in `better`.
        better: (E,)
        apart_bounds: (N + 1,) of each image's entries in `apart`.
        apart: (A,)
    """

    bounds: Rows
    better: Rows
    apart_bounds: Rows
    apart: Rows


def _edges(matches: Matches, leads: NDArray[np.bool_], joining: NDArray[np.bool_]) -> _Edges:
    both = leads[matches.first] & leads[matches.second] & (matches.first != matches.second)
    chosen = np.flatnonzero(both & joining)
    a, b = matches.first[chosen], matches.second[chosen]
    better, worse = np.minimum(a, b), np.maximum(a, b)
    semantic = matches.relation[chosen] == SEMANTIC
    order = np.lexsort((better, matches.hamming[chosen], -matches.correlation[chosen], semantic, worse))
    return _Edges(worse[order], better[order], chosen[order])


def _apart(pairs: Rows, count: int) -> tuple[Rows, Rows]:
    """Rows that must not meet, for each row: bounds (N + 1,) into the others."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    return np.searchsorted(both[:, 0], np.arange(count + 1)), np.ascontiguousarray(both[:, 1])


def _join(graph: _Graph, keep: NDArray[np.bool_], complete: bool) -> tuple[Rows, Rows, Rows]:
    """Keeper, name of the group and edge to the keeper; see `group`."""
    bounds, better = graph.bounds.tolist(), graph.better.tolist()
    apart_bounds, apart = graph.apart_bounds.tolist(), graph.apart.tolist()
    keeper, named = list(range(len(keep))), list(range(len(keep)))
    edge, size = [-1] * len(keep), [1] * len(keep)
    for image in np.flatnonzero(np.diff(graph.bounds)).tolist():
        edges = range(bounds[image], bounds[image + 1])
        matched = Counter(keeper[better[at]] for at in edges)  # members of each group that it matches
        earlier = [row for row in apart[apart_bounds[image] : apart_bounds[image + 1]] if row < image]
        for at in edges:
            to = better[at]
            admitted = keeper[to] == to and (matched[to] == size[to] or not complete)
            if admitted and all(named[row] != named[to] for row in earlier):
                named[image] = named[to]
                if not keep[image]:
                    keeper[image], edge[image] = to, at
                    size[to] += 1
                break
    return np.array(keeper, np.int64), np.array(named, np.int64), np.array(edge, np.int64)
