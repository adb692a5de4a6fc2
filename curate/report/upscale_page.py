"""The contact sheet of `curate upscale`: each image before and after at 100%, with a slider between them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
from PIL import Image, ImageOps

from curate import tables
from curate.images import pixel_limit

_SIDE: Final = 360  # pixels of the result that are shown as they are
_MAX_IMAGES: Final = 200  # images on a page
_QUALITY: Final = 88  # of the JPEGs
_DAMAGED = (OSError, SyntaxError, ValueError)


@dataclass(frozen=True, slots=True)
class Case:
    """Image with its results, as the page shows it.

    Attributes:
        row: Of the table.
        before: Data URI: the image enlarged by a bicubic kernel, the middle of it.
        after: Data URI: the same place of the result.
        width: Pixels of both.
        height: The same.
    """

    row: Mapping[str, Any]
    before: str
    after: str
    width: int
    height: int


def write(rows: Sequence[Mapping[str, Any]], out: Path) -> Path:
    """Write the page, which asks for nothing elsewhere.

    Args:
        rows: Of `curate.table_schemas.UPSCALED`; their files must still be there.
        out: The page, replaced in one step.

    Raises:
        StorageError: It cannot be written.
    """
    done = [row for row in rows if row["outcome"] == "upscaled"]
    with pixel_limit.any_size():  # they were made, or read, within upscale.max_pixels
        cases = [case for row in done[:_MAX_IMAGES] if (case := _case(row)) is not None]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("upscale.html.j2").render(
        cases=cases,
        done=done,
        failed=[row for row in rows if row["outcome"] == "failed"],
        licenses=sorted({row["model_license"] for row in rows}),
        models=sorted({row["model"] for row in rows}),
    )
    with tables.replacing(out) as partial:
        partial.write_text(page, encoding="utf-8")
    return out


def _case(row: Mapping[str, Any]) -> Case | None:
    try:
        with Image.open(row["path"]) as made:
            box = _middle(made.size)
            after = _shown(made.crop(box))
        with Image.open(row["source"]) as opened:
            source = ImageOps.exif_transpose(opened)
            ratio = (source.width / row["width"], source.height / row["height"])
            part = tuple(edge * ratio[place % 2] for place, edge in enumerate(box))
            before = _shown(_plain(source)).resize(after.size, Image.Resampling.BICUBIC, box=part)
    except _DAMAGED:
        return None  # the table names the file; who removed it knows
    return Case(row, _uri(before), _uri(after), *after.size)


def _middle(size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = (min(side, _SIDE) for side in size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


def _plain(image: Image.Image) -> Image.Image:
    return (
        image.convert("RGB")
        if image.mode in ("P", "CMYK", "1") and "transparency" not in image.info
        else image
    )


def _shown(image: Image.Image) -> Image.Image:
    """Turn an image into 8 bits RGB, on white where it is transparent."""
    if image.mode.startswith("I"):
        image = image.point(lambda value: value / 257).convert("L")
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
