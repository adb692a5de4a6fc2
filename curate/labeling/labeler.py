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

from curate import schema, tables
from curate.geometry import boxes, masks
from curate.images import load
from curate.labeling import nms, prompts, taxonomy
from curate.params import AutolabelParams
from curate.ports import Detector, Segmenter
from curate.records import Annotation, Category, Detections, UInt8Image, derived_id


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
        modules = [__name__, nms.__name__, prompts.__name__, masks.__name__, boxes.__name__, load.__name__]
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
                yield from self._annotations(image, picture, self._chosen(detections))

    def _chosen(self, found: Detections) -> Detections:
        thresholds = {category.name: category.threshold for category in self.categories}
        reached = nms.above_threshold(found, thresholds)
        return nms.suppress(reached, iou_threshold=self.params.nms_iou, max_boxes=self.params.max_boxes)

    def _annotations(self, image: ImageFile, pixels: UInt8Image, found: Detections) -> list[Annotation]:
        rles: list[str | None] = [None] * len(found.categories)
        if self.models.segmenter is not None and rles:
            planes, _ = self.models.segmenter.segment(pixels, found.boxes)
            rles = [masks.encode(plane) if plane.any() else None for plane in planes]
        version = self.models.version
        rows = []
        for index, (category, prompt, rle) in enumerate(
            zip(found.categories, found.prompts, rles, strict=True)
        ):
            x1, y1, x2, y2 = (float(value) for value in found.boxes[index])
            rows.append(
                Annotation(
                    annotation_id=derived_id(image.image_id, version, category, x1, y1, x2, y2),
                    image_id=image.image_id,
                    origin="model",
                    category=category,
                    bbox_xyxy=(x1, y1, x2, y2),
                    rle=rle,
                    score=float(found.scores[index]),
                    prompt=prompt,
                    model_version=version,
                )
            )
        return rows


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
