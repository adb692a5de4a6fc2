"""Which slices of the figures an object belongs to: category, size, annotator, pair and attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curate.agreement import object_attributes
from curate.agreement.by_annotator import Answers
from curate.agreement.object_outcomes import NOBODY, SIZES, Outcomes
from curate.geometry.matching import Indices


@dataclass(frozen=True, slots=True)
class Part:
    """The slices of one kind.

    Attributes:
        by: Of the kind: all, category, size, annotator, pair or attribute.
        names: Of its slices.
        rows: (R,) rows of the outcomes; one may be in several slices.
        which: (R,) index into `names`.
    """

    by: str
    names: Sequence[str]
    rows: Indices
    which: Indices


@dataclass(frozen=True, slots=True)
class FigureSlices:
    """The slices of objects.

    Attributes:
        answers: What people drew.
        attributes: Names of all slices by attribute.
        owners: (S,) object that is in one, in rising order, or image.
        of: (S,) index into `attributes`.
        image_owners: (T,) the same of images.
        image_of: (T,) index into `attributes`.
    """

    answers: Answers
    attributes: Sequence[str]
    owners: Indices
    of: Indices
    image_owners: Indices
    image_of: Indices

    def parts(self, outcomes: Outcomes) -> Iterator[Part]:
        """Every kind of slices of some outcomes.

        What two people drew belongs to both of them, whoever drew it.
        """
        rows = np.arange(len(outcomes.image))
        yield Part("all", [""], rows, np.zeros(len(rows), dtype=np.intp))
        yield Part("category", self.answers.names, rows, outcomes.category)
        yield Part("size", SIZES, rows, outcomes.size)
        of_pairs = bool(len(rows)) and outcomes.other[0] != NOBODY
        if of_pairs:
            both = np.concatenate([outcomes.annotator, outcomes.other])
            yield Part("annotator", self.answers.people, np.concatenate([rows, rows]), both)
            yield Part("pair", *_with_rows(couples(self.answers, outcomes)))
        else:
            yield Part("annotator", self.answers.people, rows, outcomes.annotator)
        if self.attributes:
            yield self.by_attribute(outcomes.drawn, outcomes.image)

    def by_attribute(self, objects: Indices, images: Indices) -> Part:
        """The slices of rows, each of an object on an image; NOBODY stands for no object."""
        joined = [_joined(objects, self.owners, self.of), _joined(images, self.image_owners, self.image_of)]
        rows, which = (np.concatenate(column) for column in zip(*joined, strict=True))
        return Part("attribute", self.attributes, rows, which)


def of(answers: Answers, image_slices: Mapping[str, Sequence[str]]) -> FigureSlices:
    """The slices of everything that people drew.

    Args:
        answers: What they drew, and said of objects.
        image_slices: Slices by attribute that an image belongs to, by image.
    """
    by_object = {
        index: object_attributes.slices(chosen) for index, chosen in sorted(answers.attributes.items())
    }
    number = {image_id: place for place, image_id in enumerate(answers.images)}
    by_image = {number[key]: sorted(names) for key, names in sorted(image_slices.items()) if key in number}
    names = sorted({name for found in (*by_object.values(), *by_image.values()) for name in found})
    code = {name: place for place, name in enumerate(names)}
    flat = []
    for found in (by_object, by_image):
        pairs = [(owner, code[name]) for owner, slices in found.items() for name in slices]
        flat += list(np.array(pairs, dtype=np.intp).reshape(-1, 2).T)
    return FigureSlices(answers, names, *flat)


def couples(answers: Answers, outcomes: Outcomes) -> tuple[list[str], Indices]:
    """Names of the pairs, written "a / b", and which of them each row is of."""
    first = np.where(outcomes.first, outcomes.annotator, outcomes.other)
    second = np.where(outcomes.first, outcomes.other, outcomes.annotator)
    return coded_couples(answers, first, second)


def coded_couples(answers: Answers, first: Indices, second: Indices) -> tuple[list[str], Indices]:
    """Names of some pairs of people, each once, and which of them each is."""
    pairs, which = np.unique(first * max(1, len(answers.people)) + second, return_inverse=True)
    both = [divmod(pair, max(1, len(answers.people))) for pair in pairs.tolist()]
    return [f"{answers.people[a]} / {answers.people[b]}" for a, b in both], which


def _with_rows(coded: tuple[list[str], Indices]) -> tuple[list[str], Indices, Indices]:
    names, which = coded
    return names, np.arange(len(which)), which


def _joined(keys: Indices, owners: Indices, of: Indices) -> tuple[Indices, Indices]:
    """Every row whose key is an owner, with each slice of it: rows and slices."""
    start, stop = np.searchsorted(owners, keys, "left"), np.searchsorted(owners, keys, "right")
    count = stop - start
    rows = np.repeat(np.arange(len(keys)), count)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    return rows, of[start[rows] + within]
