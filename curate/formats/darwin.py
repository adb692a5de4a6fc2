"""V7's Darwin JSON 2.0, one file per image: annotations/, images/.

A box is a corner and a size in pixels on the continuous plane; a polygon is a list of closed paths, of which
one within another is a hole (even-odd). Outlines are written as drawn, other masks as paths along the
edges of their pixels.

Source:
    https://docs.v7labs.com/reference/darwin-json
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from curate.errors import InputError
from curate.formats import json_stream, split_names
from curate.formats.dataset_info import About, json_files
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, box_xywh, entries, not_read, ring, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem
from curate.geometry import outlines
from curate.records import derived_id

_BESIDE = ("attributes", "directional_vector", "inference", "instance_id", "text")
_SHAPES = frozenset(
    {"cuboid", "ellipse", "graph", "keypoint", "line", "mask", "raster_layer", "skeleton", "table"}
)


def read(path: Path) -> Labels:
    """Open a folder of Darwin files, in it or below, or one of them.

    Raises:
        InputError: There is none.
    """
    files = [path] if path.is_file() else list(json_files(path))
    if not files:
        raise InputError(f"{path} holds no .json file of Darwin")
    labels = Labels("darwin", path, ())
    labels.images = _images(path, files, labels.problems)
    return labels


def _images(root: Path, files: Iterable[Path], problems: list[Problem]) -> Iterator[LabeledImage]:
    beside: Counter[str] = Counter()
    for file in files:
        image = taken(partial(_image, file, problems, beside), problems, file=file)
        if image is not None:
            yield image
    problems += not_read(root, beside)


def _image(file: Path, problems: list[Problem], beside: Counter[str]) -> LabeledImage:
    try:
        content = json_stream.whole(file)
    except InputError as error:
        raise EntryError("damaged", str(error)) from error
    item = content["item"]
    slot = item["slots"][0]
    folder = item.get("path", "/").strip("/")
    name = f"{folder}/{item['name']}" if folder else item["name"]
    objects: list[LabeledObject] = []
    tags: list[str] = []
    for number, one in enumerate(entries(content["annotations"]), 1):
        if _of_other_slots(one, item["slots"]):
            beside["annotations of other images of an item"] += 1
            continue
        beside.update(f"annotations' {key}" for key in _BESIDE if one.get(key))
        if "tag" in one:
            tags.append(one["name"])
            continue
        entry = f"annotation {number}"
        found = taken(partial(_object, one, entry), problems, file=file, entry=entry, image=name)
        objects += [found] if found is not None else []
    place = file.parent.parent / "images" / item["name"]
    return LabeledImage(
        name=name,
        objects=tuple(objects),
        width=slot.get("width"),
        height=slot.get("height"),
        split=split_names.of_folders(name),
        tags=tuple(tags),
        file=file,
        path=place if place.is_file() else None,
    )


def _of_other_slots(one: Mapping[str, Any], slots: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an annotation is on other images of its item than the first, which alone is read.

    Raises:
        EntryError: On images that the item does not have.
    """
    first, *others = (slot.get("slot_name") for slot in slots)
    named = one.get("slot_names") or [first]
    if not others or first in named:
        return False
    if not all(name in others for name in named):
        raise EntryError("damaged", f"an annotation of {named}, which are none of the item's slots")
    return True


def _object(one: Mapping[str, Any], entry: str) -> LabeledObject:
    sides = one.get("bounding_box")
    corners = box_xywh(sides["x"], sides["y"], sides["w"], sides["h"]) if sides else None
    made = partial(LabeledObject, one["name"], corners, object_id=one.get("id"), entry=entry)
    if "polygon" in one:
        paths = one["polygon"].get("paths") or [one["polygon"]["path"]]
        return made(polygons=outlines.nested([ring(_flat(path)) for path in paths]))
    others = sorted(_SHAPES & one.keys())
    if corners is None or others:
        known = {"id", "name", "slot_names", "properties", "bounding_box"}
        kind = next((key for key in (*others, *one) if key not in known), "nothing")
        raise EntryError("unsupported_shape", f"a {kind}, which no room carries yet")
    return made()


def _flat(path: Sequence[Mapping[str, float]]) -> list[float]:
    return [value for point in path for value in (point["x"], point["y"])]


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a JSON file per image; its split is the folder that Darwin shows it in."""
    losses = Losses("mask", "polygon", "split", "empty", "tags", "object_id")
    (folder / "annotations").mkdir()
    for image in images:
        losses.look(image)
        name = files.place(image, "images")
        text = json.dumps(_written(image, name, about, losses), ensure_ascii=False, indent=1)
        (folder / "annotations" / name).with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return losses


def _written(image: LabeledImage, name: str, about: About, losses: Losses) -> dict[str, Any]:
    assert image.size is not None  # noqa: S101 - writers get images of known size
    annotations: list[dict[str, Any]] = []
    for number, one in enumerate(image.objects):
        x1, y1, x2, y2 = one.box() or (0.0, 0.0, 0.0, 0.0)
        polygons = one.outline(image.size)
        losses.outline(one, written=polygons == one.polygons)
        paths = [
            [{"x": x, "y": y} for x, y in zip(path[::2], path[1::2], strict=True)]
            for rings in polygons
            for path in rings
        ]
        annotations.append(
            {
                "id": one.object_id or derived_id("darwin", name, number),
                "name": one.category,
                "slot_names": ["0"],
                "bounding_box": {"x": x1, "y": y1, "w": x2 - x1, "h": y2 - y1},
                **({"polygon": {"paths": paths}} if paths else {}),
            }
        )
    annotations += [
        {"id": derived_id("darwin", name, tag), "name": tag, "slot_names": ["0"], "tag": {}}
        for tag in image.tags
    ]
    slot = {
        "type": "image",
        "slot_name": "0",
        "width": image.width,
        "height": image.height,
        "source_files": [{"file_name": name}],
    }
    item = {"name": name, "path": f"/{image.split or ''}", "slots": [slot]}
    return {
        "version": "2.0",
        "schema_ref": "https://darwin-public.s3.eu-west-1.amazonaws.com/darwin_json/2.0/schema.json",
        "item": {**item, "source_info": {"dataset": {"name": about.name}}},
        "annotations": annotations,
    }
