"""Findings of labels, held against the images that they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from curate.check.dataset import DataSet
from curate.check.finding import KINDS, Findings, Mark, Row
from curate.check.ingested_image import SeenImage
from curate.errors import RecordError
from curate.formats import frames
from curate.formats.label_entries import taken
from curate.formats.record import LabeledImage, LabeledObject, Problem, Size
from curate.geometry import boxes
from curate.records import Box

# What readers call things that have another name here.
_OTHERWISE: Final = {
    "label_without_image": "missing_image",
    "unsupported_shape": "not_read",
    "not_labeled": "unlabeled_image",
}


@dataclass(frozen=True, slots=True)
class BoxLimits:
    """Bounds from which on a box is a finding.

    Attributes:
        min_side_px: Shorter side; less is `tiny_box`.
        max_share: Of the image's area; more is `giant_box`.
        same_iou: Two boxes of one category from here on are `duplicate_box`.
        crossing_iou: Any others from here on are `crossing_box`.
    """

    min_side_px: float = 3.0
    max_share: float = 0.95
    same_iou: float = 0.9
    crossing_iou: float = 0.8


@dataclass(slots=True)
class LabelCheck:
    """Passes over all labels once.

    Attributes:
        dataset: Of the labels.
        by_place: What ingest saw.
        findings: Takes what is found.
        limits: Of boxes.
        objects: Labels that could be held against an image.
        categories: Names that the format lists or an object has, in order.
        counts: Objects by split and category; the split is "" where there is none.
        labeled: Images that labels say something of, by split.
    """

    dataset: DataSet
    by_place: Mapping[str, SeenImage]
    findings: Findings
    limits: BoxLimits = field(default_factory=BoxLimits)
    objects: int = 0
    categories: dict[str, None] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    labeled: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        """Look at every entry of every file."""
        first = 0
        named: dict[str, str] = {}
        for labels in self.dataset.labels():
            self.categories |= dict.fromkeys(labels.categories)
            here: dict[str, str] = {}
            for image, places in self.dataset.placed(labels, first):
                first += 1
                self._image(image, places, here, labels.problems)
            named |= here
            for problem in labels.problems:
                self._problem(problem)
        for place in self.dataset.files:
            if place not in named:
                row = Row((place,), self._splits(place), detail="no label file names it")
                self.findings.add("unlabeled_image", row)

    def _image(
        self, image: LabeledImage, places: Sequence[str], here: dict[str, str], problems: list[Problem]
    ) -> None:
        row = partial(Row, file=image.file, line=image.line)
        if not places:
            detail = f"{image.name}: {len(image.objects)} objects of an image that is not here"
            self.findings.add("missing_image", row(detail=detail))
            return
        if len(places) > 1:
            detail = f"{image.name}: {len(places)} files fit"
            self.findings.add("ambiguous_image", row(images=tuple(places), detail=detail))
            return
        (place,) = places
        row = partial(row, images=(place,), splits=self._splits(place))
        if place in here:
            self.findings.add("image_twice", row(detail=f"its labels were given before, as {here[place]}"))
        here[place] = image.name
        if not image.labeled:
            self.findings.add("unlabeled_image", row(detail="it has no label file"))
            return
        for split in self.dataset.splits[place] or ("",):
            self.labeled[split] += 1
        seen = self.by_place.get(place)
        if seen is None or not seen.decoded:
            self._count(image.objects, place)
            return
        self._objects(image, place, seen, problems)

    def _objects(self, image: LabeledImage, place: str, seen: SeenImage, problems: list[Problem]) -> None:
        """Everything about the objects of an image whose pixels are known."""
        row = partial(Row, images=(place,), splits=self._splits(place), file=image.file)
        drawn_on = self.drawn_on(image, seen)
        if drawn_on != seen.size:
            detail = f"they fit the stored {drawn_on[0]} x {drawn_on[1]} pixels, not what EXIF makes of them"
            self.findings.add("exif_frame", row(line=image.line, detail=detail))
        elif image.size is not None and image.size != seen.size:
            stated, real = (f"{width} x {height}" for width, height in (image.size, seen.size))
            self.findings.add(
                "image_size", row(line=image.line, detail=f"{stated} there, {real} in the file")
            )
        known: list[tuple[LabeledObject, Box]] = []
        for one in image.in_pixels(drawn_on).objects:
            found = taken(partial(_box, one, seen, drawn_on), problems, file=image.file, line=one.line,
                          entry=one.entry, image=image.name)  # fmt: skip
            if found is not None:
                known.append((one, found))
        self._count([one for one, _ in known], place)
        for name, detail, shown in self._boxes(known, seen.size):
            one = shown[0][0]
            marks = tuple(Mark(box, which.category) for which, box in shown)
            self.findings.add(
                name, row(category=one.category, line=one.line, entry=one.entry, detail=detail, marks=marks)
            )

    @staticmethod
    def drawn_on(image: LabeledImage, seen: SeenImage) -> Size:
        """The pixels that the labels were drawn on: the upright ones, unless only the stored ones fit."""
        fits = {
            size: image.size in (None, size)
            and all(_inside(one, size) for one in image.in_pixels(size).objects)
            for size in (seen.size, seen.stored)
        }
        return seen.stored if fits[seen.stored] and not fits[seen.size] else seen.size

    def _boxes(
        self, known: Sequence[tuple[LabeledObject, Box]], size: Size
    ) -> Iterator[tuple[str, str, list[tuple[LabeledObject, Box]]]]:
        limits, area = self.limits, size[0] * size[1]
        for one, box in known:
            width, height = box[2] - box[0], box[3] - box[1]
            edges = ", ".join(f"{edge:g}" for edge in np.round(box, 2))
            if not frames.fits(LabeledObject(one.category, box), size):
                yield (
                    "box_outside",
                    f"({edges}) leaves the image of {size[0]} x {size[1]} pixels",
                    [(one, box)],
                )
            elif one.is_crowd:
                continue
            elif min(width, height) < limits.min_side_px:
                yield "tiny_box", f"{width:.3g} x {height:.3g} pixels", [(one, box)]
            elif width * height > limits.max_share * area:
                yield "giant_box", f"{width * height / area:.1%} of the image", [(one, box)]
        yield from self._pairs([pair for pair in known if not pair[0].is_crowd])

    def _pairs(
        self, known: Sequence[tuple[LabeledObject, Box]]
    ) -> Iterator[tuple[str, str, list[tuple[LabeledObject, Box]]]]:
        if len(known) < 2:
            return
        corners = [box for _, box in known]
        iou = np.triu(boxes.box_iou(corners, corners), 1)
        for a, b in np.argwhere(iou >= self.limits.crossing_iou).tolist():
            first = known[a][0]
            alike = first.category == known[b][0].category and iou[a, b] >= self.limits.same_iou
            detail = f"IoU {iou[a, b]:.2f} with {first.entry or 'another'}, {first.category}"
            yield ("duplicate_box" if alike else "crossing_box"), detail, [known[b], known[a]]

    def _count(self, objects: Sequence[LabeledObject], place: str) -> None:
        self.objects += len(objects)
        for one in objects:
            self.categories.setdefault(one.category)
            for split in self.dataset.splits[place] or ("",):
                self.counts[split, one.category] += 1

    def _problem(self, problem: Problem) -> None:
        name = _OTHERWISE.get(problem.kind, problem.kind)
        detail = problem.detail
        if name not in KINDS:
            name, detail = "damaged", f"{problem.kind}: {detail}"
        text = f"{problem.image}: {detail}" if problem.image else detail
        self.findings.add(name, Row(file=problem.file, line=problem.line, entry=problem.entry, detail=text))

    def _splits(self, place: str) -> tuple[str, ...]:
        return tuple(sorted(self.dataset.splits[place]))


@dataclass(frozen=True, slots=True)
class PlacedLabels:
    """Objects of one image with their boxes in its upright pixels, and the file that says so."""

    objects: tuple[tuple[LabeledObject, Box], ...]
    file: Path


def upright_boxes(dataset: DataSet, by_place: Mapping[str, SeenImage]) -> dict[str, PlacedLabels]:
    """The objects of each image that decodes and has one entry, by place.

    Crowds, and boxes that cannot be, are left out: they are findings of their own (`LabelCheck`).
    """
    found: dict[str, PlacedLabels] = {}
    first = 0
    for labels in dataset.labels():
        for image, places in dataset.placed(labels, first):
            first += 1
            seen = by_place.get(places[0]) if len(places) == 1 else None
            if seen is not None and seen.decoded and image.labeled:
                found.setdefault(places[0], PlacedLabels(tuple(_sound(image, seen)), image.file))
    return found


def _sound(image: LabeledImage, seen: SeenImage) -> Iterator[tuple[LabeledObject, Box]]:
    drawn_on = LabelCheck.drawn_on(image, seen)
    for one in image.in_pixels(drawn_on).objects:
        try:
            box = _box(one, seen, drawn_on)
        except RecordError:
            continue
        if box is not None and not one.is_crowd and box[0] < box[2] and box[1] < box[3]:
            yield one, box


def _box(one: LabeledObject, seen: SeenImage, drawn_on: Size) -> Box | None:
    """Its box in upright pixels."""
    if drawn_on != seen.size:
        one = frames.upright(one, seen.orientation, seen.stored)
    return one.box()


def _inside(one: LabeledObject, size: Size) -> bool:
    if one.bbox_xyxy is None and one.rle is not None:
        return one.rle_size in (None, size)
    return frames.fits(one, size)


def by_place(seen: Sequence[SeenImage]) -> dict[str, SeenImage]:
    """What was seen, by each place."""
    return {place: one for one in seen for place in one.places}
