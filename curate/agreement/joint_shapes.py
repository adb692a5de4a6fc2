"""The box, the mask and the outline of every joint object, from those of the people who drew it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.agreement import vote_rules
from curate.agreement.annotator_pairs import Size
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.agreement.fused_geometry import staple, weighted_medians
from curate.geometry import masks
from curate.geometry.matching import Indices

Values = NDArray[np.float64]
_CHUNK_MEMBERS = 60_000  # whose masks a thread holds at once: some 100 MB
_THREADS = 2


@dataclass(frozen=True, slots=True)
class JointShapes:
    """Boxes and masks of C joint objects.

    Attributes:
        boxes: (C, 4) float32 xyxy.
        rles: C COCO compressed counts; null = box only.
        settled: (C,) whether the masks show one thing: more than half of them overlap with one among them.
    """

    boxes: NDArray[np.float32]
    rles: pa.Array
    settled: NDArray[np.bool_]


def fuse(
    answers: Answers,
    clusters: Clusters,
    weights: Values,
    sizes: Mapping[str, Size],
    *,
    mask_iou_threshold: float,
) -> JointShapes:
    """Fuse what people drew of each object.

    What one person drew stays as it is. The mask of several is the shape between two, or STAPLE's of more,
    and the box is that of the mask; without masks it is the median of the boxes, weighed.

    Args:
        answers: What people drew.
        clusters: Of all objects.
        weights: (A,) how much each person's edges count.
        sizes: Width and height of every image, upright pixels.
        mask_iou_threshold: Least IoU of two masks of one thing.
    """
    boxes = np.zeros((len(clusters), 4))
    for size in np.unique(clusters.sizes).tolist():
        these, members = clusters.of_size(size)
        boxes[these] = weighted_medians(answers.boxes[members], weights[answers.owner[members]])
    rles: list[str | None] = [None] * len(clusters)
    settled = np.ones(len(clusters), dtype=np.bool_)
    shapes = np.array([sizes[one] for one in answers.images], dtype=np.int64).reshape(-1, 2)

    def part(border: tuple[int, int]) -> _Fused:
        return _fused(answers, clusters, border, weights, shapes, mask_iou_threshold)

    if answers.masked.any():
        with ThreadPoolExecutor(_THREADS) as threads:
            for found in threads.map(part, list(_borders(clusters))):
                for number, rle in zip(found.clusters.tolist(), found.rles, strict=True):
                    rles[number] = rle
                around = found.boxes.any(axis=1)
                boxes[found.clusters[around]] = found.boxes[around]
                settled[found.clusters] = found.settled
    alone = np.flatnonzero(clusters.sizes == 1)  # as drawn
    boxes[alone] = answers.boxes[clusters.members[clusters.starts[alone]]]
    return JointShapes(boxes.astype(np.float32), pa.array(rles, pa.string()), settled)


def _borders(clusters: Clusters) -> Iterator[tuple[int, int]]:
    """Chunks of clusters."""
    start = 0
    while start < len(clusters):
        max_stop = clusters.starts[start] + _CHUNK_MEMBERS
        stop = max(start + 1, int(np.searchsorted(clusters.starts, max_stop, side="right")) - 1)
        yield start, stop
        start = stop


@dataclass(frozen=True, slots=True)
class _Fused:
    """Joint masks and boxes of clusters with masks; a box of zeros where no mask came out."""

    clusters: Indices
    rles: list[str | None]
    boxes: NDArray[np.int64]
    settled: NDArray[np.bool_]


def _fused(  # noqa: PLR0917 - one call
    answers: Answers,
    clusters: Clusters,
    border: tuple[int, int],
    weights: Values,
    shapes: NDArray[np.int64],
    threshold: float,
) -> _Fused:
    from curate.agreement import mask_fusion, mask_runs  # noqa: PLC0415 - loads numba

    start, stop = border
    members = clusters.members[clusters.starts[start] : clusters.starts[stop]]
    number = np.repeat(np.arange(start, stop), clusters.sizes[start:stop])
    masked = answers.masked[members]
    members, number = members[masked], number[masked]
    width, height = shapes[answers.image[members]].T
    texts = answers.rles.column.take(pa.array(members))
    runs = mask_runs.read(texts, np.ascontiguousarray(height))
    these, first, count = np.unique(number, return_index=True, return_counts=True)
    few = count <= mask_fusion.MAX_MASKS
    of_masks = (runs.text, runs.ends, runs.places, runs.starts, runs.area, runs.boxes)
    of_objects = (first, np.where(few, count, 1), width[first], height[first])
    text, ends, settled = mask_fusion.fuse(*of_masks, weights[answers.owner[members]], *of_objects, threshold)
    rles: list[str | None] = [
        bytes(text[begin:end]).decode("ascii") or None for begin, end in itertools.pairwise(ends.tolist())
    ]
    for place in np.flatnonzero(~few).tolist():
        of = slice(first[place], first[place] + count[place])
        size = {"width": int(width[of.start]), "height": int(height[of.start])}
        drawn = texts[of].to_pylist()
        overlap = masks.rle_iou(drawn, drawn, **size).tolist()
        settled[place] = vote_rules.mask_is_settled(overlap, iou_threshold=threshold)
        rles[place] = staple(drawn, **size)
    boxes = mask_runs.read(pa.array(rles, pa.string()), np.ascontiguousarray(height[first])).boxes
    return _Fused(these, rles, boxes, settled)
