"""COCO's JSON of object detection.

A box is `[x, y, width, height]` on the continuous plane: the first pixel is [0, 0, 1, 1]. Outlines are lists
of rings, which have no holes, or run lengths, which hold every mask as it is. Written are the rings that
somebody drew where pycocotools fills them to the mask, else run lengths; a crowd is always run lengths.
Written: annotations/instances_<split>.json, images/<split>/.

Source:
    https://cocodataset.org/#format-data and pycocotools' maskApi.c.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from curate.formats import coco_objects
from curate.formats.coco_index import CocoIndex
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels
from curate.geometry import masks

_FIRST = 1  # numbers of images, annotations and categories begin here: 0 is often taken for "none"


def read(path: Path) -> Labels:
    """Open a COCO file.

    Objects may stand in any order; they are found again by their place in the file, so that memory does not
    grow with them.

    Raises:
        InputError: Missing, not JSON, or without the lists that make it COCO.
    """
    index = CocoIndex(path)
    labels = Labels("coco", path, tuple(dict.fromkeys(index.categories.values())), problems=index.problems)
    labels.images, labels.incomplete = _images(index), index.incomplete
    return labels


def _images(index: CocoIndex) -> Iterator[LabeledImage]:
    for image in index.images():
        objects = []
        for entry, line in index.annotations(image):
            found = taken(
                partial(coco_objects.parsed, entry, index.categories, image, line),
                index.problems,
                file=index.path,
                line=line,
                entry=coco_objects.name_of(entry),
                image=image.name,
            )
            objects += [found] if found is not None else []
        yield LabeledImage(
            name=image.name,
            objects=tuple(objects),
            width=image.width,
            height=image.height,
            image_id=str(image.number),
            license=index.licenses.get(image.license) if image.license is not None else None,
            attribution=image.attribution,
            labeled=index.labeled,
            file=index.path,
            line=image.line,
        )


@dataclass(slots=True)
class _Split:
    """The two lists of a file that is being written."""

    images: IO[str]
    annotations: IO[str]
    written: dict[str, int] = field(default_factory=lambda: {"images": 0, "annotations": 0})

    def add(self, which: str, entry: Mapping[str, Any]) -> None:
        file = self.images if which == "images" else self.annotations
        file.write(",\n" if self.written[which] else "")
        file.write(_dumps(entry))
        self.written[which] += 1


def _dumps(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


def write(
    folder: Path,
    images: Iterable[LabeledImage],
    about: About,
    files: ImageFiles,
    *,
    places: tuple[str, str] = ("images/{split}", "annotations/instances_{split}.json"),
) -> Losses:
    """Write a file per split, and the images.

    Args:
        folder: Empty.
        images: Of known size, in pixels.
        about: The data set.
        files: Takes the image files.
        places: Folder of a split's images, and its file.
    """
    losses = Losses(
        "mask",
        "polygon",
        "crowd",
        "score",
        "support",
        "object_id",
        "attributes",
        "image_attributes",
        "license",
        "attribution",
        "tags",
        "review",
        "split",
        "empty",
    )
    numbers = {name: number for number, name in enumerate(about.categories, _FIRST)}
    splits: dict[str, _Split] = {}
    licenses: dict[str, int] = {}
    object_number = _FIRST
    with ExitStack() as stack:
        for number, image in enumerate(images, _FIRST):
            losses.look(image)
            name = image.split or "all"
            if name not in splits:
                parts = [stack.enter_context(_part(folder, name, which)) for which in "ia"]
                splits[name] = _Split(parts[0], parts[1])
            file_name = files.place(image, places[0].format(split=name))
            splits[name].add("images", _image_entry(image, number, file_name, licenses))
            for drawn in image.objects:
                identity = (object_number, number, numbers[drawn.category])
                entry = _annotation_entry(drawn, image, identity, losses)
                splits[name].add("annotations", entry)
                object_number += 1
        for name, split in splits.items():
            _join(folder / places[1].format(split=name), split, about, licenses)
    for name in splits:
        for which in "ia":
            _part_path(folder, name, which).unlink()
    return losses


def _part_path(folder: Path, split: str, which: str) -> Path:
    return folder / f".{split}.{which}.partial"


def _part(folder: Path, split: str, which: str) -> IO[str]:
    return _part_path(folder, split, which).open("w+", encoding="utf-8")


def _join(path: Path, split: _Split, about: About, licenses: Mapping[str, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {
        "info": {
            "description": about.name,
            "version": about.version,
            "license": about.license,
            "digest": about.digest,
        },
        "licenses": [{"id": number, "name": name, "url": ""} for name, number in licenses.items()],
        "categories": [
            {"id": number, "name": name, "supercategory": ""}
            for number, name in enumerate(about.categories, _FIRST)
        ],
    }
    with path.open("w", encoding="utf-8") as file:
        file.write(_dumps(head)[:-1])
        for key, part in (("images", split.images), ("annotations", split.annotations)):
            file.write(f',\n"{key}":[\n')
            part.seek(0)
            shutil.copyfileobj(part, file, 1 << 20)
            file.write("\n]")
        file.write("}\n")


def _image_entry(
    image: LabeledImage, number: int, file_name: str, licenses: dict[str, int]
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": number,
        "file_name": file_name,
        "width": image.width,
        "height": image.height,
    }
    if image.license is not None:
        entry["license"] = licenses.setdefault(image.license, len(licenses) + _FIRST)
    more: dict[str, Any] = {
        "attribution": image.attribution,
        "confidence": image.confidence,
        "review": image.review,
    }
    more |= {"tags": list(image.tags) or None, "attributes": dict(image.attributes) or None}
    return {**entry, **{key: value for key, value in more.items() if value is not None}}


def _annotation_entry(
    one: LabeledObject, image: LabeledImage, numbers: tuple[int, int, int], losses: Losses
) -> dict[str, Any]:
    """`numbers`: of the annotation, its image and its category."""
    size = image.size
    assert size is not None  # noqa: S101 - writers get images of known size
    x1, y1, x2, y2 = one.box() or (0.0, 0.0, 0.0, 0.0)
    rle = one.mask(size)
    (area,) = masks.areas([rle], width=size[0], height=size[1]) if rle else [(x2 - x1) * (y2 - y1)]
    rings = () if one.is_crowd else one.rings(size)
    losses.outline(one, written=bool(rings))
    entry: dict[str, Any] = {
        **dict(zip(("id", "image_id", "category_id"), numbers, strict=True)),
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": area,
        "iscrowd": int(one.is_crowd),
        "segmentation": [list(ring) for ring in rings],
    }
    if rle is not None and not rings:
        entry["segmentation"] = {"size": [size[1], size[0]], "counts": rle}
    more: dict[str, Any] = {"score": one.score, "object_id": one.object_id, "confidence": one.confidence}
    more |= {"made_from": list(one.made_from) or None, "attributes": dict(one.attributes) or None}
    return {**entry, **{key: value for key, value in more.items() if value is not None}}
