"""What a project's tables say up to a stage: the common reading of the app and of the report.

A stage that has not run yet is simply not there; only the first table is required.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
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
class Doubt:
    """A label that a model contradicts (`curate.agreement.label_errors`).

    Attributes:
        kind: missed, spurious, category or location.
        probability: That the label is wrong, in [0, 1].
        label_id: annotation_id of the label in the consensus; empty where something is missed.
        suggestion_id: annotation_id of the model's box; empty where it sees nothing.
    """

    kind: str
    probability: float
    label_id: str
    suggestion_id: str


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
        label_errors: Labels that are probably wrong, by image_id.
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
    label_errors: Mapping[str, tuple[Doubt, ...]] = field(default_factory=dict)

    @property
    def support(self) -> dict[str, Support]:
        """What objects of the consensus rest on, by annotation_id."""
        return {
            row["annotation_id"]: Support(row["confidence"], row["votes"], row["annotators"])
            for row in self.objects
        }


@dataclass(frozen=True, slots=True)
class ArrowTables:
    """The same as they are stored, not a Python object a row; None = the stage has not run.

    Attributes:
        root: Folder that image paths are relative to.
        images: All rows; the next ones as in `ProjectTables`.
        plan: First slots.
    """

    root: Path
    images: pa.Table
    model: pa.Table | None = None
    human: pa.Table | None = None
    consensus: pa.Table | None = None
    pairs: pa.Table | None = None
    plan: pa.Table | None = None
    objects: pa.Table | None = None
    settled: pa.Table | None = None
    queue: tuple[Disagreement, ...] | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    label_errors: Mapping[str, tuple[Doubt, ...]] = field(default_factory=dict)

    def records(self, image_ids: Collection[str] | None = None) -> ProjectTables:
        """The rows as records; of some images, or of all."""

        def rows(table: pa.Table | None) -> list[dict[str, Any]] | None:
            if table is None:
                return None
            if image_ids is not None:
                table = table.filter(pc.is_in(table["image_id"], value_set=wanted))
            return list(table.to_pylist())

        def annotations(table: pa.Table | None) -> tuple[Annotation, ...] | None:
            found = rows(table)
            return None if found is None else tuple(map(Annotation.from_row, found))

        wanted = pa.array(sorted(image_ids or ()), pa.string())
        pairs = rows(self.pairs)
        return ProjectTables(
            root=self.root,
            images=tuple(map(_image, rows(self.images) or ())),
            model=annotations(self.model),
            human=annotations(self.human),
            consensus=annotations(self.consensus),
            pairs=None if pairs is None else tuple(pairs),
            queue=self.queue,
            splits=self.splits,
            plan={row["image_id"]: row for row in rows(self.plan) or ()},
            objects=tuple(rows(self.objects) or ()),
            settled={row["image_id"]: row for row in rows(self.settled) or ()},
            label_errors=self.label_errors,
        )


def load(root: Path, *, stage: str = STAGES[-1]) -> ProjectTables:
    """Read the tables that exist, up to and with `stage`.

    Args:
        root: The project's folder.
        stage: One of `STAGES`.

    Raises:
        TableError: Ingest has not run, or a table is damaged or of another schema version.
    """
    return read(root, stage=stage).records()


def read(root: Path, *, stage: str = STAGES[-1]) -> ArrowTables:
    """The same, as Arrow tables.

    Args:
        root: The project's folder.
        stage: One of `STAGES`.

    Raises:
        TableError: As `load`.
    """
    reached = STAGES[: STAGES.index(stage) + 1]
    deduped = "dedupe" in reached and (root / DEDUPED).exists()
    agreed, pulled = "agreement" in reached, "pull" in reached

    def found(path: Path, schema: TableSchema, asked: bool) -> pa.Table | None:
        return tables.read(root / path, schema) if asked and (root / path).exists() else None

    plan = found(PLANNED, PLAN, pulled)
    return ArrowTables(
        root=root,
        images=tables.read(root / (DEDUPED if deduped else INGESTED), IMAGES),
        model=found(MODEL, ANNOTATIONS, "autolabel" in reached),
        human=found(PULLED, ANNOTATIONS, pulled),
        consensus=found(CONSENSUS, ANNOTATIONS, agreed),
        pairs=found(PAIRED, PAIRS, agreed),
        plan=None if plan is None else plan.filter(pc.equal(plan["slot"], 0)),
        objects=found(OBJECTS, CONSENSUS_OBJECTS, agreed),
        settled=found(SETTLED, CONSENSUS_IMAGES, agreed),
        queue=_queue(root / QUEUE) if agreed else None,
        splits=_splits(root / RELEASE) if "release" in reached else {},
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


def _label_errors(path: Path) -> dict[str, tuple[Doubt, ...]]:
    """Those of which it is known how probable they are."""
    found: dict[str, tuple[Doubt, ...]] = {}
    if path.exists():
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    try:
                        probability = float(row["probability"])
                    except ValueError:
                        continue  # too few cases of its kind to say
                    one = Doubt(row["kind"], probability, row["label_id"], row["suggestion_id"])
                    found[row["image_id"]] = (*found.get(row["image_id"], ()), one)
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
