"""What a project's tables say up to a stage: the common reading of the app and of the report.

A stage that has not run yet is simply not there; only the first table is required.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate import tables
from curate.errors import TableError
from curate.file_identity import FileIdentity, file_identity
from curate.records import Annotation, ImageRecord
from curate.review_lists import Disagreement, Doubt, read_label_errors, read_queue
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
class StoredTable:
    """A table of rows that a stage has written.

    Attributes:
        path: The Parquet file.
        schema: What it holds.
        identity: Of the file when it was found.
        settled: Whether no other content of that identity could come any more then.
    """

    path: Path
    schema: TableSchema
    identity: FileIdentity
    settled: bool


@dataclass(frozen=True, slots=True)
class StoredTables:
    """Tables of a project as files; rows are read when they are asked for.

    Attributes:
        root: Folder that image paths are relative to.
        files: By their names in `ProjectTables`; those whose stage has run, "images" always.
        queue: As in `ProjectTables`; the next ones likewise.
    """

    root: Path
    files: Mapping[str, StoredTable]
    queue: tuple[Disagreement, ...] | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    label_errors: Mapping[str, tuple[Doubt, ...]] = field(default_factory=dict)

    def pieces(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of a table bit by bit; of the plan, first slots.

        Raises:
            TableError: It is damaged or of another schema version.
        """
        stored = self.files[name]
        for piece in tables.pieces(stored.path, stored.schema, columns=columns):
            yield piece.filter(pc.equal(piece["slot"], 0)) if name == "plan" else piece

    def of(self, image_ids: Collection[str] | None = None) -> ArrowTables:
        """The rows of some images, or of all: memory grows with what is asked for, not with the tables.

        Raises:
            TableError: A table is damaged, or was written since it was found.
        """
        wanted = None if image_ids is None else pa.array(sorted(image_ids), pa.string())
        rows = {name: pa.concat_tables(self._rows(name, wanted)) for name in self.files}
        self.check_unchanged()
        return ArrowTables(self, rows)

    def check_unchanged(self) -> None:
        """Whether each table is the file still that was found.

        Raises:
            TableError: It is not.
        """
        for stored in self.files.values():
            if not stored.path.exists() or file_identity(stored.path) != stored.identity:
                raise TableError(
                    f"{stored.path} was written while it was read: run this again when dvc repro has ended"
                )

    def _rows(self, name: str, wanted: pa.Array | None) -> list[pa.Table]:
        found = [self.files[name].schema.arrow.empty_table()]
        for piece in self.pieces(name):
            chosen = piece if wanted is None else _about(piece, wanted)
            found.append(chosen.replace_schema_metadata(None))
        return found


@dataclass(frozen=True, slots=True)
class ArrowTables:
    """Rows as they are stored, not a Python object a row.

    Attributes:
        stored: Where they come from.
        rows: By the names of `StoredTables.files`.
    """

    stored: StoredTables
    rows: Mapping[str, pa.Table]

    def records(self, image_ids: Collection[str] | None = None) -> ProjectTables:
        """The rows as records; of some images, or of all."""
        wanted = None if image_ids is None else pa.array(sorted(image_ids), pa.string())

        def rows(name: str) -> list[dict[str, Any]] | None:
            if name not in self.rows:
                return None
            table = self.rows[name]
            return list((table if wanted is None else _about(table, wanted)).to_pylist())

        def annotations(name: str) -> tuple[Annotation, ...] | None:
            found = rows(name)
            return None if found is None else tuple(map(Annotation.from_row, found))

        queue, doubts = self.stored.queue, self.stored.label_errors
        if image_ids is not None:
            some = set(image_ids)
            queue = None if queue is None else tuple(one for one in queue if one.image_id in some)
            doubts = {key: doubts[key] for key in image_ids if key in doubts}
        pairs = rows("pairs")
        return ProjectTables(
            root=self.stored.root,
            images=tuple(map(_image, rows("images") or ())),
            model=annotations("model"),
            human=annotations("human"),
            consensus=annotations("consensus"),
            pairs=None if pairs is None else tuple(pairs),
            queue=queue,
            splits=self.stored.splits,
            plan={row["image_id"]: row for row in rows("plan") or ()},
            objects=tuple(rows("objects") or ()),
            settled={row["image_id"]: row for row in rows("settled") or ()},
            label_errors=doubts,
        )


def load(root: Path, *, stage: str = STAGES[-1]) -> ProjectTables:
    """Read the tables that exist, up to and with `stage`.

    Args:
        root: The project's folder.
        stage: One of `STAGES`.

    Raises:
        TableError: Ingest has not run, or a table is damaged or of another schema version.
    """
    return find(root, stage=stage).of().records()


def images_path(root: Path) -> Path:
    """The table of images: dedupe's, or ingest's where dedupe has not run."""
    return root / (DEDUPED if (root / DEDUPED).exists() else INGESTED)


def find(root: Path, *, stage: str = STAGES[-1]) -> StoredTables:
    """Find the same, and read what is no table of rows.

    Args:
        root: The project's folder.
        stage: One of `STAGES`.

    Raises:
        TableError: As `load`, except that damage of tables of rows shows when they are read.
    """
    reached = STAGES[: STAGES.index(stage) + 1]
    agreed, pulled = "agreement" in reached, "pull" in reached
    asked = {
        "model": (MODEL, ANNOTATIONS, "autolabel" in reached),
        "human": (PULLED, ANNOTATIONS, pulled),
        "consensus": (CONSENSUS, ANNOTATIONS, agreed),
        "pairs": (PAIRED, PAIRS, agreed),
        "plan": (PLANNED, PLAN, pulled),
        "objects": (OBJECTS, CONSENSUS_OBJECTS, agreed),
        "settled": (SETTLED, CONSENSUS_IMAGES, agreed),
    }
    images = images_path(root) if "dedupe" in reached else root / INGESTED
    there = {"images": (images, IMAGES)} | {
        name: (root / path, schema)
        for name, (path, schema, wanted) in asked.items()
        if wanted and (root / path).exists()
    }
    return StoredTables(
        root=root,
        files={name: _stored(path, schema) for name, (path, schema) in there.items()},
        queue=read_queue(root / QUEUE) if agreed else None,
        splits=_splits(root / RELEASE) if "release" in reached else {},
        label_errors=read_label_errors(root / LABEL_ERRORS) if agreed else {},
    )


def _stored(path: Path, schema: TableSchema) -> StoredTable:
    tables.check(path, schema)
    identity = file_identity(path)
    return StoredTable(path, schema, identity, identity.is_settled())


def _about(table: pa.Table, wanted: pa.Array) -> pa.Table:
    """The rows of some images."""
    return table.filter(pc.is_in(table["image_id"], value_set=wanted))


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
