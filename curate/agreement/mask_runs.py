"""Masks of many objects at once: their run lengths, boxes and overlaps, compiled. Imports numba.

A mask is told by the places [start, end) of its pixels down the columns, as COCO counts them; the objects of
a chunk stand one after the other. No step makes an array of an image's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.compiled import compiled

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """The masks of N objects.

    Attributes:
        text: The counts themselves, of all masks.
        ends: (N + 1,) where those of each begin in `text`.
        places: Start, end, start, end, ... of all masks.
        starts: (N + 1,) where each mask begins in `places`.
        pixels: (N,) that the counts cover: of the image; -1 = damaged.
        area: (N,) pixels of the mask.
        boxes: (N, 4) smallest xyxy around the pixels; zeros for an empty mask.
    """

    text: Bytes
    ends: Places
    places: Places
    starts: Places
    pixels: Places
    area: Places
    boxes: Places


def read(rles: pa.Array, heights: Places) -> Runs:
    """Read COCO compressed counts.

    Args:
        rles: N texts; one that is null is an empty mask of an image without pixels.
        heights: (N,) of the images, upright pixels.
    """
    wide = rles.cast(pa.large_binary())
    _, offsets, data = wide.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[wide.offset : wide.offset + len(wide) + 1]
    text = np.zeros(0, dtype=np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
    return Runs(text, ends, *_read(text, ends, heights))


@compiled
def _read(text: Bytes, ends: Places, heights: Places) -> tuple[Places, Places, Places, Places, Places]:  # noqa: C901, PLR0912 - a kernel
    count = ends.size - 1
    places = np.empty(ends[-1] - ends[0] + 2 * count + 2, dtype=np.int64)
    starts = np.zeros(count + 1, dtype=np.int64)
    pixels = np.zeros(count, dtype=np.int64)
    area = np.zeros(count, dtype=np.int64)
    boxes = np.zeros((count, 4), dtype=np.int64)
    runs = np.zeros(3, dtype=np.int64)
    used = 0
    for i in range(count):
        starts[i] = used
        at, number, place = ends[i], 0, 0
        while at < ends[i + 1]:
            value, shift, more = 0, 0, True
            while more and at < ends[i + 1]:
                code = int(text[at]) - 48
                at += 1
                if code < 0 or code > 63 or shift > 50:
                    place = -1
                    break
                value |= (code & 0x1F) << shift
                shift += 5
                more = (code & 0x20) != 0
                if not more and code & 0x10:
                    value |= -1 << shift
            if more or place < 0:
                place = -1
                break
            if number > 2:
                value += runs[(number - 2) % 3]
            runs[number % 3] = value
            if value < 0:
                place = -1
                break
            if number % 2 and value > 0:
                if used > starts[i] and places[used - 1] == place:
                    places[used - 1] = place + value
                else:
                    places[used], places[used + 1] = place, place + value
                    used += 2
                area[i] += value
            place += value
            number += 1
        pixels[i] = place if number or ends[i] == ends[i + 1] else -1
        if place < 0:
            used, area[i] = starts[i], 0
            pixels[i] = -1
        elif used > starts[i] and heights[i] > 0:
            _around(places[starts[i] : used], heights[i], boxes[i])
    starts[count] = used
    return places[:used].copy(), starts, pixels, area, boxes


@compiled
def _around(places: Places, height: int, box: Places) -> None:
    """The smallest box around some pixels."""
    top, bottom = height, 0
    for k in range(0, places.size, 2):
        first, last = places[k], places[k + 1] - 1
        if first // height != last // height:  # over the edge of a column: it reaches both borders
            top, bottom = 0, height
            break
        top, bottom = min(top, first % height), max(bottom, last % height + 1)
    box[0], box[1] = places[0] // height, top
    box[2], box[3] = (places[-1] - 1) // height + 1, bottom


@compiled
def common(places: Places, starts: Places, first: int, second: int) -> int:
    """Pixels that two masks share."""
    i, end_i = starts[first], starts[first + 1]
    j, end_j = starts[second], starts[second + 1]
    total = 0
    while i < end_i and j < end_j:
        start, end = max(places[i], places[j]), min(places[i + 1], places[j + 1])
        if start < end:
            total += end - start
        if places[i + 1] < places[j + 1]:
            i += 2
        else:
            j += 2
    return total


@compiled
def shared(places: Places, starts: Places, first: Places, second: Places) -> Places:
    """Pixels (P,) that the masks of each pair of objects share."""
    found = np.zeros(first.size, dtype=np.int64)
    for pair in range(first.size):
        found[pair] = common(places, starts, first[pair], second[pair])
    return found


def iou(runs: Runs, first: Places, second: Places) -> NDArray[np.float64]:
    """Intersection over union (P,) of each pair of masks of one image; 0 where both are empty."""
    a, b = runs.boxes[first], runs.boxes[second]
    near = np.flatnonzero(
        (np.minimum(a[:, 2], b[:, 2]) > np.maximum(a[:, 0], b[:, 0]))
        & (np.minimum(a[:, 3], b[:, 3]) > np.maximum(a[:, 1], b[:, 1]))
    )
    both = np.zeros(len(first), dtype=np.int64)
    both[near] = shared(runs.places, runs.starts, first[near], second[near])
    union = runs.area[first] + runs.area[second] - both
    return np.asarray(np.divide(both, union, out=np.zeros(len(first)), where=union > 0))
