"""Findings of classes: too few objects, or none in a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from curate.check.finding import Row

MIN_OBJECTS = 5  # of a class in a split; fewer are rare


def find(
    categories: Iterable[str],
    counts: Counter[tuple[str, str]],
    splits: Iterable[str],
    *,
    min_objects: int = MIN_OBJECTS,
    unit: str = "object",
) -> Iterator[tuple[str, Row]]:
    """Classes with fewer than `min_objects` in a split.

    Args:
        categories: Every name that is declared or used.
        counts: Objects by split and category; the split is "" where there is none.
        splits: Those in which images are labelled.
        min_objects: Of a class in a split, at least 1.
        unit: What is counted.

    Examples:
        >>> [name for name, _ in find(["car", "bus"], Counter({("", "car"): 7, ("", "bus"): 1}), [""])]
        ['class_rare']
    """
    known = sorted(set(splits))
    for category in categories:
        total = sum(counts[split, category] for split in known)
        if not total:
            yield (
                "class_missing",
                Row(category=category, detail=f"{category}: declared, and no {unit} has it"),
            )
            continue
        for split in known:
            number = counts[split, category]
            if number >= min_objects:
                continue
            where = f" in {split}, {total:,} in all" if split else ""
            splitted = (split,) if split else ()
            name = "class_rare" if number else "class_missing"
            text = f"{category}: {number} {unit}{'' if number == 1 else 's'}{where}"
            yield name, Row(category=category, splits=splitted, detail=text)
