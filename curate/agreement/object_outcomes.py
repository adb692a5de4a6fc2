"""What became of every object in a comparison: whether the other side has it, and how alike the two are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from curate.agreement import mask_measures, vote_rules
from curate.agreement.annotator_pairs import Pairs, Size
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.agreement.consensus import Settled
from curate.geometry import boxes
from curate.geometry.grouped_matching import paired_iou
from curate.geometry.matching import Indices

SIZES = ("small", "medium", "large")
_SMALL, _MEDIUM = 32.0**2, 96.0**2  # square pixels, as COCO has them
_CHUNK_CLUSTERS = 50_000
NOBODY = -1
Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One row per object in one comparison, in columns; ordered by image.

    Attributes:
        image: (N,) index into `Answers.images`.
        annotator: (N,) index into `Answers.people`: who drew it; of a joint object of others who should have.
        other: (N,) the other of the pair; NOBODY where the other side are all others.
        first: (N,) whether the annotator is the first of the pair, in sort order.
        category: (N,) index into `Answers.names`.
        size: (N,) index into `SIZES`, by the area of its box.
        drawn: (N,) the object; NOBODY of a joint object that the annotator did not draw.
        matched: (N,) whether the other side has it.
        same: (N,) whether the other side has it and calls it the same.
        measures: Of matched objects by name: "box_iou", "mask_iou", "dice", "boundary_iou", "hausdorff_95";
            each (N,), NaN where there is none.
    """

    image: Indices
    annotator: Indices
    other: Indices
    first: Flags
    category: Indices
    size: Indices
    drawn: Indices
    matched: Flags
    same: Flags
    measures: Mapping[str, Values] = field(default_factory=dict)


def size_classes(corners: Values) -> Indices:
    """The class of boxes (N, 4), as index into `SIZES`: under 32 by 32 pixels, under 96 by 96, or larger.

    Source:
        COCO's evaluation, https://cocodataset.org/#detection-eval, by the box's area.
    """
    areas = boxes.area(corners)
    return (areas >= _SMALL).astype(np.intp) + (areas >= _MEDIUM)


def between_people(answers: Answers, pairs: Pairs, sizes: Mapping[str, Size], *, contours: bool) -> Outcomes:
    """Every object of each two annotators of an image: has the other drawn it?

    Args:
        answers: What people drew.
        pairs: Their comparison.
        sizes: Width and height of every image, upright pixels.
        contours: Whether outlines of masks are compared, which takes about a millisecond per pair of masks.
    """
    measures = {
        "box_iou": pairs.box_iou,
        "mask_iou": pairs.mask_iou,
        **_contours(answers, pairs, sizes, contours),
    }
    rows = np.concatenate([np.flatnonzero(pairs.a >= 0), np.flatnonzero(pairs.b >= 0)])
    first = np.repeat([True, False], [(pairs.a >= 0).sum(), (pairs.b >= 0).sum()])
    order = np.argsort(pairs.comparison[rows], kind="stable")
    rows, first = rows[order], first[order]
    a, b = pairs.a[rows], pairs.b[rows]
    mine, theirs = np.where(first, a, b), np.where(first, b, a)
    of = pairs.comparison[rows]
    matched = theirs >= 0
    return Outcomes(
        image=pairs.image[of],
        annotator=np.where(first, pairs.first[of], pairs.second[of]),
        other=np.where(first, pairs.second[of], pairs.first[of]),
        first=first,
        category=answers.category[mine],
        size=size_classes(answers.boxes)[mine],
        drawn=mine,
        matched=matched,
        same=matched & (answers.category[mine] == answers.category[theirs]),
        measures={name: values[rows] for name, values in measures.items()},
    )


def _contours(answers: Answers, pairs: Pairs, sizes: Mapping[str, Size], contours: bool) -> dict[str, Values]:
    """Measures of outlines, a value a row of the pairs."""
    names = ("dice", "boundary_iou", "hausdorff_95")
    found: dict[str, Values] = {name: np.full(len(pairs.a), np.nan) for name in names if contours}
    for row in np.flatnonzero(~np.isnan(pairs.mask_iou)).tolist() if contours else ():
        width, height = sizes[answers.images[pairs.image[pairs.comparison[row]]]]
        rle_a, rle_b = answers.rles[pairs.a[row]] or "", answers.rles[pairs.b[row]] or ""
        alike = mask_measures.compare(rle_a, rle_b, width=width, height=height)
        for name in names:
            value = getattr(alike, name)
            found[name][row] = np.nan if value is None else value
    return found


