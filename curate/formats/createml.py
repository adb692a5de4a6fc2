"""Create ML's JSON of object detection: the middle and size of each box in pixels, on the continuous plane.

Written: <split>/annotations.json beside the images.

Source:
    https://developer.apple.com/documentation/createml/building-an-object-detector-data-source
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any

from curate.errors import InputError
from curate.folder_walk import paths_below
from curate.formats import json_stream, split_names
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, box, entries, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem

NAME = "annotations.json"


def read(path: Path) -> Labels:
    """Open a file, or a folder with one in it or in the folders below it.

    Raises:
        InputError: There is none; or it is no JSON, while the images are iterated.
    """
    files = [path] if path.is_file() else paths_below(path, "*annotations*.json", "*createml*.json")
    if not files:
        raise InputError(f"{path} holds no annotations.json of Create ML")
    labels = Labels("createml", path, ())
    labels.images = _images(path, files, labels.problems)
    return labels


def _images(root: Path, files: Iterable[Path], problems: list[Problem]) -> Iterator[LabeledImage]:
    for file in files:
        folder = file.parent.relative_to(root).as_posix() if root.is_dir() else "."
        for entry in json_stream.entries(file):
            row = taken(partial(_row, entry.value), problems, file=file, line=entry.line, entry="an image")
            if row is None:
                continue
            name, drawn = row
            objects = []
            for number, one in enumerate(drawn, 1):
                where = f"annotation {number}"
                found = taken(
                    partial(_object, one, where, entry.line),
                    problems,
                    file=file,
                    line=entry.line,
                    entry=where,
                    image=name,
                )
                objects += [found] if found is not None else []
            yield LabeledImage(
                name=name,
                objects=tuple(objects),
                split=split_names.of_folders(f"{folder}/{file.name}"),
                file=file,
                line=entry.line,
                path=file.parent / name if (file.parent / name).is_file() else None,
            )


def _row(value: Mapping[str, Any]) -> tuple[str, list[Mapping[str, Any]]]:
    name = value.get("image") or value.get("imagefilename")
    if not isinstance(name, str):
        raise EntryError("damaged", "has neither image nor imagefilename")
    return name, entries(value.get("annotations", value.get("annotation")))


def _object(value: Mapping[str, Any], entry: str, line: int) -> LabeledObject:
    middle = value["coordinates"]
    x, y, width, height = (float(middle[key]) for key in ("x", "y", "width", "height"))
    corners = box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return LabeledObject(value["label"], corners, entry=entry, line=line)


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a file per split."""
    del about  # Create ML has no place for it
    losses = Losses("split", "empty")
    opened: dict[str, IO[str]] = {}
    with ExitStack() as stack:
        for image in images:
            losses.look(image)
            split = split_names.theirs(image.split)
            name = files.place(image, split)
            first = split not in opened
            if first:
                opened[split] = stack.enter_context((folder / split / NAME).open("w", encoding="utf-8"))
            entry = {"image": name, "annotations": [_written(one) for one in image.objects]}
            opened[split].write(("[\n" if first else ",\n") + json.dumps(entry, ensure_ascii=False))
        for file in opened.values():
            file.write("\n]\n")
    return losses


def _written(one: LabeledObject) -> dict[str, Any]:
    x1, y1, x2, y2 = one.box() or (0.0, 0.0, 0.0, 0.0)
    sides = {"x": (x1 + x2) / 2, "y": (y1 + y2) / 2, "width": x2 - x1, "height": y2 - y1}
    return {"label": one.category, "coordinates": sides}
