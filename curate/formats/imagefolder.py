"""Hugging Face's ImageFolder for object detection: <split>/<image> with <split>/metadata.jsonl.

`objects` holds `bbox` (COCO's `[x, y, width, height]` in pixels) and `categories` (names).

Source:
    https://huggingface.co/docs/datasets/image_dataset#object-detection
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any

from curate.errors import InputError
from curate.formats.about import About
from curate.formats.entries import EntryError, box_xywh, taken
from curate.formats.image_files import ImageFiles
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem

NAME = "metadata.jsonl"
_CATEGORY = ("categories", "category", "label", "labels")


def read(path: Path) -> Labels:
    """Open a folder with metadata.jsonl in it, or in the folders of its splits.

    Raises:
        InputError: There is none.
    """
    files = [path] if path.is_file() else sorted(path.rglob(NAME))
    if not files:
        raise InputError(f"{path} holds no {NAME}")
    labels = Labels("imagefolder", path, ())
    labels.images = _images(path, files, labels.problems)
    return labels


def _images(root: Path, files: Iterable[Path], problems: list[Problem]) -> Iterator[LabeledImage]:
    for file in files:
        folder = file.parent.relative_to(root).as_posix() if root.is_dir() else "."
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                row = taken(partial(_row, line), problems, file=file, line=number, entry=f"line {number}")
                if row is None:
                    continue
                name = row["file_name"]
                objects = []
                for index, entry in enumerate(_entries(row.get("objects") or {}), 1):
                    where = f"line {number}, object {index}"
                    found = taken(
                        partial(_object, *entry, where, number),
                        problems,
                        file=file,
                        line=number,
                        entry=where,
                        image=name,
                    )
                    objects += [found] if found is not None else []
                yield LabeledImage(
                    name=name,
                    objects=tuple(objects),
                    width=row.get("width"),
                    height=row.get("height"),
                    image_id=row.get("image_id"),
                    split=None if folder == "." else folder,
                    license=row.get("license"),
                    attribution=row.get("attribution"),
                    labeled="objects" in row,
                    file=file,
                    line=number,
                    path=file.parent / name if (file.parent / name).is_file() else None,
                )


def _row(line: str) -> Mapping[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
        raise EntryError("damaged", "has no file_name")
    return row


def _entries(objects: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    key = next((name for name in _CATEGORY if name in objects), _CATEGORY[0])
    boxes, names = objects.get("bbox") or [], objects.get(key) or []
    short = [None] * abs(len(boxes) - len(names))
    return list(zip([*boxes, *short], [*names, *short], strict=False))


def _object(corners: Any, category: Any, entry: str, line: int) -> LabeledObject:
    if corners is None or category is None:
        raise EntryError("damaged", "another number of boxes than of categories")
    return LabeledObject(str(category), box_xywh(*corners), entry=entry, line=line)


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a folder a split."""
    del about  # names of categories stand at each object
    losses = Losses("split", "empty", "license", "attribution")
    opened: dict[str, IO[str]] = {}
    with ExitStack() as stack:
        for image in images:
            losses.look(image)
            split = image.split or "train"
            name = files.place(image, split)
            if split not in opened:
                path = folder / split / NAME
                opened[split] = stack.enter_context(path.open("w", encoding="utf-8"))
            boxes = [one.box() or (0.0, 0.0, 0.0, 0.0) for one in image.objects]
            row = {
                "file_name": name,
                "width": image.width,
                "height": image.height,
                "license": image.license,
                "attribution": image.attribution,
                "objects": {
                    "bbox": [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes],
                    "categories": [one.category for one in image.objects],
                },
            }
            opened[split].write(json.dumps(row, ensure_ascii=False) + "\n")
    return losses
