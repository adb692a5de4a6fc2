"""One annotation of a COCO file as an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from curate.formats.coco_index import CocoImage
from curate.formats.label_entries import EntryError, box_xywh, ring
from curate.formats.record import LabeledObject, Polygon, Size
from curate.geometry import masks


def name_of(entry: Mapping[str, Any]) -> str:
    """How a person finds the annotation."""
    return f"annotation {entry.get('id', '?')}"


def parsed(
    entry: Mapping[str, Any], categories: Mapping[int | str, str], image: CocoImage, line: int
) -> LabeledObject:
    """Parse an annotation into an object.

    Raises:
        EntryError: With what is wrong.
        RecordError: The counts of its mask are damaged.
    """
    number = entry.get("category_id")
    category = categories.get(number) if isinstance(number, (int, str)) else None
    if category is None:
        raise EntryError("unknown_category", f"category_id {number!r} is none of the file's categories")
    polygons, rle, size = outline(entry.get("segmentation"), (image.width, image.height))
    corners = entry.get("bbox")
    box = box_xywh(*corners) if corners else None
    if box is None and not polygons and rle is None:
        raise EntryError("damaged", "neither bbox nor segmentation")
    score, identity = entry.get("score"), entry.get("object_id", entry.get("id"))
    return LabeledObject(
        category=category,
        bbox_xyxy=box,
        polygons=polygons,
        rle=rle,
        rle_size=size,
        is_crowd=bool(entry.get("iscrowd")),
        score=float(score) if isinstance(score, (int, float)) and 0 <= score <= 1 else None,
        object_id=None if identity is None else str(identity),
        attributes=_attributes(entry.get("attributes")),
        entry=name_of(entry),
        line=line,
    )


def _attributes(given: Any) -> dict[str, str]:
    """What is said beside; a flag that is not set says nothing."""
    if not isinstance(given, Mapping):
        return {}
    return {str(key): str(value) for key, value in given.items() if value not in (None, False, "")}


def outline(
    segmentation: Any, image: tuple[int | None, int | None], *, verified: bool = False
) -> tuple[tuple[Polygon, ...], str | None, Size | None]:
    """Polygons, or run lengths with their size.

    Args:
        segmentation: As the file has it.
        image: Width and height, where they are known.
        verified: The file is what we wrote: compressed counts are taken as they are.

    Raises:
        EntryError: Of another form, or a mask of another size.
        RecordError: Counts are damaged.
    """
    if not segmentation:
        return (), None, None
    if isinstance(segmentation, Mapping):
        size = (int(segmentation["size"][1]), int(segmentation["size"][0]))
        if None not in image and size != image:
            raise EntryError(
                "mask_size", f"a mask of {size[0]} x {size[1]} in an image of {image[0]} x {image[1]}"
            )
        counts = segmentation["counts"]
        return (), counts if verified else _runs(counts, size), size
    return tuple((ring(one),) for one in segmentation), None, None


def _runs(counts: str | list[int], size: Size) -> str | None:
    width, height = size
    runs = masks.run_lengths(counts) if isinstance(counts, str) else np.array(counts, dtype=np.int64)
    if runs.ndim != 1 or not runs.size or (runs < 0).any() or int(runs.sum()) != width * height:
        raise EntryError("damaged", f"a mask whose runs are not the {width} x {height} pixels of its image")
    return counts if isinstance(counts, str) else masks.from_run_lengths(runs, width=width, height=height)
