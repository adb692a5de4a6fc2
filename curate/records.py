"""The records that rooms hand to each other: frozen, slotted, self-checking.

Hot paths use columns (Arrow, NumPy) instead; these are for the edges.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from curate.errors import RecordError

UInt8Image = NDArray[np.uint8]  # (H, W, 3) upright RGB
FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in upright pixels

Origin = Literal["model", "human", "consensus", "gold"]
Outcome = Literal["object", "empty", "skipped", "unreadable", "rejected", "failed", "disputed"]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One distinct image; the row of the `images` table. Columns are described in `curate.schema`."""

    image_id: str
    sources: tuple[str, ...]
    bytes: int
    path: str | None = None
    upright_sha256: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    exif_orientation: int | None = None
    captured_at: str | None = None
    license: str | None = None
    attribution: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    brightness: float | None = None
    contrast: float | None = None
    sharpness: float | None = None
    quality: tuple[tuple[str, float], ...] = ()
    phash: int | None = None
    dup_group: str | None = None
    duplicate_of: str | None = None
    dup_hamming: int | None = None
    dup_correlation: float | None = None
    dup_relation: str | None = None
    variant_of: str | None = None
    drop_reason: str | None = None
    drop_detail: str | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        if len(self.image_id) != 64:
            raise RecordError(f"expected image_id of 64 hex digits, got {self.image_id!r}")
        if not self.sources and self.drop_reason != "removed":  # its last file is gone; the row stays
            raise RecordError(f"image {self.image_id[:12]} has no source")
        if self.drop_reason is None and (self.path is None or not self.width or not self.height):
            raise RecordError(f"kept image {self.image_id[:12]} needs path, width and height")
        if self.duplicate_of is not None and self.drop_reason is None:
            raise RecordError(f"image {self.image_id[:12]} is a duplicate but has no drop_reason")

    def row(self) -> dict[str, Any]:
        """The record as a row of the `images` table."""
        cells = {name: _cell(getattr(self, name)) for name in self.__slots__}
        return {**cells, "quality": dict(self.quality) or None}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object that a model, a person or the consensus sees in an image; a row of `annotations`.

    An annotator who looked and found nothing has one row with outcome "empty" and no box; one whose answer
    cannot be read has one of outcome "unreadable", which says nothing about the image. A model's box that
    is no suggestion has a row with outcome "rejected" where rejects are kept. An image that a model could not
    look at has one row with outcome "failed" and no box. An object of the consensus on which people do not
    agree is "disputed". `attributes` are what was chosen of the object, by question.
    """

    annotation_id: str
    image_id: str
    origin: Origin
    category: str | None = None
    bbox_xyxy: Box | None = None
    rle: str | None = None
    annotator_id: str | None = None
    score: float | None = None
    prompt: str | None = None
    model_version: str | None = None
    parent_id: str | None = None
    task_id: str | None = None
    lead_time_s: float | None = None
    created_at: str | None = None
    outcome: Outcome = "object"
    reject_reason: str | None = None
    taxonomy_digest: str | None = None
    polygon: str | None = None
    updated_at: str | None = None
    guideline_digest: str | None = None
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        if (self.reject_reason is None) == (self.outcome in ("rejected", "failed", "disputed")):
            raise RecordError(
                f"annotation {self.annotation_id} is {self.outcome} with reject_reason {self.reject_reason!r}"
            )
        if self.outcome in ("object", "rejected", "disputed"):
            if self.category is None or self.bbox_xyxy is None:
                raise RecordError(f"annotation {self.annotation_id} needs a category and a box")
            x1, y1, x2, y2 = self.bbox_xyxy
            if not all(math.isfinite(value) for value in self.bbox_xyxy) or x2 <= x1 or y2 <= y1:
                raise RecordError(
                    f"annotation {self.annotation_id}: expected x1 < x2 and y1 < y2, got {self.bbox_xyxy}"
                )
        elif self.bbox_xyxy is not None:
            raise RecordError(f"annotation {self.annotation_id} is {self.outcome} but has a box")
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise RecordError(f"annotation {self.annotation_id}: expected score in [0, 1], got {self.score}")

    def row(self) -> dict[str, Any]:
        """The record as a row of the `annotations` table."""
        return {name: _cell(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Annotation:
        """The record of a row that `tables.read(...).to_pylist()` gave."""
        box = row["bbox_xyxy"]
        values = {name: row[name] for name in cls.__slots__}
        attributes = tuple((name, tuple(chosen)) for name, chosen in row["attributes"] or ())
        return cls(
            **{**values, "bbox_xyxy": tuple(box) if box is not None else None, "attributes": attributes}
        )


def derived_id(*parts: str | int | float) -> str:
    """A deterministic id of 24 hex digits from the parts that make a thing what it is."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:24]


