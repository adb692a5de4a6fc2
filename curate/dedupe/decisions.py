"""Decisions of people about images and pairs, by row of the images table (`curate.decision_file`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate.decision_file import READ_BY, Decision, is_id
from curate.decision_file import load as load_file
from curate.dedupe.id_rows import Ids
from curate.errors import InputError

_ID_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class Resolved:
    """Decisions by row of the images table.

    Attributes:
        keep: (K,) int64, rows in order.
        drop: Decision by row.
        same: (S, 2) int64, pairs as written.
        different: (D, 2) int64.
        absent: Decisions about images that the table does not hold.
    """

    keep: NDArray[np.int64]
    drop: Mapping[int, Decision]
    same: NDArray[np.int64]
    different: NDArray[np.int64]
    absent: int


def load(path: Path) -> list[Decision]:
    """The lines of the file that say what is one picture and what is dropped.

    Raises:
        InputError: Missing, not a CSV of those columns, or a line that makes no sense; names file and line.
    """
    return [one for one in load_file(path) if one.decision in READ_BY["dedupe"]]


def resolve(decisions: Sequence[Decision], path: Path, ids: Ids, places: Mapping[str, int]) -> Resolved:
    """Find the images and refuse what contradicts itself.

    Args:
        decisions: From `load`.
        path: The file, for messages.
        ids: (N, 32) of the table, in order.
        places: Row by place, for the places that the decisions name.

    Raises:
        InputError: An image that is not there or not the only one, or two lines that contradict each other.
            A whole image_id that is not there is no error: images leave a data set, decisions stay.
    """
    finder = _Finder(path, ids, places)
    alone: dict[int, Decision] = {}
    pairs: dict[tuple[int, int], Decision] = {}
    absent = 0
    for one in decisions:
        rows = [finder.row(one, name) for name in ((one.image, one.other) if one.other else (one.image,))]
        found = [row for row in rows if row is not None]
        if len(found) < len(rows):
            absent += 1
        elif len(found) == 1:
            _put(alone, found[0], one, path)
        elif found[0] == found[1]:
            raise InputError(f"{path}:{one.line}: image and other are the same image")
        else:
            _put(pairs, (min(found), max(found)), one, path)
    same = [pair for pair, one in pairs.items() if one.decision == "same"]
    different = {pair: one for pair, one in pairs.items() if one.decision == "different"}
    _refuse_torn_groups(same, different, path)
    return Resolved(
        keep=np.array(sorted(row for row, one in alone.items() if one.decision == "keep"), dtype=np.int64),
        drop={row: one for row, one in alone.items() if one.decision == "drop"},
        same=np.array(sorted(same), dtype=np.int64).reshape(-1, 2),
        different=np.array(sorted(different), dtype=np.int64).reshape(-1, 2),
        absent=absent,
    )


def _put(known: dict[Any, Decision], key: int | tuple[int, int], one: Decision, path: Path) -> None:
    earlier = known.setdefault(key, one)
    if earlier.decision != one.decision:
        raise InputError(
            f"{path}:{one.line}: {one.decision} contradicts {earlier.decision} in line {earlier.line}"
        )


class _Finder:
    """Rows of the table by what people write."""

    def __init__(self, path: Path, ids: Ids, places: Mapping[str, int]) -> None:
        self._path, self._ids, self._places = path, ids, places
        self._keys = np.ascontiguousarray(ids[:, :8]).view(">u8").reshape(-1)

    def row(self, one: Decision, name: str) -> int | None:
        """Row of a named image; None for a whole image_id that is not in the table."""
        if not is_id(name):
            if name not in self._places:
                raise InputError(f"{self._path}:{one.line}: no image comes from {name!r}")
            return self._places[name]
        start = np.searchsorted(self._keys, np.uint64(int(name[:16].ljust(16, "0"), 16)), "left")
        end = np.searchsorted(self._keys, np.uint64(int(name[:16].ljust(16, "f"), 16)), "right")
        found = [row for row in range(start, end) if self._ids[row].tobytes().hex().startswith(name)]
        if len(found) > 1:
            raise InputError(
                f"{self._path}:{one.line}: {len(found)} images begin with {name}: write more digits"
            )
        if not found and len(name) < _ID_DIGITS:
            raise InputError(f"{self._path}:{one.line}: no image begins with {name}")
        return found[0] if found else None


def components(pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The smallest row that each row is connected to."""
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while (above := parent.setdefault(row, row)) != row:
            parent[row] = parent[above]
            row = above
        return row

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return {row: root(row) for row in parent}


def _refuse_torn_groups(
    same: Sequence[tuple[int, int]], different: Mapping[tuple[int, int], Decision], path: Path
) -> None:
    group = components(same)
    for (a, b), one in different.items():
        if group.get(a, a) == group.get(b, b):
            raise InputError(
                f"{path}:{one.line}: different contradicts other lines, by which both are the same as "
                "a third image"
            )
