"""What dedupe says about each row of the images table: columns for a piece of it at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate import schema
from curate.dedupe import keepers, roster
from curate.dedupe.decisions import Decision
from curate.dedupe.groups import DECIDED, RELATIONS, Grouping, Matches
from curate.dedupe.index import Ids
from curate.dedupe.keepers import Merits
from curate.ports import Casualty

NEAR_DUPLICATE: Final = "near_duplicate"
HUMAN: Final = "human_decision"
CRASHES: Final = "crashes_decoder"


@dataclass(frozen=True, slots=True)
class Ties:
    """How each of the compared images hangs together with its keeper; 16 bytes an image.

    Attributes:
        gone: (N,) bool, dropped for a keeper.
        grouped: (N,) bool, in a group of two or more.
        hamming: (N,) uint16, bits to the keeper.
        correlation: (N,) float32; NaN where only a person tied them.
        relation: (N,) int8, index into `RELATIONS`.
    """

    gone: NDArray[np.bool_]
    grouped: NDArray[np.bool_]
    hamming: NDArray[np.uint16]
    correlation: NDArray[np.float32]
    relation: NDArray[np.int8]


def ties(grouping: Grouping, matches: Matches, hashes: NDArray[np.uint64]) -> Ties:
    """Read the ties off the groups; `hashes` (N, W) are the candidate hashes."""
    count = len(grouping.keeper)
    gone = grouping.keeper != np.arange(count)
    relation = np.full(count, DECIDED, dtype=np.int8)
    correlation = np.full(count, np.nan, dtype=np.float32)
    hamming = np.zeros(count, dtype=np.uint16)
    matched = np.flatnonzero(grouping.match >= 0)
    match = grouping.match[matched]
    relation[matched], correlation[matched] = matches.relation[match], matches.correlation[match]
    hamming[matched] = matches.hamming[match]
    by_people = np.flatnonzero(gone & (grouping.match < 0))
    differing = hashes[by_people] ^ hashes[grouping.keeper[by_people]]
    hamming[by_people] = np.bitwise_count(differing).sum(axis=1, dtype=np.uint16)
    grouped = np.bincount(grouping.group, minlength=count)[grouping.group] > 1
    return Ties(gone, grouped, hamming, correlation, relation)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All that is known at the end.

    Attributes:
        ids: (N, 32) of the table.
        place: (N,) int64: each row's place among the compared images, best first; -1 = not compared.
        compared: (M,) int64, rows of the compared images, best first.
        merits: Of the compared images. The next ones likewise.
        phash: (M,) uint64.
        grouping: Of the compared images.
        ties: Of the compared images.
        prefer: Names of sources.
        dropped: Decision by row of the table.
        lost: Images that killed their worker, by row of the table.
    """

    ids: Ids
    place: NDArray[np.int64]
    compared: NDArray[np.int64]
    merits: Merits
    phash: NDArray[np.uint64]
    grouping: Grouping
    ties: Ties
    prefer: tuple[str, ...]
    dropped: Mapping[int, Decision]
    lost: Mapping[int, Casualty]

    def complete(self, piece: pa.Table, start: int) -> pa.Table:
        """Rows of the table with their verdicts; `piece` begins at row `start`."""
        place = self.place[start : start + piece.num_rows]
        new = {**_nothing(piece.num_rows), **_reasons(piece)}
        rows = np.flatnonzero(place >= 0)
        if len(rows):
            for name, values in self._columns(place[rows]).items():
                for row, value in zip(rows.tolist(), values, strict=True):
                    new[name][row] = value
        for row in rows[self.ties.gone[place[rows]]].tolist():
            new["drop_reason"][row] = NEAR_DUPLICATE
            new["drop_detail"][row] = self._why(int(place[row]))
        for row in [row for row in self.dropped if start <= row < start + piece.num_rows]:
            new["drop_reason"][row - start] = HUMAN
            new["drop_detail"][row - start] = _said(self.dropped[row])
        for row in [row for row in self.lost if start <= row < start + piece.num_rows]:
            new["drop_reason"][row - start] = CRASHES
            new["drop_detail"][row - start] = (
                f"its worker process died each of {self.lost[row].tries} times ({self.lost[row].how})"
            )
        for name, values in new.items():
            field = schema.IMAGES.arrow.field(name)
            piece = piece.set_column(piece.column_names.index(name), field, pa.array(values, field.type))
        return piece

    def _columns(self, at: NDArray[np.int64]) -> dict[str, list[Any]]:
        gone, keeper = self.ties.gone[at].tolist(), self.grouping.keeper[at]
        named = self.compared[self.grouping.group[at]]
        correlation = self.ties.correlation[at]
        relations = [RELATIONS[kind] for kind in self.ties.relation[at].tolist()]
        return {
            "phash": self.phash[at].tolist(),
            "dup_group": _where(roster.id_texts(self.ids[named]), self.ties.grouped[at].tolist()),
            "duplicate_of": _where(roster.id_texts(self.ids[self.compared[keeper]]), gone),
            "dup_hamming": _where(self.ties.hamming[at].tolist(), gone),
            "dup_correlation": _where(
                correlation.tolist(), (self.ties.gone[at] & ~np.isnan(correlation)).tolist()
            ),
            "dup_relation": _where(relations, gone),
        }

    def _why(self, at: int) -> str:
        keeper = int(self.grouping.keeper[at])
        relation = RELATIONS[int(self.ties.relation[at])]
        found = keepers.finding(relation, int(self.ties.hamming[at]), float(self.ties.correlation[at]))
        return f"{found}; {self.merits.why(keeper, at, self.prefer)}"


_COLUMNS: Final = ("phash", "dup_group", "duplicate_of", "dup_hamming", "dup_correlation", "dup_relation")


def _nothing(rows: int) -> dict[str, list[Any]]:
    return {name: [None] * rows for name in _COLUMNS}


def _reasons(piece: pa.Table) -> dict[str, list[Any]]:
    return {name: piece[name].to_pylist() for name in ("drop_reason", "drop_detail")}


def _where(values: Sequence[Any], use: Sequence[bool]) -> list[Any]:
    return [value if used else None for value, used in zip(values, use, strict=True)]


def _said(decision: Decision) -> str:
    who = f"dropped by {decision.by}" if decision.by else "dropped by a person"
    return f"{who}: {decision.note}" if decision.note else who
