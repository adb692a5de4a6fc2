"""What a format cannot hold, counted while it is written."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

from curate.formats.record import LabeledImage

Feature = Literal[
    "mask", "crowd", "score", "object_id", "attributes", "license", "attribution", "tags", "split", "empty"
]
LOST: Final[dict[Feature, str]] = {
    "mask": "masks",
    "crowd": "crowd flags",
    "score": "scores",
    "object_id": "ids of objects",
    "attributes": "attributes of objects",
    "license": "licences of images",
    "attribution": "attributions of images",
    "tags": "labels of whole images",
    "split": "splits of images",
    "empty": "images without objects",
}


class Losses:
    """Counts by what is lost; what a format holds is not counted.

    Attributes:
        counts: Number of things lost, by name.
        images: Images written.
        objects: Objects in them.
    """

    def __init__(self, *holds: Feature) -> None:
        """Prepare.

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

    def look(self, image: LabeledImage) -> None:
        """Count an image that is written."""
        self.images += 1
        self.objects += len(image.objects)
        present: list[tuple[Feature, int]] = [
            ("license", image.license is not None),
            ("attribution", image.attribution is not None),
            ("tags", len(image.tags)),
            ("split", image.split is not None),
            ("empty", not image.objects),
        ]
        for one in image.objects:
            present += [
                ("mask", one.rle is not None or bool(one.polygons)),
                ("crowd", one.is_crowd),
                ("score", one.score is not None),
                ("object_id", one.object_id is not None),
                ("attributes", len(one.attributes)),
            ]
        for feature, number in present:
            if number and feature in self._lacks:
                self.counts[LOST[feature]] += int(number)

    def sentence(self) -> str:
        """For the closing line: what is lost, most first."""
        if not self.counts:
            return "nothing is lost"
        return "lost: " + ", ".join(f"{number:,} {what}" for what, number in self.counts.most_common())
