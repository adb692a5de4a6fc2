"""The identity of a release: a digest of its content, not of its files.

Files differ between versions of pyarrow or of an image encoder; the content that people agreed on does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from curate.release.columns import VERSION
from curate.release.release_content import Content


def content_digest(
    content: Content, splits: Sequence[str], *, license: str, augmentation: str | None = None
) -> str:
    """The sha256, in hex, of everything in a release but the files' form.

    Covers the version of the release's columns, the category names in their order, the license of the
    annotations, and for each image, in the order of its id: id (the sha256 of the source bytes), split,
    size, license, attribution, attributes, what people answered about it (where they were asked) and objects
    (category, box to 1/1000 pixel, mask, outline, attributes, and whether it is an area to ignore); and how
    augmented copies are made. No server ids, no times, no annotators and no figures about them.

    Args:
        content: Images and objects.
        splits: Split of each image.
        license: Of the annotations.
        augmentation: Digest of how augmented copies are made; None = there are none.
    """
    state = hashlib.sha256()
    head = {"version": VERSION, "categories": list(content.categories), "license": license}
    state.update(_line(head if augmentation is None else {**head, "augmentation": augmentation}))
    objects = _object_texts(content)
    bounds = content.offsets.tolist()
    columns = ["image_id", "width", "height", "license", "attribution", "attributes", "answers"]
    rows = zip(*(content.images.column(name).to_pylist() for name in columns), strict=True)
    for index, (values, split) in enumerate(zip(rows, splits, strict=True)):
        row = dict(zip(columns, values, strict=True))
        if not row["answers"]:
            del row["answers"]
        state.update(_line({**row, "split": split, "objects": objects[bounds[index] : bounds[index + 1]]}))
    return state.hexdigest()


def _object_texts(content: Content) -> list[dict[str, Any]]:
    """Each object as it is digested, those of an image in their order."""
    names = ("category", "bbox_xyxy", "rle", "polygon", "outcome", "attributes")
    columns = (content.objects.column(name).to_pylist() for name in names)
    return [
        {
            "category": category,
            "bbox_xyxy": [f"{value:.3f}" for value in box],
            "rle": rle,
            **({} if polygon is None else {"polygon": polygon}),
            **({"ignore": True} if outcome == "disputed" else {}),
            **({"attributes": attributes} if attributes else {}),
        }
        for category, box, rle, polygon, outcome, attributes in zip(*columns, strict=True)
    ]


def _line(value: object) -> bytes:
    return (json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