_UNSET = np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Detections:
    """What a detector found in one image.

    Attributes:
        boxes: (N, 4) float32 xyxy, upright pixels.
        scores: (N,) float32 in [0, 1].
        categories: N category names.
        prompts: N prompts, the phrase that each box was found by.
        queries: (N,) integers: rows of one number are one box, told for several prompts. By default each row
            is a box of its own.
    """

    boxes: FloatArray
    scores: FloatArray
    categories: tuple[str, ...]
    prompts: tuple[str, ...]
    queries: NDArray[np.intp] = field(default_factory=lambda: _UNSET)

    def __post_init__(self) -> None:
        n = len(self.categories)
        if self.queries is _UNSET:
            object.__setattr__(self, "queries", np.arange(n))
        if self.queries.shape != (n,):
            raise RecordError(f"expected queries ({n},), got {self.queries.shape}")
        if self.boxes.shape != (n, 4):
            raise RecordError(f"expected boxes ({n}, 4), got {self.boxes.shape}")
        if self.scores.shape != (n,):
            raise RecordError(f"expected scores ({n},), got {self.scores.shape}")
        if len(self.prompts) != n:
            raise RecordError(f"expected {n} prompts, got {len(self.prompts)}")

    def take(self, indices: NDArray[np.intp]) -> Detections:
        """The detections at `indices`, in that order."""
        return Detections(
            self.boxes[indices],
            self.scores[indices],
            tuple(self.categories[i] for i in indices),
            tuple(self.prompts[i] for i in indices),
            self.queries[indices],
        )


@dataclass(frozen=True, slots=True)
class Category:
    """One category of taxonomy.yaml.

    Attributes:
        name: Stable name, used in every table.
        category_id: Stable number; the order of class labels in the release.
        prompts: Phrases the detector is asked for.
        threshold: Least score in [0, 1] that becomes a pre-annotation.
        color: "#rrggbb", the same in every view.
        description: For the labelers and the card.
        parent: Name of the wider category; None at the top.
        title: What people read beside the name, in any script; empty where the name says enough.
    """

    name: str
    category_id: int
    prompts: tuple[str, ...]
    threshold: float
    color: str
    description: str = ""
    parent: str | None = None
    title: str = ""

    @property
    def meaning(self) -> str:
        """Title and description in one text, for people."""
        return ": ".join(part for part in (self.title, self.description) if part)


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a stage did: the one line it ends with, and its metrics file.

    Attributes:
        stage: Name as in dvc.yaml.
        counts: Name and number pairs, in the order of the closing line.
        metrics: Further figures for metrics/<stage>.json; nested mappings of numbers and short strings.
        this_run: Numbers for the closing line only: another run on the same input has others.
    """

    stage: str
    counts: tuple[tuple[str, int], ...]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    this_run: tuple[tuple[str, int], ...] = ()

    def line(self) -> str:
        """The closing line, such as "dedupe: 240 images, 201 kept, 39 dropped"."""
        return f"{self.stage}: " + ", ".join(
            f"{number:,} {name}" for name, number in (*self.counts, *self.this_run)
        )


def _cell(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
