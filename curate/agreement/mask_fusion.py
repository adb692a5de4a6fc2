"""One mask from several people's of one object, compiled: STAPLE, and the shape between two. Imports numba.

Masks are told as in `mask_runs`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.agreement.mask_runs import Bytes, Places, common
from curate.compiled import compiled
from curate.geometry.brush_rle_kernels import coco_counts

Values = NDArray[np.float64]
MAX_MASKS = 12  # that `staple` takes: it counts the pixels of each of 2^n ways to mark one
_SURE = 0.99999  # first sensitivity and specificity, as Warfield et al. begin
_ROUNDS, _TOLERANCE = 100, 1e-6


@compiled
def _patterns(  # noqa: C901, PLR0917 - a kernel
    places: Places, starts: Places, masks: Places, chosen: NDArray[np.bool_], pixels: Values, out: Places
) -> int:
    """Walk over all pixels that anybody marked, in stretches that the same people marked.

    Args:
        places: Of all masks.
        starts: Of each mask in `places`.
        masks: (M,) those of the object.
        chosen: By way to mark a pixel: whether it is of the joint mask; empty = count only.
        pixels: By way, receives how many pixels there are.
        out: Receives start, end, ... of the joint mask.

    Returns:
        Entries of `out`.
    """
    count = masks.size
    at = np.empty(count, dtype=np.int64)
    for m in range(count):
        at[m] = starts[masks[m]]
    way, before, used = 0, 0, 0
    while True:
        place = -1
        for m in range(count):
            if at[m] < starts[masks[m] + 1] and (place < 0 or places[at[m]] < place):
                place = int(places[at[m]])
        if place < 0:
            return used
        if way and place > before:
            if chosen.size == 0:
                pixels[way] += place - before
            elif chosen[way]:
                if used and out[used - 1] == before:
                    out[used - 1] = place
                else:
                    out[used], out[used + 1] = before, place
                    used += 2
        for m in range(count):
            while at[m] < starts[masks[m] + 1] and places[at[m]] == place:
                way ^= 1 << m
                at[m] += 1
        before = place


@compiled
def _probability(pixels: Values, count: int) -> Values:  # noqa: C901, PLR0912 - a kernel
    """How probably pixels of each way to mark them are of the object; see `fused_geometry.staple`."""
    ways = pixels.size
    total, marked = 0.0, 0.0
    for way in range(ways):
        total += pixels[way]
        for m in range(count):
            if way >> m & 1:
                marked += pixels[way]
    prior = marked / (total * count)
    right = np.full(count, _SURE)
    right_not = np.full(count, _SURE)
    there = np.zeros(ways)
    hits, spared = np.zeros(count), np.zeros(count)
    for _ in range(_ROUNDS):
        change, sure, unsure = 0.0, 0.0, 0.0
        for m in range(count):  # new arrays would take half of the time
            hits[m], spared[m] = 0.0, 0.0
        for way in range(ways):
            if pixels[way] <= 0:
                continue
            yes, no = prior, 1 - prior
            for m in range(count):
                if way >> m & 1:
                    yes *= right[m]
                    no *= 1 - right_not[m]
                else:
                    yes *= 1 - right[m]
                    no *= right_not[m]
            value = yes / max(yes + no, 1e-300)
            change = max(change, abs(value - there[way]))
            there[way] = value
            sure += value * pixels[way]
            unsure += (1 - value) * pixels[way]
            for m in range(count):
                if way >> m & 1:
                    hits[m] += value * pixels[way]
                else:
                    spared[m] += (1 - value) * pixels[way]
        if change < _TOLERANCE:
            break
        for m in range(count):
            right[m] = min(max(hits[m] / max(sure, 1e-300), 1e-9), _SURE)
            right_not[m] = min(max(spared[m] / max(unsure, 1e-300), 1e-9), _SURE)
    return there


@compiled
def staple(places: Places, starts: Places, boxes: Places, masks: Places, pixels: int) -> Bytes:
    """COCO's compressed counts of STAPLE's mask of some masks; empty if no pixel is on.

    Args:
        places: Of all masks.
        starts: Of each mask in `places`.
        boxes: Around each mask.
        masks: (M,) those of the object, at most `MAX_MASKS`.
        pixels: Of the image.
    """
    count = masks.size
    ways = np.zeros(1 << count)
    room = 2
    left, top, right, bottom = boxes[masks[0]]
    for m in range(count):
        box = boxes[masks[m]]
        left, top = min(left, box[0]), min(top, box[1])
        right, bottom = max(right, box[2]), max(bottom, box[3])
        room += starts[masks[m] + 1] - starts[masks[m]]
    out = np.empty(room, dtype=np.int64)
    _patterns(places, starts, masks, np.zeros(0, dtype=np.bool_), ways, out)
    if ways.sum() == 0:
        return np.zeros(0, dtype=np.uint8)
    ways[0] = (right - left) * (bottom - top) - ways.sum()
    used = _patterns(places, starts, masks, _probability(ways, count) >= 0.5, ways, out)
    return coco_counts(out[:used], pixels) if used else np.zeros(0, dtype=np.uint8)


@compiled
def _drawn(places: Places, height: int, window: Places) -> Bytes:
    """The pixels (columns, rows) of a mask in a window xyxy."""
    rows = window[3] - window[1]
    found = np.zeros((window[2] - window[0], rows), dtype=np.uint8)
    for k in range(0, places.size, 2):
        place = places[k]
        while place < places[k + 1]:
            column = place // height
            stop = min(places[k + 1], (column + 1) * height)
            first, last = place - column * height - window[1], stop - column * height - window[1]
            for row in range(max(first, 0), min(last, rows)):
                found[column - window[0], row] = 1
            place = stop
    return found


@compiled
def _distance(mask: Bytes, x: int, y: int, wanted: int) -> float:
    """Pixels from one to the nearest that is on, or off; -1 where there is none."""
    columns, rows = mask.shape
    best = (columns + rows) ** 2
    found = False
    for dx in range(columns):
        if dx * dx >= best:
            break
        for side in (-1, 1):
            column = x + side * dx
            if column < 0 or column >= columns:
                continue
            for dy in range(rows):
                square = dx * dx + dy * dy
                if square >= best:
                    break
                if (y - dy >= 0 and mask[column, y - dy] == wanted) or (
                    y + dy < rows and mask[column, y + dy] == wanted
                ):
                    best, found = square, True
                    break
    return np.sqrt(np.float64(best)) if found else -1.0


@compiled
def between(  # noqa: PLR0917 - compiled functions take no keywords
    places: Places,
    starts: Places,
    boxes: Places,
    first: int,
    second: int,
    share: float,
    width: int,
    height: int,
) -> Bytes:
    """COCO's compressed counts of the shape between two masks; empty if no pixel is on.

    Where both masks agree nothing is to be decided: only the other pixels are measured.

    Args:
        places: Of all masks.
        starts: Of each mask in `places`.
        boxes: Around each mask.
        first: One mask.
        second: The other.
        share: What the first counts, of both.
        width: Upright pixels of the image.
        height: The same.
    """
    window = np.empty(4, dtype=np.int64)
    a, b = boxes[first], boxes[second]
    window[0], window[1] = max(0, min(a[0], b[0]) - 1), max(0, min(a[1], b[1]) - 1)
    window[2], window[3] = min(width, max(a[2], b[2]) + 1), min(height, max(a[3], b[3]) + 1)
    one = _drawn(places[starts[first] : starts[first + 1]], height, window)
    two = _drawn(places[starts[second] : starts[second + 1]], height, window)
    columns, rows = one.shape
    max_distance = float(max(columns, rows))
    out = np.empty(columns * (rows + 2) + 2, dtype=np.int64)
    used = 0
    for x in range(columns):
        for y in range(rows):
            kept = one[x, y] == 1
            if one[x, y] != two[x, y]:
                inside = _distance(one if kept else two, x, y, 0)
                outside = _distance(two if kept else one, x, y, 1)
                inside = max_distance if inside < 0 else inside - 0.5
                outside = -max_distance if outside < 0 else 0.5 - outside
                middle = (
                    share * inside + (1 - share) * outside if kept else share * outside + (1 - share) * inside
                )
                kept = middle >= 0
            if kept:
                place = (window[0] + x) * height + window[1] + y
                if used and out[used - 1] == place:
                    out[used - 1] = place + 1
                else:
                    out[used], out[used + 1] = place, place + 1
                    used += 2
    return coco_counts(out[:used], width * height) if used else np.zeros(0, dtype=np.uint8)


@compiled
def _same(places: Places, starts: Places, first: int, count: int) -> bool:
    """Whether some masks are one."""
    size = starts[first + 1] - starts[first]
    for m in range(first + 1, first + count):
        if starts[m + 1] - starts[m] != size:
            return False
        for k in range(size):
            if places[starts[first] + k] != places[starts[m] + k]:
                return False
    return True


@compiled
def _show_one_thing(  # noqa: PLR0917 - a kernel
    places: Places, starts: Places, area: Places, first: int, count: int, min_iou: float
) -> bool:
    """Whether more than half of some masks overlap with one among them; see `vote_rules.mask_is_settled`."""
    alike = np.ones(count, dtype=np.int64)
    for i in range(count):
        for j in range(i + 1, count):
            shared = common(places, starts, first + i, first + j)
            union = area[first + i] + area[first + j] - shared
            if union > 0 and shared >= min_iou * union:
                alike[i] += 1
                alike[j] += 1
    return bool(2 * alike.max() > count)


@compiled
def fuse(  # noqa: PLR0917 - compiled functions take no keywords
    text: Bytes, ends: Places, places: Places, starts: Places, area: Places, boxes: Places,
    weights: Values, first: Places, counts: Places, widths: Places, heights: Places, min_iou: float,
) -> tuple[Bytes, Places, NDArray[np.bool_]]:  # fmt: skip
    """The joint masks of many objects.

    One mask stays as it is, and so do equal ones. Of two it is `between`, of more `staple`.

    Args:
        text: COCO's compressed counts of all masks.
        ends: Where each begins in `text`, and the end.
        places: Of all masks.
        starts: Of each mask in `places`.
        area: Pixels of each mask.
        boxes: Around each mask.
        weights: Of who drew each mask.
        first: (G,) first mask of each object; its others follow.
        counts: (G,) how many masks it has, at most `MAX_MASKS`.
        widths: (G,) upright pixels of the image.
        heights: (G,) the same.
        min_iou: IoU of two masks of one thing.

    Returns:
        Counts of all joint masks, where each begins, and whether the masks of each show one thing. Empty
        counts are no mask.
    """
    out = np.empty(ends[-1] - ends[0] + 1, dtype=np.uint8)
    out_ends = np.zeros(first.size + 1, dtype=np.int64)
    settled = np.ones(first.size, dtype=np.bool_)
    used = 0
    for g in range(first.size):
        at, count = first[g], counts[g]
        settled[g] = _show_one_thing(places, starts, area, at, count, min_iou)
        if count == 1 or _same(places, starts, at, count):
            found = text[ends[at] : ends[at + 1]]
        elif count == 2:
            share = weights[at] / (weights[at] + weights[at + 1])
            found = between(places, starts, boxes, at, at + 1, share, widths[g], heights[g])
        else:
            found = staple(places, starts, boxes, np.arange(at, at + count), widths[g] * heights[g])
        if used + found.size > out.size:
            wider = np.empty(2 * (used + found.size), dtype=np.uint8)
            wider[:used] = out[:used]
            out = wider
        out[used : used + found.size] = found
        used += found.size
        out_ends[g + 1] = used
    return out[:used].copy(), out_ends, settled
