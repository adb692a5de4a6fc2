"""From images to annotations by models: what a worker of the autolabel stage does."""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curate import schema, tables
from curate.geometry import boxes, masks
from curate.images import load
from curate.labeling import cleanup, nms, prompts, taxonomy
from curate.params import AutolabelParams
from curate.ports import Detector, Segmenter
from curate.records import Annotation, Category, Detections, Outcome, UInt8Image, derived_id


@dataclass(frozen=True, slots=True)
class Models:
    """What proposes. Without a segmenter there are boxes only."""

    detector: Detector
    segmenter: Segmenter | None = None

    @property
    def version(self) -> str:
        """Detector's and segmenter's, joined by "+"."""
        segmenter = "" if self.segmenter is None else f"+{self.segmenter.model_version}"
        return self.detector.model_version + segmenter


class Loader:
    """Loads the models at most once in a process, however often it is asked there."""

    def __init__(self, load_models: Callable[[], Models]) -> None:
        self._load = load_models
        self._models: Models | None = None

    def __call__(self) -> Models:
        """The models of this process."""
        self._models = self._models or self._load()
        return self._models

    def __reduce__(self) -> tuple[Any, ...]:
        return Loader, (self._load,)  # models stay in their process


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A kept row, as far as this stage needs it."""

    image_id: str
    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Shard:
    """What one worker does at a time: the file, and the images whose annotations it will hold."""

    path: Path
    images: tuple[ImageFile, ...]

    def __str__(self) -> str:
        return f"shard {self.path} (images from {self.images[0].path} on)"


@dataclass(frozen=True, slots=True)
class Labeler:
    """Everything that turns images into annotations; lives in a worker."""

    params: AutolabelParams
    categories: tuple[Category, ...]
    models: Models

    def describe(self, items: Sequence[None]) -> list[tuple[str, str]]:
        """The models' version, and a digest that changes with whatever could change an annotation.

        That is: models, taxonomy, parameters, code.
        """
        code = (boxes, cleanup, load, masks, nms, prompts)
        modules = [__name__, *(module.__name__ for module in code)]
        ports = (self.models.detector, self.models.segmenter)
        modules += [type(port).__module__ for port in ports if port is not None]
        parts = [self.models.version, taxonomy.digest(self.categories), self.params.model_dump_json()]
        digest = hashlib.sha256(json.dumps([*parts, *map(_code_digest, modules)]).encode()).hexdigest()
        return [(self.models.version, digest) for _ in items]

    def label_shards(self, shards: Sequence[Shard]) -> list[None]:
        """Make the files of the shards."""
        for shard in shards:
            self._label_shard(shard)
        return [None] * len(shards)

    def _label_shard(self, shard: Shard) -> None:
        # Pictures of one size together need no padding; the order never shows in the table.
        images = sorted(shard.images, key=lambda image: (image.width, image.height, image.image_id))
        rows = [annotation.row() for annotation in self._label(images)]
        # A worker that was given up may still write: each has a name of its own until the file is whole.
        aside = shard.path.with_name(f"{uuid.uuid4().hex}.parquet")
        tables.write_rows(rows, aside, schema.ANNOTATIONS)
        try:
            aside.replace(shard.path)
        except OSError as error:
            raise tables.storage_error(error, shard.path) from error

    def _label(self, images: Sequence[ImageFile]) -> Iterator[Annotation]:
        size = self.params.detector.batch_size
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            pixels = [load.load_upright(Path(image.path)) for image in batch]
            found = self.models.detector.detect(pixels, self.categories)
            for image, picture, detections in zip(batch, pixels, found, strict=True):
                yield from self._annotations(image, picture, detections)

    def _annotations(self, image: ImageFile, pixels: UInt8Image, found: Detections) -> Iterator[Annotation]:
        """A row a suggestion, with its mask; then one a box that is none, if those are kept."""
        stays, reasons = nms.sift(found, self._rules())
        suggested = found.take(stays)
        yield from self._rows(image, suggested, self._rles(pixels, suggested), "object")
        if self.params.keep_rejects:
            left = np.array([i for i, reason in enumerate(reasons) if reason is not None], dtype=np.intp)
            rejected = found.take(left)
            why = [reasons[i] for i in left]
            seen: dict[str, Annotation] = {}
            for row in self._rows(image, rejected, [None] * len(left), "rejected", why):
                seen.setdefault(row.annotation_id, row)  # two texts may find the very same box
            yield from seen.values()

    def _rules(self) -> nms.Rules:
        return nms.Rules(
            thresholds={category.name: category.threshold for category in self.categories},
            min_side=self.params.min_side,
            iou=self.params.nms_iou,
            containment=self.params.containment,
            across=self.params.across,
            max_boxes=self.params.max_boxes,
        )

    def _rles(self, pixels: UInt8Image, found: Detections) -> list[str | None]:
        """The mask of each box as COCO compressed counts; None where it is empty or misses its box."""
        if self.models.segmenter is None or not found.categories:
            return [None] * len(found.categories)
        limits = self.params.masks
        planes, _ = self.models.segmenter.segment(pixels, found.boxes)
        rles: list[str | None] = []
        for plane, box in zip(planes, found.boxes, strict=True):
            mask = cleanup.clean(plane, max_hole=limits.max_hole, max_island=limits.max_island)
            fits = cleanup.fits_box(mask, box, min_iou=limits.min_box_iou)
            rles.append(masks.encode(mask) if fits else None)
        return rles

    def _rows(
        self,
        image: ImageFile,
        found: Detections,
        rles: Sequence[str | None],
        outcome: Outcome,
        reasons: Sequence[str | None] | None = None,
    ) -> Iterator[Annotation]:
        version, digest = self.models.version, taxonomy.digest(self.categories)
        for index, (category, prompt, rle) in enumerate(
            zip(found.categories, found.prompts, rles, strict=True)
        ):
            x1, y1, x2, y2 = (float(value) for value in found.boxes[index])
            why = reasons[index] if reasons is not None else None
            identity = () if why is None else (outcome, prompt, why)
            yield Annotation(
                annotation_id=derived_id(image.image_id, version, category, x1, y1, x2, y2, *identity),
                image_id=image.image_id,
                origin="model",
                category=category,
                bbox_xyxy=(x1, y1, x2, y2),
                rle=rle,
                score=float(found.scores[index]),
                prompt=prompt,
                model_version=version,
                outcome=outcome,
                reject_reason=why,
                taxonomy_digest=digest,
            )


def describing(
    loader: Loader, params: AutolabelParams, categories: tuple[Category, ...]
) -> Callable[[Sequence[None]], Sequence[tuple[str, str]]]:
    """Set a worker up for `Labeler.describe`."""
    return Labeler(params, categories, loader()).describe


def labeling(
    loader: Loader, params: AutolabelParams, categories: tuple[Category, ...]
) -> Callable[[Sequence[Shard]], Sequence[None]]:
    """Set a worker up for `Labeler.label_shards`."""
    return Labeler(params, categories, loader()).label_shards


def _code_digest(module: str) -> str:
    file = sys.modules[module].__file__
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else module
