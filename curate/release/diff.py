"""What changed between two releases: images, objects, categories, and what is said of them."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.release.diff_columns import Snapshot

IMAGE_CHANGES: Final = ("added", "removed", "moved", "described")
OBJECT_CHANGES: Final = ("added", "removed", "relabelled", "moved", "described")
MIN_IOU: Final = 0.5  # of two boxes of one image without a common id, to be one object
_MOVED_PX: Final = 5e-3  # boxes are digested to 1/1000 pixel, and written as x, y, width, height

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Diff:
    """Differences from `before` to `after`.

    Attributes:
        images: image_id, change (`IMAGE_CHANGES`), before, after: the splits, or what is said of the image.
        objects: image_id, change (of `OBJECT_CHANGES`; the last three may go together, such as "relabelled,
            moved"), id_before, id_after, category_before, category_after, bbox_before, bbox_after (xyxy
            pixels), iou of the boxes.
        categories: Names that came and went; "renumbered" where only their order changed.
        columns: Columns that came and went.
        license: Before and after.
    """

    before: Snapshot
    after: Snapshot
    images: pa.Table
    objects: pa.Table
    categories: dict[str, list[str]]
    columns: dict[str, list[str]]
    license: tuple[str, str]

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of images and objects by change; an object that was relabelled and moved counts as both.

        Objects of images that came or went stand apart, as "with added images" and "with removed images".
        """
        images = Counter(self.images.column("change").to_pylist())
        objects: Counter[str] = Counter()
        for change in pc.value_counts(self.objects.column("change")).to_pylist():
            objects.update(dict.fromkeys(change["values"].split(", "), change["counts"]))
        return {
            "images": {change: images[change] for change in IMAGE_CHANGES},
            "objects": {
                **{change: objects[change] for change in OBJECT_CHANGES},
                "with added images": _on(self.after, self.before),
                "with removed images": _on(self.before, self.after),
            },
        }

    def by_category(self) -> list[dict[str, Any]]:
        """Count the objects of each category before and after, and what became of them."""
        totals = [
            Counter(
                {
                    row["values"]: row["counts"]
                    for row in pc.value_counts(side.objects["category"]).to_pylist()
                }
            )
            for side in (self.before, self.after)
        ]
        changes: Counter[tuple[str, str]] = Counter()
        names = ("change", "category_before", "category_after")
        for change, old, new in zip(*(self.objects.column(name).to_pylist() for name in names), strict=True):
            for one in change.split(", "):
                if one == "relabelled":
                    changes.update([(old, "relabelled from"), (new, "relabelled to")])
                else:
                    changes[new or old, one] += 1
        kinds = ("added", "removed", "relabelled from", "relabelled to", "moved", "described")
        every = dict.fromkeys((*self.before.categories, *self.after.categories))
        return [
            {"category": name, "before": totals[0][name], "after": totals[1][name],
             **{kind: changes[name, kind] for kind in kinds}}
            for name in every
        ]  # fmt: skip


def compare(before: Snapshot, after: Snapshot) -> Diff:
    """Compare two releases.

    Images are matched by image_id. Objects of an image are matched by their id, then by equal boxes and
    categories, then by the IoU of their boxes: those of one category first, best first.
    """
    place = pc.index_in(before.images["image_id"], value_set=after.images["image_id"].combine_chunks())
    to_after = place.to_numpy(zero_copy_only=False)
    to_after = np.where(np.isnan(to_after), -1, to_after).astype(np.int64)
    return Diff(
        before=before,
        after=after,
        images=_images(before, after, to_after),
        objects=_objects(before, after, to_after),
        categories=_came_and_went(before.categories, after.categories),
        columns=_came_and_went(sorted(before.columns), sorted(after.columns)),
        license=(before.manifest.license, after.manifest.license),
    )


def _on(side: Snapshot, other: Snapshot) -> int:
    """Objects on images that the other side does not hold."""
    known = pc.is_in(side.images["image_id"], value_set=other.images["image_id"].combine_chunks())
    return int((~known.to_numpy()[side.image]).sum())


