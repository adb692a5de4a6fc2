"""Findings of data sets whose images have classes and no objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from curate.check import class_findings
from curate.check.dataset import DataSet
from curate.check.finding import Row
from curate.check.ingested_image import SeenImage


@dataclass(slots=True)
class ImageClasses:
    """The class of each place, and how many images each split has of it.

    Attributes:
        by_place: Class of each place that has one.
        names: Every class that is declared or used.
        counts: Images by split and class; the split is "" where there is none.
        damaged: Entries that name no class, though they try.
    """

    by_place: dict[str, str] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    damaged: list[Row] = field(default_factory=list)


def read(dataset: DataSet) -> ImageClasses:
    """Pass over all labels once."""
    found = ImageClasses()
    for labels in dataset.labels():
        found.names |= dict.fromkeys(labels.categories)
        for image, places in dataset.placed(labels, 0):
            for place in places if image.tags else ():
                found.by_place[place] = image.tags[0]
        found.damaged += [
            Row(file=one.file, line=one.line, entry=one.entry, detail=f"{one.image}: {one.detail}")
            for one in labels.problems
        ]
    for place, name in found.by_place.items():
        found.names.setdefault(name)
        for split in dataset.splits[place] or ("",):
            found.counts[split, name] += 1
    return found


def find(classes: ImageClasses, seen: Sequence[SeenImage], dataset: DataSet) -> Iterator[tuple[str, Row]]:
    """Damaged entries, images without a class, rare and missing classes, copies of several classes."""
    for row in classes.damaged:
        yield "damaged", row
    for place in dataset.files:
        if place not in classes.by_place:
            yield "unlabeled_image", Row((place,), _splits(dataset, place), detail="it has no class")
    splits = {split for split, _ in classes.counts}
    yield from class_findings.find(classes.names, classes.counts, splits, unit="image")
    yield from _conflicts(classes.by_place, seen, dataset)


def _conflicts(
    by_place: Mapping[str, str], seen: Sequence[SeenImage], dataset: DataSet
) -> Iterator[tuple[str, Row]]:
    by_id = {one.image_id: one for one in seen}
    for one in seen:
        first = one.places[0]
        keeper = by_id.get(one.row["duplicate_of"] or "")
        pairs = [(place, first, "the same bytes") for place in one.places[1:]]
        pairs += [] if keeper is None else [(first, keeper.places[0], str(one.row["dup_relation"]))]
        for place, other, relation in pairs:
            named = [by_place.get(place), by_place.get(other)]
            if None not in named and named[0] != named[1]:
                splits = dict.fromkeys((*_splits(dataset, place), *_splits(dataset, other)))
                detail = f"{named[0]} and {named[1]}: {relation}"
                yield "class_conflict", Row((place, other), tuple(splits), detail=detail)


def _splits(dataset: DataSet, place: str) -> tuple[str, ...]:
    return tuple(sorted(dataset.splits[place]))
