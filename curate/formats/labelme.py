"""LabelMe's JSON, one file per image, beside it.

Points lie on the continuous plane. A rectangle is two corners; shapes of one label and one `group_id` are the
parts of one object; a `mask` is a PNG of the pixels in its box. Written: <split>/<image> and
<split>/<stem>.json; outlines as drawn, other masks as polygons along the edges of their pixels, holes joined
to their outline by cuts without width.

Source:
    https://github.com/wkentaro/labelme (labelme/_label_file.py)
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from curate.errors import InputError
from curate.formats import json_stream, split_names
from curate.formats.dataset_info import About, json_files
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, box, ring, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem, Size
from curate.geometry import masks, outlines


def read(path: Path) -> Labels:
    """Open a folder of LabelMe files, in it or below, or one of them.

    Raises:
        InputError: There is none.
    """
    files = [path] if path.is_file() else list(json_files(path))
    if not files:
        raise InputError(f"{path} holds no .json file of LabelMe")
    labels = Labels("labelme", path, ())
    labels.images = _images(path, files, labels.problems)
    return labels


def _images(root: Path, files: Iterable[Path], problems: list[Problem]) -> Iterator[LabeledImage]:
    for file in files:
        image = taken(partial(_image, root, file, problems), problems, file=file)
        if image is not None:
            yield image


def _image(root: Path, file: Path, problems: list[Problem]) -> LabeledImage:
    content = _content(file)
    given = Path(str(content["imagePath"]).replace("\\", "/"))
    folder = file.parent.relative_to(root) if root.is_dir() else Path()
    name = (folder / given if len(given.parts) == 1 else given).as_posix()  # problems bear it too
    width, height = int(content.get("imageWidth") or 0), int(content.get("imageHeight") or 0)
    size = (width, height) if width > 0 and height > 0 else None
    objects: list[tuple[Any, LabeledObject]] = []
    for number, shape in enumerate(content["shapes"], 1):
        entry = f"shape {number}"
        found = taken(partial(_object, shape, size, entry), problems, file=file, entry=entry, image=name)
        objects += [(shape.get("group_id"), found)] if found is not None else []
    return LabeledImage(
        name=name,
        objects=tuple(_grouped(objects)),
        width=size[0] if size else None,
        height=size[1] if size else None,
        split=split_names.of_folders((folder / file.name).as_posix()),
        tags=tuple(key for key, value in (content.get("flags") or {}).items() if value),
        file=file,
        path=file.parent / given if (file.parent / given).is_file() else None,
    )


def _content(file: Path) -> Mapping[str, Any]:
    try:
        content = json_stream.whole(file)
    except InputError as error:
        raise EntryError("damaged", str(error)) from error
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("shapes"), list)
        or "imagePath" not in content
    ):
        raise EntryError("damaged", "not LabelMe's: it has no list of shapes or no imagePath")
    return content


def _grouped(objects: Sequence[tuple[Any, LabeledObject]]) -> list[LabeledObject]:
    """Polygons of one label and group are the parts of one object, where its first part stands."""
    places: dict[tuple[Any, str], int] = {}
    found: list[LabeledObject] = []
    for group, one in objects:
        key = (group, one.category)
        if group is not None and one.polygons and key in places:
            whole = found[places[key]]
            found[places[key]] = replace(whole, polygons=whole.polygons + one.polygons)
        else:
            if group is not None and one.polygons:
                places[key] = len(found)
            found.append(one)
    return found


def _object(shape: Mapping[str, Any], size: Size | None, entry: str) -> LabeledObject:
    category, kind = shape["label"], shape.get("shape_type", "polygon")
    points = [float(value) for point in shape["points"] for value in point]
    attributes = {key: "yes" for key, value in (shape.get("flags") or {}).items() if value}
    attributes |= {"description": str(text)} if (text := shape.get("description")) else {}
    made = partial(LabeledObject, category, attributes=attributes, entry=entry)
    if kind == "rectangle":
        x1, y1, x2, y2 = points
        return made(box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
    if kind == "polygon":
        return made(polygons=((ring(points),),))
    if kind == "mask":
        if size is None:
            raise EntryError("damaged", "a mask in an image of unknown size")
        return made(rle=_mask(shape["mask"], points, size), rle_size=size)
    raise EntryError("unsupported_shape", f"a {kind}, which no room carries yet")


def _mask(text: str, points: Sequence[float], size: Size) -> str:
    left, top = round(points[0]), round(points[1])
    with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
        crop = np.asarray(picture.convert("L")) > 0
    plane = np.zeros((size[1], size[0]), dtype=bool)
    try:
        plane[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    except ValueError as error:
        raise EntryError("mask_size", f"a mask that leaves the image of {size[0]} x {size[1]}") from error
    return masks.encode(plane)


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a JSON file beside each image."""
    del about  # LabelMe has no place for it
    losses = Losses("mask", "polygon", "split", "empty", "tags")
    for image in images:
        losses.look(image)
        split = split_names.theirs(image.split)
        name = files.place(image, split)
        content = {
            "version": "5.5.0",
            "flags": dict.fromkeys(image.tags, True),
            "shapes": [
                shape
                for group, one in enumerate(image.objects)
                for shape in _shapes(one, image, group, losses)
            ],
            "imagePath": name,
            "imageData": None,
            "imageHeight": image.height,
            "imageWidth": image.width,
        }
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / split / name).with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return losses


def _shapes(one: LabeledObject, image: LabeledImage, group: int, losses: Losses) -> Iterator[dict[str, Any]]:
    assert image.size is not None  # noqa: S101 - writers get images of known size
    polygons = one.outline(image.size)
    usual: dict[str, Any] = {"label": one.category, "group_id": None, "description": "", "flags": {}}
    if not polygons:
        x1, y1, x2, y2 = one.box() or (0.0, 0.0, 0.0, 0.0)
        yield {**usual, "points": [[x1, y1], [x2, y2]], "shape_type": "rectangle"}
        return
    losses.outline(one, written=polygons == one.polygons)
    losses.box_of_outline(one, polygons)
    losses.add(
        "objects with holes, joined to their outline by cuts", any(len(rings) > 1 for rings in polygons)
    )
    for rings in polygons:
        path = outlines.joined([rings])
        points = [list(point) for point in zip(path[::2], path[1::2], strict=True)]
        several = {"group_id": group} if len(polygons) > 1 else {}
        yield {**usual, **several, "points": points, "shape_type": "polygon"}
