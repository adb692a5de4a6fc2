"""One object of a label file as a row of the `annotations` table."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from curate.formats import frames
from curate.formats.frames import Frame
from curate.formats.image_match import KnownImage
from curate.formats.label_entries import EntryError
from curate.formats.record import LabeledObject, Size, polygon_json, rounded
from curate.records import Annotation, Box, Origin, derived_id

_TOLERANCE_PX = 1.0  # that a box may stick out of its image and be cut: rounding, off-by-one conventions


@dataclass(frozen=True, slots=True)
class How:
    """How labels become rows.

    Attributes:
        origin: model | human | gold.
        frame: On which pixels they were drawn.
        categories: Our name by any spelling that is known.
        annotator: Who drew them, where the file does not say it.
        model_version: Of suggestions.
    """

    origin: Origin
    frame: Frame
    categories: Mapping[str, str]
    annotator: str | None = None
    model_version: str | None = None


def row(
    one: LabeledObject, number: int, known: KnownImage, how: How, *, annotator: str | None
) -> tuple[Annotation, bool]:
    """The row; and whether its box was cut at the image's border, by a pixel at most.

    Args:
        one: In pixels of its frame.
        number: Of the object in its image: of two that are equal both stay.
        known: The image, of known size.
        how: Where it belongs.
        annotator: Who drew it; None for suggestions and gold.

    Raises:
        EntryError: With what is wrong.
        RecordError: A mask of another size, or damaged.
    """
    assert known.size is not None and known.stored is not None  # noqa: S101, PT018 - others are refused before
    if one.is_crowd:
        raise EntryError("crowd", "a crowd: no single object, which no answer can be compared with")
    category = how.categories.get(one.category)
    if category is None:
        raise EntryError("unknown_category", f"category {one.category!r} is not in the taxonomy")
    if how.frame == "stored":
        one = frames.upright(one, known.orientation, known.stored)
    one = replace(one, polygons=rounded(one.polygons))
    found = one.box()
    if found is None:
        raise EntryError("empty_box", "a mask without pixels")
    box, cut = _within(found, known.size)
    _check_outlines(one, known.size)
    rle = one.mask(known.size)
    corners = [f"{edge:.3f}" for edge in box]
    made = Annotation(
        annotation_id=derived_id(
            "import", how.origin, annotator or "", known.image_id, number, category, *corners, rle or ""
        ),
        image_id=known.image_id,
        origin=how.origin,
        category=category,
        bbox_xyxy=box,
        rle=rle,
        polygon=polygon_json(one.polygons),
        annotator_id=annotator,
        score=one.score,
        model_version=how.model_version,
    )
    return made, cut


def nearest(category: str, known: Mapping[str, str]) -> str:
    """Our name that is most like one that is not known; empty where none is."""
    plain = {name.casefold(): ours for name, ours in known.items()}
    near = difflib.get_close_matches(category.casefold(), plain, n=1, cutoff=0.5)
    return plain[near[0]] if near else ""


def _check_outlines(one: LabeledObject, size: Size) -> None:
    """Refuse an outline that leaves its image, as a box is refused: the box beside it says nothing of it."""
    for ring in (ring for rings in one.polygons for ring in rings):
        xs, ys = ring[::2], ring[1::2]
        edges = (min(xs), min(ys), max(xs), max(ys))
        if not math.isfinite(sum(ring)):
            raise EntryError("damaged", "an outline with a coordinate that is no finite number")
        over = max(-edges[0], -edges[1], edges[2] - size[0], edges[3] - size[1])
        if over > _TOLERANCE_PX:
            shown = ", ".join(f"{edge:g}" for edge in edges)
            raise EntryError(
                "box_outside", f"an outline ({shown}) that leaves the image of {size[0]} x {size[1]} pixels"
            )


def _within(box: Box, size: Size) -> tuple[Box, bool]:
    x1, y1, x2, y2 = box
    width, height = size
    over = max(-x1, -y1, x2 - width, y2 - height, 0.0)
    cut = (max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height)))
    if over > _TOLERANCE_PX or cut[2] <= cut[0] or cut[3] <= cut[1]:
        edges = ", ".join(f"{edge:g}" for edge in box)
        raise EntryError("box_outside", f"a box ({edges}) that leaves the image of {width} x {height} pixels")
    return cut, over > 0
