"""Leaks between splits by vectors: images of one scene that no two pixels have in common."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curate.dedupe.semantic import cosine_pairs
from curate.embeddings import load_embeddings
from curate.errors import ReleaseError

RELATION = "semantic"


@dataclass(frozen=True, slots=True)
class Vectors:
    """Place of the vectors, and the cosine that is too much.

    Attributes:
        path: The table of the stage embed.
        max_cosine: More alike images must not stand in different splits.
    """

    path: Path
    max_cosine: float


def pairs(vectors: Vectors, split_of: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Released images of different splits that are too alike: two image_ids and `RELATION`.

    Args:
        vectors: The table and the bound.
        split_of: Split by image_id of the released images.

    Raises:
        ReleaseError: A released image has no vector: whether it leaks is not known.
        TableError: The table is damaged.
        MissingExtraError: faiss is not installed.
        TooManyPairsError: The bound is too low.
    """
    known = load_embeddings(vectors.path)
    names = sorted(split_of)
    rows = known.rows(names)
    missing = int((rows < 0).sum())
    if missing:
        why = known.absent or f"data/embeddings/failures.csv may say why of {names[int(rows.argmin())][:12]}"
        raise ReleaseError(
            f"{missing:,} released images have no vector ({why}): whether they leak by "
            "embeddings.max_split_cosine is not known"
        )
    by_split: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        by_split.setdefault(split_of[name], []).append(place)
    leaks = []
    for one, other in itertools.combinations(sorted(by_split), 2):
        mine, theirs = by_split[one], by_split[other]
        found = cosine_pairs(
            known.vectors[rows[mine]], vectors.max_cosine, base=known.vectors[rows[theirs]], exact=True,
            setting="embeddings.max_split_cosine",
        )  # fmt: skip
        both = zip(found.first.tolist(), found.second.tolist(), strict=True)
        leaks += [sorted((names[mine[a]], names[theirs[b]])) for a, b in both]
    return [(a, b, RELATION) for a, b in sorted(leaks)]
