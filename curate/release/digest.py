"""The identity of a release: a digest of its content, not of its files.

Files differ between versions of pyarrow or of an image encoder; the content that people agreed on does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from curate.release.content import Content


def content_digest(content: Content, splits: Sequence[str]) -> str:
    """The sha256, in hex, of everything in a release but the files' form.

    Covers the category names in their order, and for each image, in the order of its id: id (the sha256 of
    the source bytes), split, size, licence, attribution and objects (category, box to 1/1000 pixel, mask, and
    whether it is an area to ignore).
    No server ids, no times, no annotators.

    Args:
        content: Images and objects.
        splits: Split of each image.
    """
    state = hashlib.sha256()
    state.update(_line({"categories": list(content.categories)}))
    boxes = content.objects.column("bbox_xyxy").to_pylist()
    names = content.objects.column("category").to_pylist()
    rles = content.objects.column("rle").to_pylist()
    marks = [
        {"ignore": True} if mark == "disputed" else {} for mark in content.objects["outcome"].to_pylist()
    ]
    bounds = content.offsets.tolist()
    columns = ["image_id", "width", "height", "license", "attribution"]
    rows = zip(*(content.images.column(name).to_pylist() for name in columns), strict=True)
    for index, (values, split) in enumerate(zip(rows, splits, strict=True)):
        objects = [
            {
                "category": names[row],
                "bbox_xyxy": [f"{value:.3f}" for value in boxes[row]],
                "rle": rles[row],
                **marks[row],
            }
            for row in range(bounds[index], bounds[index + 1])
        ]
        state.update(_line({**dict(zip(columns, values, strict=True)), "split": split, "objects": objects}))
    return state.hexdigest()


def _line(value: object) -> bytes:
    return (json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
