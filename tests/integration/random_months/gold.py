"""Known answers in a COCO file, made from the truth of the pictures."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from tests import builders
from tests.integration.random_months import nature

FILE = Path("gold/answers.json")


def names() -> list[str]:
    """Pictures whose answer is known."""
    if not FILE.exists():
        return []
    return [entry["file_name"].removesuffix(".jpg") for entry in json.loads(FILE.read_text())["images"]]


def add(present: list[str], chance: Random) -> None:
    """Make the answers of two or three more pictures known."""
    known = sorted({*names(), *chance.sample(present, min(len(present), 3))})
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, name in enumerate(known):
        file = builders.image(name).sources[0].rpartition("/")[2]
        images.append({"id": number, "file_name": file, "width": nature.WIDTH, "height": nature.HEIGHT})
        for thing in nature.truth(name):
            x1, y1, x2, y2 = thing.box
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": nature.CATEGORIES.index(thing.category),
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(nature.CATEGORIES)]
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
