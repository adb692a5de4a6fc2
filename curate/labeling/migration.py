"""Categories renamed, merged or split through every table of annotations.

Rows and their ids stay; only `category` changes. Each table is replaced in one step, and a migration that
was killed between two tables is finished by doing it again: a row that has moved does not move twice. Records
of what was shown stay as they are, and are read with the new names from then on (`curate.shown.renames`).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import decision_file, schema, tables
from curate.decision_file import Decision
from curate.errors import ParamsError, TableError
from curate.labeling import column_migration, fitted_precision, shown_migration, taxonomy
from curate.labeling.column_migration import Annotations
from curate.labeling.migration_plan import Plan
from curate.labeling.shown_migration import RenamedRecord
from curate.schema import TableSchema

MODEL = Path("data/autolabel/annotations.parquet")
PULLED = Path("data/pull/annotations.parquet")
CONSENSUS = Path("data/agreement/consensus.parquet")
PAIRS = Path("data/agreement/pairs.parquet")
DECIDED = Path("data/adjudication/annotations.parquet")
RECORD, ADJUDICATED = Path("data/push/shown"), Path("data/adjudication/shown")
IMPORTED = (Path("labels/suggestions"), Path("labels/answers"))
FOLDER = Path("data/taxonomy")  # of the lists of what must be looked at again
NOTHING = "no table holds a category that moves: nothing to do (it was done before, or its name is misspelt)"


@dataclass(frozen=True, slots=True)
class Moved:
    """Table as it is after a migration.

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
class Decided:
    """decisions.csv as it is after a migration.

    Attributes:
        path: Relative to the project's root.
        lines: All of them, with the new names.
        counts: Lines by (old name, new name).
        listed: As of `Moved`.
    """

    path: Path
    lines: Sequence[Decision]
    counts: Mapping[tuple[str, str], int]
    listed: pa.Table


@dataclass(frozen=True, slots=True)
class Migration:
    """Everything that a plan does to a project; nothing is written before `write`.

    Attributes:
        root: The project's folder.
        changed: The tables that exist and hold a category that moves.
        look_again: CSV of what must be looked at again, relative to the root.
        records: Of what was shown, where a category moves.
        decided: Likewise decisions.csv.
        fitted: Path and text of taxonomy.yaml, where its record of fitted thresholds changes.
    """

    root: Path
    changed: tuple[Moved, ...]
    look_again: Path
    records: tuple[RenamedRecord, ...] = ()
    decided: Decided | None = None
    fitted: tuple[Path, str] | None = None

    @property
    def listed(self) -> int:
        """Number of rows to look at again."""
        return sum(one.listed.num_rows for one in self._listing)

    @property
    def _listing(self) -> tuple[Moved | Decided, ...]:
        return (*self.changed, *(() if self.decided is None else (self.decided,)))

    def write(self) -> None:
        """Write the list first, then each table in one step.

        Raises:
            StorageError: The disk is full or refuses. Tables that were written stay: do it again.
            TableError: The list of an earlier attempt is damaged.
        """
        if self.listed:
            _write_listed(self._listing, self.root / self.look_again)
        if self.fitted is not None:  # first, as it is worked out only while there are rows to move
            path, text = self.fitted
            with tables.replacing(path) as partial:
                partial.write_text(text, encoding="utf-8")
        for moved in self.changed:
            _replace(self.root / moved.path, moved)
        for record in self.records:
            record.write(self.root)
        if self.decided is not None:
            decision_file.write(self.root / self.decided.path, self.decided.lines)

    def lines(self, *, written: bool) -> Iterator[str]:
        """What changes, what must be looked at again, and what to do next."""
        for one in (*self._listing, *self.records):
            for (before, after), count in sorted(one.counts.items()):
                yield f"{one.path}: {before} -> {after}: {count:,}"
        for one in self._listing:
            reasons = Counter(one.listed.column("why").to_pylist())
            for reason, count in sorted(reasons.items()):
                yield f"{one.path}: look again, {reason}: {count:,}"
        if self.fitted is not None:
            yield f"{self.fitted[0]}: a fit follows renamed categories; merged and split ones have none"
        if not (self._listing or self.records):
            yield NOTHING
        elif not written:
            yield "nothing was written: leave out --dry-run to do it"
        else:
            if self.listed:
                yield f"{self.look_again}: {self.listed:,} rows to look at again"
            yield from self._next()

    def _next(self) -> Iterator[str]:
        """How DVC, the figures and the annotation server follow."""
        paths = {moved.path for moved in self.changed} | {one.path for one in self.records}
        made_by = ((MODEL, "autolabel"), (RECORD, "push"), (PULLED, "pull"), (DECIDED, "pull"))
        if stages := dict.fromkeys(stage for path, stage in made_by if path in paths):
            yield f"next: dvc commit --force {' '.join(stages)} (else DVC makes the tables anew)"
        if not paths.isdisjoint({PULLED, DECIDED}):
            yield "next: dvc repro --downstream agreement (agreement and release from the migrated tables)"
            yield (
                "next: dvc freeze push pull, until the annotation server has the new names too: it still has "
                "the old ones, and pull would bring them back (docs/categories.md)"
            )


