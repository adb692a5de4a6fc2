"""A release folder, made from images with objects."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from curate.formats.record import LabeledImage
from curate.release import manifest, parquet
from curate.release.content import IMAGE_COLUMNS, OBJECT_COLUMNS, Content
from curate.release.support import Support

DIGEST = "c" * 64


def write_release(
    folder: Path, images: Sequence[LabeledImage], categories: Sequence[str], *, raw: Path
) -> dict[str, str]:
    """Write it; the id of each image by its name. `raw` is where their files are put."""
    ids = {one.name: hashlib.sha256(one.name.encode()).hexdigest() for one in images}
    ordered = sorted(images, key=lambda one: ids[one.name])
    rows, objects = [], []
    for one in ordered:
        path = raw / f"{ids[one.name]}{Path(one.name).suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.content or b"")
        values = (ids[one.name], str(path), one.width, one.height, one.license, one.attribution, None, None)
        rows.append(dict(zip(IMAGE_COLUMNS, values, strict=True)))
        for number, drawn in enumerate(one.objects):
            key = f"{ids[one.name][:20]}{number:04d}"
            found = (key, ids[one.name], drawn.category, drawn.box(), drawn.rle, "object", None)
            objects.append(dict(zip(OBJECT_COLUMNS, found, strict=True)))
    counts = [len(one.objects) for one in ordered]
    content = Content(
        images=Support.none().of_images(pa.Table.from_pylist(rows, schema=_schema(IMAGE_COLUMNS))),
        objects=Support.none().of_objects(pa.Table.from_pylist(objects, schema=_schema(OBJECT_COLUMNS))),
        offsets=np.array([0, *itertools.accumulate(counts)], dtype=np.int64),
        categories=tuple(categories),
        dropped={},
        unlabelled=0,
    )
    splits = [one.split or "train" for one in ordered]
    for shard in parquet.plan_shards(content, splits, digest=DIGEST):
        list(parquet.write_shard(folder / shard.name, shard, content, row_group_size=100))
    (folder / "README.md").write_text("unit\n")
    manifest.write(
        folder,
        name="unit",
        version="1.2.0",
        digest=DIGEST,
        images=Counter(splits),
        objects=Counter(row["category"] for row in objects),
    )
    return ids


def _schema(names: Sequence[str]) -> pa.Schema:
    kinds = {"width": pa.int32(), "height": pa.int32(), "bbox_xyxy": pa.list_(pa.float32(), 4)}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names])
