"""The second half of the page: what models and people drew, how far they agree, and what was released."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from curate.records import Annotation, ImageRecord
from curate.report.curation import name_of
from curate.report.drawing import Album, Picture, marks_of, words
from curate.report.inputs import Facts, Measure, cell

_GALLERY = 18  # pictures
_SIDE = 320  # pixels
_FULL = 3  # objects that make an image as good as any fuller one
_BINS = 20  # of the histogram of scores
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Proposed:
    """What the models drew in one category; `share` is its part of all boxes, `score` a mean in [0, 1]."""

    category: str
    color: str
    number: int
    masks: int
    share: float
    score: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """One row of the agreement charts."""

    name: str
    color: str | None
    f1: Measure
    box_iou: float | None
    mask_iou: float | None
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture with its caption and a few short facts."""

    picture: Picture
    name: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One split: number of images, and of objects by category."""

    name: str
    images: int
    objects: tuple[int, ...]
    share: float


def proposed(facts: Facts) -> tuple[list[Proposed], list[int]]:
    """Pre-annotations by category, and a histogram of their scores over [0, 1]."""
    rows = [row for row in facts.tables.model or () if row.outcome == "object"]
    by_category: dict[str, list[Annotation]] = defaultdict(list)
    for row in rows:
        by_category[row.category or ""].append(row)
    result = []
    for name in ordered(by_category, facts):
        drawn = by_category[name]
        scores = [row.score for row in drawn if row.score is not None]
        result.append(
            Proposed(
                category=name,
                color=facts.colors.get(name, "#888888"),
                number=len(drawn),
                masks=sum(row.rle is not None for row in drawn),
                share=len(drawn) / max(len(rows), 1),
                score=float(np.mean(scores)) if scores else None,
            )
        )
    counts, _ = np.histogram([row.score for row in rows if row.score is not None], bins=_BINS, range=(0, 1))
    return result, [int(count) for count in counts]


def by_people(facts: Facts) -> list[Agreement]:
    """Agreement of each pair of annotators."""
    rows = facts.plots.get("annotator_pairs", ())
    return [_agreement(f"{row.get('annotator_a')} · {row.get('annotator_b')}", None, row) for row in rows]


def gallery(facts: Facts, album: Album) -> list[Shown]:
    """Labelled images with masks and boxes; every category gets its turn."""
    images = {image.image_id: image for image in facts.tables.images}
    drawn = _consensus(facts)
    shown: list[Shown] = []
    for key in gallery_order(facts):
        image = images.get(key)
        if len(shown) == _GALLERY or image is None:
            continue
        picture = album.thumbnail(
            image.path, side=_SIDE, marks=marks_of(drawn[key], facts.colors, named=False)
        )
        if picture is not None:
            shown.append(Shown(picture, name_of(image), (_counted(drawn[key]), *_split_of(image, facts))))
    return shown


def _counted(rows: Iterable[Annotation]) -> str:
    """Such as "2 stop sign, 1 parking sign"."""
    counts = Counter(words(row.category or "") for row in rows)
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def gallery_order(facts: Facts) -> list[str]:
    """Ids of images with an agreed object such that each category comes in turn, fuller images first."""
    drawn = _consensus(facts)
    categories = ordered({row.category or "" for rows in drawn.values() for row in rows}, facts)
    waiting = {
        category: sorted(
            (key for key, rows in drawn.items() if any(row.category == category for row in rows)),
            key=lambda key: (-min(len(drawn[key]), _FULL), key),
        )
        for category in categories
    }
    order: dict[str, None] = {}
    while any(waiting.values()):
        for category in categories:
            if waiting[category]:
                order.setdefault(waiting[category].pop(0))
    return list(order)


def splits(facts: Facts) -> tuple[list[SplitRow], list[str]]:
    """Images and objects by split, and the categories in the order of the columns."""
    of_image = facts.tables.splits
    objects = Counter(
        (of_image[row.image_id], row.category or "")
        for row in facts.tables.consensus or ()
        if row.outcome == "object" and row.image_id in of_image
    )
    categories = ordered({category for _, category in objects}, facts)
    images = Counter(of_image.values())
    names = [*(name for name in SPLITS if name in images), *sorted(set(images) - set(SPLITS))]
    rows = [
        SplitRow(
            name=name,
            images=images[name],
            objects=tuple(objects[name, category] for category in categories),
            share=images[name] / max(len(of_image), 1),
        )
        for name in names
    ]
    return rows, categories


def _agreement(name: str, color: str | None, row: Mapping[str, str]) -> Agreement:
    number = cell(row, "objects")
    f1 = Measure(
        cell(row, "f1"),
        cell(row, "f1_low"),
        cell(row, "f1_high"),
        int(number) if number is not None else None,
    )
    return Agreement(name, color, f1, cell(row, "mean_iou"), cell(row, "mask_iou"), cell(row, "kappa"))


def ordered(names: Iterable[str], facts: Facts) -> list[str]:
    """Categories of the taxonomy in its order, then any others by name."""
    known = list(facts.colors)
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))


def _by_image(rows: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    found: dict[str, list[Annotation]] = defaultdict(list)
    for row in rows:
        found[row.image_id].append(row)
    return dict(sorted(found.items()))


def _consensus(facts: Facts) -> dict[str, list[Annotation]]:
    return _by_image(row for row in facts.tables.consensus or () if row.outcome == "object")


def _split_of(image: ImageRecord, facts: Facts) -> tuple[str, ...]:
    split = facts.tables.splits.get(image.image_id)
    return (split,) if split else ()
