"""What models said of each image, in columns, as far as the plan needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import schema, tables
from curate.arrow_columns import places
from curate.geometry import masks
from curate.geometry.grouped_matching import paired_iou

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_CORNERS = 4
_COLUMNS = (
    "annotation_id", "image_id", "category", "bbox_xyxy", "rle", "score", "outcome", "reject_reason",
)  # fmt: skip
_TELLING = ("under_threshold", "other_category")  # reasons of rejected boxes that say something of doubt


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Boxes of kept images, ordered by image, then annotation_id.

    Attributes:
        images: (R,) place of the box's image among the kept ones.
        categories: (R,) place of its category in the taxonomy; -1 = the taxonomy does not name it.
        boxes: (R, 4) xyxy, upright pixels.
        scores: (R,) in [0, 1]; NaN where the model gave none.
        mask_iou: (R,) IoU of the mask's own box with `boxes`; NaN where there is no mask.
        shown: (R,) True for suggestions; False for rejected boxes that were kept.
        ids: R annotation_ids.
    """

    images: Ints
    categories: Ints
    boxes: Floats
    scores: Floats
    mask_iou: Floats
    shown: NDArray[np.bool_]
    ids: pa.Array

    def take(self, rows: Ints | NDArray[np.bool_]) -> Suggestions:
        """Suggestions at some rows, in that order."""
        picked = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Suggestions(
            self.images[picked],
            self.categories[picked],
            self.boxes[picked],
            self.scores[picked],
            self.mask_iou[picked],
            self.shown[picked],
            self.ids.take(pa.array(picked, pa.int64())),
        )


def read(
    path: Path,
    image_ids: pa.Array,
    sizes: Ints,
    names: Sequence[str],
    *,
    min_scores: Floats,
    rows: int = 65_536,
) -> Suggestions:
    """Read the table of the stage autolabel piece by piece; masks are let go at once.

    Args:
        path: The `annotations` table.
        image_ids: The N kept images.
        sizes: (N, 2) their width and height.
        names: C categories of the taxonomy.
        min_scores: (C,) rejected boxes of a lower score are left out: there may be hundreds per image.
        rows: Of a piece.

    Raises:
        TableError: The table is missing or damaged.
    """
    known = pa.array(names, pa.string())
    parts = [
        _part(piece, image_ids, sizes, known, min_scores)
        for piece in tables.pieces(path, schema.ANNOTATIONS, columns=_COLUMNS, rows=rows)
    ]
    whole = Suggestions(
        np.concatenate([part.images for part in parts] or [np.zeros(0, np.int64)]),
        np.concatenate([part.categories for part in parts] or [np.zeros(0, np.int64)]),
        np.concatenate([part.boxes for part in parts] or [np.zeros((0, _CORNERS))]),
        np.concatenate([part.scores for part in parts] or [np.zeros(0)]),
        np.concatenate([part.mask_iou for part in parts] or [np.zeros(0)]),
        np.concatenate([part.shown for part in parts] or [np.zeros(0, np.bool_)]),
        pa.concat_arrays([part.ids for part in parts] or [pa.array([], pa.string())]),
    )
    return whole.take(np.argsort(whole.images, kind="stable"))


def failed(path: Path, image_ids: pa.Array) -> int:
    """How many of the kept images no model could look at.

    Raises:
        TableError: The table is missing or damaged.
    """
    found = [
        piece.filter(pc.equal(piece["outcome"], "failed"))["image_id"]
        for piece in tables.pieces(path, schema.ANNOTATIONS, columns=("image_id", "outcome"))
    ]
    ids = pc.unique(pa.chunked_array([chunk for one in found for chunk in one.chunks], pa.string()))
    return int(pc.sum(pc.is_in(ids, value_set=image_ids)).as_py() or 0)


def _part(
    piece: pa.Table, image_ids: pa.Array, sizes: Ints, known: pa.Array, min_scores: Floats
) -> Suggestions:
    rejected = pc.is_in(piece["reject_reason"], value_set=pa.array(_TELLING))
    shown = pc.equal(piece["outcome"], "object")
    here = pc.is_in(piece["image_id"], value_set=image_ids)
    piece = piece.filter(pc.and_(here, pc.or_(shown, rejected)))
    scores = piece["score"].to_numpy().astype(np.float64)
    lowest = np.append(min_scores, np.inf)[places(piece["category"], known)]  # of -1, unknown, the last
    telling = pc.or_(pc.equal(piece["outcome"], "object"), pa.array(scores >= lowest))
    piece = piece.filter(telling)
    images = places(piece["image_id"], image_ids)
    boxes = piece["bbox_xyxy"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    boxes = boxes.reshape(-1, _CORNERS).astype(np.float64)
    return Suggestions(
        images=images,
        categories=places(piece["category"], known),
        boxes=boxes,
        scores=piece["score"].to_numpy().astype(np.float64),
        mask_iou=_mask_iou(piece["rle"], boxes, sizes[images]),
        shown=np.asarray(pc.equal(piece["outcome"], "object").to_numpy(), dtype=np.bool_),
        ids=piece["annotation_id"].combine_chunks(),
    )


def _mask_iou(rles: pa.ChunkedArray, boxes: Floats, sizes: Ints) -> Floats:
    result = np.full(len(boxes), np.nan)
    there = np.flatnonzero(pc.is_valid(rles).to_numpy())
    around = masks.bboxes(rles.take(pa.array(there)).to_pylist(), sizes[there])
    result[there] = paired_iou(around, boxes[there])
    return result
