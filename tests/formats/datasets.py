"""Small data sets: one with every trap, and made-up ones; written and read back by a codec."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from curate import formats
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject
from curate.geometry import masks
from curate.records import BoolArray, Box

CATEGORIES = ("stop sign", "señal_única", "駐車")
SIZE = (24, 18)


@cache
def png(size: tuple[int, int] = SIZE, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@cache
def jpeg(size: tuple[int, int] = SIZE) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(png(size))).save(out, "JPEG")
    return out.getvalue()


def image(
    name: str, *objects: LabeledObject, size: tuple[int, int] = SIZE, split: str = "train", **more: object
) -> LabeledImage:
    data = jpeg(size) if name.endswith(".jpg") else png(size)
    made = LabeledImage(name, objects, size[0], size[1], split=split, content=data)
    return replace(made, **more)  # type: ignore[arg-type]


def boxed(category: str, box: Box, **more: object) -> LabeledObject:
    return replace(LabeledObject(category, box), **more)  # type: ignore[arg-type]


def masked(category: str, mask: BoolArray, **more: object) -> LabeledObject:
    """An object with a mask, and the box around it."""
    height, width = mask.shape
    rle = masks.encode(mask)
    made = LabeledObject(
        category, masks.bbox(rle, width=width, height=height), rle=rle, rle_size=(width, height)
    )
    return replace(made, **more)  # type: ignore[arg-type]


def with_holes_and_parts() -> BoolArray:
    mask = np.zeros((SIZE[1], SIZE[0]), dtype=bool)
    mask[2:9, 2:9] = True
    mask[4:6, 4:6] = False
    mask[12:15, 14:22] = True
    mask[0, 23] = True  # a pixel of its own in a corner of the image
    return mask


def traps() -> list[LabeledImage]:
    """Everything at once: one-pixel boxes, edges, names, holes, parts, nothing at all."""
    width, height = SIZE
    return [
        image(
            "a.jpg",
            boxed(CATEGORIES[0], (0.0, 0.0, 1.0, 1.0)),
            boxed(CATEGORIES[1], (width - 1.0, height - 1.0, float(width), float(height))),
            boxed(CATEGORIES[2], (0.0, 0.0, float(width), float(height))),
        ),
        image("b c é.jpg", masked(CATEGORIES[1], with_holes_and_parts())),
        image("nothing.jpg"),
        image("other.jpg", boxed(CATEGORIES[0], (3.0, 4.0, 7.0, 9.0)), split="validation"),
        image("empty.jpg", split="test"),
    ]


def written(
    format: str, folder: Path, images: Iterable[LabeledImage], categories: Sequence[str] = CATEGORIES
) -> Losses:
    folder.mkdir(parents=True, exist_ok=True)
    about = About(tuple(categories), "unit", "1.0.0")
    return formats.WRITERS[format](folder, images, about, ImageFiles(folder))


def read(format: str, path: Path) -> dict[str, LabeledImage]:
    """Images by name; there must be no problem."""
    labels = formats.read(path, format)
    found = {Path(one.name).name: one for one in labels.images}
    assert labels.problems == []
    return found


@st.composite
def objects(draw: st.DrawFn, size: tuple[int, int] = SIZE) -> LabeledObject:
    """With whole edges; every third has a mask."""
    category = draw(st.sampled_from(CATEGORIES))
    if draw(st.integers(0, 2)) == 0:
        mask = np.array(draw(st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1])))
        if mask.any():
            return masked(category, mask.reshape(size[1], size[0]))
    x1, y1 = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    x2, y2 = draw(st.integers(x1 + 1, size[0])), draw(st.integers(y1 + 1, size[1]))
    return boxed(category, (float(x1), float(y1), float(x2), float(y2)))


SMALL = (7, 5)


def datasets() -> st.SearchStrategy[list[LabeledImage]]:
    drawn = st.lists(st.lists(objects(SMALL), max_size=3), min_size=1, max_size=4)
    return drawn.map(lambda rows: [image(f"{at}.png", *row, size=SMALL) for at, row in enumerate(rows)])


def shapes(image: LabeledImage) -> list[tuple[str, tuple[float, ...]]]:
    """Category and box of each object, to a thousandth of a pixel."""
    return [
        (one.category, tuple(round(value, 3) + 0.0 for value in one.box() or ())) for one in image.objects
    ]


def pixels(image: LabeledImage) -> list[str | None]:
    """The mask of each object, as COCO's counts."""
    assert image.size is not None
    return [one.mask(image.size) for one in image.objects]


def by_name(images: Iterable[LabeledImage]) -> Mapping[str, LabeledImage]:
    return {one.name: one for one in images}
