"""Comparisons that were made before, kept beside the index: a delivery is compared with what is there, once.

Pairs are kept by row of the index, where rows never move. They count only for the very code and settings that
found them, and leave out nothing: the images that were compared are kept too. The result is that of comparing
all images anew, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe import comparison
from curate.dedupe.candidates import radius, searched
from curate.dedupe.comparison import Found, Side
from curate.dedupe.features import Recipe
from curate.dedupe.groups import Matches
from curate.dedupe.neighbours import Pairs
from curate.tables import replacing

# Above this share of new images all are compared: one search of everything costs less than two.
_FEW: Final = 0.2
# Larger sets of images with one hash are searched by their hubs, and those may change with every image.
_LARGEST_SET: Final = 64
_PAIR: Final = np.dtype(
    [
        ("first", "<i8"),
        ("second", "<i8"),
        ("hamming", "<u2"),
        ("same", "?"),
        ("correlation", "<f4"),
        ("relation", "i1"),
    ]
)
_SHORT: Final = Recipe("phash", 64, "fast", "none", False)
Rows = NDArray[np.int64]
Compared = NDArray[Any]  # of _PAIR


@dataclass(frozen=True, slots=True)
class _Known:
    """Rows of the index that were compared with each other, and the candidate pairs among them."""

    compared: NDArray[np.bool_]
    pairs: Compared


def compare(
    images: Side, recipe: Recipe, *, max_hamming: int, min_correlation: float, kept: Path
) -> tuple[Found, int]:
    """`comparison.compare` within `images`, without what was compared before.

    Args:
        images: In order of image_id.
        recipe: Of the features.
        max_hamming: Bits.
        min_correlation: 0..1.
        kept: File of what is known; replaced.

    Returns:
        Pairs by place in `images`, and how many images were new.

    Raises:
        StorageError: The file cannot be written.
    """
    settings = {"max_hamming": max_hamming, "min_correlation": min_correlation}
    key = _key(recipe, settings)
    stored = len(images.stored)
    known = _load(kept, key, stored)
    new = np.flatnonzero(~known.compared[images.rows])
    if len(new) > _FEW * len(images.rows) or (len(new) and not _separable(images, max_hamming)):
        known = _Known(np.zeros(stored, np.bool_), np.zeros(0, _PAIR))
        new = np.arange(len(images.rows))
    if len(new):
        # Images that are not here were not compared with the new ones: they are new when they come back.
        compared = np.zeros(stored, np.bool_)
        compared[images.rows] = True
        here = compared[known.pairs["first"]] & compared[known.pairs["second"]]
        added = _new_pairs(images, new, recipe, settings)
        known = _Known(compared, np.concatenate([known.pairs[here], added]))
        _save(kept, key, known)
    return _found(known.pairs, images, stored), len(new)


def _new_pairs(images: Side, new: Rows, recipe: Recipe, settings: dict[str, Any]) -> Compared:
    """Candidates with a new image, verified, by row of the index."""
    fresh = images.take(new)
    old = images.take(np.setdiff1d(np.arange(len(images.rows)), new))
    within = comparison.find(fresh, recipe, settings["max_hamming"])
    first, second, hamming = fresh.rows[within.first], fresh.rows[within.second], within.hamming
    if len(old.rows):
        between = comparison.find(fresh, recipe, settings["max_hamming"], base=old)
        first = np.concatenate([first, fresh.rows[between.first]])
        second = np.concatenate([second, old.rows[between.second]])
        hamming = np.concatenate([hamming, between.hamming])
    place = _places(images, len(images.stored))
    turned = place[first] > place[second]  # always compared in order of image_id
    first, second = np.where(turned, second, first), np.where(turned, first, second)
    verified = comparison.check(
        images.stored, Pairs(first, second, hamming), recipe, settings["min_correlation"]
    )
    found = np.zeros(len(first), _PAIR)
    found["first"], found["second"], found["hamming"] = first, second, hamming
    found["same"], found["correlation"] = verified.same, verified.correlation
    found["relation"] = verified.relation
    return found


def _found(pairs: Compared, images: Side, stored: int) -> Found:
    """Pairs among `images` by place, in order."""
    place = _places(images, stored)
    first, second = place[pairs["first"]], place[pairs["second"]]
    here = np.flatnonzero((first >= 0) & (second >= 0))
    here = here[np.lexsort((second[here], first[here]))]
    first, second, chosen = first[here], second[here], pairs[here]
    every = Matches(first, second, chosen["hamming"], chosen["correlation"], chosen["relation"])
    return Found(Pairs(first, second, chosen["hamming"]), every.take(chosen["same"]))


def _places(images: Side, stored: int) -> Rows:
    place = np.full(stored, -1, dtype=np.int64)
    place[images.rows] = np.arange(len(images.rows))
    return place


def _separable(images: Side, max_hamming: int) -> bool:
    """Whether the candidates of the whole are those of its parts.

    They are not where a hash occurs so often that hubs stand for its images, nor where the radius of parts of
    pictures follows from the number of images.
    """
    if max_hamming > radius(len(images.rows), _SHORT):
        return False
    return not any(
        (ordered[_LARGEST_SET:] == ordered[:-_LARGEST_SET]).any()
        for values in searched(images.small)
        for ordered in [np.sort(values)]
    )


def _key(recipe: Recipe, settings: dict[str, Any]) -> str:
    """Changes with the settings, and with any file of this room."""
    digest = hashlib.sha256(json.dumps([recipe.digest(), settings], sort_keys=True).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _load(path: Path, key: str, stored: int) -> _Known:
    """What is known; nothing if the file is missing, damaged, or of other settings."""
    nothing = _Known(np.zeros(stored, np.bool_), np.zeros(0, _PAIR))
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
            if header["key"] != key or header["rows"] > stored:
                return nothing
            compared = np.frombuffer(file.read(header["rows"]), np.bool_)
            pairs = np.frombuffer(file.read(), _PAIR)
    except (OSError, ValueError, KeyError, TypeError):
        return nothing
    if len(compared) != header["rows"] or len(pairs) != header["pairs"]:
        return nothing
    full = nothing.compared
    full[: len(compared)] = compared
    return _Known(full, pairs)


def _save(path: Path, key: str, known: _Known) -> None:
    header = {"key": key, "rows": len(known.compared), "pairs": len(known.pairs)}
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(json.dumps(header).encode() + b"\n")
        file.write(known.compared.tobytes())
        file.write(np.ascontiguousarray(known.pairs).data)
        file.flush()
        os.fsync(file.fileno())
