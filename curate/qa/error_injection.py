"""Errors planted in suggestions, to see whether labelers look or only agree.

Of a chosen image one suggestion is made wrong before push. Which one and how follows from ids alone, so that
a second push plants the same error:

- `moved`, `category`, `missing`: the image's suggestion of the best score (the first id on a tie), which is
  most likely to have been right. It keeps its id where it is moved or renamed, so that a person's row edited
  from it has that id as parent_id; where it is missing, the id is that of the suggestion that was left out.
- `spurious`: a suggestion that no model made, with the id `spurious_id(image_id)`, where no other one is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from curate.errors import TableError
from curate.geometry import masks
from curate.geometry.boxes import box_iou
from curate.qa import sampling
from curate.records import Annotation, Box, derived_id

KINDS = ("moved", "category", "missing", "spurious")
_SHIFT = (0.45, 0.3)  # of width and height: the moved box has an IoU of 0.24 with what it should show
_SHRUNK = 0.6  # of width and height, where there is no room to move: IoU 0.36
_LARGEST = 0.4  # of the image's sides, for a spurious box
_APART = 0.1  # IoU of a spurious box with any other, at most, where the image has room
_TRIES = 64  # places for it; else the one that overlaps least


def spurious_id(image_id: str) -> str:
    """annotation_id of the spurious suggestion of an image."""
    return derived_id("spurious", image_id)


def plant(
    rows: Sequence[Annotation],
    kind: str,
    annotation_id: str,
    *,
    names: Sequence[str],
    width: int,
    height: int,
) -> tuple[Annotation, ...]:
    """Make one suggestion of an image wrong.

    Args:
        rows: The image's suggestions.
        kind: One of `KINDS`.
        annotation_id: `seeded_id` of the plan.
        names: Categories of the taxonomy.
        width: Upright pixels of the image.
        height: Upright pixels of the image.

    Returns:
        The suggestions to show, ordered by annotation_id.

    Raises:
        TableError: The suggestion is not among the rows, or there is no other category.
    """
    chosen = next((row for row in rows if row.annotation_id == annotation_id), None)
    if kind == "spurious":
        others, changed = tuple(rows), _spurious(rows, annotation_id, width, height)
    elif chosen is None:
        raise TableError(
            f"the plan makes suggestion {annotation_id} wrong, which is none: run dvc repro --force select"
        )
    else:
        others = tuple(row for row in rows if row is not chosen)
        changed = _renamed(chosen, names) if kind == "category" else _moved(chosen, width, height)
    shown = others if kind == "missing" else (*others, changed)
    return tuple(sorted(shown, key=lambda row: row.annotation_id))


def left_in(
    kind: str,
    seeded_id: str,
    *,
    before: Sequence[Annotation],
    shown: Sequence[Annotation],
    drawn: Sequence[Annotation],
    iou_threshold: float = 0.5,
) -> bool:
    """Whether a person left the planted error in the image.

    A missing object is left in where nothing was drawn over it. Any other error is left in where an object
    was drawn that overlaps the wrong suggestion more than any right one; of the kind `category`, where an
    object over it has the wrong category.

    Args:
        kind: One of `KINDS`.
        seeded_id: Of the plan.
        before: The model's suggestions for the image.
        shown: What was shown in their place, by `plant`.
        drawn: The objects that one person drew, or the consensus.
        iou_threshold: From this IoU on two boxes show the same object, in (0, 1].
    """
    boxes = [_box(row) for row in drawn]
    if kind == "missing":
        lost = [_box(row) for row in before if row.annotation_id == seeded_id]
        return not (box_iou(lost, boxes) >= iou_threshold).any()
    wrong = next(row for row in shown if row.annotation_id == seeded_id)
    if not drawn:
        return False
    over = box_iou([_box(wrong)], boxes)[0]
    if kind == "category":
        if any(row.annotation_id == seeded_id and row.category == wrong.category for row in before):
            return False  # the two categories were merged since: it is right now
        same = np.array([row.category == wrong.category for row in drawn])
        return bool((same & (over >= iou_threshold)).any())
    right = box_iou([_box(row) for row in before], boxes).max(axis=0, initial=0.0)
    return bool(((over >= iou_threshold) & (over > right)).any())


def _renamed(row: Annotation, names: Sequence[str]) -> Annotation:
    others = sorted(set(names) - {row.category})
    if not others:
        raise TableError("a suggestion cannot be renamed: the taxonomy has one category")
    return replace(row, category=others[_choice(row.annotation_id, "category", len(others))])


def _moved(row: Annotation, width: int, height: int) -> Annotation:
    """Shifted in one of four directions; or made smaller where it would leave the image."""
    x1, y1, x2, y2 = _box(row)
    dx = max(1, round(_SHIFT[0] * (x2 - x1)))
    dy = max(1, round(_SHIFT[1] * (y2 - y1)))
    first = _choice(row.annotation_id, "moved", 4)
    signs = [((-1) ** (turn % 2), (-1) ** (turn // 2 % 2)) for turn in range(first, first + 4)]
    for right, down in signs:
        box = (x1 + right * dx, y1 + down * dy, x2 + right * dx, y2 + down * dy)
        if box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height:
            return _at(row, box, (right * dx, down * dy), width, height)
    w, h = _SHRUNK * (x2 - x1), _SHRUNK * (y2 - y1)
    right, down = signs[0]
    left, top = (x1 if right > 0 else x2 - w), (y1 if down > 0 else y2 - h)
    return _at(row, (left, top, left + w, top + h), (0, 0), width, height)


def _spurious(rows: Sequence[Annotation], annotation_id: str, width: int, height: int) -> Annotation:
    """A copy of one of the suggestions, mask and score too, where no other is."""
    patterns = sorted((row for row in rows if row.outcome == "object"), key=lambda row: row.annotation_id)
    if not patterns:
        raise TableError(
            "an image without suggestions has none to be made wrong: run dvc repro --force select"
        )
    pattern = patterns[_choice(annotation_id, "pattern", len(patterns))]
    x1, y1, x2, y2 = _box(pattern)
    w, h = min(x2 - x1, _LARGEST * width), min(y2 - y1, _LARGEST * height)
    tries = sampling.places([f"{annotation_id} {number}" for number in range(2 * _TRIES)], "spurious", 0)
    places = tries.reshape(_TRIES, 2)
    # Whole pixels, so that the mask moves with its box.
    dx = np.clip(np.round(places[:, 0] * (width - w) - x1), math.ceil(-x1), math.floor(width - w - x1))
    dy = np.clip(np.round(places[:, 1] * (height - h) - y1), math.ceil(-y1), math.floor(height - h - y1))
    boxes = np.stack([x1 + dx, y1 + dy, x1 + dx + w, y1 + dy + h], axis=1)
    overlap = box_iou(boxes, [_box(row) for row in patterns]).max(axis=1)
    apart = np.flatnonzero(overlap <= _APART)
    best = int(apart[0]) if len(apart) else int(np.argmin(overlap))
    left, top, right, bottom = boxes[best].tolist()
    moved = _at(pattern, (left, top, right, bottom), (int(dx[best]), int(dy[best])), width, height)
    return replace(moved, annotation_id=annotation_id)


def _at(row: Annotation, box: Box, shift: tuple[int, int], width: int, height: int) -> Annotation:
    """The row with another box, and of its mask what lies in that box after the shift by (x, y) pixels."""
    left, top, right, below = (float(np.float32(corner)) for corner in box)  # as tables keep boxes
    box = (left, top, right, below)
    if row.rle is None:
        return replace(row, bbox_xyxy=box)
    mask = masks.decode(row.rle, width=width, height=height)
    x1, y1, x2, y2 = math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
    x1, y1, x2, y2 = max(x1, shift[0], 0), max(y1, shift[1], 0), min(x2, width), min(y2, height)
    x2, y2 = min(x2, width + shift[0]), min(y2, height + shift[1])
    moved = np.zeros_like(mask)
    moved[y1:y2, x1:x2] = mask[y1 - shift[1] : y2 - shift[1], x1 - shift[0] : x2 - shift[0]]
    return replace(row, bbox_xyxy=box, rle=masks.encode(moved) if moved.any() else None)


def _box(row: Annotation) -> Box:
    if row.bbox_xyxy is None:
        raise TableError(f"suggestion {row.annotation_id} has no box: run dvc repro --force autolabel")
    return row.bbox_xyxy


def _choice(key: str, purpose: str, count: int) -> int:
    """One of `count`, by a hash."""
    return int(sampling.hashes([key], purpose, 0)[0] % np.uint64(count))
