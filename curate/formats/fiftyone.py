"""FiftyOne's export of a data set (FiftyOneDataset): samples.json; read only, without FiftyOne.

One field of detections or polylines is read: people's (`ground_truth`) and a model's (`predictions`) never
together. Boxes are shares of width and height, a mask is an array of its box. What was exported in another
way, FiftyOne itself exports as COCO.

Source:
    fiftyone.utils.data.importers.FiftyOneDatasetImporter, fiftyone.core.utils.deserialize_numpy_array.
"""

from __future__ import annotations

import base64
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from curate.errors import InputError
from curate.formats import json_stream
from curate.formats.label_entries import EntryError, box_xywh, entries, not_read, ring, taken
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem, Size
from curate.geometry import masks
from curate.images.pixel_limit import open_any_size

_FIELDS = {"Detections": "detections", "Polylines": "polylines"}
_OTHERS = frozenset(
    {"Classifications", "Detection", "Polyline", "Keypoint", "Keypoints", "Segmentation", "Heatmap",
     "Regression", "TemporalDetection", "TemporalDetections"}
)  # fmt: skip
_PEOPLE, _MODEL = "ground_truth", "predictions"
_KNOWN = frozenset(
    {"label", "bounding_box", "mask", "mask_path", "confidence", "index", "tags", "id", "attributes",
     "points", "closed", "filled", "iscrowd"}
)  # fmt: skip


def read(path: Path, *, field: str | None = None, suggestions: bool = False) -> Labels:
    """Open the folder of an export, or its samples.json.

    Args:
        path: The folder or file.
        field: Which labels to read; None = `predictions` for suggestions, else `ground_truth`, else the only
            field that there is.
        suggestions: They are a model's.

    Raises:
        InputError: No such file or field; or several fields, and none of them says that it is meant; or the
            only one looks like a model's where people's labels are wanted.
    """
    file = path / "samples.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{path} holds no samples.json of FiftyOne")
    labels = Labels("fiftyone", path, ())
    chosen = _chosen(file, field, suggestions=suggestions)
    labels.images = _images(file, chosen, labels.problems)
    return labels


def _chosen(file: Path, field: str | None, *, suggestions: bool) -> str | None:
    """The field to read; None where no sample has any."""
    fields = fields_of(file)
    known = ", ".join(fields)
    if field is not None:
        if field not in fields:
            raise InputError(f"{file} has no detections or polylines in a field {field!r}: it has {known}")
        return field
    usual = _MODEL if suggestions else _PEOPLE
    if usual in fields or not fields:
        return usual if fields else None
    if len(fields) > 1:
        raise InputError(
            f"{file} has labels in the fields {known}: say which with --field, or export one of them alone"
        )
    if not suggestions and (_MODEL in fields or fields[known]):
        raise InputError(
            f"{file}: the labels in {known} look like a model's: import them as suggestions, or say --field "
            f"{known} if people made them"
        )
    return known


def fields_of(path: Path) -> dict[str, bool]:
    """Fields of detections or polylines, and whether some label in them has a confidence."""
    file = path / "samples.json" if path.is_dir() else path
    found: dict[str, bool] = {}
    for entry in json_stream.entries(file, frozenset({"samples"})):
        if entry.key != "samples" or not isinstance(entry.value, Mapping):
            continue
        for name, value in entry.value.items():
            kind = value.get("_cls") if isinstance(value, Mapping) else None
            if kind in _FIELDS:
                drawn = value.get(_FIELDS[kind]) or ()
                sure = any(isinstance(one, Mapping) and one.get("confidence") is not None for one in drawn)
                found[name] = found.get(name, False) or sure
    return found


def _images(file: Path, chosen: str | None, problems: list[Problem]) -> Iterator[LabeledImage]:
    beside: Counter[str] = Counter()
    for entry in json_stream.entries(file, frozenset({"samples"})):
        if entry.key == "samples":
            image = taken(
                partial(_image, entry.value, chosen, file, entry.line, problems=problems, beside=beside),
                problems,
                file=file,
                line=entry.line,
                entry="a sample",
            )
            if image is not None:
                yield image
    problems += not_read(file, beside)


