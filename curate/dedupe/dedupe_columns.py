"""What dedupe says about each row of the images table: columns for a piece of it at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import schema
from curate.decision_file import Decision
from curate.dedupe import image_columns, keepers
from curate.dedupe.groups import DECIDED, RELATIONS, Grouping, Matches
from curate.dedupe.id_rows import Ids
from curate.dedupe.keepers import Comparisons, KeeperColumns
from curate.ports import Casualty

Rows = NDArray[np.int64]
NEAR_DUPLICATE: Final = "near_duplicate"
HUMAN: Final = "human_decision"
CRASHES: Final = "crashes_decoder"


@dataclass(frozen=True, slots=True)
class Ties:
    """How each of the compared images hangs together with its keeper; 16 bytes per image.

    Attributes:
        gone: (N,) bool, dropped for a keeper.
        variant_of: (N,) int64, place of the image whose variant a kept one is; -1 = of none. The three
            figures are those between these two then.
        grouped: (N,) bool, in a group of two or more.
        hamming: (N,) uint16, bits to the keeper.
        correlation: (N,) float32; NaN where only a person tied them.
        relation: (N,) int8, index into `RELATIONS`.
    """

    gone: NDArray[np.bool_]
    variant_of: Rows
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
    tying = np.maximum(grouping.match, grouping.variant)  # an image has one of them at most
    matched = np.flatnonzero(tying >= 0)
    match = tying[matched]
    variant_of = np.full(count, -1, dtype=np.int64)
    own = np.flatnonzero(grouping.variant >= 0)
    ends = matches.first[grouping.variant[own]], matches.second[grouping.variant[own]]
    variant_of[own] = np.where(ends[0] == own, ends[1], ends[0])
    relation[matched], correlation[matched] = matches.relation[match], matches.correlation[match]
    hamming[matched] = matches.hamming[match]
    by_people = np.flatnonzero(gone & (grouping.match < 0))
    differing = hashes[by_people] ^ hashes[grouping.keeper[by_people]]
    hamming[by_people] = np.bitwise_count(differing).sum(axis=1, dtype=np.uint16)
    grouped = np.bincount(grouping.group, minlength=count)[grouping.group] > 1
    return Ties(gone, variant_of, grouped, hamming, correlation, relation)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All that is known at the end.

    Attributes:
        ids: (N, 32) of the table.
        place: (N,) int64: each row's place among the compared images, best first; -1 = not compared.
        compared: (M,) int64, rows of the compared images, best first.
        keeper_columns: Of the compared images. The next ones likewise.
        phash: (M,) uint64.
        grouping: Of the compared images.
        comparisons: Evidence between them, `renamed` to their places.
        scores: (M,) int64, what follows from it.
        ties: Of the compared images.
        prefer: Names of sources.
        dropped: Decision by row of the table.
        lost: Images that killed their worker, by row of the table.
        poor: Reason and detail of images of too low quality, by row of the table.
        colors: (N,) float32, further figures of the column `quality` by name; NaN = not known.
    """

    ids: Ids
    place: NDArray[np.int64]
    compared: NDArray[np.int64]
    keeper_columns: KeeperColumns
    phash: NDArray[np.uint64]
    grouping: Grouping
    comparisons: Comparisons
    scores: NDArray[np.int64]
    ties: Ties
    prefer: tuple[str, ...]
    dropped: Mapping[int, Decision]
    lost: Mapping[int, Casualty]
    poor: Mapping[int, tuple[str, str]]
    colors: Mapping[str, NDArray[np.float32]]

    def complete(self, piece: pa.Table, start: int) -> pa.Table:
        """Rows of the table with their verdicts; `piece` begins at row `start`."""
        place = self.place[start : start + piece.num_rows]
        rows = np.flatnonzero(place >= 0)
        columns = self._columns(rows, place[rows], piece.num_rows)
        verdicts = self._verdicts(start, piece.num_rows)
        for row in rows[self.ties.gone[place[rows]]].tolist():
            verdicts[row] = NEAR_DUPLICATE, self._why(int(place[row]))
        for number, name in enumerate(("drop_reason", "drop_detail")):
            columns[name] = _replaced(piece[name], {row: texts[number] for row, texts in verdicts.items()})
        columns["quality"] = self._quality(piece["quality"], start)
        for name, values in columns.items():
            field = schema.IMAGES.arrow.field(name)
            piece = piece.set_column(piece.column_names.index(name), field, values.cast(field.type))
        return piece

    def _columns(self, rows: Rows, at: Rows, count: int) -> dict[str, pa.Array]:
        """Columns of a piece of `count` rows, of which `rows` are the compared images at places `at`."""
        gone, grouped = self.ties.gone[at], self.ties.grouped[at]
        left, left_at, tied = rows[gone], at[gone], rows[grouped]
        variant = self.ties.variant_of[at] >= 0
        told, told_at = rows[gone | variant], at[gone | variant]
        others = self.compared[self.ties.variant_of[at[variant]]]
        keepers_ = self.compared[self.grouping.keeper[left_at]]
        named = self.compared[self.grouping.group[at[grouped]]]
        correlation = self.ties.correlation[told_at]
        real = ~np.isnan(correlation)
        relations = pa.array(RELATIONS, pa.string()).take(pa.array(self.ties.relation[told_at]))
        return {
            "phash": _spread(rows, pa.array(self.phash[at]), count),
            "dup_group": _spread(tied, image_columns.id_array(self.ids[named]), count),
            "duplicate_of": _spread(left, image_columns.id_array(self.ids[keepers_]), count),
            "variant_of": _spread(rows[variant], image_columns.id_array(self.ids[others]), count),
            "dup_hamming": _spread(told, pa.array(self.ties.hamming[told_at]), count),
            "dup_correlation": _spread(told[real], pa.array(correlation[real]), count),
            "dup_relation": _spread(told, relations, count),
        }

    def _verdicts(self, start: int, count: int) -> dict[int, tuple[str, str]]:
        """Reason and detail of rows of a piece that people or a crash dropped."""
        verdicts = {
            row - start: (HUMAN, _words(decision))
            for row, decision in self.dropped.items()
            if start <= row < start + count
        }
        for row, lost in self.lost.items():
            if start <= row < start + count:
                detail = f"its worker process died each of {lost.tries} times ({lost.how})"
                verdicts[row - start] = CRASHES, detail
        if self.poor:
            verdicts.update({at: self.poor[start + at] for at in range(count) if start + at in self.poor})
        return verdicts

    def _quality(self, column: pa.ChunkedArray, start: int) -> pa.StructArray:
        """The figures of ingest and those of color; null where an image has none of them."""
        told = column.combine_chunks()
        here = slice(start, start + len(told))
        ours = {
            name: pa.array(values[here], mask=np.isnan(values[here])) for name, values in self.colors.items()
        }
        fields = list(schema.QUALITY)
        values = [
            ours[field.name] if field.name in ours else pc.struct_field(told, field.name) for field in fields
        ]
        return pa.StructArray.from_arrays(values, fields=fields, mask=told.is_null())

    def _why(self, at: int) -> str:
        keeper = int(self.grouping.keeper[at])
        relation = RELATIONS[int(self.ties.relation[at])]
        found = keepers.finding(relation, int(self.ties.hamming[at]), float(self.ties.correlation[at]))
        why = self.keeper_columns.why(keeper, at, self.comparisons, self.scores, self.prefer)
        return f"{found}; {why}"


def _spread(rows: Rows, values: pa.Array, count: int) -> pa.Array:
    """Values at some of `count` rows, null elsewhere."""
    at = np.full(count, -1, dtype=np.int64)
    at[rows] = np.arange(len(rows))
    return values.take(pa.array(at, mask=at < 0))


def _replaced(column: pa.ChunkedArray, texts: Mapping[int, str]) -> pa.Array:
    """The column with other texts at some rows."""
    old = column.combine_chunks()
    at = np.arange(len(old), dtype=np.int64)
    at[list(texts)] = len(old) + np.arange(len(texts))
    return pa.concat_arrays([old, pa.array(list(texts.values()), old.type)]).take(pa.array(at))


def _words(decision: Decision) -> str:
    who = f"dropped by {decision.by}" if decision.by else "dropped by a person"
    why = "; ".join(filter(None, (decision.argument, decision.note)))
    return f"{who}: {why}" if why else who
