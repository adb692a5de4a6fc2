"""The demo's sources with their licenses, and one raw file with its truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from demo.distinct_scenes import Frame
from demo.photographs import PHOTOGRAPHS
from demo.scenes import mask_bbox_xyxy


@dataclass(frozen=True, slots=True)
class Source:
    """One folder of raw files; `photographs` are the backgrounds that its license allows."""

    name: str
    license: str
    photographs: tuple[str, ...]

    @property
    def attribution(self) -> str:
        """Authors of the photographs behind the signs."""
        makers = dict.fromkeys(PHOTOGRAPHS[name].attribution for name in self.photographs)
        return "Synthetic signs by the curate demo on photographs by " + "; ".join(makers)


# Pictures over CC0 and public-domain photographs are given out as CC0; those over CC BY stay CC BY.
SOURCES = (
    Source(
        "camera_a", "CC0-1.0", ("camera", "chelsea", "coffee", "retina", "brick", "grass", "gravel", "rocket")
    ),
    Source(
        "camera_b", "CC0-1.0", ("astronaut", "coins", "hubble", "ihc", "rocket", "brick", "gravel", "coffee")
    ),
    Source("dashcam", "CC-BY-2.0", ("china", "flower", "grass", "gravel", "brick", "rocket")),
)


@dataclass(slots=True, eq=False)
class RawFile:
    """One file of the tree and its truth; `frame` is None for what cannot be decoded."""

    path: str  # below the raw folder, with forward slashes
    content: bytes
    kind: str
    frame: Frame | None = None
    of: str | None = None
    transform: str | None = None
    exif_orientation: int = 1
    attributes: dict[str, str] = field(default_factory=dict)

    def truth(self) -> dict[str, Any]:
        """The entry of truth.json; boxes and masks in upright pixels of this file."""
        objects = []
        for index, item in enumerate(self.frame.objects if self.frame else ()):
            assert self.frame is not None
            box = mask_bbox_xyxy(self.frame.mask(index))
            objects.append({"category": item.category, "bbox_xyxy": list(box), "rle": item.rle})
        width, height = self.frame.size if self.frame else (None, None)
        return {
            "kind": self.kind,
            "of": self.of,
            "transform": self.transform,
            "exif_orientation": self.exif_orientation,
            "width": width,
            "height": height,
            "objects": objects,
        }
