"""`curate diff` on releases of 1,000,000 objects: images that came and went, objects relabelled and moved.

    python -m benchmarks.diff [--objects 1000000] [--new-ids]

With --new-ids no object keeps its id, so that all are matched by content and by overlap.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.release import columns, diff, diff_columns, manifest

_CATEGORIES = [f"category_{number}" for number in range(20)]
_PER_IMAGE = 10


def write_release(folder: Path, *, images: int, changed: bool, new_ids: bool) -> None:
    """A release without pictures; a changed one lacks 1% of images and differs in 3% of objects."""
    rng = np.random.default_rng(0)
    count = images * _PER_IMAGE
    corner, side = rng.uniform(0, 1800, (count, 2)), rng.uniform(10, 120, (count, 2))
    category = rng.integers(0, len(_CATEGORIES), count)
    ids = np.char.add("object-", np.arange(count).astype(str))
    if changed:
        category[::100] = (category[::100] + 1) % len(_CATEGORIES)
        corner[::50] += 2
        ids = np.char.add("other-", ids) if new_ids else ids
    boxes = np.hstack([corner, side]).astype(np.float32).ravel()
    flat = {
        "id": ids.tolist(), "bbox": pa.FixedSizeListArray.from_arrays(boxes, 4),
        "category": category, "category_name": np.array(_CATEGORIES)[category], "area": side.prod(axis=1),
        "iscrowd": np.zeros(count, np.int8), "origin": np.full(count, "consensus"),
    }  # fmt: skip
    offsets = pa.array(np.arange(0, count + 1, _PER_IMAGE, dtype=np.int32))
    arrays = [
        pa.ListArray.from_arrays(
            offsets,
            pa.array(flat[field.name]).cast(field.kind)
            if field.name in flat
            else pa.nulls(count, field.kind),
        )
        for field in columns.OBJECTS
    ]
    objects = pa.StructArray.from_arrays(arrays, [field.name for field in columns.OBJECTS])
    names = [f"{number:064x}" for number in range(images)]
    known = {"image_id": pa.array(names), "objects": objects, "split": pa.array(["train"] * images)}
    listed = [column for column in columns.of_images({}, captured_at=False) if column.name != "image"]
    layout = columns.schema(listed, _CATEGORIES)
    table = pa.table([known.get(field.name, pa.nulls(images, field.type)) for field in layout], schema=layout)
    if changed:
        table = table.slice(images // 100)
    (folder / "data").mkdir(parents=True)
    pq.write_table(table, folder / "data/train-0-00000-of-00001.parquet")
    facts = manifest.Manifest(
        name="unit", version="1.0.0", digest=str(changed), images={}, objects={}, columns=columns.VERSION
    )
    manifest.write(folder, facts)


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--new-ids", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sides = [Path(folder) / name for name in ("before", "after")]
        for side in sides:
            changed = side.name == "after"
            write_release(side, images=args.objects // _PER_IMAGE, changed=changed, new_ids=args.new_ids)
        start, cpu = time.perf_counter(), time.process_time()
        loaded = [diff_columns.load(side) for side in sides]
        read = time.perf_counter() - start
        found = diff.compare(*loaded)
        counts = found.counts()
    print(
        json.dumps(
            {
                "objects": args.objects,
                "new_ids": args.new_ids,
                "read_s": round(read, 2),
                "all_s": round(time.perf_counter() - start, 2),
                "cpu_s": round(time.process_time() - cpu, 2),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                **counts,
            }
        )
    )


if __name__ == "__main__":
    main()