def _came_and_went(before: Any, after: Any) -> dict[str, list[str]]:
    found = {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
    }
    common = [name for name in before if name in after]
    if not any(found.values()) and common != list(after):
        found["renumbered"] = [name for old, name in zip(before, after, strict=True) if old != name]
    return found


def _images(before: Snapshot, after: Snapshot, to_after: Rows) -> pa.Table:
    kept, gone = np.flatnonzero(to_after >= 0), np.flatnonzero(to_after < 0)
    new = np.setdiff1d(np.arange(after.images.num_rows), to_after[kept])
    old, now = before.images.take(pa.array(kept)), after.images.take(pa.array(to_after[kept]))
    parts = [
        _image_rows(after.images.take(pa.array(new)), "added", None, "split"),
        _image_rows(before.images.take(pa.array(gone)), "removed", "split", None),
    ]
    for change, name in (("moved", "split"), ("described", "described")):
        differs = pc.not_equal(old[name], now[name])
        rows = pa.table({"image_id": old["image_id"], "old": old[name], "new": now[name]}).filter(differs)
        parts.append(_image_rows(rows, change, "old", "new"))
    return pa.concat_tables(parts)


def _image_rows(rows: pa.Table, change: str, before: str | None, after: str | None) -> pa.Table:
    nothing = pa.nulls(rows.num_rows, pa.string())
    return pa.table(
        {
            "image_id": rows["image_id"],
            "change": pa.array([change] * rows.num_rows, pa.string()),
            "before": rows[before] if before else nothing,
            "after": rows[after] if after else nothing,
        }
    )


def _objects(before: Snapshot, after: Snapshot, to_after: Rows) -> pa.Table:
    """Objects of images that both hold."""
    image = to_after[before.image]  # in the images of `after`
    olds, news = np.flatnonzero(image >= 0), np.flatnonzero(np.isin(after.image, to_after))
    pairs = _by_key(before.objects["id"], after.objects["id"], olds, news)
    found = [pairs[image[pairs[:, 0]] == after.image[pairs[:, 1]]]]
    for step in (_by_content, _by_overlap):
        taken = np.concatenate(found)
        left, right = np.setdiff1d(olds, taken[:, 0]), np.setdiff1d(news, taken[:, 1])
        found.append(step(before, after, image, left, right))
    matched = np.concatenate(found)
    one, two = matched[:, 0], matched[:, 1]
    moved = (np.abs(before.boxes[one] - after.boxes[two]) > _MOVED_PX).any(axis=1)
    moved |= _differ(before.objects["shape"], after.objects["shape"], one, two)
    relabeled, described = (
        _differ(before.objects[name], after.objects[name], one, two) for name in ("category", "described")
    )
    parts = []
    for kinds in itertools.product((True, False), repeat=3):
        rows = np.logical_and.reduce(
            [flags == wanted for flags, wanted in zip((relabeled, moved, described), kinds, strict=True)]
        )
        if any(kinds):
            change = ", ".join(itertools.compress(OBJECT_CHANGES[2:], kinds))
            parts.append(_object_rows(before, after, change, one[rows], two[rows]))
    parts.append(_object_rows(before, after, "removed", np.setdiff1d(olds, one), None))
    parts.append(_object_rows(before, after, "added", None, np.setdiff1d(news, two)))
    return pa.concat_tables(parts)


def _by_key(old: Any, new: Any, olds: Rows, news: Rows) -> Rows:
    """Pairs of equal keys, each object at most once."""
    keys = new.take(pa.array(news)).combine_chunks()
    place = pc.index_in(old.take(pa.array(olds)), value_set=keys).to_numpy(zero_copy_only=False)
    hit = ~np.isnan(place)
    pairs = np.stack([olds[hit], news[place[hit].astype(np.int64)]], axis=1)
    return np.asarray(pairs[np.unique(pairs[:, 1], return_index=True)[1]])


