"""Where in a COCO file the objects of each image stand."""

from __future__ import annotations

import json
import math
import mmap
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curate.errors import InputError
from curate.formats import json_stream
from curate.formats.record import Problem

_LISTS = frozenset({"images", "annotations", "categories", "licenses"})
_NEEDED = ("images", "categories")


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An entry of the list `images`; `index` is its place among them."""

    index: int
    number: int | str
    name: str
    width: int | None
    height: int | None
    license: int | None
    attribution: str | None
    line: int


class CocoIndex:
    """A file that was passed once; annotations are read when their image's turn comes.

    Attributes:
        path: The file.
        categories: Names by number.
        licenses: Names by number.
        problems: What is wrong with it so far.
        keypoints: Annotations that have some, which nothing here reads.
        labeled: Whether the file has a list of annotations, if only an empty one.
        incomplete: Why any image may lack objects or have wrong ones; empty where each annotation is of one
            image and one category.
    """

    def __init__(self, path: Path) -> None:
        """Pass over the file.

        Raises:
            InputError: Missing, not JSON, or not COCO.
        """
        self.path = path
        self.categories: dict[int | str, str] = {}
        self.licenses: dict[int, str] = {}
        self.problems: list[Problem] = []
        self.keypoints = 0
        self._images: list[CocoImage] = []
        self._numbers: dict[int | str, int] = {}
        self._seen_objects: set[int | str] = set()
        # start, end, line, and (number of) image of each annotation
        self._spans, self._owners = array("q"), []  # type: tuple[array[int], list[Any]]
        self._strays: list[str] = []  # annotations of no image
        self._unclear: list[str] = []  # categories of several names
        keys = {key for key in map(self._take, json_stream.entries(path, _LISTS)) if key}
        missing = [key for key in _NEEDED if key not in keys and not self._has(key)]
        if missing:
            raise InputError(f"{path} is no COCO file: it has no list {' and no list '.join(missing)}")
        self.labeled = bool(self._owners) or self._names_annotations()
        self._sort()
        if self._strays:
            lost = f"{len(self._strays):,} annotations are of none of its images, the first {self._strays[0]}"
            self._unclear.insert(0, lost)
        self.incomplete = "; ".join(self._unclear)

    def _names_annotations(self) -> bool:
        """Whether the list is there; an empty one has no entry that would have been seen."""
        others = _LISTS - {"annotations"}
        return any(entry.key == "annotations" for entry in json_stream.entries(self.path, others))

    def _has(self, key: str) -> bool:
        return bool(self._images if key == "images" else self.categories)

    def _take(self, entry: json_stream.Entry) -> str:
        value = entry.value
        if entry.key not in _LISTS:
            return entry.key
        if not isinstance(value, dict):
            self._damaged(entry, f"{entry.key} holds {str(value)[:40]!r}, expected an object")
            if entry.key == "annotations":
                self._strays.append(f"in line {entry.line}: no object of JSON")
        elif entry.key == "annotations":
            self._spans.extend((entry.start, entry.end, entry.line))
            self._owners.append(value.get("image_id"))
            self._note_object(value, entry)
        elif entry.key == "images":
            self._image(value, entry)
        else:
            names = self.categories if entry.key == "categories" else self.licenses
            self._name(value, entry, names)
        return entry.key

    def _note_object(self, value: dict[str, Any], entry: json_stream.Entry) -> None:
        self.keypoints += "keypoints" in value
        number = value.get("id")
        if number is not None and not isinstance(number, (int, str)):
            self._damaged(entry, f"annotation id {number!r} is no number")
        elif number in self._seen_objects:
            self._problem("duplicate_id", entry, f"annotation {number}", "this id was used before")
        elif number is not None:
            self._seen_objects.add(number)

    def _image(self, value: dict[str, Any], entry: json_stream.Entry) -> None:
        number, name = value.get("id"), value.get("file_name")
        if not isinstance(number, (int, str)) or not isinstance(name, str) or not name:
            self._damaged(entry, "an image without id or file_name")
            return
        if number in self._numbers:
            first = self._images[self._numbers[number]].name
            self._problem("duplicate_id", entry, f"image {number}", "this id was used before", name)
            detail = f"this id is used again, for {name}: whose the objects are is not said"
            self._problem("duplicate_id", entry, f"image {number}", detail, first)
            return
        self._numbers[number] = len(self._images)
        size = [value.get(key) for key in ("width", "height")]
        width, height = (
            int(side) if isinstance(side, (int, float)) and 1 <= side < math.inf else None for side in size
        )
        license_, attribution = value.get("license"), value.get("attribution")
        self._images.append(
            CocoImage(
                len(self._images),
                number,
                name,
                width,
                height,
                license_ if isinstance(license_, int) else None,
                attribution if isinstance(attribution, str) else None,
                entry.line,
            )
        )

    def _name(self, value: dict[str, Any], entry: json_stream.Entry, names: dict[Any, str]) -> None:
        number, name = value.get("id"), value.get("name")
        if not isinstance(number, (int, str)) or not isinstance(name, str):
            self._damaged(entry, f"{entry.key} holds an entry without id or name")
        elif number in names:
            self._problem("duplicate_id", entry, f"{entry.key} {number}", f"first {names[number]!r}")
            if names is self.categories and name != names[number]:
                self._unclear.append(f"category {number} is {names[number]!r} and {name!r}")
        else:
            names[number] = name

    def _sort(self) -> None:
        """Order the annotations by image; list those of no image."""
        nowhere = len(self._images)
        owner = [
            self._numbers.get(number, nowhere) if isinstance(number, (int, str)) else nowhere
            for number in self._owners
        ]
        owners = np.array(owner, dtype=np.int64)
        for at in np.flatnonzero(owners == nowhere).tolist():
            detail = f"image_id {self._owners[at]!r} is none of the file's images"
            line = self._spans[3 * at + 2]
            self.problems.append(Problem("label_without_image", self.path, line, f"entry {at}", "", detail))
            self._strays.append(f"in line {line}: {detail}")
        self._owners = []
        self._seen_objects = set()
        self._order = np.argsort(owners, kind="stable")
        self._bounds = np.searchsorted(owners[self._order], np.arange(nowhere + 1))
        if self.keypoints:
            detail = f"{self.keypoints} annotations have key points, which are not read"
            self.problems.append(Problem("not_read", self.path, detail=detail))

    def images(self) -> Iterator[CocoImage]:
        """Every image, in the file's order."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as self._map:
            yield from self._images

    def annotations(self, image: CocoImage) -> Iterator[tuple[dict[str, Any], int]]:
        """The entries of an image with their lines; while `images` is iterated."""
        first, last = self._bounds[image.index], self._bounds[image.index + 1]
        for at in self._order[first:last].tolist():
            start, end, line = self._spans[3 * at : 3 * at + 3]
            yield json.loads(str(self._map[start:end], "utf-8")), line

    def _damaged(self, entry: json_stream.Entry, detail: str) -> None:
        self._problem("damaged", entry, entry.key, detail)

    def _problem(self, kind: str, entry: json_stream.Entry, name: str, detail: str, image: str = "") -> None:
        if entry.key == "annotations" and not image:
            number = entry.value.get("image_id") if isinstance(entry.value, dict) else None
            owner = self._numbers.get(number) if isinstance(number, (int, str)) else None
            image = self._images[owner].name if owner is not None else ""
        self.problems.append(Problem(kind, self.path, entry.line, name, image, detail))