def against_others(
    answers: Answers, clusters: Clusters, *, min_votes_share: float
) -> tuple[Outcomes, Outcomes]:
    """Each person's work against what all others of the image agree on, without that person's vote.

    Only images that three or more people looked at say anything. What the others do not settle is left out.

    Args:
        answers: What people drew.
        clusters: Of all objects.
        min_votes_share: As for the consensus (`vote_rules.presence`).

    Returns:
        What people drew (are the others of the same opinion?), and what the others agree on (has the person
        drawn it?).
    """
    parts = [_of_others(answers, part, min_votes_share) for part in _alike_in_size(answers, clusters)]
    return _joined([one for one, _ in parts]), _joined([two for _, two in parts])


def against_consensus(answers: Answers, clusters: Clusters, settled: Settled) -> tuple[Outcomes, Outcomes]:
    """Each person's work against what all people of the image settled on, that person's vote included.

    Only images that two or more people looked at say anything; what is disputed is left out.

    Args:
        answers: What people drew.
        clusters: Of all objects.
        settled: What they settled on.

    Returns:
        What people drew (is it there, and so called?), and what is there (has the person drawn it?).
    """
    rows = np.flatnonzero((answers.looks[clusters.image] > 1) & (settled.there | settled.absent))
    looks = answers.looks[clusters.image[rows]]
    cluster = np.repeat(rows, looks)
    first = np.searchsorted(answers.look_image, clusters.image[rows])
    within = np.arange(len(cluster)) - np.repeat(np.cumsum(looks) - looks, looks)
    person = answers.look_person[np.repeat(first, looks) + within]
    mine = _drawn_by(answers, clusters, cluster, person)
    drew, there = mine >= 0, settled.there[cluster]
    own = np.where(drew, answers.category[mine], NOBODY) if len(answers.category) else mine
    iou = np.full(len(mine), np.nan)
    both = drew & there
    iou[both] = paired_iou(answers.boxes[mine[both]], settled.boxes[cluster[both]])
    name = np.where(there, settled.category[cluster], NOBODY)

    def outcomes(wanted: Flags, of_whom: Indices, other: Indices, size: Indices) -> Outcomes:
        return Outcomes(
            image=clusters.image[cluster[wanted]],
            annotator=person[wanted],
            other=np.full(int(wanted.sum()), NOBODY),
            first=np.zeros(int(wanted.sum()), dtype=np.bool_),
            category=of_whom[wanted],
            size=size[wanted],
            drawn=mine[wanted],
            matched=other[wanted] >= 0,
            same=(other[wanted] == of_whom[wanted]),
            measures={"box_iou": iou[wanted]},
        )

    classes = size_classes(answers.boxes)[mine] if len(answers.boxes) else mine
    return (
        outcomes(drew, own, name, classes),
        outcomes(there, name, own, size_classes(settled.boxes)[cluster]),
    )


def _drawn_by(answers: Answers, clusters: Clusters, cluster: Indices, person: Indices) -> Indices:
    """The object of each person in each cluster; NOBODY where there is none."""
    wide = max(1, len(answers.people))
    keys = clusters.number * wide + answers.owner[clusters.members]
    order = np.argsort(keys)
    wanted = cluster * wide + person
    place = np.minimum(np.searchsorted(keys[order], wanted), max(0, len(keys) - 1))
    if not len(keys):
        return np.full(len(wanted), NOBODY)
    return np.where(keys[order][place] == wanted, clusters.members[order][place], NOBODY)


@dataclass(frozen=True, slots=True)
class _Group:
    """Clusters (G,) of images that L people looked at, with M members each."""

    image: Indices
    members: Indices  # (G, M)
    people: Indices  # (G, L)


