"""The records that every format is read into and written from.

Coordinates lie on the continuous plane of `curate.geometry.boxes`: the first pixel reaches from 0 to 1, a box
from 0 to 2 is two pixels wide. Each codec says how its own convention becomes this one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from curate.errors import RecordError
from curate.geometry import masks, outlines
from curate.records import Box

Ring = tuple[float, ...]  # x1, y1, x2, y2, ...; at least three corners, not closed
Polygon = tuple[Ring, ...]  # an outline, then the holes in it
Size = tuple[int, int]  # width, height in pixels

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LabeledObject:
    """One object as a file describes it.

    Attributes:
        category: Name, as the file spells it.
        bbox_xyxy: Corners; None where the file has none, and a polygon or mask says where it is.
        polygons: Parts of its outline, each with its holes.
        rle: COCO compressed counts of its pixels, of `rle_size`; whoever reads them checks them. Beside
            polygons: what these were filled to when they were drawn.
        rle_size: Size of the image that the counts were made for.
        is_crowd: The region covers many objects that nobody told apart.
        score: In [0, 1], where a model said so.
        confidence: In [0, 1], how sure it is that people agree on it; of a release.
        made_from: Ids of the answers that it was made from; of a release.
        object_id: The format's own name of it, if it has one.
        attributes: What else the file says of it.
        entry: How a person finds it in the file, such as "annotation 17".
        line: Its line in `LabeledImage.file`; 0 = not known.
    """

    category: str
    bbox_xyxy: Box | None = None
    polygons: tuple[Polygon, ...] = ()
    rle: str | None = None
    rle_size: Size | None = None
    is_crowd: bool = False
    score: float | None = None
    confidence: float | None = None
    made_from: tuple[str, ...] = ()
    object_id: str | None = None
    attributes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    entry: str = ""
    line: int = 0

    def box(self) -> Box | None:
        """The box, else the one around the outlines or the mask; None where nothing has an area.

        Raises:
            RecordError: The mask's counts are damaged.
        """
        if self.bbox_xyxy is not None:
            return self.bbox_xyxy
        if self.rle is not None and self.rle_size is not None:
            return masks.bbox(self.rle, width=self.rle_size[0], height=self.rle_size[1])
        xs = [x for rings in self.polygons for x in rings[0][::2]]
        ys = [y for rings in self.polygons for y in rings[0][1::2]]
        return (min(xs), min(ys), max(xs), max(ys)) if xs else None

    def mask(self, size: Size) -> str | None:
        """COCO compressed counts of its pixels in an image of `size`; None for a box only.

        Raises:
            RecordError: A mask of another size, damaged counts, or a ring of less than three corners.
        """
        if self.rle is not None:
            if self.rle_size is not None and self.rle_size != size:
                raise RecordError(
                    f"a mask of {self.rle_size[0]} x {self.rle_size[1]} in an image of {size[0]} x {size[1]}"
                )
            return self.rle
        return outlines.filled(self.polygons, width=size[0], height=size[1]) if self.polygons else None

    def drawn(self, size: Size) -> tuple[Polygon, ...]:
        """Its outlines as somebody drew them; none where they fill to something else than its mask.

        Raises:
            RecordError: As `mask`.
        """
        if not self.polygons or self.rle is None:
            return self.polygons
        filled = outlines.filled(self.polygons, width=size[0], height=size[1])
        return self.polygons if filled == self.mask(size) else ()

    def rings(self, size: Size, *, max_rings: int | None = None) -> tuple[Ring, ...]:
        """Its outlines as drawn, for formats whose polygons have no holes; none where it has any.

        Args:
            size: Of the image.
            max_rings: Parts that the format holds; None = any number.

        Raises:
            RecordError: As `mask`.
        """
        parts = self.drawn(size)
        if any(len(rings) > 1 for rings in parts) or (max_rings is not None and len(parts) > max_rings):
            return ()
        return tuple(rings[0] for rings in parts)

    def outline(self, size: Size) -> tuple[Polygon, ...]:
        """Its outlines as drawn, else those along the edges of its mask's pixels, which fill to the same.

        Raises:
            RecordError: As `mask`.
        """
        drawn = self.drawn(size)
        if drawn or self.rle is None:
            return drawn
        mask = self.mask(size)
        return outlines.trace(mask, width=size[0], height=size[1]) if mask is not None else ()


@dataclass(frozen=True, slots=True)
class LabeledImage:
    """One image with what a file says is in it.

    Attributes:
        name: File name as the file gives it, with its folders.
        objects: What is in it.
        width: Pixels, as the file states it; None where it does not.
        height: The same.
        relative: Coordinates are shares of width and height instead of pixels.
        image_id: The format's own name of it, if it has one.
        split: Such as "train", where the layout says it.
        other_splits: Further ones whose lists name it too: it leaks.
        tags: Labels of the whole image.
        annotator: Who drew this, where the file says it.
        human: Whether a human looked at it; None = not known.
        confidence: In [0, 1], how sure it is that its labels are right; of a release.
        review: Why somebody should look at it again; of a release.
        attributes: What else is said of it: source, time, and whatever its sidecar says.
        license: Of the image.
        attribution: Whom to name.
        labeled: False where the file lists the image without saying whether anybody looked at it.
        suggested: The objects are what a model proposed; the file has nothing of a person. So has one whose
            `human` is False.
        file: The file that describes it.
        line: Of its entry there; 0 = not known.
        content: The image file's bytes, where they are at hand.
        path: The image file, where it is on disk.
    """

    name: str
    objects: tuple[LabeledObject, ...] = ()
    width: int | None = None
    height: int | None = None
    relative: bool = False
    image_id: str | None = None
    split: str | None = None
    other_splits: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    annotator: str | None = None
    human: bool | None = None
    confidence: float | None = None
    review: str | None = None
    attributes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    license: str | None = None
    attribution: str | None = None
    labeled: bool = True
    suggested: bool = False
    file: Path = field(default_factory=Path)
    line: int = 0
    content: bytes | None = field(default=None, repr=False)
    path: Path | None = None

    @property
    def size(self) -> Size | None:
        """Width and height, where the file states both."""
        return None if not self.width or not self.height else (self.width, self.height)

    def in_pixels(self, size: Size) -> LabeledImage:
        """The labels with coordinates in pixels of an image of `size`."""
        if not self.relative:
            return self
        return replace(
            self,
            objects=tuple(scaled(one, float(size[0]), float(size[1])) for one in self.objects),
            width=size[0],
            height=size[1],
            relative=False,
        )


def scaled(one: LabeledObject, across: float, down: float) -> LabeledObject:
    """The object with its coordinates multiplied; its mask stays."""
    box = one.bbox_xyxy
    return replace(
        one,
        bbox_xyxy=None if box is None else (box[0] * across, box[1] * down, box[2] * across, box[3] * down),
        polygons=tuple(
            tuple(
                tuple(value * (down if index % 2 else across) for index, value in enumerate(ring))
                for ring in rings
            )
            for rings in one.polygons
        ),
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a label file that could not be taken as it is.

    Attributes:
        kind: One word or two with "_", such as "box_outside"; docs/formats.md lists them.
        file: Where.
        line: Where in it; 0 = not known.
        entry: How a person finds it there.
        image: Name of the image it is about, if any.
        detail: What is wrong, with the numbers.
        known: For an unknown category the nearest known name.
    """

    kind: str
    file: Path
    line: int = 0
    entry: str = ""
    image: str = ""
    detail: str = ""
    known: str = ""


