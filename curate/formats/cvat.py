"""CVAT for images 1.1: one annotations.xml.

Boxes and polygons are corners on the continuous plane; a `mask` is run lengths over the rows of its box, off
first, whose left and top are its first pixel. Written: annotations.xml, images/<split>/; an outline that
somebody drew is a `polygon` if it is one ring, any other mask a `mask`, whose box CVAT takes from its pixels.

Source:
    https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from curate.errors import InputError
from curate.formats import xml_file
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, box, not_read, ring, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem, Size
from curate.geometry import masks

_NAME = "annotations.xml"


def read(path: Path) -> Labels:
    """Open annotations.xml, or the folder that holds it.

    Raises:
        InputError: No such file, or no XML of CVAT.
    """
    file = path / _NAME if path.is_dir() else path
    problems: list[Problem] = []
    tree = taken(partial(xml_file.parse, file), problems, file=file)
    if tree is None:
        raise InputError(f"{file}: {problems[0].detail}")
    if tree.tag != "annotations":
        raise InputError(f"{file} is not CVAT's: its outermost element is {tree.tag!r}, not annotations")
    names = [node.text or "" for node in tree.findall("meta//labels/label/name")]
    labels = Labels("cvat", path, tuple(dict.fromkeys(names)))
    tracks = len(tree.findall("track"))
    if tracks:
        labels.problems += not_read(file, {"tracks of a video": tracks})
        labels.incomplete = f"it holds {tracks:,} tracks of a video: export it as `CVAT for images 1.1`"
    labels.images = _images(tree, file, labels.problems)
    return labels


def _images(tree: ET.Element, file: Path, problems: list[Problem]) -> Iterator[LabeledImage]:
    for node in tree.findall("image"):
        name = node.get("name", "")
        told = taken(
            partial(_size, node), problems, file=file, line=xml_file.line(node), entry="image", image=name
        )
        size = told or (0, 0)
        objects = []
        for number, shape in enumerate([one for one in node if one.tag != "tag"], 1):
            found = taken(
                partial(_object, shape, size, number),
                problems,
                file=file,
                line=xml_file.line(shape),
                entry=f"{shape.tag} {number}",
                image=name,
            )
            objects += [found] if found is not None else []
        beside = file.parent / "images" / node.get("subset", "") / name
        yield LabeledImage(
            name=name,
            objects=tuple(objects),
            width=size[0] or None,
            height=size[1] or None,
            image_id=node.get("id"),
            split=node.get("subset"),
            tags=tuple(tag.get("label", "") for tag in node.findall("tag")),
            file=file,
            line=xml_file.line(node),
            path=beside if beside.is_file() else None,
        )
    problems += not_read(file, {"attributes of labels of images": len(tree.findall("image/tag/attribute"))})


def _size(node: ET.Element) -> Size:
    return int(node.get("width", 0)), int(node.get("height", 0))


def _object(node: ET.Element, size: Size, number: int) -> LabeledObject:
    entry, line, category = f"{node.tag} {number}", xml_file.line(node), node.attrib["label"]
    attributes = {one.get("name", ""): one.text or "" for one in node.findall("attribute")}
    attributes |= {"occluded": "1"} if node.get("occluded") == "1" else {}
    made = partial(LabeledObject, category, attributes=attributes, entry=entry, line=line)
    if node.tag == "box":
        corners = box(*(node.attrib[key] for key in ("xtl", "ytl", "xbr", "ybr")))
        turn = float(node.get("rotation", 0))
        return made(corners) if turn == 0 else made(polygons=((_turned(corners, turn),),))
    if node.tag == "polygon":
        values = [value for point in node.attrib["points"].split(";") for value in point.split(",")]
        return made(polygons=((ring(values),),))
    if node.tag == "mask":
        return made(rle=_mask(node, size), rle_size=size)
    raise EntryError("unsupported_shape", f"a {node.tag}, which no room carries yet")


def _turned(corners: tuple[float, float, float, float], degrees: float) -> tuple[float, ...]:
    """The corners of a box that is turned clockwise around its middle."""
    x1, y1, x2, y2 = corners
    x, y, turn = (x1 + x2) / 2, (y1 + y2) / 2, math.radians(degrees)
    points = [(x1 - x, y1 - y), (x2 - x, y1 - y), (x2 - x, y2 - y), (x1 - x, y2 - y)]
    return tuple(
        value
        for across, down in points
        for value in (
            x + across * math.cos(turn) - down * math.sin(turn),
            y + across * math.sin(turn) + down * math.cos(turn),
        )
    )


def _mask(node: ET.Element, size: Size) -> str:
    left, top, width, height = (int(float(node.attrib[key])) for key in ("left", "top", "width", "height"))
    runs = np.array([int(run) for run in node.attrib["rle"].split(",")], dtype=np.int64)
    if (runs < 0).any() or runs.sum() != width * height:
        raise EntryError("damaged", f"a mask whose runs are not the {width} x {height} pixels of its box")
    if left < 0 or top < 0 or left + width > size[0] or top + height > size[1]:
        raise EntryError("mask_size", f"a mask that leaves the image of {size[0]} x {size[1]}")
    plane = np.zeros((size[1], size[0]), dtype=bool)
    crop = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    plane[top : top + height, left : left + width] = crop
    return masks.encode(plane)


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write annotations.xml and the images."""
    losses = Losses("mask", "polygon", "split", "empty", "tags")
    tree = ET.Element("annotations")
    ET.SubElement(tree, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(tree, "meta"), "task")
    ET.SubElement(task, "name").text = about.name
    names = ET.SubElement(task, "labels")
    for category in about.categories:
        label = ET.SubElement(names, "label")
        ET.SubElement(label, "name").text = category
        ET.SubElement(label, "attributes")
    for number, image in enumerate(images):
        losses.look(image)
        place = f"images/{image.split}" if image.split else "images"  # where CVAT looks for a subset's
        tree.append(_image(image, number, files.place(image, place), losses))
    xml_file.write(tree, folder / _NAME)
    return losses


