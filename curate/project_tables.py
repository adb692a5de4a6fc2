"""What a project's tables say up to a stage: the common reading of the app and of the report.

A stage that has not run yet is simply not there; only the first table is required.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate import tables
from curate.errors import TableError
from curate.records import Annotation, ImageRecord
from curate.schema import ANNOTATIONS, CONSENSUS_IMAGES, CONSENSUS_OBJECTS, IMAGES, PAIRS, PLAN, TableSchema

STAGES = ("ingest", "dedupe", "autolabel", "pull", "agreement", "release")
INGESTED = Path("data/ingest/images.parquet")
DEDUPED = Path("data/dedupe/images.parquet")
MODEL = Path("data/autolabel/annotations.parquet")
PULLED = Path("data/pull/annotations.parquet")
CONSENSUS = Path("data/agreement/consensus.parquet")
PAIRED = Path("data/agreement/pairs.parquet")
QUEUE = Path("data/agreement/queue.csv")
RELEASE = Path("data/release")
PLANNED = Path("data/select/plan.parquet")
OBJECTS = Path("data/agreement/objects.parquet")
SETTLED = Path("data/agreement/images.parquet")
LABEL_ERRORS = Path("data/agreement/label_errors.csv")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A line of the list of images on which people disagree.

    Attributes:
        image_id: The image.
        f1: Agreement of its annotators in [0, 1]; None where it has none.
        reason: Why it is listed (`curate.agreement.disagreement_queue`).
        mean_iou: Mean IoU in [0, 1] of the boxes that its annotators share; None where there are none.
    """

    image_id: str
    f1: float | None
    reason: str
    mean_iou: float | None = None


@dataclass(frozen=True, slots=True)
class Support:
    """What an object of the consensus rests on.

    Attributes:
        confidence: That it is right, in [0, 1]; None = not known.
        votes: People who drew it.
        annotators: People who looked.
    """

    confidence: float | None
    votes: int
    annotators: int


@dataclass(frozen=True, slots=True)
class ProjectTables:
    """Tables of the stages that have run, in memory.

    Attributes:
        root: Folder that image paths are relative to.
        images: All rows, dropped ones too, from dedupe or else from ingest.
        model: Pre-annotations; None where autolabel has not run. The next ones likewise.
        human: Every annotator's rows.
        consensus: What people agreed on.
        pairs: Rows of the pairs table.
        queue: Images on which people disagree, worst first.
        splits: Split by image_id, as released.
        plan: First slot of the plan by image_id.
        objects: Rows of consensus_objects.
        settled: Rows of consensus_images by image_id.
        label_errors: The highest probability that a label is wrong, by image_id.
    """

    root: Path
    images: tuple[ImageRecord, ...]
    model: tuple[Annotation, ...] | None = None
    human: tuple[Annotation, ...] | None = None
    consensus: tuple[Annotation, ...] | None = None
    pairs: tuple[Mapping[str, Any], ...] | None = None
    queue: tuple[Disagreement, ...] | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    plan: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    objects: tuple[Mapping[str, Any], ...] = ()
    settled: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    label_errors: Mapping[str, float] = field(default_factory=dict)

    @property
    def support(self) -> dict[str, Support]:
        """What objects of the consensus rest on, by annotation_id."""
        return {
            row["annotation_id"]: Support(row["confidence"], row["votes"], row["annotators"])
            for row in self.objects
        }


def load(root: Path, *, stage: str = STAGES[-1]) -> ProjectTables:
    """Read the tables that exist, up to and with `stage`.

    Args:
        root: The project's folder.
        stage: One of `STAGES`.

    Raises:
        TableError: Ingest has not run, or a table is damaged or of another schema version.
    """
    reached = STAGES[: STAGES.index(stage) + 1]
    deduped = "dedupe" in reached and (root / DEDUPED).exists()
    agreed = "agreement" in reached
    return ProjectTables(
        root=root,
        images=images(root / (DEDUPED if deduped else INGESTED)),
        model=_annotations(root / MODEL) if "autolabel" in reached else None,
        human=_annotations(root / PULLED) if "pull" in reached else None,
        consensus=_annotations(root / CONSENSUS) if agreed else None,
        pairs=_pairs(root / PAIRED) if agreed else None,
        queue=_queue(root / QUEUE) if agreed else None,
        splits=_splits(root / RELEASE) if "release" in reached else {},
        plan={row["image_id"]: row for row in _rows(root / PLANNED, PLAN) if row["slot"] == 0}
        if "pull" in reached
        else {},
        objects=_rows(root / OBJECTS, CONSENSUS_OBJECTS) if agreed else (),
        settled={row["image_id"]: row for row in _rows(root / SETTLED, CONSENSUS_IMAGES)} if agreed else {},
        label_errors=_label_errors(root / LABEL_ERRORS) if agreed else {},
    )


def images(path: Path) -> tuple[ImageRecord, ...]:
    """Every row of an images table as a record, in the table's order."""
    return tuple(_image(row) for row in tables.read(path, IMAGES).to_pylist())


def _image(row: Mapping[str, Any]) -> ImageRecord:
    values = {name: row[name] for name in ImageRecord.__slots__}
    values["sources"] = tuple(row["sources"])
    values["attributes"] = tuple((name, value) for name, value in row["attributes"])
    figures = (row["quality"] or {}).items()
    values["quality"] = tuple((name, value) for name, value in figures if value is not None)
    return ImageRecord(**values)


def _annotations(path: Path) -> tuple[Annotation, ...] | None:
    if not path.exists():
        return None
    return tuple(Annotation.from_row(row) for row in tables.read(path, ANNOTATIONS).to_pylist())


def _pairs(path: Path) -> tuple[Mapping[str, Any], ...] | None:
    return _rows(path, PAIRS) if path.exists() else None


def _rows(path: Path, schema: TableSchema) -> tuple[Mapping[str, Any], ...]:
    return tuple(tables.read(path, schema).to_pylist()) if path.exists() else ()


def _label_errors(path: Path) -> dict[str, float]:
    """The worst label of each image."""
    found: dict[str, float] = {}
    if path.exists():
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    try:
                        probability = float(row["probability"])
                    except ValueError:
                        continue  # too few cases of its kind to say
                    found[row["image_id"]] = max(found.get(row["image_id"], 0.0), probability)
        except (KeyError, csv.Error) as error:
            raise TableError(f"{path} is damaged ({error}): run the stage agreement again") from error
    return found


def _queue(path: Path) -> tuple[Disagreement, ...] | None:
    if not path.exists():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(_disagreement(row) for row in csv.DictReader(file))
    except (KeyError, ValueError, csv.Error) as error:
        raise TableError(f"{path} is damaged ({error}): run the stage agreement again") from error


def _disagreement(row: Mapping[str, str]) -> Disagreement:
    f1, iou = (
        float(text) if (text := row.get(name)) and text != "undefined" else None
        for name in ("f1", "mean_iou")
    )
    return Disagreement(row["image_id"], f1, row.get("reason") or "", iou)


def _splits(folder: Path) -> dict[str, str]:
    """Split by image_id, from the file names of the release: "train-<digest>-00000-of-00001.parquet"."""
    splits: dict[str, str] = {}
    for path in sorted(folder.rglob("*.parquet")):
        try:
            file = pq.ParquetFile(path)
            if "image_id" in file.schema_arrow.names:
                column = file.read(columns=["image_id"]).column("image_id")
                splits.update(dict.fromkeys(column.to_pylist(), path.stem.partition("-")[0]))
        except (pa.ArrowInvalid, OSError) as error:
            raise TableError(f"{path} is damaged ({error}): run the stage release again") from error
    return splits