def prepare(
    root: Path,
    plan: Plan,
    *,
    taxonomy_file: Path = Path("taxonomy.yaml"),
    gold: Path | None = None,
    decisions: Path | None = None,
) -> Migration:
    """Work out what a plan does, without writing anything.

    Args:
        root: The project's folder.
        plan: Checked against the new taxonomy.
        taxonomy_file: It, relative to the root.
        gold: The parameter `qa.gold`; of its files the tables are migrated, not COCO.
        decisions: The parameter `dedupe.decisions`.

    Raises:
        TableError: A table or record is damaged or of another schema version.
        InputError: decisions.csv is missing, or a line of it makes no sense.
        ParamsError: A rename to a name that has rows of its own already.
    """
    changed: list[Moved] = []
    done: dict[Path, Annotations] = {}

    def migrate(path: Path, suggestions: Annotations | None) -> None:
        if not (root / path).exists():
            return
        table = tables.read(root / path, schema.ANNOTATIONS, columns=column_migration.NEEDED)
        _refuse_hidden_merges(table, plan, path)
        after, listed = column_migration.migrated(table, plan, suggestions, str(path))
        done[path] = Annotations(table["annotation_id"].combine_chunks(), after)
        counts = _counts(table, {"category": after})
        if counts or listed.num_rows:
            changed.append(Moved(path, schema.ANNOTATIONS, {"category": after}, counts, listed))

    migrate(MODEL, None)
    for path in (PULLED, CONSENSUS, *_user_tables(root, gold)):
        migrate(path, done.get(MODEL))
    if (root / PAIRS).exists() and PULLED in done:
        table = tables.read(root / PAIRS, schema.PAIRS, columns=column_migration.PAIRED)
        columns = column_migration.paired(table, done[PULLED])
        if counts := _counts(table, columns):
            changed.append(Moved(PAIRS, schema.PAIRS, columns, counts, column_migration.LISTED.empty_table()))
    # A senior is shown what people drew and agree on.
    everything = [done[path] for path in (MODEL, PULLED, CONSENSUS) if path in done]
    candidates = column_migration.joined(everything) if everything else None
    migrate(DECIDED, candidates)
    records = (
        shown_migration.renamed(root, RECORD, plan, done.get(MODEL)),
        shown_migration.renamed(root, ADJUDICATED, plan, candidates),
    )
    known = tuple(one for one in records if one is not None)
    return Migration(
        root,
        tuple(changed),
        FOLDER / f"look-again-{plan.digest}.csv",
        known,
        None if decisions is None else _decided(root, decisions, plan),
        _fitted(root / taxonomy_file, plan) if changed or known else None,
    )


def _user_tables(root: Path, gold: Path | None) -> Iterator[Path]:
    """Tables of annotations that no stage makes: what was imported, and known answers."""
    found = [path for folder in IMPORTED for path in sorted((root / folder).glob("*.parquet"))]
    if gold is not None:
        known = sorted((root / gold).iterdir()) if (root / gold).is_dir() else [root / gold]
        found += [path for path in known if path.suffix == ".parquet" and path.name[0] != "."]
    yield from (path.relative_to(root) if path.is_relative_to(root) else path for path in found)


def _decided(root: Path, path: Path, plan: Plan) -> Decided | None:
    """decisions.csv with the new names; None where no line names one that moves."""
    names = {**plan.renamed, **plan.merged, **{split.source: split.otherwise for split in plan.splits}}
    split = {one.source for one in plan.splits}
    counts: Counter[tuple[str, str]] = Counter()
    lines, listed = [], []
    for one in decision_file.load(root / path):
        after = names.get(one.argument, one.argument) if one.decision in _NAMING else one.argument
        if after != one.argument:
            counts[one.argument, after] += 1
            if one.argument in split:
                what = one.annotation or one.box
                where = {"table": str(path), "annotation_id": what, "image_id": one.image}
                listed.append(
                    {**where, "before": one.argument, "after": after, "why": "split without a clue"}
                )
        lines.append(replace(one, argument=after))
    if not counts:
        return None
    return Decided(path, lines, counts, pa.Table.from_pylist(listed, schema=column_migration.LISTED))


def _fitted(path: Path, plan: Plan) -> tuple[Path, str] | None:
    """taxonomy.yaml with what its thresholds are known to keep; None where that stays as it is.

    Nobody has judged the suggestions of a category that was made by a merge or a split.
    """
    promised = taxonomy.promise(path)
    if promised is None:
        return None
    unknown = {*plan.merged, *plan.merged.values()}
    unknown |= {name for one in plan.splits for name in (one.source, *one.into)}
    kept = {
        plan.renamed.get(name, name): value
        for name, value in promised.thresholds.items()
        if name not in unknown
    }
    if kept == promised.thresholds:
        return None
    record = promised.model_copy(update={"thresholds": kept}) if kept else None
    return path, fitted_precision.written(path.read_text(encoding="utf-8"), record, path)


_NAMING = frozenset({"relabel", "edit", "add"})  # decisions whose argument is a category


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


def _write_listed(changed: Sequence[Moved | Decided], path: Path) -> None:
    """Write the list; lines of an attempt that was killed stay, since their rows have moved already."""
    rows: dict[tuple[str, ...], Mapping[str, Any]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != tuple(column_migration.LISTED.names):
                raise TableError(f"{path} is no list of this kind: move it away")
            rows.update({_key(row): row for row in reader})
    for one in changed:
        rows.update({_key(row): row for row in one.listed.to_pylist()})
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, column_migration.LISTED.names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in sorted(rows))


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["table"], row["image_id"], row["annotation_id"], row["other_id"] or ""
