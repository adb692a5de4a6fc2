"""czkawka through its Python binding, on all cores."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import answer
from czkawka import ImageSimilarity


def find(folder: Path, distance: float) -> Iterable[answer.Pair]:
    """The pairs inside the groups it makes; two files of a group may be further apart than `distance`."""
    finder = ImageSimilarity()
    finder.set_directories([folder])
    finder.set_similarity(int(distance))
    for group in finder.find_similar_with_distances():
        for first, second, apart in group:
            yield first.name, second.name, float(apart)


if __name__ == "__main__":
    answer.main("czkawka", find)
