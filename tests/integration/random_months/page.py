"""The labelling page in few words: regions in Label Studio's form, read and drawn without our own codec."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from label_studio_sdk.converter import brush

from tests import builders
from tests.integration.random_months.nature import HEIGHT, WIDTH, Object

Regions = list[dict[str, Any]]
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Control:
    """Where a rectangle of the project's interface is drawn."""

    name: str
    image: str

    @classmethod
    def of(cls, label_config: str) -> Control:
        """The rectangles of that interface."""
        found = next(ET.fromstring(label_config).iter("RectangleLabels"))  # noqa: S314 - of our own server
        return cls(found.attrib["name"], found.attrib["toName"])


def read(regions: Regions) -> dict[str, Object]:
    """The objects among regions, by the id of their rectangle; a brush belongs to its parent."""
    masks = {
        region["parentID"]: _mask(region["value"]["rle"]) for region in regions if "rle" in region["value"]
    }
    found = {}
    for region in regions:
        value = region["value"]
        if "rectanglelabels" in value:
            x1, y1 = value["x"] / 100 * WIDTH, value["y"] / 100 * HEIGHT
            x2, y2 = x1 + value["width"] / 100 * WIDTH, y1 + value["height"] / 100 * HEIGHT
            (category,) = value["rectanglelabels"]
            found[region["id"]] = Object(category, (x1, y1, x2, y2), masks.get(region["id"]))
    return found


def only(regions: Regions, kept: dict[str, Object]) -> Regions:
    """The regions of these objects, masks too."""
    return [region for region in regions if region["id"] in kept or region.get("parentID") in kept]


def draw(thing: Object, control: Control) -> dict[str, Any]:
    """A rectangle drawn by hand."""
    x1, y1, x2, y2 = thing.box
    value = {
        "x": x1 / WIDTH * 100,
        "y": y1 / HEIGHT * 100,
        "width": (x2 - x1) / WIDTH * 100,
        "height": (y2 - y1) / HEIGHT * 100,
        "rotation": 0,
        "rectanglelabels": [thing.category],
    }
    return {
        "id": f"drawn-{next(_numbers)}",
        "type": "rectanglelabels",
        "from_name": control.name,
        "to_name": control.image,
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value,
    }


def _mask(rle: list[int]) -> str:
    channels = brush.decode_rle(rle).reshape(HEIGHT, WIDTH, 4)
    return builders.rle(np.asarray(channels[:, :, 3] > 0))
