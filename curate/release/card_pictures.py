"""Pictures of the card: examples with their objects; objects by category, size and split."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from curate.geometry import masks
from curate.images.pixel_limit import open_any_size
from curate.release.release_content import Content

EXAMPLES: Final = "card/examples.jpg"
CATEGORIES: Final = "card/categories.png"
SIZES: Final = "card/sizes.png"
SPLITS: Final = "card/splits.png"
AUGMENTED: Final = "card/augmented.jpg"
_SIDE, _ROWS, _GAP = 256, 4, 6  # pixels of a picture; pictures per row; pixels between
_WIDTH, _LINE, _LABEL = 900, 22, 220  # pixels of a chart, of one of its lines, of its names
_MAX_CATEGORIES = 40  # categories of the chart
_VEIL = 90  # of 255: how much a mask covers the picture
_INK, _SPLITS = "#333333", {"train": "#4c78a8", "validation": "#f2a541", "test": "#72b7b2"}
_EDGES = (0, 8, 16, 32, 64, 128, 256, 512, 1024, np.inf)  # pixels: the root of the area of a box


def write(
    folder: Path,
    content: Content,
    objects: Mapping[str, Mapping[str, int]],
    images: Mapping[str, int],
    colors: Mapping[str, str],
) -> None:
    """Write the four files of every release, the same bytes for the same content.

    Args:
        folder: Of the release.
        content: Images and objects.
        objects: Number of objects by category, then by split.
        images: Number of images by split.
        colors: "#rrggbb" by category.
    """
    (folder / "card").mkdir()
    _examples(content, colors).save(folder / EXAMPLES, quality=85)
    ordered = sorted(objects.items(), key=lambda item: -sum(item[1].values()))[:_MAX_CATEGORIES]
    _bars([(name, list(by_split.items())) for name, by_split in ordered]).save(folder / CATEGORIES)
    shares = [("images", _shares(images)), *((name, _shares(by_split)) for name, by_split in ordered)]
    _bars(shares, unit="%").save(folder / SPLITS)
    corners = np.array(content.objects.column("bbox_xyxy").to_pylist(), np.float64).reshape(-1, 4)
    sides = np.sqrt((corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]))
    counts, _ = np.histogram(sides, _EDGES)
    names = [f"{low:g} to {high:g} px" for low, high in pairwise(_EDGES[:-1])]
    rows = zip([*names, f"{_EDGES[-2]:g} px and more"], counts.tolist(), strict=True)
    _bars([(name, [("train", count)]) for name, count in rows]).save(folder / SIZES)


def _examples(content: Content, colors: Mapping[str, str]) -> Image.Image:
    """16 pictures at most, evenly over the ids, those with objects first."""
    counts = np.diff(content.offsets)
    order = np.argsort(counts == 0, kind="stable")
    with_objects = order[: max(1, int((counts > 0).sum()))]
    chosen = with_objects[np.linspace(0, len(with_objects) - 1, min(_ROWS**2, len(with_objects))).astype(int)]
    return _sheet([_example(content, index, colors) for index in chosen.tolist()])


def _sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    step = _SIDE + _GAP
    sheet = Image.new("RGB", (_ROWS * step - _GAP, -(-len(pictures) // _ROWS) * step - _GAP), "white")
    for place, picture in enumerate(pictures):
        at = (place % _ROWS * step, place // _ROWS * step)
        sheet.paste(picture, (at[0] + (_SIDE - picture.width) // 2, at[1] + (_SIDE - picture.height) // 2))
    return sheet


def write_augmented(folder: Path, colors: Mapping[str, str]) -> None:
    """Write the contact sheet: 16 copies at most, evenly over the files, with their masks and boxes.

    Args:
        folder: Of the release, with its augmented copies written.
        colors: "#rrggbb" by category.
    """
    files = [pq.ParquetFile(path) for path in sorted((folder / "augmented").glob("*.parquet"))]
    total = sum(file.metadata.num_rows for file in files)
    wanted = set(np.linspace(0, total - 1, min(_ROWS**2, total)).astype(int).tolist())
    _sheet([_copy(row, colors) for row in _rows(files, wanted)]).save(folder / AUGMENTED, quality=85)


def _rows(files: Sequence[pq.ParquetFile], wanted: set[int]) -> Iterator[dict[str, Any]]:
    """Rows by their number over all files; a group without one is not read."""
    start = 0
    for file in files:
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            here = sorted(number - start for number in wanted if start <= number < start + count)
            if here:
                yield from file.read_row_group(group, columns=["image", "objects"]).take(here).to_pylist()
            start += count


def _copy(row: Mapping[str, Any], colors: Mapping[str, str]) -> Image.Image:
    with open_any_size(io.BytesIO(row["image"]["bytes"])) as file:
        picture = file.convert("RGB")
    objects = row["objects"]
    drawn = list(zip(objects["category_name"], objects["bbox"], objects["segmentation"], strict=True))
    width, height = picture.size
    for name, _, segmentation in drawn:
        if segmentation is not None:
            shape = masks.decode(segmentation["counts"], width=width, height=height)
            veil = Image.fromarray(shape.astype(np.uint8) * _VEIL)
            picture.paste(Image.new("RGB", picture.size, colors.get(name, "#ffffff")), mask=veil)
    boxes = [(name, (x, y, x + w, y + h)) for name, (x, y, w, h), _ in drawn]
    return _framed(picture, boxes, colors)


def _example(content: Content, index: int, colors: Mapping[str, str]) -> Image.Image:
    with open_any_size(Path(content.images.column("path")[index].as_py())) as file:
        picture = file.convert("RGB")
    rows = content.objects.slice(content.offsets[index], content.offsets[index + 1] - content.offsets[index])
    boxes = list(zip(rows["category"].to_pylist(), rows["bbox_xyxy"].to_pylist(), strict=True))
    return _framed(picture, boxes, colors)


def _framed(
    picture: Image.Image, boxes: Sequence[tuple[str, Sequence[float]]], colors: Mapping[str, str]
) -> Image.Image:
    """The picture at the size of the sheet, with its boxes xyxy in pixels of the full size."""
    width = picture.width
    picture.thumbnail((_SIDE, _SIDE))
    scale = picture.width / width
    pen = ImageDraw.Draw(picture)
    for name, box in boxes:
        pen.rectangle([value * scale for value in box], outline=colors.get(name, "#ffffff"), width=2)
    return picture


def _shares(counts: Mapping[str, int]) -> list[tuple[str, float]]:
    """Percent by split."""
    total = sum(counts.values()) or 1
    return [(split, 100 * count / total) for split, count in counts.items()]


def _bars(rows: Sequence[tuple[str, Sequence[tuple[str, float]]]], *, unit: str = "") -> Image.Image:
    """A line per row: its name, its parts side by side, its sum; of shares (`unit` = "%") each part."""
    chart = Image.new("RGB", (_WIDTH, _LINE * len(rows) + _GAP), "white")
    pen, font = ImageDraw.Draw(chart), ImageFont.load_default(size=13)
    max_count = max((sum(count for _, count in parts) for _, parts in rows), default=0) or 1
    for number, (name, parts) in enumerate(rows):
        top, left = number * _LINE + _GAP, float(_LABEL)
        pen.text((_GAP, top), name[:30], fill=_INK, font=font)
        for part, count in parts:
            wide = count / max_count * (_WIDTH - _LABEL - 90)
            if count:
                pen.rectangle((left, top, left + max(wide, 1), top + _LINE - 8), fill=_SPLITS.get(part, _INK))
            left += wide
        told = (
            " / ".join(f"{count:.0f}" for _, count in parts) + unit
            if unit
            else f"{sum(n for _, n in parts):,}"
        )
        pen.text((left + _GAP, top), told, fill=_INK, font=font)
    return chart
