"""A record of what was shown under a migration plan: it stays, and is read with the new names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from curate.labeling.column_migration import Annotations
from curate.labeling.migration_plan import Plan
from curate.shown import record
from curate.shown.record import ShownRecord
from curate.shown.renames import Renames


@dataclass(frozen=True, slots=True)
class RenamedRecord:
    """Record of what was shown, with the renames that are to be added to it.

    Attributes:
        path: Of the record, relative to the project's root.
        known: As it was read.
        renames: What its suggestions are called from now on.
        counts: Suggestions by (old name, new name).
    """

    path: Path
    known: ShownRecord
    renames: Renames
    counts: Mapping[tuple[str, str], int]

    def write(self, root: Path) -> None:
        """Add the renames to the record.

        Raises:
            TableError: A push added something meanwhile.
            StorageError: It cannot be written.
        """
        record.rename(root / self.path, self.known, self.renames)


def renamed(root: Path, path: Path, plan: Plan, rows: Annotations | None) -> RenamedRecord | None:
    """What a plan does to a record; None where there is none, or nothing in it moves.

    A suggestion of a category that is split goes where the row of its id went, if that is one of the parts,
    and otherwise to `otherwise`: so does a person's row that was edited from it (`column_migration`).

    Args:
        root: The project's folder.
        path: Of the record, relative to it.
        plan: What moves where.
        rows: What the rows that the suggestions were became.

    Raises:
        TableError: The record is damaged.
    """
    if not (root / path).is_dir():
        return None
    known = record.load(root / path)
    names = {**plan.renamed, **plan.merged, **{split.source: split.otherwise for split in plan.splits}}
    became = {} if rows is None else dict(zip(rows.ids.to_pylist(), rows.categories.to_pylist(), strict=True))
    own: dict[tuple[str, str], str] = {}
    for split in plan.splits:
        of_split = known.suggestions.filter(pc.equal(known.suggestions["category"], split.source))
        for key in of_split["annotation_id"].unique().to_pylist():
            part = became.get(key)
            if part in split.into and part != split.otherwise:
                own[split.source, key] = part
    renames = Renames(known.parts + 1, names, own)
    counts: Counter[tuple[str, str]] = Counter()
    for before, key in zip(
        *(known.suggestions[name].to_pylist() for name in ("category", "annotation_id")), strict=True
    ):
        counts[before, renames.name(before, key)] += 1
    moved = {pair: number for pair, number in counts.items() if pair[0] != pair[1]}
    return RenamedRecord(path, known, renames, moved) if moved else None