def _image(image: LabeledImage, number: int, name: str, losses: Losses) -> ET.Element:
    assert image.size is not None  # noqa: S101 - writers get images of known size
    width, height = image.size
    node = ET.Element("image", id=str(number), name=name, width=str(width), height=str(height))
    if image.split is not None:
        node.set("subset", image.split)
    for one in image.objects:
        kind, values = _shape(one, image.size, losses)
        usual = {"label": one.category, "source": "manual", "occluded": "0", "z_order": "0"}
        ET.SubElement(node, kind, {**usual, **values})
    for tag in image.tags:
        ET.SubElement(node, "tag", label=tag, source="manual")
    return node


def _shape(one: LabeledObject, size: Size, losses: Losses) -> tuple[str, dict[str, str]]:
    """Kind and own attributes of an object's element."""
    rle, rings = one.mask(size), one.rings(size, max_rings=1)
    losses.outline(one, written=bool(rings))
    if rings:
        losses.box_of_outline(one, [rings])
        points = zip(rings[0][::2], rings[0][1::2], strict=True)
        return "polygon", {"points": ";".join(f"{x:.9g},{y:.9g}" for x, y in points)}
    if rle is not None:
        losses.box_of_mask(one, size)
        return "mask", _mask_attributes(rle, size)
    corners = one.box() or (0.0, 0.0, 0.0, 0.0)
    pairs = zip(("xtl", "ytl", "xbr", "ybr"), corners, strict=True)
    return "box", {key: f"{value:.9g}" for key, value in pairs}


def _mask_attributes(rle: str, size: Size) -> dict[str, str]:
    left, top, right, bottom = map(int, masks.bbox(rle, width=size[0], height=size[1]) or (0, 0, 1, 1))
    crop = masks.decode(rle, width=size[0], height=size[1])[top:bottom, left:right].ravel()
    borders = np.flatnonzero(np.diff(crop, prepend=False, append=not crop[-1]))
    runs = np.diff(borders, prepend=0)
    sizes = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return {"rle": ", ".join(map(str, runs.tolist())), **{key: str(value) for key, value in sizes.items()}}
