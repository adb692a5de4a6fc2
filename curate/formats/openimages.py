"""Open Images' CSV of boxes: shares of width and height on the continuous plane; read only.

Images are named by their id; a file with class descriptions beside it gives the names of the classes. A box
of a group (`IsGroupOf`) is a crowd.

Source:
    https://storage.googleapis.com/openimages/web/download_v7.html#df-bbox-annotations
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from curate.errors import InputError
from curate.formats.label_entries import box, taken
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem

_NEEDED = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
_FLAGS = ("IsOccluded", "IsTruncated", "IsDepiction", "IsInside")


def read(path: Path) -> Labels:
    """Open a CSV file.

    Raises:
        InputError: Missing, or without the columns of Open Images.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise InputError(f"{path} is not Open Images': it has no column {missing[0]}")
    names = _class_names(path.parent)
    labels = Labels("openimages", path, tuple(names.values()))
    labels.images = _images(path, names, labels.problems)
    return labels


def _class_names(folder: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for path in sorted(folder.glob("*class-descriptions*.csv")):
        with path.open(newline="", encoding="utf-8-sig") as file:
            names |= {row[0]: row[1] for row in csv.reader(file) if len(row) > 1 and row[0] != "LabelName"}
    return names


def _images(path: Path, names: Mapping[str, str], problems: list[Problem]) -> Iterator[LabeledImage]:
    found: dict[str, tuple[int, list[LabeledObject]]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        for row in reader:
            name, line = f"{row['ImageID']}.jpg", reader.line_num
            _, objects = found.setdefault(name, (line, []))
            one = taken(
                partial(_object, row, names, line),
                problems,
                file=path,
                line=line,
                entry=f"line {line}",
                image=name,
            )
            objects += [one] if one is not None else []
    for name, (line, objects) in found.items():
        yield LabeledImage(
            name, tuple(objects), relative=True, image_id=Path(name).stem, file=path, line=line
        )


def _object(row: Mapping[str, str], names: Mapping[str, str], line: int) -> LabeledObject:
    confidence = row.get("Confidence")
    return LabeledObject(
        category=names.get(row["LabelName"], row["LabelName"]),
        bbox_xyxy=box(row["XMin"], row["YMin"], row["XMax"], row["YMax"]),
        is_crowd=row.get("IsGroupOf") == "1",
        score=float(confidence) if confidence and 0 <= float(confidence) < 1 else None,
        attributes={flag: "yes" for flag in _FLAGS if row.get(flag) == "1"},
        entry=f"line {line}",
        line=line,
    )
