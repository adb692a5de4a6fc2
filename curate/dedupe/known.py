"""Comparisons that were made before, kept beside the index: a delivery is compared with what is there, once.

Pairs are kept by row of the index, where rows never move. They count only for the very code and settings that
found them, and leave out nothing: the images that were compared are kept too. The result is that of comparing
all images anew, byte for byte.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate import fingerprint
from curate.dedupe.candidates import Searched, Searcher, here, largest_set, radius, search
from curate.dedupe.comparison import Found, Side
from curate.dedupe.features import Recipe
from curate.dedupe.groups import Matches
from curate.dedupe.known_file import PAIR, Compared, Known, load, nothing, save
from curate.dedupe.listing import split_keys
from curate.dedupe.search.neighbours import Pairs
from curate.dedupe.verify import verify

# Above this share of new images all are compared: one search of everything costs less than two.
_FEW: Final = 0.2
# Larger sets of images with one hash are searched by their hubs, and those may change with every image.
_LARGEST_SET: Final = 64
_PIECE: Final = 1 << 20  # pairs in memory at a time
_SHORT: Final = Recipe("phash", 64, "fast", "none", False)
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Job:
    """What the steps share; `kept` is the file."""

    images: Side
    recipe: Recipe
    max_hamming: int
    min_correlation: float
    searcher: Searcher
    kept: Path

    def key(self) -> str:
        """Changes with the settings, and with the code that finds and compares."""
        settings = {"max_hamming": self.max_hamming, "min_correlation": self.min_correlation}
        code = fingerprint.digest(__name__, without=fingerprint.DECIDES_NOTHING)
        text = json.dumps([self.recipe.digest(), settings, code], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def compare(
    images: Side,
    recipe: Recipe,
    *,
    max_hamming: int,
    min_correlation: float,
    kept: Path,
    searcher: Searcher = here,
) -> tuple[Found, int]:
    """`comparison.compare` within `images`, without what was compared before.

    Args:
        images: In order of image_id.
        recipe: Of the features.
        max_hamming: Bits.
        min_correlation: 0..1.
        kept: File of what is known; replaced.
        searcher: Does the searches.

    Returns:
        Matches by place in `images`, and how many images were new.

    Raises:
        StorageError: The file cannot be written.
    """
    job = _Job(images, recipe, max_hamming, min_correlation, searcher, kept)
    stored = len(images.stored)
    key = job.key()
    known = load(kept, key, stored)
    new = np.flatnonzero(~known.compared[images.rows])
    if len(new):
        added = _delivery(job, known, new) if len(new) <= _FEW * len(images) else None
        if added is None:
            known, new = nothing(stored), np.arange(len(images))
            added = _everything(job)
        _add(job, key, known, added)
        known = load(kept, key, stored)
    return _found(known.pairs, images, stored), len(new)


@dataclass(frozen=True, slots=True)
class _Added:
    """Candidates that were not compared yet: pieces of them by row of the index, and their number."""

    pieces: Iterator[Pairs]
    count: int
    largest_set: int


def _everything(job: _Job) -> _Added:
    searched = search(job.images.view(), job.recipe, job.max_hamming, searcher=job.searcher)
    return _Added(_pieces(searched, job.images, job.images), len(searched.keys), searched.largest)


def _delivery(job: _Job, known: Known, new: Rows) -> _Added | None:
    """Candidates with a new image; None where those of the whole are others than those of its parts.

    They are where the radius of parts of pictures follows from the number of images, and where a hash occurs
    so often that hubs stand for its images.
    """
    if job.max_hamming > radius(len(job.images), _SHORT):
        return None
    fresh = job.images.take(new)
    within = search(fresh.view(), job.recipe, job.max_hamming, searcher=job.searcher)
    largest = known.largest_set + within.largest  # at most
    if largest > _LARGEST_SET:
        largest = largest_set(job.images.view())
    if largest > _LARGEST_SET:
        return None
    old = job.images.take(np.setdiff1d(np.arange(len(job.images)), new, assume_unique=True))
    between = search(fresh.view(), job.recipe, job.max_hamming, base=old.view(), searcher=job.searcher)
    pieces = itertools.chain(_pieces(within, fresh, fresh), _pieces(between, fresh, old))
    return _Added(pieces, len(within.keys) + len(between.keys), largest)


def _pieces(searched: Searched, first: Side, second: Side) -> Iterator[Pairs]:
    for start in range(0, len(searched.keys), _PIECE):
        pairs = split_keys(searched.keys[start : start + _PIECE], searched.second_count)
        yield Pairs(first.rows[pairs.first], second.rows[pairs.second], pairs.hamming)


def _add(job: _Job, key: str, known: Known, added: _Added) -> None:
    """Verify what was added and write the file anew."""
    images = job.images
    place = _places(images, len(images.stored))
    # Images that are not here were not compared with the new ones: they are new when they come back.
    compared = place >= 0
    old = known.pairs
    of_old = range(0, len(old), _PIECE)
    count = added.count + sum(int(_both(old[start : start + _PIECE], compared).sum()) for start in of_old)

    def records() -> Iterable[Compared]:
        for start in of_old:
            piece = old[start : start + _PIECE]
            yield piece[_both(piece, compared)]
        for pairs in added.pieces:
            yield _verified(job, pairs, place)

    save(job.kept, key, Known(compared, old, added.largest_set), records(), count)


def _both(pairs: Compared, compared: NDArray[np.bool_]) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = compared[pairs["first"]] & compared[pairs["second"]]
    return chosen


def _verified(job: _Job, pairs: Pairs, place: Rows) -> Compared:
    """What becomes of candidates, by row of the index, always compared in order of image_id."""
    turned = place[pairs.first] > place[pairs.second]
    first = np.where(turned, pairs.second, pairs.first)
    second = np.where(turned, pairs.first, pairs.second)
    verified = verify(
        job.images.stored,
        Pairs(first, second, pairs.hamming),
        job.recipe,
        min_correlation=job.min_correlation,
    )
    found = np.zeros(len(first), PAIR)
    found["first"], found["second"], found["hamming"] = first, second, pairs.hamming
    found["same"], found["correlation"] = verified.same, verified.correlation
    found["relation"] = verified.relation
    return found


def _found(pairs: Compared, images: Side, stored: int) -> Found:
    """Pairs among `images` by place; the matches in order."""
    place = _places(images, stored)
    by_hamming: Rows = np.zeros(1, dtype=np.int64)
    parts: list[list[NDArray[Any]]] = []
    for start in range(0, max(len(pairs), 1), _PIECE):
        piece = pairs[start : start + _PIECE]
        first, second = place[piece["first"]], place[piece["second"]]
        here_ = (first >= 0) & (second >= 0)
        counts: Rows = np.bincount(piece["hamming"][here_], minlength=len(by_hamming))
        counts[: len(by_hamming)] += by_hamming
        by_hamming = counts
        same = here_ & piece["same"]
        columns = (piece[name][same] for name in ("hamming", "correlation", "relation"))
        parts.append([first[same], second[same], *columns])
    matches = Matches(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return Found(by_hamming, matches.take(np.lexsort((matches.second, matches.first))))


def _places(images: Side, stored: int) -> Rows:
    place = np.full(stored, -1, dtype=np.int64)
    place[images.rows] = np.arange(len(images))
    return place
