"""The objects of an image as a row of the release holds them."""

from __future__ import annotations

import json
from typing import Any

from curate.errors import RecordError, ReleaseError
from curate.geometry import boxes, masks
from curate.release import object_support
from curate.release.release_content import Content

_AS_THEY_ARE = ("model_version", "votes", "confidence")


def of_image(content: Content, index: int) -> dict[str, list[Any]]:
    """One list per field of `columns.of_objects`, in the order of the content.

    Raises:
        ReleaseError: A mask or an outline is damaged.
    """
    start, stop = content.offsets[index], content.offsets[index + 1]
    rows = content.objects.slice(start, stop - start).to_pydict()
    width, height = (content.images.column(name)[index].as_py() for name in ("width", "height"))
    corners = boxes.as_boxes(rows["bbox_xyxy"])
    areas = boxes.area(corners).tolist()
    for row, rle in enumerate(rows["rle"]):
        if rle is not None:
            areas[row] = _mask_area(rows["annotation_id"][row], rle, width, height)
    return {
        "id": rows["annotation_id"],
        "bbox": boxes.xyxy_to_xywh(corners).tolist(),
        "category": [content.categories.index(name) for name in rows["category"]],
        "category_name": rows["category"],
        "area": areas,
        "iscrowd": [int(outcome == "disputed") for outcome in rows["outcome"]],
        "segmentation": [
            None if rle is None else {"size": [height, width], "counts": rle} for rle in rows["rle"]
        ],
        "polygon": [_rings(*pair) for pair in zip(rows["annotation_id"], rows["polygon"], strict=True)],
        "origin": [
            "model" if version is not None else origin
            for origin, version in zip(rows["origin"], rows["model_version"], strict=True)
        ],
        "n_annotators": rows["annotators"],
        "agreement": [
            votes / people if votes is not None and people else None
            for votes, people in zip(rows["votes"], rows["annotators"], strict=True)
        ],
        "made_from": [made or [] for made in rows["made_from"]],
        "attributes": [
            object_support.records(*pair)
            for pair in zip(rows["attributes"], rows["attributes_confidence"], strict=True)
        ],
        **{name: rows[name] for name in _AS_THEY_ARE},
    }


def _rings(annotation_id: str, polygon: str | None) -> list[list[float]] | None:
    try:
        return None if polygon is None else [[float(value) for value in ring] for ring in json.loads(polygon)]
    except (ValueError, TypeError) as error:
        raise ReleaseError(
            f"annotation {annotation_id} of the consensus: its outline is damaged: {error}"
        ) from error


def _mask_area(annotation_id: str, rle: str, width: int, height: int) -> int:
    try:
        return masks.area(rle, width=width, height=height)
    except RecordError as error:
        raise ReleaseError(f"annotation {annotation_id} of the consensus: {error}: run pull again") from error
