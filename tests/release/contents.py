"""A release's content, made without any stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from curate import schema
from curate.records import Annotation, Box, ImageRecord
from curate.release.release_content import Content, collect
from tests.builders import annotation, image

NAMES = ("stop_sign", "parking_sign")


def images_table(records: Sequence[ImageRecord]) -> pa.Table:
    return pa.Table.from_pylist([record.row() for record in records], schema=schema.IMAGES.arrow)


def annotations_table(records: Sequence[Annotation]) -> pa.Table:
    return pa.Table.from_pylist([record.row() for record in records], schema=schema.ANNOTATIONS.arrow)


def content(
    work: Mapping[str, Sequence[tuple[str, Box]]], *, names: Sequence[str] = NAMES, **changes: object
) -> Content:
    """Images by name with their objects; `changes` apply to every image."""
    rows = []
    for name, drawn in work.items():
        rows += [annotation(name, category, box, origin="consensus") for category, box in drawn]
        if not drawn:
            rows.append(annotation(name, None, None, origin="consensus"))
    return collect(images_table([image(name, **changes) for name in work]), annotations_table(rows), names)
