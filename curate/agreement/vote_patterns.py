"""Who said what of how many objects: what people's reliability is estimated from, in counts.

There are few ways in which a handful of people can answer, however many objects there are; counts of them are
whole numbers, so those of parts of the images add up to those of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.geometry.matching import Indices

Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
LOOKED, NAMED = 1, 2  # of what a person said: nothing there; from here on the category
_KEY_BITS = 62


@dataclass(frozen=True, slots=True)
class VotePatterns:
    """The W ways in which A people answered of an object, and the V ways in which they looked at images.

    Attributes:
        people: A names, sorted.
        names: K categories, sorted.
        votes: (W, A) 0 = did not look, `LOOKED` = looked and drew nothing, `NAMED` + k = drew it as
            the k-th category. Each row once, in sorted order.
        objects: (W,) joint objects of each.
        looked: (V, A) who looked. Each row once, in sorted order.
        images: (V,) images of each.
    """

    people: tuple[str, ...]
    names: tuple[str, ...]
    votes: Codes
    objects: Counts
    looked: Flags
    images: Counts

    def drawn(self) -> Counts:
        """(A,) objects that each person drew."""
        return (self.votes >= NAMED).astype(np.int64).T @ self.objects

    def places(self, answers: Answers, clusters: Clusters) -> Indices:
        """(C,) the row of `votes` of each joint object, of which these patterns were counted."""
        rows, inverse = _distinct(_votes(answers, clusters), NAMED + len(self.names))
        place = {row.tobytes(): number for number, row in enumerate(self.votes)}
        return np.array([place[row.tobytes()] for row in rows], dtype=np.intp)[inverse]


def collect(answers: Answers, clusters: Clusters) -> VotePatterns:
    """Count equal patterns of votes on objects, and of looks at images.

    Args:
        answers: What people drew.
        clusters: Of all objects.
    """
    votes, of_object = _distinct(_votes(answers, clusters), NAMED + len(answers.names))
    looked, of_image = _distinct(answers.looked.astype(np.int32), 2)
    return VotePatterns(
        tuple(answers.people),
        tuple(answers.names),
        votes,
        np.bincount(of_object, minlength=len(votes)).astype(np.int64),
        looked.astype(np.bool_),
        np.bincount(of_image, minlength=len(looked)).astype(np.int64),
    )


def together(parts: Sequence[VotePatterns]) -> VotePatterns:
    """The patterns of all images, from those of parts of them that share no image."""
    people = tuple(sorted({one for part in parts for one in part.people}))
    names = tuple(sorted({one for part in parts for one in part.names}))
    column = {one: place for place, one in enumerate(people)}
    code = {one: place for place, one in enumerate(names)}
    votes, looked = [np.zeros((0, len(people)), np.int32)], [np.zeros((0, len(people)), np.int32)]
    for part in parts:
        columns = [column[one] for one in part.people]
        of_name = np.array([0, LOOKED, *(NAMED + code[one] for one in part.names)], dtype=np.int32)
        votes.append(np.zeros((len(part.votes), len(people)), np.int32))
        votes[-1][:, columns] = of_name[part.votes]
        looked.append(np.zeros((len(part.looked), len(people)), np.int32))
        looked[-1][:, columns] = part.looked
    every_vote, of_object = _distinct(np.concatenate(votes), NAMED + len(names))
    every_look, of_image = _distinct(np.concatenate(looked), 2)
    objects, images = np.zeros(len(every_vote), np.int64), np.zeros(len(every_look), np.int64)
    np.add.at(objects, of_object, np.concatenate([np.zeros(0, np.int64), *(one.objects for one in parts)]))
    np.add.at(images, of_image, np.concatenate([np.zeros(0, np.int64), *(one.images for one in parts)]))
    return VotePatterns(people, names, every_vote, objects, every_look.astype(np.bool_), images)


def _votes(answers: Answers, clusters: Clusters) -> Codes:
    votes = answers.looked[clusters.image].astype(np.int32)
    votes[clusters.number, answers.owner[clusters.members]] = NAMED + answers.category[clusters.members]
    return votes


def _distinct(rows: Codes, base: int) -> tuple[Codes, Indices]:
    """The distinct rows, sorted, and which of them each is; all numbers are below `base`."""
    if rows.shape[1] * np.log2(base) < _KEY_BITS:  # a row is a number: much faster to sort
        powers = base ** np.arange(rows.shape[1] - 1, -1, -1, dtype=np.int64)
        _, first, inverse = np.unique(rows @ powers, return_index=True, return_inverse=True)
    else:
        _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return rows[first], inverse.ravel()