def _alike_in_size(answers: Answers, clusters: Clusters) -> Iterator[_Group]:
    starts = np.searchsorted(answers.look_image, np.arange(len(answers.images)))
    looks = answers.looks[clusters.image]
    for members in np.unique(clusters.sizes).tolist():
        these, drawn = clusters.of_size(members)
        for people in np.unique(looks[these]).tolist():
            rows = np.flatnonzero(looks[these] == people) if people > 2 else np.zeros(0, dtype=np.intp)
            for start in range(0, len(rows), _CHUNK_CLUSTERS):
                part = rows[start : start + _CHUNK_CLUSTERS]
                image = clusters.image[these[part]]
                looked = answers.look_person[starts[image][:, None] + np.arange(people)]
                yield _Group(image, drawn[part], looked)


def _of_others(answers: Answers, group: _Group, share: float) -> tuple[Outcomes, Outcomes]:
    own = answers.owner[group.members][:, None, :] == group.people[:, :, None]  # (G, L, M)
    others = ~own
    n_others = others.sum(axis=2)
    n_looked = group.people.shape[1] - 1
    verdicts = np.array(
        [vote_rules.presence(votes, n_looked, min_votes_share=share) for votes in range(n_looked + 1)]
    )
    state = verdicts[np.minimum(n_others, n_looked)]
    name = _majority(answers.category[group.members], others, n_others)
    middle = _median(answers.boxes[group.members], others, n_others)
    there = state == "object"
    named = there & (name >= 0)
    mine = np.where(own.any(axis=2), np.take_along_axis(group.members, own.argmax(axis=2), axis=1), NOBODY)
    drew = mine >= 0
    category = np.where(drew, answers.category[mine], NOBODY)
    iou = np.full(mine.shape, np.nan)
    both = drew & there
    iou[both] = paired_iou(answers.boxes[mine[both]], middle[both])

    def rows(wanted: Flags, of_whom: Indices, size: Indices, other: Indices) -> Outcomes:
        image, annotator = np.broadcast_to(group.image[:, None], mine.shape)[wanted], group.people[wanted]
        matched = other[wanted] >= 0
        return Outcomes(
            image=image,
            annotator=annotator,
            other=np.full(len(image), NOBODY),
            first=np.zeros(len(image), dtype=np.bool_),
            category=of_whom[wanted],
            size=size[wanted],
            drawn=mine[wanted],
            matched=matched,
            same=matched & (other[wanted] == of_whom[wanted]),
            measures={"box_iou": iou[wanted]},
        )

    of_middle = size_classes(middle.reshape(-1, 4)).reshape(mine.shape)
    of_mine = size_classes(answers.boxes)[mine] if len(answers.boxes) else mine
    settled = named | (state == "absent")
    return (
        rows(drew & settled, category, of_mine, np.where(named, name, NOBODY)),
        rows(named, name, of_middle, category),
    )


def _majority(category: Indices, others: Flags, n_others: Indices) -> Indices:
    """(G, L) the name that more than half of the others have; NOBODY if there is none."""
    alike = category[:, :, None] == category[:, None, :]  # (G, M, M)
    counts = np.einsum("glm,gmn->gln", others.astype(np.float32), alike.astype(np.float32)) * others
    best = counts.argmax(axis=2)
    best_count = np.take_along_axis(counts, best[:, :, None], axis=2)[:, :, 0]
    return np.where(2 * best_count > n_others, np.take_along_axis(category, best, axis=1), NOBODY)


def _median(corners: Values, others: Flags, n_others: Indices) -> Values:
    """(G, L, 4) the median box of the others; zeros where there are none."""
    values = np.where(others[..., None], corners[:, None], np.inf)  # (G, L, M, 4)
    values.sort(axis=2)
    last = np.maximum(n_others - 1, 0)
    low, high = (
        np.take_along_axis(values, place[:, :, None, None], axis=2)[:, :, 0]
        for place in (last // 2, n_others // 2)
    )
    return np.where(n_others[..., None] > 0, (low + high) / 2, 0.0)


def _joined(parts: Sequence[Outcomes]) -> Outcomes:
    nothing, no = np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.bool_)
    parts = [
        Outcomes(nothing, nothing, nothing, no, nothing, nothing, nothing, no, no, {"box_iou": np.zeros(0)}),
        *parts,
    ]
    names = ("image", "annotator", "other", "first", "category", "size", "drawn", "matched", "same")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Outcomes(
        **columns, measures={"box_iou": np.concatenate([part.measures["box_iou"] for part in parts])}
    )