@dataclass(slots=True)
class Labels:
    """An opened set of labels.

    Attributes:
        format: Name of the codec.
        path: What was opened.
        categories: Names in the file's order; empty where the format lists none.
        images: Read while they are iterated, once; memory does not grow with them.
        problems: Entries that could not be read; complete when `images` ends.
        incomplete: Why any of the images may lack objects or have wrong ones, where the file does not say to
            which image or category some of them belong; known when it is opened.
    """

    format: str
    path: Path
    categories: tuple[str, ...]
    images: Iterable[LabeledImage] = ()
    problems: list[Problem] = field(default_factory=list)
    incomplete: str = ""

    def counts(self) -> Counter[str]:
        """Number of problems by kind."""
        return Counter(problem.kind for problem in self.problems)


def rounded(polygons: Sequence[Polygon]) -> tuple[Polygon, ...]:
    """Round to a thousandth of a pixel, as tables hold them: pixels are filled after that, never before."""
    return tuple(tuple(tuple(round(value, 3) for value in ring) for ring in rings) for rings in polygons)


def polygon_rings(polygons: Sequence[Polygon]) -> list[list[float]] | None:
    """One part with its holes, as a release holds it; None for none or several, which it cannot hold."""
    return [list(ring) for ring in polygons[0]] if len(polygons) == 1 else None


def polygon_json(polygons: Sequence[Polygon]) -> str | None:
    """Write polygons as the JSON of a table's `polygon` column, which holds what is `rounded`."""
    rings = polygon_rings(polygons)
    return None if rings is None else json.dumps(rings)