def _image(
    sample: Mapping[str, Any],
    chosen: str | None,
    file: Path,
    line: int,
    *,
    problems: list[Problem],
    beside: Counter[str],
) -> LabeledImage:
    name = str(sample["filepath"]).removeprefix("data/")
    place = file.parent / str(sample["filepath"])
    size = taken(
        partial(_size, sample.get("metadata") or {}, place), problems, file=file, line=line, image=name
    )
    objects: list[LabeledObject] = []
    tags: list[str] = list(sample.get("tags") or [])
    labeled = False
    for field, value in sample.items():
        kind = value.get("_cls") if isinstance(value, Mapping) else None
        if kind == "Classification":
            tags.append(str(value["label"]))
        if field != chosen or kind not in _FIELDS:
            beside[f"samples' labels in the field {field!r}"] += kind in _FIELDS or kind in _OTHERS
            continue
        labeled = True
        for number, one in enumerate(entries(value[_FIELDS[kind]]), 1):
            where = f"{field} {number}"
            found = taken(
                partial(_object, one, kind, size, where, line),
                problems,
                file=file,
                line=line,
                entry=where,
                image=name,
            )
            objects += [found] if found is not None else []
    return LabeledImage(
        name=name,
        objects=tuple(objects),
        width=size[0] if size else None,
        height=size[1] if size else None,
        relative=True,
        tags=tuple(tags),
        labeled=labeled,
        file=file,
        line=line,
        path=place if place.is_file() else None,
    )


def _size(metadata: Mapping[str, Any], path: Path) -> Size | None:
    width, height = metadata.get("width"), metadata.get("height")
    if width and height:
        return int(width), int(height)
    if not path.is_file():
        return None
    with open_any_size(path) as picture:
        return picture.size


def _object(one: Mapping[str, Any], kind: str, size: Size | None, entry: str, line: int) -> LabeledObject:
    confidence = one.get("confidence")
    made = partial(
        LabeledObject,
        one["label"],
        score=confidence,
        is_crowd=bool(one.get("iscrowd")),
        attributes={
            key: str(value)
            for key, value in one.items()
            if key not in _KNOWN and key[0] != "_" and value not in (None, False, "")
        },
        entry=entry,
        line=line,
    )
    if kind == "Polylines":
        if not one.get("closed"):
            raise EntryError("unsupported_shape", "an open line, which no room carries yet")
        rings = [ring([value for point in points for value in point]) for points in one["points"]]
        return made(polygons=tuple((points,) for points in rings))
    corners = box_xywh(*one["bounding_box"])
    if one.get("mask_path"):
        raise EntryError("damaged", "its mask lies in a file of its own, which is not read: export it within")
    if not one.get("mask"):
        return made(corners)
    if size is None:
        raise EntryError("damaged", "a mask in an image of unknown size")
    return made(corners, rle=_mask(one["mask"], corners, size), rle_size=size)


def _mask(text: Any, corners: tuple[float, float, float, float], size: Size) -> str:
    """The array of a box, laid over the whole image: from the box's first pixel, stretched if need be."""
    encoded = text["$binary"] if isinstance(text, Mapping) else text
    encoded = encoded["base64"] if isinstance(encoded, Mapping) else encoded
    crop = np.load(io.BytesIO(zlib.decompress(base64.b64decode(encoded))), allow_pickle=False).astype(bool)
    width, height = size
    left, top = round(corners[0] * width), round(corners[1] * height)
    across = min(max(1, round((corners[2] - corners[0]) * width)), width - left)
    down = min(max(1, round((corners[3] - corners[1]) * height)), height - top)
    if crop.shape != (down, across):
        picture = Image.fromarray(crop.astype(np.uint8)).resize((across, down), Image.Resampling.NEAREST)
        crop = np.asarray(picture) > 0
    plane = np.zeros((height, width), dtype=bool)
    plane[top : top + down, left : left + across] = crop
    return masks.encode(plane)
