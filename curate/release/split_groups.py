"""Which images must share a split, and which splits are settled before anything is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curate.errors import ReleaseError

COLUMNS: Final = ("image_id", "dup_group", "duplicate_of", "attributes")
_OWN: Final = {  # what data sets call their splits
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_CAREFUL: Final = ("test", "validation", "train")  # where an image goes that stands for images of several


@dataclass(frozen=True, slots=True)
class Ties:
    """Images that must share a split.

    Attributes:
        names: (N,) of each image: its group, called by the least image_id in it.
        missing: For each attribute of `group_by` the number of images that do not have it.
    """

    names: list[str]
    missing: Mapping[str, int]


def tie(images: pa.Table, group_by: Sequence[str]) -> Ties:
    """Groups of images, over as many steps as there are.

    Duplicates and variants are tied, dropped ones too: through a dropped copy two kept images may show one
    scene. So are images with an equal value of an attribute; an image without it is tied by nothing.

    Args:
        images: All rows of the images table, with `COLUMNS`.
        group_by: Names of attributes.

    Raises:
        ReleaseError: No image has such an attribute.
    """
    ids = images.column("image_id").to_pylist()
    place = {image_id: index for index, image_id in enumerate(ids)}
    first, second = [], []
    for column in ("dup_group", "duplicate_of"):
        for index, other in enumerate(images.column(column).to_pylist()):
            if other is not None and other in place:
                first.append(index)
                second.append(place[other])
    missing = {}
    for name in group_by:
        values = attribute(images, name)
        missing[name] = values.count(None)
        if missing[name] == len(ids):
            known = sorted({key for row in images.column("attributes").to_pylist() for key, _ in row})
            raise ReleaseError(
                f"release.group_by names {name!r}, which no image has: known are {', '.join(known) or 'none'}"
            )
        leaders: dict[str, int] = {}
        for index, value in enumerate(values):
            if value is not None:
                first.append(index)
                second.append(leaders.setdefault(value, index))
    component = _components(np.array(first, np.int64), np.array(second, np.int64), len(ids))
    min_id: dict[int, str] = {}
    for number, image_id in zip(component.tolist(), ids, strict=True):
        min_id[number] = min(min_id.get(number, image_id), image_id)
    return Ties([min_id[number] for number in component.tolist()], missing)


def attribute(images: pa.Table, name: str) -> list[str | None]:
    """The value of an attribute of each image; None = it has none."""
    return pc.map_lookup(images.column("attributes"), name, "first").to_pylist()  # type: ignore[no-any-return]


def own_splits(images: pa.Table, name: str | None) -> list[str | None]:
    """The split that each image's own source gave it, by the attribute `name`; None = none.

    Raises:
        ReleaseError: A value that is no name of a split.
    """
    if name is None:
        return [None] * images.num_rows
    values = attribute(images, name)
    strange = sorted({value for value in values if value is not None and value.lower() not in _OWN})
    if strange:
        at = images.column("image_id")[values.index(strange[0])].as_py()
        raise ReleaseError(
            f"attribute {name} of image {at[:12]} is {strange[0]!r}, which is no split: known are "
            f"{', '.join(_OWN)}; release.split_attribute: null = the sources' own splits do not count"
        )
    return [None if value is None else _OWN[value.lower()] for value in values]


@dataclass(frozen=True, slots=True)
class Settled:
    """Splits that are not drawn.

    Attributes:
        split: (N,) of each image; None = to be drawn.
        kept: Released images that keep the split of the former release.
        own: Released images that have the split that their source gave them.
        moved: Released images that leave the split of the former release, because they were told to.
    """

    split: list[str | None]
    kept: int
    own: int
    moved: int


def settle(
    ids: Sequence[str],
    ties: Sequence[str],
    released: Sequence[bool],
    *,
    former: Mapping[str, str],
    own: Sequence[str | None],
    conflicts: Literal["refuse", "move"],
) -> Settled:
    """The split of each group that has one already.

    The former release comes first: of the group's released images, then of others in it, such as a keeper
    that a better copy replaced. Then comes what the sources say.

    Args:
        ids: image_id of each image.
        ties: Its group.
        released: Whether it is released now.
        former: Split by image_id of every image that was ever released.
        own: Split by the source of each image.
        conflicts: What becomes of a group whose released images have several splits: `move` = all go to that
            of most of them.

    Raises:
        ReleaseError: There is such a group, and `conflicts` is `refuse`.
    """
    claims: tuple[dict[str, Counter[str]], ...] = ({}, {}, {})  # by precedence: group, then split
    for image_id, group, out, own_split in zip(ids, ties, released, own, strict=True):
        if image_id in former:
            claims[0 if out else 1].setdefault(group, Counter())[former[image_id]] += 1
        elif out and own_split is not None:
            claims[2].setdefault(group, Counter())[own_split] += 1
    if conflicts == "refuse":
        for level in (0, 2):
            _refuse_torn(claims[level], ids, ties, released, own if level else [former.get(i) for i in ids])
    home = {group: _majority_split(count) for group, count in claims[2].items()}
    home |= {group: min(count, key=_CAREFUL.index) for group, count in claims[1].items()}
    home |= {group: _majority_split(count) for group, count in claims[0].items()}
    split = [home.get(group) for group in ties]
    out_now = [index for index, out in enumerate(released) if out]
    stayed = Counter(former[ids[i]] == split[i] for i in out_now if ids[i] in former)
    new_own = sum(ids[i] not in former and own[i] is not None and own[i] == split[i] for i in out_now)
    return Settled(split, kept=stayed[True], own=new_own, moved=stayed[False])


def _majority_split(count: Counter[str]) -> str:
    return min(count, key=lambda split: (-count[split], _CAREFUL.index(split)))


def _refuse_torn(
    claims: Mapping[str, Counter[str]],
    ids: Sequence[str],
    ties: Sequence[str],
    released: Sequence[bool],
    splits: Sequence[str | None],
) -> None:
    torn = [group for group, count in claims.items() if len(count) > 1]
    if not torn:
        return
    example: dict[str, str] = {}
    for image_id, group, out, split in zip(ids, ties, released, splits, strict=True):
        if group == min(torn) and out and split is not None:
            example.setdefault(split, image_id[:12])
    raise ReleaseError(
        f"{len(torn)} groups of images belong together and have several splits already, such as "
        f"{' and '.join(f'{image_id} ({split})' for split, image_id in sorted(example.items()))}: drop "
        "some of them in dedupe.decisions, or let them go to the split of most: release.split_conflicts: move"
    )


def _components(first: NDArray[np.int64], second: NDArray[np.int64], count: int) -> NDArray[Any]:
    edges = coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(count, count))
    return np.asarray(connected_components(edges, directed=False)[1])
