"""Datumaro's own JSON: annotations/<subset>.json, images/<subset>/.

A box is `[x, y, width, height]` on the continuous plane, a mask COCO's compressed counts, a polygon one ring.
An object with a box and a mask, or a box and the rings that somebody drew, is several annotations of a group.

Source:
    https://open-edge-platform.github.io/datumaro/latest/docs/data-formats/formats/datumaro.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from curate.errors import InputError
from curate.formats import json_stream
from curate.formats.coco_objects import outline
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, box_xywh, class_name, entries, ring, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem, Size

_FACTS = ("is_crowd", "score", "object_id")  # attributes that have a place of their own


def read(path: Path) -> Labels:
    """Open a data set by its folder, or one of its files.

    Raises:
        InputError: No annotations/*.json, or a file without categories.
    """
    files = [path] if path.is_file() else sorted((path / "annotations").glob("*.json"))
    if not files:
        raise InputError(f"{path} holds no annotations/*.json of Datumaro")
    names = {file: _names(file) for file in files}
    known = dict.fromkeys(name for found in names.values() for name in found)
    labels = Labels("datumaro", path, tuple(known))
    labels.images = _images(names, labels.problems)
    return labels


def _names(file: Path) -> list[str]:
    for entry in json_stream.entries(file, frozenset({"items"})):
        if entry.key == "categories":
            try:
                return [str(label["name"]) for label in entry.value["label"]["labels"]]
            except (KeyError, TypeError) as error:
                raise InputError(f"{file}:{entry.line} lists no categories") from error
        if entry.key == "items":
            break
    raise InputError(f"{file} is not Datumaro's: no categories before its items")


def _images(files: Mapping[Path, list[str]], problems: list[Problem]) -> Iterator[LabeledImage]:
    for file, names in files.items():
        for entry in json_stream.entries(file, frozenset({"items"})):
            if entry.key == "items":
                image = taken(
                    partial(_image, entry.value, names, file, entry.line, problems=problems),
                    problems,
                    file=file,
                    line=entry.line,
                    entry="an item",
                )
                if image is not None:
                    yield image


def _image(
    item: Mapping[str, Any], names: Sequence[str], file: Path, line: int, *, problems: list[Problem]
) -> LabeledImage:
    described = item.get("image") or {}
    name = described.get("path") or str(item["id"])
    height, width = described.get("size") or (None, None)
    groups: dict[tuple[int, str], list[LabeledObject]] = {}
    tags: list[str] = []
    labeled = item.get("annotations") is not None
    told = partial(taken, problems=problems, file=file, line=line, image=name)
    for number, one in enumerate(entries(item["annotations"]) if labeled else ()):
        entry = f"annotation {one.get('id', number)}"
        if one.get("type") == "label":
            tag = told(partial(class_name, one.get("label_id"), names), entry=entry)
            tags += [tag] if tag is not None else []
            continue
        found = told(partial(_object, one, names, (width, height), line), entry=entry)
        if found is not None:
            groups.setdefault((one.get("group") or -number - 1, found.category), []).append(found)
    objects: list[LabeledObject] = []
    for (group, _), members in groups.items():
        objects += told(partial(_of_group, members), entry=f"group {group}") or []
    beside = file.parent.parent / "images" / file.stem / name
    return LabeledImage(
        name=name,
        objects=tuple(objects),
        width=width,
        height=height,
        image_id=str(item["id"]),
        split=file.stem if file.stem != "default" else None,
        tags=tuple(tags),
        license=(item.get("attr") or {}).get("license"),
        attribution=(item.get("attr") or {}).get("attribution"),
        labeled=labeled,
        file=file,
        line=line,
        path=beside if beside.is_file() else None,
    )


def _of_group(members: Sequence[LabeledObject]) -> list[LabeledObject]:
    """The objects that the annotations of one label and group are.

    A box, its outlines and its mask are one object. Boxes alone or masks alone, which Datumaro groups where
    they belong together like the wheels of a car, are an object each.

    Raises:
        EntryError: Several boxes or masks with something else, and nothing says which belong together.
    """
    boxes = [one for one in members if one.bbox_xyxy is not None]
    drawn = [one for one in members if one.rle is not None]
    if len(members) in (1, len(boxes), len(drawn)):
        return list(members)
    if len(boxes) > 1 or len(drawn) > 1:
        raise EntryError(
            "damaged",
            f"a group of {len(boxes)} boxes and {len(members) - len(boxes)} outlines or masks of one label: "
            "nothing says which belong together",
        )
    whole = members[0]
    for other in members[1:]:
        whole = replace(
            whole,
            bbox_xyxy=whole.bbox_xyxy or other.bbox_xyxy,
            polygons=whole.polygons + other.polygons,
            rle=whole.rle or other.rle,
            rle_size=whole.rle_size or other.rle_size,
            is_crowd=whole.is_crowd or other.is_crowd,
            attributes={**whole.attributes, **other.attributes},
        )
    return [whole]


def _object(
    one: Mapping[str, Any], names: Sequence[str], size: tuple[int | None, int | None], line: int
) -> LabeledObject:
    attributes = one.get("attributes") or {}
    made = partial(
        LabeledObject,
        class_name(one.get("label_id"), names),
        is_crowd=bool(attributes.get("is_crowd")),
        score=attributes.get("score"),
        object_id=attributes.get("object_id"),
        attributes={
            key: str(value)
            for key, value in attributes.items()
            if key not in _FACTS and value not in (None, False, "")
        },
        entry=f"annotation {one.get('id', '?')}",
        line=line,
    )
    kind = one.get("type")
    if kind == "bbox":
        return made(box_xywh(*one["bbox"]))
    if kind == "polygon":
        return made(polygons=((ring(one["points"]),),))
    if kind == "mask":
        _, rle, rle_size = outline(one["rle"], size)
        return made(rle=rle, rle_size=rle_size)
    raise EntryError("unsupported_shape", f"a {kind}, which no room carries yet")


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a file per split."""
    losses = Losses(
        "mask", "polygon", "crowd", "score", "object_id", "license", "attribution", "split", "empty"
    )
    numbers = {name: number for number, name in enumerate(about.categories)}
    labels = [{"name": name, "parent": "", "attributes": []} for name in about.categories]
    head = {"info": {}, "categories": {"label": {"labels": labels, "attributes": []}}}
    opened: dict[str, IO[str]] = {}
    (folder / "annotations").mkdir()
    with ExitStack() as stack:
        for image in images:
            losses.look(image)
            split = image.split or "default"
            name = files.place(image, f"images/{split}")
            first = split not in opened
            if first:
                path = folder / f"annotations/{split}.json"
                opened[split] = stack.enter_context(path.open("w", encoding="utf-8"))
                opened[split].write(json.dumps(head, ensure_ascii=False)[:-1] + ', "items": [\n')
            text = json.dumps(_item(image, name, numbers, losses), ensure_ascii=False)
            opened[split].write(text if first else f",\n{text}")
        for file in opened.values():
            file.write("\n]}\n")
    return losses


def _item(image: LabeledImage, name: str, numbers: Mapping[str, int], losses: Losses) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for group, one in enumerate(image.objects, 1):
        facts = {"is_crowd": one.is_crowd, "score": one.score, "object_id": one.object_id}
        usual = {
            "attributes": {key: value for key, value in facts.items() if value is not None},
            "group": group,
            "label_id": numbers[one.category],
            "z_order": 0,
        }
        x1, y1, x2, y2 = one.box() or (0.0, 0.0, 0.0, 0.0)
        size: Size = (image.width or 0, image.height or 0)
        rle, rings = one.mask(size), one.rings(size)
        losses.outline(one, written=bool(rings))
        annotations.append({"type": "bbox", **usual, "bbox": [x1, y1, x2 - x1, y2 - y1]})
        annotations += [{"type": "polygon", **usual, "points": list(ring)} for ring in rings]
        if rle is not None and not rings:
            mask = {"counts": rle, "size": [size[1], size[0]]}
            annotations.append({"type": "mask", **usual, "rle": mask})
    terms = {"license": image.license, "attribution": image.attribution}
    return {
        "id": Path(name).stem,
        "annotations": [{"id": number, **one} for number, one in enumerate(annotations)],
        "attr": {key: text for key, text in terms.items() if text is not None},
        "image": {"path": name, "size": [image.height, image.width]},
    }
