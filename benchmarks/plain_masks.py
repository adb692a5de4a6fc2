"""The compiled work on masks by NumPy, SciPy and pycocotools: for `benchmarks.kernels`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pycocotools import mask as coco
from scipy.ndimage import distance_transform_edt

from curate.agreement import vote_rules
from curate.agreement.fused_geometry import staple
from curate.agreement.mask_runs import Runs
from curate.errors import RecordError
from curate.geometry import masks

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
_RUN_BITS = (3, 4, 8, 16)  # of the four sizes of run that a brush's bytes have
_HEADER = f"{7:05b}" + "".join(f"{bits - 1:04b}" for bits in _RUN_BITS)


def read(rles: pa.Array, heights: Places) -> Runs:
    """Redo `curate.agreement.mask_runs.read`, a mask at a time."""
    texts = rles.to_pylist()
    wide = rles.cast(pa.large_binary())
    _, offsets, data = wide.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[wide.offset : wide.offset + len(wide) + 1]
    text = np.zeros(0, dtype=np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
    pixels, boxes = np.zeros(len(texts), np.int64), np.zeros((len(texts), 4), np.int64)
    places: list[Places] = []
    for row, (rle, height) in enumerate(zip(texts, heights.tolist(), strict=True)):
        places.append(np.zeros(0, np.int64))
        if rle:
            try:
                borders = np.cumsum(masks.run_lengths(rle))
            except RecordError:
                pixels[row] = -1
                continue
            pixels[row] = borders[-1]
            edges = borders[: len(borders) // 2 * 2]
            places[-1] = edges
            if len(edges):
                boxes[row] = _box(edges, height)
    starts = np.concatenate([[0], np.cumsum([len(part) for part in places])])
    every = np.concatenate([np.zeros(0, np.int64), *places])
    area = np.array([(part[1::2] - part[::2]).sum() for part in places], dtype=np.int64)
    return Runs(text, ends, every, starts, pixels, area, boxes)


def _box(edges: Places, height: int) -> tuple[int, int, int, int]:
    first, last = edges[::2], edges[1::2] - 1
    left, right = int(first[0] // height), int(last[-1] // height) + 1
    if (first // height != last // height).any():
        return left, 0, right, height
    return left, int((first % height).min()), right, int((last % height).max()) + 1


def iou(runs: Runs, first: Places, second: Places) -> NDArray[np.float64]:
    """Redo `curate.agreement.mask_runs.iou`, by pycocotools: each mask against all its partners."""
    texts = [runs.text[a:b].tobytes() for a, b in itertools.pairwise(runs.ends.tolist())]
    # Overlaps do not depend on the height: one row of pixels.
    encoded = [
        {"size": [1, size], "counts": text} for text, size in zip(texts, runs.pixels.tolist(), strict=True)
    ]
    found = np.zeros(len(first))
    cuts = np.flatnonzero(np.diff(first, prepend=-1, append=-1))
    for start, stop in itertools.pairwise(cuts.tolist()):
        partners = [encoded[k] for k in second[start:stop].tolist()]
        found[start:stop] = coco.iou([encoded[first[start]]], partners, [0] * len(partners))[0]
    return found


def fuse(  # noqa: PLR0917 - as the kernel
    text: Bytes, ends: Places, _places: Places, _starts: Places, _area: Places, boxes: Places,
    weights: NDArray[np.float64], first: Places, counts: Places, widths: Places, heights: Places,
    min_iou: float,
) -> tuple[Bytes, Places, NDArray[np.bool_]]:  # fmt: skip
    """Redo `curate.agreement.mask_fusion.fuse`: STAPLE by NumPy, distances by SciPy, IoU by pycocotools."""
    found, settled = [], np.ones(len(first), np.bool_)
    sizes = zip(first.tolist(), counts.tolist(), widths.tolist(), heights.tolist(), strict=True)
    for number, (at, count, width, height) in enumerate(sizes):
        rles = [text[ends[k] : ends[k + 1]].tobytes().decode("ascii") for k in range(at, at + count)]
        if count > 1:
            overlap = masks.rle_iou(rles, rles, width=width, height=height)
            settled[number] = vote_rules.mask_is_settled(overlap.tolist(), iou_threshold=min_iou)
        if len(set(rles)) == 1:
            joint: str | None = rles[0]
        elif count == 2:
            share = float(weights[at] / (weights[at] + weights[at + 1]))
            joint = _between(rles, boxes[at : at + 2], share, width, height)
        else:
            joint = staple(rles, width=width, height=height)
        found.append((joint or "").encode("ascii"))
    bounds = np.concatenate([[0], np.cumsum([len(one) for one in found])])
    return np.frombuffer(b"".join(found), np.uint8), bounds, settled


def _between(rles: list[str], boxes: Places, share: float, width: int, height: int) -> str | None:
    left, top = np.maximum(boxes[:, :2].min(axis=0) - 1, 0)
    right, bottom = np.minimum(boxes[:, 2:].max(axis=0) + 1, (width, height))
    window = np.s_[top:bottom, left:right]
    one, two = (masks.decode(rle, width=width, height=height)[window] for rle in rles)
    joint = np.zeros((height, width), dtype=bool)
    joint[window] = share * _signed(one) + (1 - share) * _signed(two) >= 0
    return masks.encode(joint) if joint.any() else None


def _signed(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distances to the edge, positive inside."""
    if mask.all() or not mask.any():
        return np.full(mask.shape, float(max(mask.shape)) * (1 if mask.any() else -1))
    inside, outside = distance_transform_edt(mask), distance_transform_edt(~mask)
    return np.where(mask, inside - 0.5, 0.5 - outside)


