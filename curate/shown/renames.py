"""Categories that were renamed, merged or split since they were shown.

What was shown stays in the record as it was shown. A migration of the taxonomy adds a part of its own, which
is true of every part before it: those are read with the names of today, so that they can be held against
answers that were migrated likewise. What is shown after it has the new names already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_DIGESTS = ("suggestions_digest", "proposed_digest")


@dataclass(frozen=True, slots=True)
class Renames:
    """Renames of one migration of the taxonomy.

    Attributes:
        part: Its number: parts before it have the former names.
        names: Name of today by former name.
        own: The same by former name and annotation_id, of suggestions that became something else than others
            of their name: a split.
    """

    part: int
    names: Mapping[str, str]
    own: Mapping[tuple[str, str], str]

    @classmethod
    def of_rows(cls, part: int, rows: Iterable[Mapping[str, Any]]) -> Renames:
        """Make the renames from rows of `shown_renames`."""
        rows = list(rows)
        return cls(
            part,
            {row["before"]: row["after"] for row in rows if not row["annotation_id"]},
            {(row["before"], row["annotation_id"]): row["after"] for row in rows if row["annotation_id"]},
        )

    def rows(self) -> list[dict[str, str]]:
        """The renames as rows of `shown_renames`."""
        whole = [{"before": old, "after": new, "annotation_id": ""} for old, new in self.names.items()]
        own = [{"before": old, "after": new, "annotation_id": key} for (old, key), new in self.own.items()]
        return whole + own

    def name(self, category: str, annotation_id: str | None) -> str:
        """What a suggestion of that category is called today."""
        return self.own.get((category, annotation_id or ""), self.names.get(category, category))

    def thresholds(self, former: Mapping[str, float]) -> dict[str, float]:
        """Give thresholds under the names of today; merged categories get the highest.

        Examples:
            >>> merged = Renames(2, {"van": "vehicle", "lorry": "vehicle"}, {})
            >>> merged.thresholds({"van": 0.3, "lorry": 0.4, "bus": 0.5})
            {'vehicle': 0.4, 'bus': 0.5}
        """
        found: dict[str, float] = {}
        parts: dict[str, set[str]] = {name: {new} for name, new in self.names.items()}
        for (name, _), new in self.own.items():
            parts.setdefault(name, {name}).add(new)
        for name, value in former.items():
            for new in sorted(parts.get(name, {name})):
                found[new] = max(found.get(new, value), value)
        return found


def with_names_of_today(
    shown: Mapping[int, pa.Table], suggestions: Mapping[int, pa.Table], renames: Iterable[Renames]
) -> tuple[dict[int, pa.Table], dict[int, pa.Table]]:
    """The parts as if they had been shown under the names of today.

    Sets of suggestions that change have another digest afterwards, as the same ones may be shown again under
    names that were given back.

    Args:
        shown: Tables `shown` by part.
        suggestions: Tables `shown_suggestions` by part.
        renames: In any order.
    """
    now, sets = dict(shown), dict(suggestions)
    for one in sorted(renames, key=lambda one: one.part):
        changed: set[str] = set()
        for number in [number for number in sets if number < one.part]:
            categories = _renamed(sets[number], "category", "annotation_id", one)
            moved = pc.not_equal(categories, sets[number]["category"].combine_chunks())
            changed |= set(sets[number].filter(moved)["suggestions_digest"].to_pylist())
            sets[number] = _with(sets[number], "category", categories)
        for number in [number for number in sets if number < one.part]:
            sets[number] = _redirected(sets[number], _DIGESTS[:1], changed, one.part)
        for number in [number for number in now if number < one.part]:
            for column in ("wrong_category", "right_category"):
                now[number] = _with(now[number], column, _renamed(now[number], column, "seeded_id", one))
            now[number] = _redirected(now[number], _DIGESTS, changed, one.part)
    return now, sets


def _renamed(table: pa.Table, column: str, key: str, renames: Renames) -> pa.Array:
    values = table[column].combine_chunks()
    known = pa.array(sorted({*renames.names, *(name for name, _ in renames.own)}), pa.string())
    if not pc.any(pc.is_in(values, value_set=known)).as_py():
        return values
    pairs = zip(values.to_pylist(), table[key].to_pylist(), strict=True)
    return pa.array([None if name is None else renames.name(name, one) for name, one in pairs], pa.string())


def _redirected(table: pa.Table, columns: Iterable[str], changed: set[str], part: int) -> pa.Table:
    if not changed:
        return table
    for column in columns:
        digests = table[column].to_pylist()
        table = _with(
            table, column, pa.array([f"{one}~{part}" if one in changed else one for one in digests])
        )
    return table


def _with(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    index = table.schema.get_field_index(column)
    return table.set_column(index, table.schema.field(index), values.cast(pa.string()))
