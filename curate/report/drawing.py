"""Small pictures for the page: thumbnails with masks and boxes, as data URIs.

Two runs give the same bytes. An album stops handing out pictures when its bytes are used up, so that the page
stays small whatever the images are.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from curate.geometry import masks
from curate.images import color
from curate.images.pixel_limit import open_any_size
from curate.records import Annotation, Box

_QUALITY = 78  # of the JPEGs
_SMOOTH = 2  # drawn so much larger, then reduced: smooth edges
_FILL, _OUTLINE = 0.3, 2  # opacity of a mask; pixels of a box's line
_TEXT = 11  # pixels
_DARK_INK = 150  # luma of a color from which black text reads better than white


@dataclass(frozen=True, slots=True)
class Mark:
    """One object to draw.

    Attributes:
        box: In upright pixels of the image.
        color: "#rrggbb".
        label: Written at the box; empty = nothing.
        rle: Mask in COCO compressed counts; None = box only.
        below: The label stands under the box instead of above it.
    """

    box: Box
    color: str
    label: str = ""
    rle: str | None = None
    below: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """An image for the page: `uri` holds its bytes, width and height are its pixels."""

    uri: str
    width: int
    height: int


class Album:
    """Hands out thumbnails until `max_bytes` of data URIs are used."""

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        self._root = root
        self._left = max_bytes

    def thumbnail(self, path: str | None, *, side: int, marks: Sequence[Mark] = ()) -> Picture | None:
        """A picture of at most `side` x `side` pixels.

        Args:
            path: Upright file relative to the project; None = there is none.
            side: Pixels of the longer side.
            marks: Drawn in this order.

        Returns:
            None where there is no readable file, or no room left in the page.
        """
        if path is None or self._left <= 0:
            return None
        try:
            drawn = thumbnail_of(self._root / path, side=side, marks=marks)
        except (OSError, ValueError):
            return None  # the page says that the picture is missing; ingest is the one that complains
        self._left -= len(drawn.uri)
        return drawn if self._left >= 0 else None


def thumbnail_of(file: Path | IO[bytes], *, side: int, marks: Sequence[Mark] = ()) -> Picture:
    """A picture of at most `side` x `side` pixels.

    Args:
        file: An upright image.
        side: Pixels of the longer side.
        marks: Drawn in this order.

    Raises:
        OSError: It cannot be read.
    """
    with open_any_size(file) as opened:
        original = opened.size
        opened.draft(
            "RGB", (side * _SMOOTH, side * _SMOOTH)
        )  # decode large JPEGs at a fraction of their size
        # Pillow cuts values of more than 8 bits off at 255.
        picture = color.to_srgb(opened) if opened.mode[0] in "IF" else opened.convert("RGB")
    drawn = annotate(picture, marks, size=original, side=side)
    buffer = io.BytesIO()
    drawn.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Picture(
        "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"), *drawn.size
    )


def annotate(picture: Image.Image, marks: Sequence[Mark], *, size: tuple[int, int], side: int) -> Image.Image:
    """A reduced copy with masks filled, boxes outlined and names written.

    Args:
        picture: RGB, of any scale.
        marks: Drawn in this order: all masks, then all boxes, then all names.
        size: Width and height of the image that the marks' pixels mean.
        side: Pixels of the result's longer side; images are never enlarged.
    """
    width, height = size
    scale = min(1.0, side / max(width, height))
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    large = (target[0] * _SMOOTH, target[1] * _SMOOTH)
    canvas = picture.resize(large if marks else target, Image.Resampling.LANCZOS)
    if not marks:
        return canvas
    for mark in marks:
        if mark.rle is not None:
            _fill(canvas, mark, size)
    pen = ImageDraw.Draw(canvas)
    boxes = [_scaled(mark.box, large[0] / width, large[1] / height) for mark in marks]
    for mark, box in zip(marks, boxes, strict=True):
        pen.rectangle(box, outline=mark.color, width=_OUTLINE * _SMOOTH)
    font = ImageFont.load_default(size=_TEXT * _SMOOTH)
    written: list[Box] = []
    for mark, box in zip(marks, boxes, strict=True):
        if mark.label:
            _name(pen, mark, box, font=font, room=large, written=written)
    return canvas.resize(target, Image.Resampling.LANCZOS)


def mosaic(pictures: Sequence[Image.Image], *, width: int, columns: int, gap: int = 6) -> Image.Image:
    """Pictures in equal cells on white, `columns` a row, `width` pixels wide in all."""
    cell = (width - gap * (columns - 1)) // columns
    tall = max(round(picture.height * cell / picture.width) for picture in pictures)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (width, rows * tall + (rows - 1) * gap), "white")
    for index, picture in enumerate(pictures):
        fitted = picture.resize(
            (cell, round(picture.height * cell / picture.width)), Image.Resampling.LANCZOS
        )
        sheet.paste(fitted, ((index % columns) * (cell + gap), (index // columns) * (tall + gap)))
    return sheet


def marks_of(annotations: Sequence[Annotation], colors: dict[str, str], *, named: bool = True) -> list[Mark]:
    """Marks for rows of outcome "object", large ones first so that small ones stay visible."""
    marks = [
        Mark(
            row.bbox_xyxy,
            colors.get(row.category or "", "#888888"),
            words(row.category or "") if named else "",
            row.rle,
        )
        for row in annotations
        if row.bbox_xyxy is not None
    ]
    return sorted(marks, key=lambda mark: (-_area(mark.box), mark.box, mark.label))


def words(name: str) -> str:
    """A name as people read it: "stop_sign" as "stop sign"."""
    return name.replace("_", " ")


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _fill(canvas: Image.Image, mark: Mark, size: tuple[int, int]) -> None:
    mask = masks.decode(mark.rle or "", width=size[0], height=size[1])
    shape = Image.fromarray(mask.astype(np.uint8) * 255).resize(canvas.size, Image.Resampling.BILINEAR)
    edge = shape.filter(ImageFilter.MaxFilter(5)).point(lambda value: 255 if value > 127 else 0)
    inner = shape.filter(ImageFilter.MinFilter(5)).point(lambda value: 255 if value > 127 else 0)
    rim = Image.fromarray(np.asarray(edge) & ~np.asarray(inner))
    canvas.paste(mark.color, mask=shape.point(lambda value: round(value * _FILL)))
    canvas.paste(mark.color, mask=rim.point(lambda value: round(value * 0.85)))


def _scaled(box: Box, x: float, y: float) -> Box:
    return box[0] * x, box[1] * y, box[2] * x, box[3] * y


def _name(
    pen: ImageDraw.ImageDraw,
    mark: Mark,
    box: Box,
    *,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    room: tuple[int, int],
    written: list[Box],
) -> None:
    """The label on a plate above or below the box, or inside, where it covers no other label.

    Where all places are taken nothing is written: the color says what it is.
    """
    pad = 2 * _SMOOTH
    left, top, right, bottom = pen.textbbox((0, 0), mark.label, font=font)
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(0.0, box[0]), max(0.0, room[0] - width))
    outside, inside = (box[1] - height, box[3]), (box[1], box[3] - height)
    places = [*outside, *inside] if not mark.below else [*outside[::-1], *inside[::-1]]
    fits = [y for y in places if 0 <= y <= room[1] - height] or [min(max(0.0, box[1]), room[1] - height)]
    free = [y for y in fits if not any(_meet((x, y, x + width, y + height), one) for one in written)]
    if not free:
        return
    y = free[0]
    written.append((x, y, x + width, y + height))
    pen.rectangle(written[-1], fill=mark.color)
    pen.text((x + pad - left, y + pad - top), mark.label, font=font, fill=_ink(mark.color))


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _ink(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > _DARK_INK else "#ffffff"
