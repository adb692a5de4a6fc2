"""What a format cannot hold, counted while it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from curate.formats.record import LabeledImage, LabeledObject, Polygon, Size
from curate.geometry import masks
from curate.records import Box

Feature = Literal[
    "mask",
    "polygon",
    "crowd",
    "score",
    "support",
    "object_id",
    "attributes",
    "license",
    "attribution",
    "image_attributes",
    "tags",
    "review",
    "split",
    "empty",
]
LOST: Final[dict[Feature, str]] = {
    "mask": "masks",
    "polygon": "outlines as drawn",
    "crowd": "crowd flags",
    "score": "scores",
    "support": "objects whose confidence and origin are left out",
    "object_id": "ids of objects",
    "attributes": "attributes of objects",
    "license": "licences of images",
    "attribution": "attributions of images",
    "image_attributes": "attributes of images, such as source and time",
    "tags": "labels of whole images",
    "review": "images whose confidence and reason for another look are left out",
    "split": "splits of images",
    "empty": "images without objects",
}

_SAME_PX = 0.01


class Losses:
    """Counts by what is lost; what a format holds is not counted.

    Attributes:
        counts: Number of things lost, by name.
        images: Images written.
        objects: Objects in them.
    """

    def __init__(self, *holds: Feature) -> None:
        """Begin with nothing lost.

        Args:
            holds: What the format keeps.
        """
        self.counts: Counter[str] = Counter()
        self.images = 0
        self.objects = 0
        self._lacks = frozenset(LOST) - frozenset(holds)

    def add(self, what: str, number: int = 1) -> None:
        """Count something that the codec itself gave up, in its own words."""
        if number:
            self.counts[what] += number

    def box_of_mask(self, one: LabeledObject, size: Size) -> None:
        """Count an object whose box is given up for the one around its mask, where that is another."""
        drawn, around = one.bbox_xyxy, replace(one, bbox_xyxy=None).box()
        if one.polygons and one.rle is None:
            mask = one.mask(size)
            around = masks.bbox(mask, width=size[0], height=size[1]) if mask is not None else around
        self.add("boxes that are not those of their masks", _moved(drawn, around))

    def box_of_outline(self, one: LabeledObject, polygons: Sequence[Polygon]) -> None:
        """Count an object whose box is given up for the one around its outline, where that is another."""
        around = LabeledObject(one.category, polygons=tuple(polygons)).box()
        self.add("boxes that are not those of their outlines", _moved(one.bbox_xyxy, around))

    def outline(self, one: LabeledObject, *, written: bool) -> None:
        """Count an outline that is given up for its mask: holes, too many parts, or it fills otherwise."""
        self.add("outlines as drawn, of which the masks are kept", bool(one.polygons) and not written)

    def look(self, image: LabeledImage) -> None:
        """Count an image that is written."""
        self.images += 1
        self.objects += len(image.objects)
        present: list[tuple[Feature, int]] = [
            ("license", image.license is not None),
            ("attribution", image.attribution is not None),
            ("image_attributes", len(image.attributes)),
            ("tags", len(image.tags)),
            ("review", image.review is not None or image.confidence is not None),
            ("split", image.split is not None),
            ("empty", not image.objects),
        ]
        for one in image.objects:
            present += [
                ("mask", one.rle is not None),
                ("polygon", bool(one.polygons)),
                ("crowd", one.is_crowd),
                ("score", one.score is not None),
                ("support", one.confidence is not None or bool(one.made_from)),
                ("object_id", one.object_id is not None),
                ("attributes", len(one.attributes)),
            ]
        for feature, number in present:
            if number and feature in self._lacks:
                self.counts[LOST[feature]] += int(number)

    def sentence(self) -> str:
        """Say for the closing line what is lost, most first."""
        if not self.counts:
            return "nothing is lost"
        return "lost: " + ", ".join(f"{number:,} {what}" for what, number in self.counts.most_common())


def _moved(drawn: Box | None, around: Box | None) -> bool:
    if drawn is None or around is None:
        return False
    return max(abs(a - b) for a, b in zip(drawn, around, strict=True)) > _SAME_PX
