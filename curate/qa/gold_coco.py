"""Known answers in COCO's format, matched to images by the names of their files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curate import schema
from curate.errors import InputError, RecordError
from curate.geometry import masks
from curate.records import Annotation, derived_id

_Size = tuple[int, int]  # width, height, upright pixels


class _Image(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: int
    file_name: str = Field(min_length=1)
    width: int | None = None
    height: int | None = None


class _Category(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: int
    name: str


class _Counts(BaseModel):
    model_config = ConfigDict(frozen=True)

    size: tuple[int, int]  # height, width
    counts: str | tuple[int, ...]


class _Annotation(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    segmentation: _Counts | tuple[tuple[float, ...], ...] | None = None
    iscrowd: int = 0


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)

    images: tuple[_Image, ...]
    categories: tuple[_Category, ...]
    annotations: tuple[_Annotation, ...]  # a file without says nothing of its images


def read(file: Path, images: pa.Table) -> pa.Table:
    """Read a COCO file.

    Args:
        file: JSON.
        images: `image_id`, `sources`, `width`, `height` of the `images` table.

    Returns:
        Rows of the `annotations` table with origin "gold"; one of outcome "empty" for an image without any
        object.

    Raises:
        InputError: Not COCO; a file name that finds no image, or several; another size; a crowd; a box or
            mask that does not fit. With the file and the entry.
    """
    content = _content(file)
    found = _Finder(file, images).all(content.images)
    names = {category.id: category.name for category in content.categories}
    rows: dict[str, Annotation] = {}
    seen = set()
    for entry in content.annotations:
        where = f"{file}: annotation {entry.id}"
        if entry.image_id not in found or entry.category_id not in names:
            raise InputError(f"{where} has an image_id or category_id that the file does not name")
        image_id, size = found[entry.image_id]
        seen.add(image_id)
        row = _object(entry, image_id, names[entry.category_id], size, where)
        if row.annotation_id in rows:
            raise InputError(f"{where} is the same object as an earlier one: remove one of the two")
        rows[row.annotation_id] = row
    for image_id, _ in found.values():
        if image_id not in seen:
            identity = derived_id("gold", image_id, "empty")
            rows[identity] = Annotation(identity, image_id, "gold", outcome="empty")
    return pa.Table.from_pylist([row.row() for row in rows.values()], schema=schema.ANNOTATIONS.arrow)


def _content(file: Path) -> _File:
    try:
        return _File.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file} cannot be read as JSON: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{file}: {place} is not COCO's: {first['msg'].lower()}") from error


class _Finder:
    """Images by the ends of their sources' names."""

    def __init__(self, file: Path, images: pa.Table) -> None:
        self._file, self._images = file, images

    def all(self, entries: Sequence[_Image]) -> dict[int, tuple[str, _Size]]:
        """image_id and size for each entry's number."""
        near = self._candidates({entry.file_name.rpartition("/")[2] for entry in entries})
        found: dict[int, tuple[str, _Size]] = {}
        taken: dict[str, str] = {}
        for entry in entries:
            rows = {
                row
                for row, source in near.get(entry.file_name.rpartition("/")[2], ())
                if source == entry.file_name or source.endswith(f"/{entry.file_name}")
            }
            if len(rows) != 1:
                self._refuse(entry, rows)
            image_id, size = self._image(rows.pop(), entry)
            if entry.id in found or image_id in taken:
                self._stop(entry, f"is named twice, first as {taken.get(image_id, entry.file_name)!r}")
            found[entry.id], taken[image_id] = (image_id, size), entry.file_name
        return found

    def _candidates(self, names: set[str]) -> Mapping[str, list[tuple[int, str]]]:
        """Row and source by the last part of the source's name, of those that are asked for."""
        sources = self._images["sources"].combine_chunks()
        flat, rows = pc.list_flatten(sources), pc.list_parent_indices(sources)
        last = pc.replace_substring_regex(flat, pattern="^.*/", replacement="")
        asked = pc.is_in(last, value_set=pa.array(sorted(names), pa.string()))
        near: dict[str, list[tuple[int, str]]] = {}
        for name, row, source in zip(
            *(column.filter(asked).to_pylist() for column in (last, rows, flat)), strict=True
        ):
            near.setdefault(name, []).append((row, source))
        return near

    def _image(self, row: int, entry: _Image) -> tuple[str, _Size]:
        image_id, width, height = (
            self._images[name][row].as_py() for name in ("image_id", "width", "height")
        )
        stated = (entry.width, entry.height)
        if width is not None and None not in stated and stated != (width, height):
            self._stop(entry, f"is {stated[0]} x {stated[1]} there, and upright {width} x {height} pixels")
        return image_id, (width or entry.width or 0, height or entry.height or 0)

    def _refuse(self, entry: _Image, rows: set[int]) -> NoReturn:
        if not rows:
            self._stop(entry, "is the end of no image's source: see `sources` in data/ingest/images.parquet")
        self._stop(entry, f"is the end of {len(rows)} images' sources: write more of the path")

    def _stop(self, entry: _Image, what: str) -> NoReturn:
        raise InputError(f"{self._file}: image {entry.id}, {entry.file_name!r}, {what}")


def _object(entry: _Annotation, image_id: str, category: str, size: _Size, where: str) -> Annotation:
    if entry.iscrowd:
        raise InputError(f"{where} is a crowd, which no single answer can match: take its image out")
    x, y, w, h = entry.bbox
    box = (x, y, x + w, y + h)
    try:
        rle = _rle(entry.segmentation, size)
        return Annotation(
            annotation_id=derived_id(
                "gold", image_id, category, *(f"{value:.3f}" for value in box), rle or ""
            ),
            image_id=image_id,
            origin="gold",
            category=category,
            bbox_xyxy=box,
            rle=rle,
        )
    except RecordError as error:
        raise InputError(f"{where}: {error}") from error


def _rle(segmentation: _Counts | Sequence[Sequence[float]] | None, size: _Size) -> str | None:
    """COCO compressed counts of the upright image."""
    width, height = size
    if not segmentation:
        return None
    if not isinstance(segmentation, _Counts):
        return masks.from_polygons([list(ring) for ring in segmentation], width=width, height=height)
    if tuple(segmentation.size) != (height, width):
        raise RecordError(f"a mask of size {list(segmentation.size)} in an image of {[height, width]}")
    if isinstance(segmentation.counts, str):
        masks.decode(segmentation.counts, width=width, height=height)  # refuses what is damaged
        return segmentation.counts
    runs = np.array(segmentation.counts, dtype=np.int64)
    if runs.sum() != width * height or (runs < 0).any():
        raise RecordError(f"mask counts cover {runs.sum()} pixels, expected {width} x {height}")
    return masks.from_run_lengths(runs, width=width, height=height)
