"""What people decided about images and pairs of images: a CSV file, checked line by line.

`keep`        never dropped as a duplicate, and first in line to be its group's keeper
`drop`        dropped, and takes no part in any group
`same`        with `other`: one group, whatever the pixels say; if a is b and b is c, then a is c
`different`   with `other`: never in one group
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.feature_index import Ids
from curate.errors import InputError

COLUMNS: Final = ("image", "decision", "other", "by", "note")
ALONE: Final = ("keep", "drop")
PAIRED: Final = ("same", "different")
_ID: Final = re.compile(r"[0-9a-f]{8,64}")
_ID_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the file; `image` and `other` as written there."""

    line: int
    image: str
    decision: str
    other: str
    by: str
    note: str


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
    """Read the file.

    Raises:
        InputError: Missing, not a CSV of those columns, or a line that makes no sense; names file and line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            _check_header(path, reader.fieldnames or ())
            return [
                _decision(path, reader.line_num, row)
                for row in reader
                if any((value or "").strip() for value in row.values() if not isinstance(value, list))
            ]
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: correct dedupe.decisions in params.yaml") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def is_id(text: str) -> bool:
    """Whether a reference means an image_id or its beginning; others are places, "name/path"."""
    return _ID.fullmatch(text) is not None


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


def _check_header(path: Path, names: Sequence[str]) -> None:
    if missing := [name for name in ("image", "decision") if name not in names]:
        raise InputError(f"{path}:1: no column {missing[0]}: the columns are {', '.join(COLUMNS)}")
    if unknown := [name for name in names if name not in COLUMNS]:
        raise InputError(f"{path}:1: unknown column {unknown[0]!r}: the columns are {', '.join(COLUMNS)}")


def _decision(path: Path, line: int, row: Mapping[str | None, object]) -> Decision:
    if None in row:
        raise InputError(f"{path}:{line}: more cells than columns: quote cells that hold a comma")
    values = {name: str(row.get(name) or "").strip() for name in COLUMNS}
    one = Decision(line=line, **values)
    if one.decision not in (*ALONE, *PAIRED):
        expected = ", ".join((*ALONE, *PAIRED))
        raise InputError(f"{path}:{line}: unknown decision {one.decision!r}: expected one of {expected}")
    if not one.image:
        raise InputError(f"{path}:{line}: no image")
    if one.decision in PAIRED and not one.other:
        raise InputError(f"{path}:{line}: {one.decision} needs another image in the column other")
    if one.decision in ALONE and one.other:
        raise InputError(f"{path}:{line}: {one.decision} is about one image: leave the column other empty")
    return one


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
        """None: a whole image_id that is not in the table."""
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