def opaque(data: Bytes) -> tuple[int, Places]:
    """Redo `curate.geometry.brush_rle_kernels.opaque` of repeated runs, which is what the SDK writes."""
    bits = "".join(map("{:08b}".format, data.tolist()))
    total, at, word = int(bits[:32], 2), 32 + len(_HEADER), 0
    sizes = [int(bits[37 + 4 * k : 41 + 4 * k], 2) + 1 for k in range(4)]
    found: list[int] = []
    while word < total:
        size = sizes[int(bits[at + 1 : at + 3], 2)]
        length = int(bits[at + 3 : at + 3 + size], 2) + 1
        at += 3 + size
        if int(bits[at : at + 8], 2) >= 128 and word // 4 < (word + length) // 4:
            if found and found[-1] == word // 4:
                found[-1] = (word + length) // 4
            else:
                found += [word // 4, (word + length) // 4]
        at, word = at + 8, word + length
    return total // 4, np.array(found, dtype=np.int64)


def crossed(edges: Places, length: int, lines: int) -> Places:
    """Redo `curate.geometry.brush_rle_kernels.crossed`, through an array of all pixels."""
    runs = np.diff(edges, prepend=0, append=length * lines)
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(lines, length)
    turned = np.zeros(length * lines + 2, dtype=np.int8)
    turned[1:-1] = pixels.T.ravel()
    return np.flatnonzero(np.diff(turned))


def coco_counts(edges: Places, pixels: int) -> Bytes:
    """Redo `curate.geometry.brush_rle_kernels.coco_counts`, by pycocotools."""
    runs = np.diff(edges, prepend=0, append=pixels)
    counts = runs[:-1] if runs[-1] == 0 else runs
    found: Any = coco.frPyObjects({"size": [1, pixels], "counts": counts.tolist()}, 1, pixels)
    return np.frombuffer(found["counts"], np.uint8)


def brush_bytes(edges: Places, pixels: int) -> Bytes:
    """Redo `curate.geometry.brush_rle_kernels.brush_bytes`, in text of zeros and ones."""
    borders = [0, *edges.tolist(), pixels]
    parts = [f"{pixels * 4:032b}", _HEADER]
    for number, (start, end) in enumerate(itertools.pairwise(borders)):
        left, word = (end - start) * 4, 255 * (number % 2)
        code = next((k for k, bits in enumerate(_RUN_BITS[:3]) if left <= 1 << bits), 3)
        while left > 0:
            length = min(left, 65536)
            parts.append(f"{4 | code:03b}{length - 1:0{_RUN_BITS[code]}b}{word:08b}")
            left -= length
    text = "".join(parts)
    whole = text.ljust((len(text) // 8 + 1) * 8, "0")
    return np.frombuffer(int(whole, 2).to_bytes(len(whole) // 8, "big"), np.uint8)
