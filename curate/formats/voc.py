"""Pascal VOC's XML, one file per image.

Pixels are counted from 1 and a box holds its last one: xmin = 1, xmax = 1 is the first pixel, which the
continuous plane has from 0 to 1. So x1 = xmin - 1 and x2 = xmax. Whole numbers are written; edges between
pixels are rounded and counted. Masks are left out. Written: VOCdevkit/VOC2012/ with JPEGImages, Annotations
and ImageSets/Main, the layout that torchvision's reader asks for; the split "validation" is called val there.

Source:
    M. Everingham, J. Winn, The PASCAL Visual Object Classes Challenge 2012 Development Kit, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

from curate.errors import InputError
from curate.folder_walk import paths_below
from curate.formats import split_names, xml_file
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import box, not_read, taken
from curate.formats.losses import LOST, Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem
from curate.records import Box

_ROOT = "VOCdevkit/VOC2012"
_FLAGS = ("pose", "truncated", "difficult", "occluded")
_UNSAID = ("", "0", "Unspecified")  # values of them


def read(path: Path) -> Labels:
    """Open a folder of XML files, in it or below, or one of them.

    Raises:
        InputError: There is none.
    """
    files = [path] if path.is_file() else paths_below(path, "*.xml")
    if not files:
        raise InputError(f"{path} holds no .xml file: name the folder Annotations, or the one around it")
    labels = Labels("voc", path, ())
    labels.images = _images(path, files, labels.problems)
    return labels


def _split_folders(root: Path) -> list[Path]:
    return sorted(
        {one.parent for one in paths_below(root, "*.txt") if one.parts[-3:-1] == ("ImageSets", "Main")}
    )


def _images(root: Path, files: Iterable[Path], problems: list[Problem]) -> Iterator[LabeledImage]:
    splits = split_names.listed(_split_folders(root) if root.is_dir() else ())
    parts = 0
    for file in files:
        tree = taken(partial(xml_file.parse, file), problems, file=file)
        if tree is None:
            continue
        name = tree.findtext("filename") or file.stem
        parts += len(tree.findall("object/part"))
        objects = []
        for number, node in enumerate(tree.findall("object"), 1):
            found = taken(
                partial(_object, node, number),
                problems,
                file=file,
                line=xml_file.line(node),
                entry=f"object {number}",
                image=name,
            )
            objects += [found] if found is not None else []
        width, height = (_side(tree.findtext(f"size/{side}")) for side in ("width", "height"))
        split, *others = splits.get(file.stem, (None,))
        yield LabeledImage(
            name=name,
            objects=tuple(objects),
            width=width,
            height=height,
            split=split,
            other_splits=tuple(filter(None, others)),
            file=file,
            line=1,
            path=_beside(file, name),
        )
    problems += not_read(root, {"parts of objects": parts})


def _side(text: str | None) -> int | None:
    try:
        return int(float(text or "")) or None
    except ValueError:
        return None


def _beside(file: Path, name: str) -> Path | None:
    for folder in (file.parent, file.parent.parent / "JPEGImages", file.parent.parent / "images"):
        if (folder / name).is_file():
            return folder / name
    return None


def _object(node: ET.Element, number: int) -> LabeledObject:
    corners = node.find("bndbox")
    if corners is None:
        raise KeyError("bndbox")
    x1, y1, x2, y2 = (corners.findtext(key) or "" for key in ("xmin", "ymin", "xmax", "ymax"))
    return LabeledObject(
        category=(node.findtext("name") or "").strip(),
        bbox_xyxy=box(float(x1) - 1, float(y1) - 1, x2, y2),
        attributes={key: text for key in _FLAGS if (text := node.findtext(key) or "") not in _UNSAID},
        entry=f"object {number}",
        line=xml_file.line(node),
    )


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write an XML file per image, and the lists of splits.

    Args:
        folder: Empty.
        images: Of known size, in pixels.
        about: The data set.
        files: Takes the image files.
    """
    losses = Losses("split", "empty", "attributes")
    root = folder / _ROOT
    lists: dict[str, list[str]] = {}
    (root / "Annotations").mkdir(parents=True)
    for image in images:
        losses.look(image)
        lost = sum(key not in _FLAGS for one in image.objects for key in one.attributes)
        losses.add(LOST["attributes"], lost)
        name = files.place(image, f"{_ROOT}/JPEGImages")
        tree = _tree(image, name, about, losses)
        xml_file.write(tree, root / "Annotations" / Path(name).with_suffix(".xml"))
        split = split_names.theirs(image.split)
        lists.setdefault(split, []).append(Path(name).stem)
    sets = root / "ImageSets/Main"
    sets.mkdir(parents=True)
    for split, stems in lists.items():
        (sets / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
    return losses


def _tree(image: LabeledImage, name: str, about: About, losses: Losses) -> ET.Element:
    assert image.size is not None  # noqa: S101 - writers get images of known size
    tree = ET.Element("annotation")
    for tag, text in (("folder", "JPEGImages"), ("filename", name)):
        ET.SubElement(tree, tag).text = text
    ET.SubElement(ET.SubElement(tree, "source"), "database").text = about.name
    size = ET.SubElement(tree, "size")
    for tag, side in (("width", image.size[0]), ("height", image.size[1]), ("depth", 3)):
        ET.SubElement(size, tag).text = str(side)
    ET.SubElement(tree, "segmented").text = "0"
    for one in image.objects:
        node = ET.SubElement(tree, "object")
        ET.SubElement(node, "name").text = one.category
        for key, usual in zip(_FLAGS, ("Unspecified", "0", "0", "0"), strict=True):
            ET.SubElement(node, key).text = one.attributes.get(key, usual)
        corners = ET.SubElement(node, "bndbox")
        pixels, rounded = pixel_box(one.box() or (0.0, 0.0, 1.0, 1.0))
        losses.add("boxes rounded to whole pixels", rounded)
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), pixels, strict=True):
            ET.SubElement(corners, key).text = str(value + 1 if key.endswith("min") else value)
    return tree


def pixel_box(corners: Box) -> tuple[tuple[int, int, int, int], bool]:
    """Corners at the edges of pixels, at least one pixel apart; and whether they moved."""
    left, top = (round(value) for value in corners[:2])
    right, bottom = max(round(corners[2]), left + 1), max(round(corners[3]), top + 1)
    found = (left, top, right, bottom)
    return found, any(a != b for a, b in zip(found, corners, strict=True))
