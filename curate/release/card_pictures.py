"""Pictures of the card: examples with their objects, and how objects are spread over categories and sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from curate.release.release_content import Content

EXAMPLES: Final = "card/examples.jpg"
CATEGORIES: Final = "card/categories.png"
SIZES: Final = "card/sizes.png"
_SIDE, _ROWS, _GAP = 256, 4, 6  # pixels of a picture; pictures a row; pixels between
_WIDTH, _LINE, _LABEL = 900, 22, 220  # pixels of a chart, of one of its lines, of its names
_MOST = 40  # categories of the chart
_INK, _SPLITS = "#333333", {"train": "#4c78a8", "validation": "#f2a541", "test": "#72b7b2"}
_EDGES = (0, 8, 16, 32, 64, 128, 256, 512, 1024, np.inf)  # pixels: the root of the area of a box


def write(
    folder: Path, content: Content, objects: Mapping[str, Mapping[str, int]], colors: Mapping[str, str]
) -> None:
    """Write the three files, the same bytes for the same content.

    Args:
        folder: Of the release.
        content: Images and objects.
        objects: Number of objects by category, then by split.
        colors: "#rrggbb" by category.
    """
    (folder / "card").mkdir()
    _examples(content, colors).save(folder / EXAMPLES, quality=85)
    ordered = sorted(objects.items(), key=lambda item: -sum(item[1].values()))[:_MOST]
    _bars([(name, list(by_split.items())) for name, by_split in ordered]).save(folder / CATEGORIES)
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
    step = _SIDE + _GAP
    sheet = Image.new("RGB", (_ROWS * step - _GAP, -(-len(chosen) // _ROWS) * step - _GAP), "white")
    for place, index in enumerate(chosen.tolist()):
        picture = _example(content, index, colors)
        at = (place % _ROWS * step, place // _ROWS * step)
        sheet.paste(picture, (at[0] + (_SIDE - picture.width) // 2, at[1] + (_SIDE - picture.height) // 2))
    return sheet


def _example(content: Content, index: int, colors: Mapping[str, str]) -> Image.Image:
    path, width = (content.images.column(name)[index].as_py() for name in ("path", "width"))
    with Image.open(path) as file:
        picture = file.convert("RGB")
    picture.thumbnail((_SIDE, _SIDE))
    scale = picture.width / width
    pen = ImageDraw.Draw(picture)
    rows = content.objects.slice(content.offsets[index], content.offsets[index + 1] - content.offsets[index])
    for name, box in zip(rows["category"].to_pylist(), rows["bbox_xyxy"].to_pylist(), strict=True):
        pen.rectangle([value * scale for value in box], outline=colors.get(name, "#ffffff"), width=2)
    return picture


def _bars(rows: Sequence[tuple[str, Sequence[tuple[str, int]]]]) -> Image.Image:
    """A line a row: its name, its parts side by side, its sum."""
    chart = Image.new("RGB", (_WIDTH, _LINE * len(rows) + _GAP), "white")
    pen, font = ImageDraw.Draw(chart), ImageFont.load_default(size=13)
    most = max((sum(count for _, count in parts) for _, parts in rows), default=0) or 1
    for number, (name, parts) in enumerate(rows):
        top, left = number * _LINE + _GAP, float(_LABEL)
        pen.text((_GAP, top), name[:30], fill=_INK, font=font)
        for part, count in parts:
            wide = count / most * (_WIDTH - _LABEL - 90)
            if count:
                pen.rectangle((left, top, left + max(wide, 1), top + _LINE - 8), fill=_SPLITS.get(part, _INK))
            left += wide
        pen.text((left + _GAP, top), f"{sum(count for _, count in parts):,}", fill=_INK, font=font)
    return chart
