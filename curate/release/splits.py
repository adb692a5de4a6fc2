"""Train, validation, test: no leakage, repeatable, and nobody who has a split changes it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.errors import ReleaseError
from curate.release.stratification import Labels, stratify

SPLITS = ("train", "validation", "test")


def assign(
    groups: Sequence[str],
    categories: Sequence[Iterable[str]],
    *,
    validation_share: float,
    test_share: float,
    seed: int,
    fixed: Sequence[str | None] | None = None,
) -> list[str]:
    """Put whole groups of images into splits, so that each category is spread by the shares.

    Groups that have a split keep it. The others are spread by iterative stratification (Sechidis et al.
    2011), so that images and objects of every category, those of the groups with a split counted in, come
    as near to the shares as whole groups allow. Images without an object count as a category. If there are
    three groups or more to be assigned, no split with a share stays empty.

    Args:
        groups: Group of each image.
        categories: For each image the category of each object on it.
        validation_share: Share of images, in [0, 1).
        test_share: Share of images, in [0, 1).
        seed: Another seed, another draw.
        fixed: Split of each image that has one; equal within a group, or None.

    Returns:
        The split of each image.

    Raises:
        ReleaseError: The shares leave nothing for train, or `fixed` tears a group.

    Examples:
        >>> groups = ['a', 'a', 'b', 'c', 'd']  # the first two are near-duplicates of one another
        >>> splits = assign(groups, [[]] * 5, validation_share=0.2, test_share=0.2, seed=0)
        >>> splits[0] == splits[1], sorted(set(splits))
        (True, ['test', 'train', 'validation'])
    """
    if validation_share + test_share >= 1:
        raise ReleaseError(
            f"release.validation_share + release.test_share = {validation_share + test_share:g}: "
            "leave something for train, their sum must be below 1"
        )
    shares = {"train": 1 - validation_share - test_share, "validation": validation_share, "test": test_share}
    names = [name for name, share in shares.items() if share > 0]
    ids, group = _numbered(pa.array(groups, pa.string()))
    known = _of_groups(group, ids, fixed)
    drawn = np.array([-1 if name is None else [*names, *SPLITS].index(name) for name in known], np.int64)
    outside = drawn >= len(names)  # a split that has no share any more: its images stay there
    image, label = _objects(categories)
    labels = Labels.of(group, len(ids), image, label)
    n_objects = np.bincount(group[image], minlength=len(ids))
    # what is heavy first, as long as there is room for it; then the draw
    order = sorted(range(len(ids)), key=lambda g: (-labels.size[g], -n_objects[g], _rank(ids[g], seed)))
    drawn[outside] = 0
    split = stratify(labels, [shares[name] for name in names], drawn, np.array(order, np.int64))
    chosen = [old or names[new] for old, new in zip(known, split.tolist(), strict=True)]
    _fill_empty(chosen, [g for g in order if known[g] is None], names)
    return [chosen[g] for g in group.tolist()]


def check(groups: Sequence[str], splits: Sequence[str]) -> None:
    """Refuse splits that leak.

    Raises:
        ReleaseError: Images of one group stand in two splits, or a split is unknown.
    """
    home: dict[str, str] = {}
    for group, split in zip(groups, splits, strict=True):
        if split not in SPLITS:
            raise ReleaseError(f"split {split!r} is unknown: known are {', '.join(SPLITS)}")
        if home.setdefault(group, split) != split:
            raise ReleaseError(f"duplicates leak: group {group} stands in {home[group]} and in {split}")


def _of_groups(
    group: NDArray[np.int64], ids: Sequence[str], fixed: Sequence[str | None] | None
) -> list[str | None]:
    """The split of each group that has one."""
    known: list[str | None] = [None] * len(ids)
    for index, split in enumerate(fixed or ()):
        if split is not None:
            place = int(group[index])
            check([ids[place]] * 2, [known[place] or split, split])
            known[place] = split
    return known


def _objects(categories: Sequence[Iterable[str]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The image and the number of the category of each object."""
    listed = [list(names) for names in categories]
    image = np.repeat(np.arange(len(listed)), [len(names) for names in listed])
    return image, _numbered(pa.array(chain.from_iterable(listed), pa.string()))[1]


def _numbered(names: pa.Array) -> tuple[list[str], NDArray[np.int64]]:
    """Names without repetition, in their order, and the place of each given one among them."""
    coded = names.dictionary_encode()
    order = pc.sort_indices(coded.dictionary)
    place = np.empty(len(order), np.int64)
    place[order.to_numpy()] = np.arange(len(order))
    return coded.dictionary.take(order).to_pylist(), place[coded.indices.to_numpy()]


def _rank(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()


def _fill_empty(chosen: list[str], movable: Sequence[int], wanted: Sequence[str]) -> None:
    """Give every empty split one new group of the fullest split, if that keeps one itself."""
    if len(movable) < len(SPLITS):
        return
    for split in wanted:
        if split in chosen:
            continue
        fullest = Counter(chosen[g] for g in movable).most_common(1)[0][0]
        donors = [g for g in movable if chosen[g] == fullest]
        chosen[donors[-1]] = split
