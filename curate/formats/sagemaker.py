"""Amazon SageMaker's augmented manifest for object detection: <split>.manifest, a JSON object a line.

Left, top, width and height are whole pixels; edges between pixels are rounded and counted. `human-annotated`
is "yes" only where it is known that a human looked at the image. `source-ref` wants an address: say with
--url where the images will lie, such as s3://bucket/signs. Written beside images/<split>/.

Source:
    https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html#sms-output-box
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from curate.errors import InputError
from curate.formats import split_names
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, box_xywh, entries, not_read, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem
from curate.formats.voc import pixel_box

_ATTRIBUTE = "bounding-box"
_TYPE = "groundtruth/object-detection"


def read(path: Path) -> Labels:
    """Open a manifest, or a folder with some.

    Raises:
        InputError: There is none.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.manifest"))
    if not files:
        raise InputError(f"{path} holds no .manifest file")
    labels = Labels("sagemaker", path, ())
    labels.images = _images(files, labels.problems)
    return labels


def _images(files: Iterable[Path], problems: list[Problem]) -> Iterator[LabeledImage]:
    beside: Counter[str] = Counter()
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                image = taken(
                    partial(_image, line, file, number, problems, beside),
                    problems,
                    file=file,
                    line=number,
                    entry=f"line {number}",
                )
                if image is not None:
                    yield image
        problems += not_read(file, beside)
        beside.clear()


def _image(line: str, file: Path, number: int, problems: list[Problem], beside: Counter[str]) -> LabeledImage:
    row: dict[str, Any] = json.loads(line)
    key = next((name for name in row if row.get(f"{name}-metadata", {}).get("type") == _TYPE), None)
    beside.update(
        f"labels of the attribute {other}" for other in row if other != key and f"{other}-metadata" in row
    )
    name = row["source-ref"].partition("://")[2] or row["source-ref"]
    image = LabeledImage(
        name, split=split_names.of_file(file.name), file=file, line=number, labeled=key is not None
    )
    if key is None:
        return image
    names, size = row[f"{key}-metadata"]["class-map"], row[key]["image_size"][0]
    objects = []
    for index, one in enumerate(entries(row[key]["annotations"]), 1):
        where = f"line {number}, annotation {index}"
        found = taken(
            partial(_object, one, names, where, number),
            problems,
            file=file,
            line=number,
            entry=where,
            image=name,
        )
        objects += [found] if found is not None else []
    return LabeledImage(
        name,
        tuple(objects),
        size["width"],
        size["height"],
        split=split_names.of_file(file.name),
        human={"yes": True, "no": False}.get(row[f"{key}-metadata"].get("human-annotated")),
        file=file,
        line=number,
    )


def _object(one: Mapping[str, Any], names: Mapping[str, str], entry: str, line: int) -> LabeledObject:
    category = names.get(str(one["class_id"]))
    if category is None:
        raise EntryError("unknown_category", f"class_id {one['class_id']} is not in its class-map")
    corners = box_xywh(one["left"], one["top"], one["width"], one["height"])
    return LabeledObject(category, corners, entry=entry, line=line)


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a manifest per split."""
    losses = Losses("split", "empty")
    numbers = {name: number for number, name in enumerate(about.categories)}
    made_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    opened: dict[str, IO[str]] = {}
    with ExitStack() as stack:
        for image in images:
            losses.look(image)
            losses.add(
                "images of which it is not known whether a human looked: said to be no", image.human is None
            )
            split = split_names.theirs(image.split)
            place = f"images/{split}/{files.place(image, f'images/{split}')}"
            if split not in opened:
                path = folder / f"{split}.manifest"
                opened[split] = stack.enter_context(path.open("w", encoding="utf-8"))
            row = {
                "source-ref": about.address(place),
                _ATTRIBUTE: _boxes(image, numbers, losses),
                f"{_ATTRIBUTE}-metadata": {
                    "objects": [
                        {"confidence": 1.0 if one.score is None else one.score} for one in image.objects
                    ],
                    "class-map": {str(number): name for name, number in numbers.items()},
                    "type": _TYPE,
                    "human-annotated": "yes" if image.human else "no",
                    "creation-date": made_at,
                    "job-name": about.name,
                },
            }
            opened[split].write(json.dumps(row, ensure_ascii=False) + "\n")
    losses.add(
        "addresses: source-ref is a path until --url says where the images lie",
        losses.images if not about.url else 0,
    )
    return losses


def _boxes(image: LabeledImage, numbers: Mapping[str, int], losses: Losses) -> dict[str, Any]:
    annotations = []
    for one in image.objects:
        (left, top, right, bottom), rounded = pixel_box(one.box() or (0.0, 0.0, 1.0, 1.0))
        losses.add("boxes rounded to whole pixels", rounded)
        sides = {"left": left, "top": top, "width": right - left, "height": bottom - top}
        annotations.append({"class_id": numbers[one.category], **sides})
    size = {"width": image.width, "height": image.height, "depth": 3}
    return {"image_size": [size], "annotations": annotations}
