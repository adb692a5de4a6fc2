"""Train, validation, test: no leakage, repeatable, and as stable as shares allow when the dataset grows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence, Set

from curate.errors import ReleaseError

SPLITS = ("train", "validation", "test")


def assign(
    groups: Sequence[str],
    categories: Sequence[Set[str]],
    *,
    validation_share: float,
    test_share: float,
    seed: int,
) -> list[str]:
    """Put whole groups of duplicates into splits.

    Groups are sorted into strata by the rarest category on their images (rarest in the whole release; a
    stratum of its own for images without an object). Within a stratum they stand in the order of a hash of
    seed and group, and the first go to test, the next to validation, the rest to train, so that after each
    stratum the running total is as near to the shares as whole groups allow; a group that is too large for
    what is left of a share is passed over. A group's place in the order never changes; when images are added,
    only groups near a border can move. If there are three groups or more, no split with a share is empty.

    Args:
        groups: Group of each image.
        categories: Names on each image.
        validation_share: Share of images, in [0, 1).
        test_share: Share of images, in [0, 1).
        seed: Another seed, another draw.

    Returns:
        The split of each image.

    Raises:
        ReleaseError: The shares leave nothing for train.

    Examples:
        >>> groups = ['a', 'a', 'b', 'c', 'd']  # the first two are near-duplicates of one another
        >>> splits = assign(groups, [set()] * 5, validation_share=0.2, test_share=0.2, seed=0)
        >>> splits[0] == splits[1], sorted(set(splits))
        (True, ['test', 'train', 'validation'])
    """
    if validation_share + test_share >= 1:
        raise ReleaseError(
            f"release.validation_share + release.test_share = {validation_share + test_share:g}: "
            "leave something for train, their sum must be below 1"
        )
    sizes = Counter(groups)
    quotas = {"test": test_share, "validation": validation_share}
    chosen: dict[str, str] = {}
    filled: Counter[str] = Counter()
    seen = 0
    for stratum in _strata(groups, categories):
        ordered = sorted(stratum, key=lambda group: _rank(group, seed))
        seen += sum(sizes[group] for group in ordered)
        for split, share in quotas.items():
            for group in ordered:
                if group not in chosen and _closer(filled[split], sizes[group], share * seen):
                    chosen[group] = split
                    filled[split] += sizes[group]
        chosen.update((group, "train") for group in ordered if group not in chosen)
    _fill_empty(chosen, [split for split, share in quotas.items() if share > 0], seed)
    return [chosen[group] for group in groups]


def check(groups: Sequence[str], splits: Sequence[str]) -> None:
    """Refuse splits that leak.

    Raises:
        ReleaseError: Images of one group of duplicates stand in two splits, or a split is unknown.
    """
    home: dict[str, str] = {}
    for group, split in zip(groups, splits, strict=True):
        if split not in SPLITS:
            raise ReleaseError(f"split {split!r} is unknown: known are {', '.join(SPLITS)}")
        if home.setdefault(group, split) != split:
            raise ReleaseError(f"duplicates leak: group {group} stands in {home[group]} and in {split}")


def _strata(groups: Sequence[str], categories: Sequence[Set[str]]) -> list[list[str]]:
    on_images = Counter(name for names in categories for name in names)
    of_group: dict[str, set[str]] = {}
    for group, names in zip(groups, categories, strict=True):
        of_group.setdefault(group, set()).update(names)
    strata: dict[tuple[int, str], list[str]] = {}
    for group, names in of_group.items():
        key = min(((on_images[name], name) for name in names), default=(0, ""))
        strata.setdefault(key, []).append(group)
    return [strata[key] for key in sorted(strata)]


def _rank(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()


def _closer(filled: int, size: int, target: float) -> bool:
    """Whether taking a group of `size` brings the total nearer to its target; a tie does not take it."""
    return abs(filled + size - target) < abs(filled - target)


def _fill_empty(chosen: dict[str, str], wanted: Sequence[str], seed: int) -> None:
    """Give every empty split one group of the fullest split, if that keeps one itself."""
    if len(chosen) < len(SPLITS):
        return
    for split in ("train", *wanted):
        counts = Counter(chosen.values())
        if counts[split]:
            continue
        fullest = max(sorted(counts), key=lambda name: counts[name])
        donors = sorted(
            (group for group, name in chosen.items() if name == fullest), key=lambda g: _rank(g, seed)
        )
        chosen[donors[0]] = split
