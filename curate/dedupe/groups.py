"""Groups of near-duplicates without chaining: a keeper, and images that were compared with it and match.

Images are taken best first. One that matches no keeper becomes a keeper; any other joins the keeper that it
matches best, where its group admits it. So a cross-fade, whose every frame matches the next, falls into as
many groups as it has pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.compiled import compiled
from curate.dedupe.decisions import components
from curate.dedupe.verify import RELATIONS as PIXEL_RELATIONS

RELATIONS: Final = (*PIXEL_RELATIONS, "semantic", "decided")
SEMANTIC: Final = RELATIONS.index("semantic")
DECIDED: Final = RELATIONS.index("decided")
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs of images that are the same picture, each once.

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
        """The same pairs by other numbers, first < second."""
        a, b = names[self.first], names[self.second]
        return Matches(np.minimum(a, b), np.maximum(a, b), self.hamming, self.correlation, self.relation)

    def take(self, chosen: NDArray[np.bool_] | Rows) -> Matches:
        """Some of the pairs."""
        return Matches(*(getattr(self, name)[chosen] for name in self.__slots__))


def with_semantic(
    matches: Matches,
    first: Rows,
    second: Rows,
    hamming: NDArray[np.uint16],
    cosine: NDArray[np.float32],
) -> Matches:
    """The matches, and further pairs by meaning where there is no match yet; first < second in both."""
    most = 1 + max(int(matches.second.max(initial=0)), int(second.max(initial=0)))
    new = ~np.isin(first * most + second, matches.first * most + matches.second)
    relation = np.full(int(new.sum()), SEMANTIC, dtype=np.int8)
    further = Matches(first[new], second[new], hamming[new], cosine[new], relation)
    return Matches(
        *(np.concatenate([getattr(matches, name), getattr(further, name)]) for name in Matches.__slots__)
    )


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which image each image belongs to.

    Attributes:
        keeper: (N,) int64; row of the image it is dropped for, its own for images that are kept.
        group: (N,) int64; row that names the group. A keeper's own, except where a person keeps several
            images of one group: they share it, so that no split tears them apart.
        match: (N,) int64; row in the matches that ties it to its keeper, -1 where there is none: kept images,
            and those that only a person tied to it.
    """

    keeper: Rows
    group: Rows
    match: Rows


def group(
    matches: Matches,
    *,
    linkage: Literal["keeper", "complete"],
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
    edges = _edges(matches, leads)
    bounds = np.searchsorted(edges.worse, np.arange(count + 1))
    graph = _Graph(bounds, edges.better, *_apart(leader[different.reshape(-1, 2)], count))
    keeper, named, edge = _join(graph, keep, linkage == "complete")
    followers = np.flatnonzero(~leads)
    named[followers] = named[leader[followers]]
    keeper[followers] = np.where(keep[followers], followers, keeper[leader[followers]])
    match = np.full(count, -1, dtype=np.int64)
    match[edge >= 0] = edges.match[edge[edge >= 0]]
    return Grouping(keeper, named, match)


@dataclass(frozen=True, slots=True)
class _Edges:
    """Matches between leaders, ordered by the worse one, then best first."""

    worse: Rows
    better: Rows
    match: Rows


class _Graph(NamedTuple):
    """For each row: better ones that match, best match first, and rows to stay apart from.

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


def _edges(matches: Matches, leads: NDArray[np.bool_]) -> _Edges:
    chosen = np.flatnonzero(leads[matches.first] & leads[matches.second] & (matches.first != matches.second))
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


@compiled
def _join(graph: _Graph, keep: NDArray[np.bool_], complete: bool) -> tuple[Rows, Rows, Rows]:
    """Keeper, name of the group and edge to the keeper; see `group`."""
    count = len(keep)
    keeper, named = np.arange(count), np.arange(count)
    edge = np.full(count, -1)
    size = np.ones(count, np.int64)
    matched = np.zeros(count, np.int64)  # members of a keeper's group that the current image matches
    for image in range(count):
        edges = range(graph.bounds[image], graph.bounds[image + 1])
        for at in edges:
            matched[keeper[graph.better[at]]] += 1
        for at in edges:
            to = graph.better[at]
            admitted = keeper[to] == to and (matched[to] == size[to] or not complete)
            if admitted and _welcome(graph, image, named, named[to]):
                named[image] = named[to]
                if not keep[image]:
                    keeper[image], edge[image] = to, at
                    size[to] += 1
                break
        for at in edges:
            matched[keeper[graph.better[at]]] = 0
    return keeper, named, edge


@compiled
def _welcome(graph: _Graph, image: int, named: Rows, group: int) -> bool:
    """Whether nobody in the group must stay apart from the image."""
    for at in range(graph.apart_bounds[image], graph.apart_bounds[image + 1]):
        other = graph.apart[at]
        if other < image and named[other] == group:
            return False
    return True
