"""Stage autolabel: a detector proposes boxes, a segmenter turns them into masks."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate import schema, tables
from curate.errors import InputError, TableError
from curate.geometry import boxes, masks
from curate.images import load
from curate.labeling import nms, prompts, taxonomy
from curate.params import AutolabelParams
from curate.ports import Detector, Segmenter
from curate.progress import track
from curate.records import Annotation, Category, Detections, StageReport, UInt8Image, derived_id

_BINS = 20  # of the score histogram


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads: the `images` table of dedupe with the files it names, and taxonomy.yaml."""

    images: Path
    taxonomy: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: Annotations of origin "model".
        shards: Folder of finished parts; it outlives a kill, and what is in it is not computed again.
        plot: CSV of `bin,count` and a column a category: boxes by score, `bin` is the lower edge.
    """

    table: Path
    shards: Path
    plot: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside. Without a segmenter there are boxes only."""

    detector: Detector
    segmenter: Segmenter | None


@dataclass(frozen=True, slots=True)
class _Image:
    """A kept row, as far as this stage needs it."""

    image_id: str
    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Labeler:
    """Everything that turns images into annotations."""

    params: AutolabelParams
    categories: tuple[Category, ...]
    detector: Detector
    segmenter: Segmenter | None

    @property
    def model_version(self) -> str:
        """Detector's and segmenter's, joined by "+"."""
        segmenter = "" if self.segmenter is None else f"+{self.segmenter.model_version}"
        return self.detector.model_version + segmenter

    def digest(self) -> str:
        """Changes with whatever could change an annotation: models, taxonomy, parameters, code."""
        modules = [__name__, nms.__name__, prompts.__name__, masks.__name__, boxes.__name__, load.__name__]
        modules += [type(port).__module__ for port in (self.detector, self.segmenter) if port is not None]
        parts = [self.model_version, taxonomy.digest(self.categories), self.params.model_dump_json()]
        return hashlib.sha256(json.dumps([*parts, *map(_code_digest, modules)]).encode()).hexdigest()

    def label(self, images: Sequence[_Image]) -> Iterator[list[Annotation]]:
        """The annotations of each image, in the order of the images."""
        size = self.params.detector.batch_size
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            pixels = [load.load_upright(Path(image.path)) for image in batch]
            found = self.detector.detect(pixels, self.categories)
            for image, picture, detections in zip(batch, pixels, found, strict=True):
                yield self._annotations(image, picture, self._chosen(detections))

    def _chosen(self, found: Detections) -> Detections:
        thresholds = {category.name: category.threshold for category in self.categories}
        reached = nms.above_threshold(found, thresholds)
        return nms.suppress(reached, iou_threshold=self.params.nms_iou, max_boxes=self.params.max_boxes)

    def _annotations(self, image: _Image, pixels: UInt8Image, found: Detections) -> list[Annotation]:
        rles: list[str | None] = [None] * len(found.categories)
        if self.segmenter is not None and rles:
            planes, _ = self.segmenter.segment(pixels, found.boxes)
            rles = [masks.encode(plane) if plane.any() else None for plane in planes]
        version = self.model_version
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


