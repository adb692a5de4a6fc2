"""The file of comparisons that were made: a line of JSON, which images were compared, then the pairs.

Pairs are read through a memory map and written piece by piece, so that they take no memory of their own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate.tables import replacing

PAIR: Final = np.dtype(
    [
        ("first", "<u4"),
        ("second", "<u4"),
        ("hamming", "<u2"),
        ("same", "?"),
        ("relation", "i1"),
        ("correlation", "<f4"),
    ]
)
Compared = NDArray[Any]  # of PAIR


@dataclass(frozen=True, slots=True)
class Known:
    """What was compared.

    Attributes:
        compared: (N,) bool, rows of the index that were compared with each other.
        pairs: (P,) of PAIR, the candidates among them, by row of the index.
        largest_set: At least as many images as ever share one hash among those compared.
    """

    compared: NDArray[np.bool_]
    pairs: Compared
    largest_set: int


def nothing(stored: int) -> Known:
    """Where nothing is known of an index of so many rows."""
    return Known(np.zeros(stored, np.bool_), np.zeros(0, PAIR), 0)


def load(path: Path, key: str, stored: int) -> Known:
    """What is known; nothing if the file is missing, damaged, or of another key."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
            rows, count, largest = header["rows"], header["pairs"], int(header["largest_set"])
            if header["key"] != key or rows > stored:
                return nothing(stored)
            compared = np.frombuffer(file.read(rows), np.bool_)
            begins = file.tell()
        if len(compared) != rows or path.stat().st_size != begins + count * PAIR.itemsize:
            return nothing(stored)
        pairs = np.memmap(path, PAIR, "r", begins, (count,)) if count else np.zeros(0, PAIR)
    except (OSError, ValueError, KeyError, TypeError):
        return nothing(stored)
    full = np.zeros(stored, np.bool_)
    full[: len(compared)] = compared
    return Known(full, pairs, largest)


def save(path: Path, key: str, known: Known, pairs: Iterable[Compared], count: int) -> None:
    """Write the file anew, with `count` pairs in pieces in place of those of `known`.

    Raises:
        StorageError: The disk is full or refuses.
    """
    header = {
        "key": key, "rows": len(known.compared), "pairs": count, "largest_set": known.largest_set
    }  # fmt: skip
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(json.dumps(header).encode() + b"\n")
        file.write(known.compared.tobytes())
        for piece in pairs:
            file.write(np.ascontiguousarray(piece).data)
        file.flush()
        os.fsync(file.fileno())
