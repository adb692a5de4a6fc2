"""Categories renamed, merged or split through every table of annotations.

Rows and their ids stay; only `category` changes. Each table is replaced in one step, and a migration that
was killed between two tables is finished by doing it again: a row that has moved does not move twice.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.errors import ParamsError, TableError
from curate.labeling import column_migration
from curate.labeling.migration_plan import Plan
from curate.schema import TableSchema

MODEL = Path("data/autolabel/annotations.parquet")
PULLED = Path("data/pull/annotations.parquet")
CONSENSUS = Path("data/agreement/consensus.parquet")
PAIRS = Path("data/agreement/pairs.parquet")
FOLDER = Path("data/taxonomy")  # of the lists of what must be looked at again


@dataclass(frozen=True, slots=True)
class Moved:
    """One table, migrated.

    Attributes:
        path: Relative to the project's root.
        schema: Of the table.
        columns: Those that change, in the order of the rows.
        counts: Values by (old name, new name).
        listed: Rows to look at again; columns `column_migration.LISTED`.
    """

    path: Path
    schema: TableSchema
    columns: Mapping[str, pa.Array]
    counts: Mapping[tuple[str, str], int]
    listed: pa.Table


@dataclass(frozen=True, slots=True)
class Migration:
    """Everything that a plan does to a project; nothing is written before `write`.

    Attributes:
        root: The project's folder.
        changed: The tables that exist and hold a category that moves.
        look_again: CSV of what must be looked at again, relative to the root.
    """

    root: Path
    changed: tuple[Moved, ...]
    look_again: Path

    @property
    def listed(self) -> int:
        """Number of rows to look at again."""
        return sum(moved.listed.num_rows for moved in self.changed)

    def write(self) -> None:
        """Write the list first, then each table in one step.

        Raises:
            StorageError: The disk is full or refuses. Tables that were written stay: do it again.
            TableError: The list of an earlier attempt is damaged.
        """
        if self.listed:
            _write_listed(self.changed, self.root / self.look_again)
        for moved in self.changed:
            _replace(self.root / moved.path, moved)

    def lines(self, *, written: bool) -> Iterator[str]:
        """What changes, what must be looked at again, and what to do next."""
        for moved in self.changed:
            for (before, after), count in sorted(moved.counts.items()):
                yield f"{moved.path}: {before} -> {after}: {count:,}"
        for moved in self.changed:
            reasons = Counter(moved.listed.column("why").to_pylist())
            for reason, count in sorted(reasons.items()):
                yield f"{moved.path}: look again, {reason}: {count:,}"
        if not self.changed:
            yield "no table holds a category that moves: nothing to do"
        elif not written:
            yield "nothing was written: leave out --dry-run to do it"
        else:
            if self.listed:
                yield f"{self.look_again}: {self.listed:,} rows to look at again"
            yield from self._next()

    def _next(self) -> Iterator[str]:
        """How DVC, the figures and the annotation server follow."""
        paths = {moved.path for moved in self.changed}
        stages = [stage for path, stage in ((MODEL, "autolabel"), (PULLED, "pull")) if path in paths]
        if stages:
            yield f"next: dvc commit --force {' '.join(stages)} (else DVC makes the tables anew)"
        if PULLED in paths:
            yield "next: dvc repro --downstream agreement (agreement and release from the migrated tables)"
            yield (
                "next: dvc freeze push pull, until the annotation server has the new names too: it still has "
                "the old ones, and pull would bring them back (docs/categories.md)"
            )


def prepare(root: Path, plan: Plan) -> Migration:
    """Work out what a plan does, without writing anything.

    Args:
        root: The project's folder.
        plan: Checked against the new taxonomy.

    Raises:
        TableError: A table is damaged or of another schema version.
        ParamsError: A rename to a name that has rows of its own already.
    """
    changed: list[Moved] = []
    done: dict[Path, column_migration.Annotations] = {}
    for path in (MODEL, PULLED, CONSENSUS):
        if (root / path).exists():
            table = tables.read(root / path, schema.ANNOTATIONS, columns=column_migration.NEEDED)
            _refuse_hidden_merges(table, plan, path)
            after, listed = column_migration.migrated(table, plan, done.get(MODEL), str(path))
            done[path] = column_migration.Annotations(table["annotation_id"].combine_chunks(), after)
            counts = _counts(table, {"category": after})
            if counts or listed.num_rows:
                changed.append(Moved(path, schema.ANNOTATIONS, {"category": after}, counts, listed))
    if (root / PAIRS).exists() and PULLED in done:
        table = tables.read(root / PAIRS, schema.PAIRS, columns=column_migration.PAIRED)
        columns = column_migration.paired(table, done[PULLED])
        if counts := _counts(table, columns):
            changed.append(Moved(PAIRS, schema.PAIRS, columns, counts, column_migration.LISTED.empty_table()))
    return Migration(root, tuple(changed), FOLDER / f"look-again-{plan.digest}.csv")


def _replace(path: Path, moved: Moved) -> None:
    """Write a table anew with its new columns, piece by piece: masks are not held all at once."""
    start = 0
    with tables.stream(path, moved.schema) as writer:
        for piece in tables.pieces(path, moved.schema):
            for name, values in moved.columns.items():
                index = piece.schema.get_field_index(name)
                part = values.slice(start, piece.num_rows)
                piece = piece.set_column(index, piece.schema.field(index), part)  # noqa: PLW2901
            writer.write(piece)
            start += piece.num_rows


def _refuse_hidden_merges(table: pa.Table, plan: Plan, path: Path) -> None:
    """Refuse to rename onto a category that has rows of its own: afterwards nobody could tell them apart."""
    names = dict(zip(*(column.to_pylist() for column in _value_counts(table["category"])), strict=True))
    for old, new in plan.renamed.items():
        if names.get(old) and names.get(new):
            raise ParamsError(
                f"{path} holds {names[new]:,} rows of {new!r} already and {names[old]:,} of {old!r}: "
                "that is no rename; write it under merge"
            )


def _value_counts(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    counted = pc.value_counts(column.combine_chunks())
    return counted.field("values"), counted.field("counts")


def _counts(table: pa.Table, columns: Mapping[str, pa.Array]) -> dict[tuple[str, str], int]:
    """Values that change, by (old, new)."""
    counts: Counter[tuple[str, str]] = Counter()
    for name, new in columns.items():
        old = table[name].combine_chunks()
        moved = pc.fill_null(pc.not_equal(old, new), False)
        pairs = pa.table({"old": old.filter(moved), "new": new.filter(moved)})
        for row in pairs.group_by(["old", "new"]).aggregate([([], "count_all")]).to_pylist():
            counts[row["old"], row["new"]] += row["count_all"]
    return dict(counts)


def _write_listed(changed: tuple[Moved, ...], path: Path) -> None:
    """Write the list; lines of an attempt that was killed stay, since their rows have moved already."""
    rows: dict[tuple[str, ...], Mapping[str, Any]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != tuple(column_migration.LISTED.names):
                raise TableError(f"{path} is no list of this kind: move it away")
            rows.update({_key(row): row for row in reader})
    for moved in changed:
        rows.update({_key(row): row for row in moved.listed.to_pylist()})
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, column_migration.LISTED.names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in sorted(rows))


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["table"], row["image_id"], row["annotation_id"], row["other_id"] or ""
