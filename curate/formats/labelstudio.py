"""Label Studio's JSON of tasks with annotations.

Numbers are percent of width and height on the continuous plane. A brush stroke is Label Studio's own run
lengths; polygons and turned rectangles are outlines. A task with several annotations is read once for each,
under its annotator; one without any is read by its predictions, which are a model's and of nobody. Written:
tasks.json, label_config.xml, images/<split>/; boxes as rectangles, masks as brushes.

Source:
    https://labelstud.io/guide/task_format and https://labelstud.io/guide/export
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import quoteattr

from curate.errors import AnnotationToolError
from curate.formats import json_stream, split_names
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, box_xywh, entries, not_read, ring, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem, Size
from curate.geometry import brush_rle
from curate.records import Box, derived_id

_PERCENT = 100.0
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # stands before the names of uploaded files
_SHAPES = ("rectangle", "polygon", "brush")
# Results that draw nothing; whatever else a result is may be a shape that we do not know.
_NOT_DRAWN = frozenset(
    {"textarea", "rating", "number", "taxonomy", "datetime", "pairwise", "ranker", "relation"}
)


def read(path: Path) -> Labels:
    """Open an export in Label Studio's own JSON.

    Raises:
        InputError: Missing, or not JSON; while the images are iterated.
    """
    labels = Labels("labelstudio", path, ())
    labels.images = _images(path, labels.problems)
    return labels


def _images(file: Path, problems: list[Problem]) -> Iterator[LabeledImage]:
    beside: Counter[str] = Counter()
    for entry in json_stream.entries(file):
        task = taken(partial(_task, entry.value), problems, file=file, line=entry.line, entry="a task")
        if task is None:
            continue
        name, number, looks, suggested = task
        if not looks:
            yield LabeledImage(name, image_id=number, labeled=False, file=file, line=entry.line)
        for look in looks:
            if look.get("was_cancelled"):
                detail = "this annotator skipped the task"
                problems.append(Problem("not_labeled", file, entry.line, f"task {number}", name, detail))
            else:
                bare = LabeledImage(
                    name, relative=True, image_id=number, suggested=suggested, file=file, line=entry.line
                )
                image = taken(
                    partial(_with_objects, bare, look, problems, beside),
                    problems,
                    file=file,
                    line=entry.line,
                    entry=f"task {number}",
                    image=name,
                )
                if image is not None:
                    yield image
    problems += not_read(file, beside)


def _task(value: Mapping[str, Any]) -> tuple[str, str, list[Mapping[str, Any]], bool]:
    """Name of the image, number of the task, what was drawn on it, and whether only by a model."""
    data = value["data"]
    url = data.get("image") or next((text for text in data.values() if isinstance(text, str)), None)
    if not isinstance(url, str):
        raise EntryError("damaged", "its data names no image")
    looks = value.get("annotations") or []
    if not isinstance(looks, list) or not all(isinstance(look, Mapping) for look in looks):
        raise EntryError("damaged", "its annotations are no list of objects")
    number = str(value.get("id", "?"))
    if looks:
        return image_name(url), number, looks, False
    proposed = [one for one in value.get("predictions") or [] if isinstance(one, Mapping)]  # else their ids
    return image_name(url), number, proposed, True


def image_name(url: str) -> str:
    """The path that a task's address means: of local storage its `d`, of an upload the name without mark."""
    parts = urlsplit(url)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0]
    path = unquote(parts.path)
    if "/upload/" in path:
        return _UPLOADED.sub("", path.rpartition("/")[2])
    return path.lstrip("/")


def _with_objects(
    image: LabeledImage, look: Mapping[str, Any], problems: list[Problem], beside: Counter[str]
) -> LabeledImage:
    by = look.get("completed_by")
    annotator = by.get("email") or by.get("id") if isinstance(by, Mapping) else by
    objects: list[LabeledObject] = []
    tags: list[str] = []
    size: Size | None = None
    regions = entries(look["result"])
    names = _names_beside(regions)
    pictures = {
        region.get("to_name") for region in regions if region.get("type") not in {"choices", *_NOT_DRAWN}
    }
    for region in regions:
        size = _size(region) or size
        kind = region.get("type")
        if kind == "choices":
            tags += region.get("value", {}).get("choices", [])
        elif kind in _NOT_DRAWN:
            beside[f"results of the type {kind}"] += 1
        elif kind != "labels" or region.get("id") not in names:
            entry = f"task {image.image_id}, region {region.get('id', '?')}"
            parse = partial(_object, region, names.get(region.get("id")), entry, image.line)
            found = taken(
                partial(_refuse_several, pictures)
                if len(pictures) > 1 or region.get("item_index")
                else parse,
                problems,
                file=image.file,
                line=image.line,
                entry=entry,
                image=image.name,
            )
            objects += [found] if found is not None else []
    return replace(
        image,
        objects=tuple(objects),
        width=size[0] if size else None,
        height=size[1] if size else None,
        tags=tuple(tags),
        annotator=str(annotator) if annotator is not None else None,
    )


def _refuse_several(pictures: Iterable[Any]) -> LabeledObject:
    names = ", ".join(sorted(map(str, pictures)))
    raise EntryError("unsupported_shape", f"a task of several images or pages ({names}): one of them is read")


def _names_beside(regions: Iterable[Mapping[str, Any]]) -> dict[Any, Any]:
    """Labels by id of the region, where a control of its own gives them (<Labels> beside <Rectangle>)."""
    drawn = {region.get("id") for region in regions if region.get("type") in _SHAPES}
    return {
        region.get("id"): region["value"]["labels"]
        for region in regions
        if region.get("type") == "labels" and region.get("id") in drawn
    }