def run(params: AutolabelParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Propose boxes and masks for every kept image. An image without a box has no row.

    Work is done in shards of `params.shard_size` images, each written whole; a run that was killed repeats at
    most one of them and ends in the same table.

    Raises:
        InputError: An image of the table has disappeared or is damaged; no image is kept.
        ParamsError: taxonomy.yaml is malformed, or a prompt too long for the detector.
        ModelError: The models cannot do it here.
        TableError: The images table is missing or of another version.
        StorageError: The disk is full or refuses.
    """
    labeler = _Labeler(params, taxonomy.load(inputs.taxonomy), ports.detector, ports.segmenter)
    images = _kept(inputs.images)
    digest = labeler.digest()
    shards: list[Path] = []
    work = _label_shards(images, labeler, digest, outputs.shards, shards)
    for _ in track(work, total=len(images), label="autolabel"):
        pass
    table = pa.concat_tables([tables.read(shard, schema.ANNOTATIONS) for shard in shards])
    tables.write(table, outputs.table, schema.ANNOTATIONS)
    by_category = _scores(table, labeler.categories)
    _write_plot(by_category, outputs.plot)
    _remove_stale(outputs.shards, keep=shards)
    with_boxes = len(set(table.column("image_id").to_pylist()))
    return _report(len(images), with_boxes, by_category, labeler)


def _kept(path: Path) -> list[_Image]:
    columns = ["image_id", "path", "width", "height", "drop_reason"]
    rows = tables.read(path, schema.IMAGES, columns=columns).to_pylist()
    images = [
        _Image(row["image_id"], row["path"], row["width"], row["height"])
        for row in rows
        if row["drop_reason"] is None
    ]
    if not images:
        raise InputError(
            f"{path} keeps no image: look at its drop_reason column, then run ingest and dedupe again"
        )
    for image in images:  # also those whose shard is there already
        if not Path(image.path).is_file():
            raise load.disappeared(Path(image.path))
    return images


def _label_shards(
    images: Sequence[_Image], labeler: _Labeler, digest: str, folder: Path, shards: list[Path]
) -> Iterator[str]:
    """Make or find every shard, name them in `shards`, and yield the id of each image that is done."""
    size = labeler.params.shard_size
    for start in range(0, len(images), size):
        part = images[start : start + size]
        path = folder / f"{_shard_key(part, digest)}.parquet"
        if not _is_whole(path):
            # Pictures of one size together need no padding; the order never shows in the table.
            by_size = sorted(part, key=lambda image: (image.width, image.height, image.image_id))
            rows: list[Mapping[str, Any]] = []
            for image, annotations in zip(by_size, labeler.label(by_size), strict=True):
                rows.extend(annotation.row() for annotation in annotations)
                yield image.image_id
            tables.write_rows(rows, path, schema.ANNOTATIONS)
        else:
            yield from (image.image_id for image in part)
        shards.append(path)


def _shard_key(images: Sequence[_Image], digest: str) -> str:
    return derived_id(digest, *(f"{image.image_id} {image.path}" for image in images))


def _is_whole(shard: Path) -> bool:
    if not shard.exists():
        return False
    try:
        tables.read(shard, schema.ANNOTATIONS)
    except TableError:  # of an older schema, or damaged by the disk: it is computed again
        return False
    return True


def _code_digest(module: str) -> str:
    file = sys.modules[module].__file__
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else module


def _remove_stale(folder: Path, *, keep: Sequence[Path]) -> None:
    try:
        for path in folder.iterdir():
            if path.suffix in (".parquet", ".partial") and path not in keep:
                path.unlink()
    except OSError as error:
        raise tables.storage_error(error, folder) from error


def _scores(table: pa.Table, categories: Sequence[Category]) -> dict[str, list[float]]:
    """Scores of all boxes by category, in the taxonomy's order."""
    scores: defaultdict[str, list[float]] = defaultdict(list)
    for category, score in zip(
        table.column("category").to_pylist(), table.column("score").to_pylist(), strict=True
    ):
        scores[category].append(score)
    return {category.name: scores[category.name] for category in categories}


def _write_plot(by_category: Mapping[str, Sequence[float]], path: Path) -> None:
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["bin", "count", *by_category])
        in_bin = {category: Counter(map(_bin, scores)) for category, scores in by_category.items()}
        for number in range(_BINS):
            counts = [in_bin[category][number] for category in by_category]
            writer.writerow([f"{number / _BINS:.2f}", sum(counts), *counts])


def _bin(score: float) -> int:
    # The smallest step over float32's rounding: a score of 0.9 belongs to the bin that begins there.
    return min(int(score * _BINS + 1e-6), _BINS - 1)


def _report(
    images: int, with_boxes: int, by_category: Mapping[str, Sequence[float]], labeler: _Labeler
) -> StageReport:
    total = [score for scores in by_category.values() for score in scores]
    counts = (("images", images), ("boxes", len(total)), ("images without a box", images - with_boxes))
    metrics = {
        "boxes_by_category": {name: len(scores) for name, scores in by_category.items()},
        "mean_score_by_category": {name: _mean(scores) for name, scores in by_category.items()},
        "mean_score": _mean(total),
        "model_version": labeler.model_version,
    }
    return StageReport("autolabel", counts, metrics)


def _mean(scores: Sequence[float]) -> float | None:
    return round(float(np.mean(scores)), 6) if scores else None