def _by_content(before: Snapshot, after: Snapshot, image: Rows, olds: Rows, news: Rows) -> Rows:
    old, new = _content(before, image, olds), _content(after, after.image, news)
    pairs = _by_key(old, new, np.arange(len(olds)), np.arange(len(news)))
    return np.stack([olds[pairs[:, 0]], news[pairs[:, 1]]], axis=1)


def _content(side: Snapshot, image: Rows, rows: Rows) -> pa.ChunkedArray:
    """Image, category and box as one key."""
    corners = np.rint(side.boxes[rows] * 100).astype(np.int64)
    columns = [pa.array(column).cast(pa.string()) for column in (image[rows], *corners.T)]
    names = side.objects["category"].take(pa.array(rows)).combine_chunks()
    return pa.chunked_array([pc.binary_join_element_wise(names, *columns, "|")])


def _by_overlap(before: Snapshot, after: Snapshot, image: Rows, olds: Rows, news: Rows) -> Rows:
    """Pairs of one image, those of one category first, then by IoU."""
    old, new = _combinations(image[olds], after.image[news])
    old, new = olds[old], news[new]
    iou = _iou(before.boxes[old], after.boxes[new])
    near = iou >= MIN_IOU
    old, new, iou = old[near], new[near], iou[near]
    other = _differ(before.objects["category"], after.objects["category"], old, new)
    order = np.lexsort((new, old, -iou, other))
    used_old: set[int] = set()
    used_new: set[int] = set()
    pairs = []
    for one, two in zip(old[order].tolist(), new[order].tolist(), strict=True):
        if one not in used_old and two not in used_new:
            used_old.add(one)
            used_new.add(two)
            pairs.append((one, two))
    return np.array(pairs, np.int64).reshape(-1, 2)


def _combinations(first: Rows, second: Rows) -> tuple[Rows, Rows]:
    """Every place in `first` with every place in `second` that holds the same value; `second` is sorted."""
    start, stop = np.searchsorted(second, first, "left"), np.searchsorted(second, first, "right")
    counts = stop - start
    one = np.repeat(np.arange(len(first)), counts)
    within = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    return one, np.repeat(start, counts) + within


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) of each pair of (N, 4) boxes."""
    sides = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    common = sides.prod(axis=1)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - common
    return np.asarray(common / np.maximum(union, 1e-12))


def _differ(old: Any, new: Any, one: Rows, two: Rows) -> NDArray[np.bool_]:
    unequal = pc.not_equal(old.take(pa.array(one)), new.take(pa.array(two)))
    return np.asarray(unequal.to_numpy(), dtype=np.bool_)


def _object_rows(before: Snapshot, after: Snapshot, change: str, one: Any, two: Any) -> pa.Table:
    count = len(one if one is not None else two)
    some = before if one is not None else after
    images = some.images["image_id"].take(pa.array(some.image[one if one is not None else two]))
    columns: dict[str, Any] = {"image_id": images, "change": pa.array([change] * count, pa.string())}
    for name, kind in (("id", pa.string()), ("category", pa.string())):
        for when, side, rows in (("before", before, one), ("after", after, two)):
            taken = None if rows is None else side.objects[name].take(pa.array(rows))
            columns[f"{name}_{when}"] = pa.nulls(count, kind) if taken is None else taken
    box = pa.list_(pa.float32(), 4)
    for when, side, rows in (("before", before, one), ("after", after, two)):
        if rows is None:
            columns[f"bbox_{when}"] = pa.nulls(count, box)
        else:
            values = pa.array(side.boxes[rows].astype(np.float32).ravel())
            columns[f"bbox_{when}"] = pa.FixedSizeListArray.from_arrays(values, 4)
    both = one is not None and two is not None
    columns["iou"] = (
        pa.array(_iou(before.boxes[one], after.boxes[two])) if both else pa.nulls(count, pa.float64())
    )
    return pa.table(columns)
