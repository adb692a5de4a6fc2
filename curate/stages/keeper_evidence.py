"""Which of two copies is the original, looked at in full, by the engine's workers; kept between runs.

What is kept counts for the very code and recipe that it was made with: the recipe decides where one picture
is laid on the other. Pairs that left the table stay, for when they come back. A pair over which a worker died
is not kept but looked at again in the next run.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate import fingerprint, schema, tables
from curate.dedupe import originals, verify
from curate.dedupe.features import Recipe
from curate.dedupe.groups import DECIDED, SEMANTIC, Matches
from curate.dedupe.keepers import LOST, REASONS, Comparisons
from curate.dedupe.originals import Evidence, Picture
from curate.dedupe.verify import VARIANT
from curate.images.load_upright import open_upright
from curate.images.pixel_limit import open_any_size
from curate.ports import Casualty, Engine

_MAX_PARTNERS: Final = 6  # of an image, the likest ones; so that large groups cost no square
_HELD: Final = 8  # decoded pictures in a worker
Item = tuple[str, str, tuple[float, ...]]  # two paths, where the second lies on the first
Result = tuple[int, int]  # winner and reason, as in `Comparisons`
_LOST: Final[Result] = (0, REASONS.index(LOST))


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
        content_ids: (N, 32) of the table.
        kept: File of what was found before; replaced.
        recipe: Of the features that placements come from.
    """

    engine: Engine
    table: Path
    content_ids: NDArray[np.uint8]
    kept: Path
    recipe: Recipe

    def compare(
        self, first: NDArray[np.int64], second: NDArray[np.int64], placement: NDArray[np.float64]
    ) -> Comparisons:
        """Find the originals of pairs; the reason of those over which a worker died is `keepers.LOST`.

        Args:
            first: (P,) rows of the table.
            second: (P,)
            placement: (P, 6) where second lies on first.

        Raises:
            InputError: An image has disappeared or is damaged.
            StorageError: The file cannot be written.
        """
        keys = np.concatenate([self.content_ids[first], self.content_ids[second]], axis=1)
        code = _code(self.recipe)
        known = _load(self.kept, code)
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
            told = zip(keys, found, strict=True)
            known |= {key.tobytes(): one for key, one in told if one is not None and one != _LOST}
            _save(self.kept, code, known)
        winner, reason = np.array(found, np.int8).reshape(-1, 2).T
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
    with open_any_size(Path(path)) as opened:
        format = opened.format or ""
    return Picture(np.asarray(open_upright(Path(path))), format)


def _result(evidence: Evidence) -> Result:
    winner = 0 if evidence.first is None else 1 if evidence.first else -1
    return winner, REASONS.index(evidence.reason)


def _load(path: Path, code: bytes) -> dict[bytes, Result]:
    """What was found before, by the content_ids of a pair; nothing if the file is lost or of other code."""
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        if (table.schema.metadata or {}).get(b"code") != code:
            return {}
        pairs = zip(table["winner"].to_pylist(), table["reason"].to_pylist(), strict=True)
        return dict(zip(table["pair"].to_pylist(), pairs, strict=True))
    except (OSError, KeyError, pa.ArrowException):
        return {}


def _save(path: Path, code: bytes, known: dict[bytes, Result]) -> None:
    winner, reason = np.array(list(known.values()), np.int8).reshape(-1, 2).T
    table = pa.table({"pair": pa.array(list(known), pa.binary(64)), "winner": winner, "reason": reason})
    table = table.replace_schema_metadata({"code": code})
    with (
        tables.replacing(path) as partial,
        pa.OSFile(str(partial), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table)


def _code(recipe: Recipe) -> bytes:
    """Changes with the code that places, decodes and compares, and with the recipe."""
    code = fingerprint.digest(__name__, verify.__name__, without=fingerprint.DECIDES_NOTHING)
    return hashlib.sha256(json.dumps([code, recipe.digest()]).encode()).hexdigest().encode()
