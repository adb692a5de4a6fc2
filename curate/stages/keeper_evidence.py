"""Which of two copies is the original, looked at in full, by the engine's workers; kept between runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from curate import fingerprint, schema, tables
from curate.dedupe import originals
from curate.dedupe.groups import DECIDED, SEMANTIC, Matches
from curate.dedupe.keepers import REASONS, Comparisons
from curate.dedupe.originals import Evidence, Picture
from curate.dedupe.verify import VARIANT
from curate.images.load_upright import open_upright
from curate.ports import Casualty, Engine

_MAX_PARTNERS: Final = 6  # of an image, the likest ones; so that large groups cost no square
_HELD: Final = 8  # decoded pictures in a worker
Item = tuple[str, str, tuple[float, ...]]  # two paths, where the second lies on the first
Result = tuple[int, int]  # winner and reason, as in `Comparisons`
_LOST: Final[Result] = (0, 0)


def wanted(matches: Matches, variants: str) -> Matches:
    """The matches that may make one image be dropped for the other; the likest of an image that has many."""
    droppable = (matches.relation != SEMANTIC) & (matches.relation != DECIDED)
    if variants == "keep":
        droppable &= matches.relation != VARIANT
    chosen = matches.take(droppable)
    order = np.argsort(-chosen.correlation, kind="stable")
    ends = np.concatenate([chosen.first[order], chosen.second[order]])
    rank = np.tile(np.arange(len(order)), 2)
    by_image = np.lexsort((rank, ends))
    starts = np.searchsorted(ends[by_image], ends[by_image], "left")
    near = np.zeros(2 * len(order), np.bool_)
    near[by_image] = np.arange(len(by_image)) - starts < _MAX_PARTNERS
    kept = order[near[: len(order)] | near[len(order) :]]
    return chosen.take(np.sort(kept))


@dataclass(frozen=True, slots=True)
class Looking:
    """How pairs are looked at.

    Attributes:
        engine: Where.
        table: Images table; its paths start from the current folder.
        ids: (N, 32) of the table.
        kept: File of what was found before; replaced.
    """

    engine: Engine
    table: Path
    ids: NDArray[np.uint8]
    kept: Path

    def compare(
        self, first: NDArray[np.int64], second: NDArray[np.int64], placement: NDArray[np.float64]
    ) -> Comparisons:
        """Find the originals of pairs.

        Args:
            first: (P,) rows of the table.
            second: (P,)
            placement: (P, 6) where second lies on first.

        Raises:
            InputError: An image has disappeared or is damaged.
            StorageError: The file cannot be written.
        """
        keys = np.concatenate([self.ids[first], self.ids[second]], axis=1)
        known = _load(self.kept)
        found: list[Result | None] = [known.get(key.tobytes()) for key in keys]
        missing = [at for at, result in enumerate(found) if result is None]
        if missing:
            paths = _paths(self.table, np.unique(np.concatenate([first[missing], second[missing]])))
            items = (
                (paths[int(first[at])], paths[int(second[at])], tuple(placement[at].tolist()))
                for at in missing
            )
            results = self.engine.map_batches(_setup, _batches(items), label="keepers", total=len(missing))
            flat = (one for batch in results for one in batch)
            for at, result in zip(missing, flat, strict=True):
                found[at] = _LOST if isinstance(result, Casualty) else result
        winner, reason = np.array(found, np.int8).reshape(-1, 2).T
        _save(self.kept, keys, winner, reason)
        return Comparisons(first, second, winner, reason)


def _paths(table: Path, rows: NDArray[np.int64]) -> dict[int, str]:
    found: dict[int, str] = {}
    start = 0
    for piece in tables.pieces(table, schema.IMAGES, columns=("path",)):
        here = rows[(rows >= start) & (rows < start + piece.num_rows)]
        taken = piece["path"].take(pa.array(here - start))
        found |= dict(zip(here.tolist(), taken.to_pylist(), strict=True))
        start += piece.num_rows
    return found


def _batches(items: Iterator[Item], size: int = 16) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _setup() -> Callable[[Sequence[Item]], list[Result]]:
    """What a worker does with a batch; pictures of neighboring pairs are decoded once."""
    return functools.partial(_look, functools.lru_cache(_HELD)(_picture))


def _look(picture: Callable[[str], Picture], items: Sequence[Item]) -> list[Result]:
    pairs = (originals.compare(picture(a), picture(b), np.array(placement)) for a, b, placement in items)
    return [_result(one) for one in pairs]


def _picture(path: str) -> Picture:
    with Image.open(path) as opened:
        format = opened.format or ""
    return Picture(np.asarray(open_upright(Path(path))), format)


def _result(evidence: Evidence) -> Result:
    winner = 0 if evidence.first is None else 1 if evidence.first else -1
    return winner, REASONS.index(evidence.reason)


def _load(path: Path) -> dict[bytes, Result]:
    """What was found before, by the image_ids of a pair; nothing if the file is missing or of other code."""
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        if (table.schema.metadata or {}).get(b"code") != _code():
            return {}
        pairs = zip(table["winner"].to_pylist(), table["reason"].to_pylist(), strict=True)
        return dict(zip(table["pair"].to_pylist(), pairs, strict=True))
    except (OSError, KeyError, pa.ArrowException):
        return {}


def _save(path: Path, keys: NDArray[np.uint8], winner: NDArray[np.int8], reason: NDArray[np.int8]) -> None:
    pair = pa.array([key.tobytes() for key in keys], pa.binary(64))
    table = pa.table({"pair": pair, "winner": winner, "reason": reason}).replace_schema_metadata(
        {"code": _code()}
    )
    with (
        tables.replacing(path) as partial,
        pa.OSFile(str(partial), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table)


def _code() -> bytes:
    return fingerprint.digest(originals.__name__).encode()