def _size(region: Mapping[str, Any]) -> Size | None:
    width, height = region.get("original_width"), region.get("original_height")
    return (int(width), int(height)) if width and height else None


def _object(region: Mapping[str, Any], beside: Any, entry: str, line: int) -> LabeledObject:
    kind, value = region["type"].removesuffix("labels"), region["value"]
    if kind not in _SHAPES:
        raise EntryError("unsupported_shape", f"a {region['type']}, which no room carries yet")
    names = value.get(region["type"]) or value.get("labels") or beside
    if not names:
        raise EntryError("unknown_category", "a region without a label")
    size = _size(region)
    score = region.get("score")
    made = partial(
        LabeledObject,
        names[0],
        score=float(score) if isinstance(score, (int, float)) and 0 <= score <= 1 else None,
        object_id=str(region["id"]) if "id" in region else None,
        entry=entry,
        line=line,
    )
    if kind == "rectangle":
        x, y, across, down = (float(value[key]) / _PERCENT for key in ("x", "y", "width", "height"))
        if not value.get("rotation"):
            return made(box_xywh(x, y, across, down))
        if size is None:
            raise EntryError("damaged", "a turned rectangle in an image of unknown size")
        return made(polygons=((_turned((x, y, across, down), math.radians(value["rotation"]), size),),))
    if kind == "polygon":
        return made(
            polygons=((ring([float(one) / _PERCENT for point in value["points"] for one in point]),),)
        )
    if size is None:
        raise EntryError("damaged", "a brush stroke in an image of unknown size")
    try:
        rle = brush_rle.to_coco(value["rle"], width=size[0], height=size[1])
    except AnnotationToolError as error:
        raise EntryError("mask_size", str(error)) from error
    if rle is None:
        raise EntryError("empty_box", "a brush stroke without pixels")
    return made(rle=rle, rle_size=size)


def _turned(shares: Box, turn: float, size: Size) -> tuple[float, ...]:
    """Corners of a rectangle (x, y, width, height) that is turned clockwise around its top left corner."""
    x, y, across, down = shares
    width, height = size
    right, below = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    return tuple(
        value
        for u, v in ((0.0, 0.0), (across * width, 0.0), (across * width, down * height), (0.0, down * height))
        for value in (x + (u * right[0] + v * below[0]) / width, y + (u * right[1] + v * below[1]) / height)
    )


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write tasks.json, ready to be imported, with the labelling configuration that it needs."""
    losses = Losses("mask", "polygon", "split", "empty", "score", "object_id", "license", "attribution")
    with (folder / "tasks.json").open("w", encoding="utf-8") as file:
        for number, image in enumerate(images):
            losses.look(image)
            split = split_names.theirs(image.split)
            name = files.place(image, f"images/{split}")
            file.write("[\n" if number == 0 else ",\n")
            file.write(
                json.dumps(_written(image, f"images/{split}/{name}", about, losses), ensure_ascii=False)
            )
        file.write("\n]\n" if losses.images else "[]\n")
    controls = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in about.categories)
    (folder / "label_config.xml").write_text(
        '<View>\n  <Image name="image" value="$image"/>\n'
        f'  <RectangleLabels name="box" toName="image">\n{controls}  </RectangleLabels>\n'
        f'  <PolygonLabels name="polygon" toName="image">\n{controls}  </PolygonLabels>\n'
        f'  <BrushLabels name="mask" toName="image">\n{controls}  </BrushLabels>\n</View>\n',
        encoding="utf-8",
    )
    return losses


def _written(image: LabeledImage, place: str, about: About, losses: Losses) -> dict[str, Any]:
    assert image.size is not None  # noqa: S101 - writers get images of known size
    regions = [_region(one, image.size, place, index, losses) for index, one in enumerate(image.objects)]
    facts = {"split": image.split, "license": image.license, "attribution": image.attribution}
    return {
        "data": {"image": about.address(place), **{key: text for key, text in facts.items() if text}},
        "annotations": [{"result": regions, "was_cancelled": False}],
    }


def _region(one: LabeledObject, size: Size, place: str, index: int, losses: Losses) -> dict[str, Any]:
    width, height = size
    control, kind, value = _shape(one, size, losses)
    region = {
        "id": one.object_id or derived_id("region", place, index),
        "type": kind,
        "from_name": control,
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {**value, kind: [one.category]},
    }
    return region if one.score is None else {**region, "score": one.score}


def _shape(one: LabeledObject, size: Size, losses: Losses) -> tuple[str, str, dict[str, Any]]:
    """Control of the configuration, type and value of a region: an outline of one ring, a mask, or a box."""
    width, height = size
    rle, rings = one.mask(size), one.rings(size, max_rings=1)
    losses.outline(one, written=bool(rings))
    if rings:
        losses.box_of_outline(one, [rings])
        points = zip(rings[0][::2], rings[0][1::2], strict=True)
        shares = [[x / width * _PERCENT, y / height * _PERCENT] for x, y in points]
        return "polygon", "polygonlabels", {"points": shares, "closed": True}
    if rle is not None:
        losses.box_of_mask(one, size)
        brush = brush_rle.from_coco(rle, width=width, height=height)
        return "mask", "brushlabels", {"format": "rle", "rle": brush}
    x1, y1, x2, y2 = one.box() or (0.0, 0.0, 0.0, 0.0)
    sides = {"x": x1 / width, "y": y1 / height, "width": (x2 - x1) / width, "height": (y2 - y1) / height}
    return (
        "box",
        "rectanglelabels",
        {**{key: share * _PERCENT for key, share in sides.items()}, "rotation": 0},
    )
