"""A release folder, made from images with objects."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from curate import schema
from curate.formats.record import LabeledImage, polygon_json
from curate.release import manifest, parquet
from curate.release.release_content import collect

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
        known = {"sources": [f"unit/{one.name}"], "attributes": [], "bytes": 0, "path": str(path)}
        said = {
            "width": one.width,
            "height": one.height,
            "license": one.license,
            "attribution": one.attribution,
        }
        rows.append({"image_id": ids[one.name], **known, **said})
        drawn = [
            {"annotation_id": f"{ids[one.name][:20]}{number:04d}", "image_id": ids[one.name],
             "rle": drawn.rle, "polygon": polygon_json(drawn.polygons),
             "category": drawn.category, "bbox_xyxy": drawn.box(), "origin": "consensus", "outcome": "object"}
            for number, drawn in enumerate(one.objects)
        ]  # fmt: skip
        nothing = {
            "annotation_id": one.name,
            "image_id": ids[one.name],
            "origin": "consensus",
            "outcome": "empty",
        }
        objects += drawn or [nothing]
    content = collect(
        pa.Table.from_pylist(rows, schema=schema.IMAGES.arrow),
        pa.Table.from_pylist(objects, schema=schema.ANNOTATIONS.arrow),
        categories,
    )
    splits = [one.split or "train" for one in ordered]
    for shard in parquet.plan_shards(content, splits, digest=DIGEST):
        list(parquet.write_shard(folder / shard.name, shard, content, row_group_size=100))
    (folder / "README.md").write_text("unit\n")
    manifest.write(
        folder,
        manifest.Manifest(
            name="unit",
            version="1.2.0",
            digest=DIGEST,
            images=Counter(splits),
            objects=Counter(content.objects.column("category").to_pylist()),
        ),
    )
    return ids
