"""Findings of data sets whose images have classes and no objects."""

from __future__ import annotations

from collections import Counter, defaultdict
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
    """Each place whose class is another than that of a copy before it: the keeper's places come first."""
    copies: dict[str, list[SeenImage]] = defaultdict(list)
    for one in sorted(seen, key=lambda image: image.row["duplicate_of"] is not None):
        copies[one.row["duplicate_of"] or one.image_id].append(one)
    for group in copies.values():
        placed = [(image, place) for image in group for place in image.places if place in by_place]
        firsts: dict[str, tuple[SeenImage, str]] = {}
        for image, place in placed:
            name = by_place[place]
            against = next((first for other, first in firsts.items() if other != name), None)
            firsts.setdefault(name, (image, place))
            if against is not None:
                earlier, other = against
                relation = image.row["dup_relation"] or earlier.row["dup_relation"]
                detail = f"{name} and {by_place[other]}: {'the same bytes' if image is earlier else relation}"
                splits = dict.fromkeys((*_splits(dataset, place), *_splits(dataset, other)))
                yield "class_conflict", Row((place, other), tuple(splits), detail=detail)


def _splits(dataset: DataSet, place: str) -> tuple[str, ...]:
    return tuple(sorted(dataset.splits[place]))
