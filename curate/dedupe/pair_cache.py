"""Comparisons that were made before, kept beside the index: a delivery is compared with what is there, once.

One Arrow file holds which images were compared with each other and, of every candidate pair among them, what
became of it, by row of the index. It counts only for the very code, settings and rows that it was made from.
The result is that of comparing all images anew, byte for byte.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate import fingerprint
from curate.dedupe.candidate_pairs import MAX_ALL_PAIRS, split_keys
from curate.dedupe.candidates import Searched, radius, search
from curate.dedupe.duplicate_pairs import Found, Side
from curate.dedupe.features import Recipe
from curate.dedupe.groups import Matches
from curate.dedupe.hamming_search import Pairs, Rows
from curate.dedupe.verify import verify
from curate.tables import replacing

# Above this share of new images all are compared: one search of everything costs less than two.
_MAX_NEW: Final = 0.2
# Larger sets of images with one hash are compared by their hubs, and those change with every image that comes
# or goes.
_MAX_SET: Final = math.isqrt(MAX_ALL_PAIRS)
_PIECE: Final = 1 << 20  # pairs in memory at a time
_BY_PHASH: Final = Recipe("phash", "fast", "none", False)  # turned pictures and parts are found by pHashes
Columns = dict[
    str, NDArray[Any]
]  # first, second, hamming and whatever verification finds: fields of Verified


@dataclass(frozen=True, slots=True)
class Settings:
    """What a comparison depends on besides the images.

    Attributes:
        recipe: Of the features.
        max_hamming: Bits.
        min_correlation: 0..1.
    """

    recipe: Recipe
    max_hamming: int
    min_correlation: float

    def key(self, count: int) -> str:
        """Changes with the settings, and with the code that finds and compares.

        Args:
            count: Images to compare: the radius of parts of pictures may follow from it.
        """
        code = fingerprint.digest(__name__, without=fingerprint.DECIDES_NOTHING)
        bits = [self.max_hamming, min(self.max_hamming, radius(count, _BY_PHASH))]
        text = json.dumps([self.recipe.digest(), bits, self.min_correlation, code])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Known:
    """What was compared.

    Attributes:
        compared: (N,) bool, rows of the index that were compared with each other.
        batches: The candidates among them, by row of the index, as they lie on disk.
        largest: The most images that shared a hash when they were compared (`Searched.largest`).
    """

    compared: NDArray[np.bool_]
    batches: tuple[pa.RecordBatch, ...] = ()
    largest: int = 0

    @classmethod
    def nothing(cls, rows: int) -> _Known:
        """No images were compared."""
        return cls(np.zeros(rows, np.bool_))

    def counts_for(self, here: NDArray[np.bool_]) -> bool:
        """Whether the pairs of some images follow from what is known: not where hubs would be others."""
        return self.largest <= _MAX_SET or bool((self.compared == here).all())

    def pieces(self) -> Iterator[Columns]:
        for batch in self.batches:
            yield {name: batch[name].to_numpy(zero_copy_only=False) for name in batch.schema.names}


def compare(images: Side, ids: NDArray[np.uint8], settings: Settings, path: Path) -> tuple[Found, int]:
    """Find all pairs within `images`, without comparing again what was compared before.

    Args:
        images: In order of image_id.
        ids: (N, 32) content_ids of all rows of the index.
        settings: What the result depends on besides.
        path: File of what is known; replaced.

    Returns:
        Matches by place in `images`, and how many images were new.

    Raises:
        StorageError: The file cannot be written.
    """
    key = settings.key(len(images))
    here = np.zeros(len(ids), np.bool_)
    here[images.rows] = True
    known = _load(path, key, ids)
    if not known.counts_for(here):
        known = _Known.nothing(len(ids))
    new = np.flatnonzero(~known.compared[images.rows])
    if len(new) or not known.batches:
        largest = 0
        added = _delivery(images, settings, new) if len(new) <= _MAX_NEW * len(images) else None
        if added is None:
            known, new = _Known.nothing(len(ids)), np.arange(len(images))
            searched = search(images.view(), settings.recipe, settings.max_hamming)
            added, largest = _pieces(searched, images, images), searched.largest
        _save(path, key, ids, _Known(here, largest=largest), _all(images, settings, known, added))
        known = _load(path, key, ids)
    return _found(known, images), len(new)


def _delivery(images: Side, settings: Settings, new: Rows) -> Iterable[Pairs] | None:
    """Candidates with a new image, a piece at a time; None where the whole has others than its parts.

    It has where the radius of parts of pictures follows from the number of images, and where a hash occurs
    so often that hubs stand for its images.
    """
    if settings.max_hamming > radius(len(images), _BY_PHASH):
        return None
    fresh = images.take(new)
    old = images.take(np.setdiff1d(np.arange(len(images)), new, assume_unique=True))
    within = search(fresh.view(), settings.recipe, settings.max_hamming)
    between = search(fresh.view(), settings.recipe, settings.max_hamming, base=old.view())
    if between.largest > _MAX_SET:
        return None
    return itertools.chain(_pieces(within, fresh, fresh), _pieces(between, fresh, old))


def _pieces(searched: Searched, first: Side, second: Side) -> Iterator[Pairs]:
    for start in range(0, len(searched.keys), _PIECE):
        pairs = split_keys(searched.keys[start : start + _PIECE], searched.second_count)
        yield Pairs(first.rows[pairs.first], second.rows[pairs.second], pairs.hamming)


def _all(images: Side, settings: Settings, known: _Known, added: Iterable[Pairs]) -> Iterator[Columns]:
    """Pairs that stay and pairs that come, a piece at a time; the first one is empty and tells the types.

    Images that are not here were not compared with the new ones: they are new when they come back.
    """
    place = _places(images)
    nothing = np.zeros(0, np.int64)
    yield _verified(images, settings, Pairs(nothing, nothing, np.zeros(0, np.uint16)), place)
    for piece in known.pieces():
        here = (place[piece["first"]] >= 0) & (place[piece["second"]] >= 0)
        yield {name: values[here] for name, values in piece.items()}
    for pairs in added:
        yield _verified(images, settings, pairs, place)


def _verified(images: Side, settings: Settings, pairs: Pairs, place: Rows) -> Columns:
    """What becomes of candidates, by row of the index, always compared in order of image_id."""
    swapped = place[pairs.first] > place[pairs.second]
    first = np.where(swapped, pairs.second, pairs.first)
    second = np.where(swapped, pairs.first, pairs.second)
    ordered = Pairs(first, second, pairs.hamming)
    verified = verify(images.stored, ordered, settings.recipe, min_correlation=settings.min_correlation)
    rows: Columns = {
        "first": first.astype(np.uint32),
        "second": second.astype(np.uint32),
        "hamming": pairs.hamming,
    }
    return rows | {field.name: getattr(verified, field.name) for field in dataclasses.fields(verified)}


def _found(known: _Known, images: Side) -> Found:
    """Pairs among `images` by place; the matches in order."""
    place = _places(images)
    by_hamming: Rows = np.zeros(1, dtype=np.int64)
    parts: list[Matches] = []
    for piece in known.pieces():
        first, second = place[piece["first"]], place[piece["second"]]
        here = (first >= 0) & (second >= 0)
        counts: Rows = np.bincount(piece["hamming"][here], minlength=len(by_hamming))
        counts[: len(by_hamming)] += by_hamming
        by_hamming = counts
        same = here & piece["same"]
        columns = (piece[name][same] for name in ("hamming", "correlation", "relation"))
        parts.append(Matches(first[same], second[same], *columns))
    names = [field.name for field in dataclasses.fields(Matches)]
    every = Matches(*(np.concatenate([getattr(one, name) for one in parts]) for name in names))
    return Found(by_hamming, every.take(np.lexsort((every.second, every.first))))


def _places(images: Side) -> Rows:
    place = np.full(len(images.stored), -1, dtype=np.int64)
    place[images.rows] = np.arange(len(images))
    return place


def _load(path: Path, key: str, ids: NDArray[np.uint8]) -> _Known:
    """What is known; nothing if the file is missing, damaged, of another key or of other rows."""
    nothing = _Known.nothing(len(ids))
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        header = {name.decode(): value for name, value in reader.schema.metadata.items()}
        rows = int(header["rows"])
        if header["key"].decode() != key or rows > len(ids) or int(header["ids"]) != _crc(ids[:rows]):
            return nothing
        nothing.compared[:rows] = np.unpackbits(np.frombuffer(header["compared"], np.uint8), count=rows)
        batches = tuple(reader.get_batch(number) for number in range(reader.num_record_batches))
        return _Known(nothing.compared, batches, int(header["largest"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        return _Known.nothing(len(ids))


def _save(path: Path, key: str, ids: NDArray[np.uint8], known: _Known, pieces: Iterable[Columns]) -> None:
    """Write the file anew: which rows were compared, and pairs a piece at a time.

    Raises:
        StorageError: The disk is full or refuses.
    """
    header = {
        "key": key,
        "rows": str(len(ids)),
        "ids": str(_crc(ids)),
        "compared": np.packbits(known.compared).tobytes(),
        "largest": str(known.largest),
    }
    waiting = iter(pieces)
    first = _batch(next(waiting))
    with replacing(path) as partial:
        schema = first.schema.with_metadata(header)
        with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for piece in itertools.chain([first], map(_batch, waiting)):
                writer.write_batch(piece.replace_schema_metadata(header))


def _crc(ids: NDArray[np.uint8]) -> int:
    return zlib.crc32(np.ascontiguousarray(ids).data)


def _batch(columns: Columns) -> pa.RecordBatch:
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})
