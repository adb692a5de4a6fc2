"""What COCO costs in and out: 100,000 images with 1,000,000 objects, beside pycocotools and supervision.

`python -m benchmarks formats`
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks import environments, process_cost, result
from benchmarks.process_cost import FailedRunError
from benchmarks.result import Target
from curate import schema, tables
from curate.release import columns, manifest
from curate.stages import export, import_labels

NAME = "formats"
COMMAND = "python -m benchmarks formats"
IMAGES = 1_000 if result.quick() else 100_000
OBJECTS = 10  # per image; every second has an outline of eight corners
WIDTH, HEIGHT = 640, 480
LIMIT_S, LIMIT_BYTES = 60, 1 << 30
CATEGORIES = tuple(f"category_{number}" for number in range(20))
INTRO = """## Formats

COCO with {images:,} images and {objects:,} objects on {width} x {height} pixels, every second with an outline
({megabytes:,} MB of JSON). *Import* joins the file to the images table as answers, checks every box and
fills every outline to a mask; *export* writes a release of those (images of 160 bytes, and their masks) as
COCO, files included. pycocotools only loads and indexes the same file. supervision loads it as its converters
do first, but without the outlines: it makes a plane of the image's size of each, 307 GB here. A process of
its own each, start and imports included, one run.

"""


def measure() -> None:
    """Make the file, the table and the release; then time each in a process of its own."""
    folder = result.CACHE / f"formats-{IMAGES}"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder)
        (folder / "made").touch()
    rows = []
    for name, function in (
        ("curate import", bring_in),
        ("curate export", take_out),
        ("pycocotools load", load),
    ):
        shutil.rmtree(folder / "out", ignore_errors=True)
        cost, answer = process_cost.call(function, folder=str(folder))
        rows.append(_row(name, cost, answer))
    shutil.rmtree(folder / "out", ignore_errors=True)
    rows.append(_peer(folder))
    ours = {row["what"]: row for row in rows}
    targets = []
    for way in ("import", "export"):
        row, what = ours[f"curate {way}"], f"COCO {way}, {IMAGES * OBJECTS:,} objects"
        busy = f"{row['cpu_s']:.0f} s of a processor; the rest it waited, where the machine was shared"
        targets.append(Target(what, LIMIT_S, row["wall_s"], "s", at_most=True, note=busy))
        targets.append(Target(what, LIMIT_BYTES / (1 << 30), row["peak_gib"], "GiB", at_most=True))
    size = (folder / "instances.json").stat().st_size
    content = {"rows": rows, "images": IMAGES, "objects": IMAGES * OBJECTS, "bytes": size}
    result.save(NAME, content, command=COMMAND, targets=targets)


def _row(name: str, cost: process_cost.Cost, answer: Any) -> dict[str, Any]:
    return {
        "what": name,
        "wall_s": cost.wall_s,
        "cpu_s": cost.cpu_s,
        "peak_gib": cost.peak_own_bytes / (1 << 30),
        "answer": answer,
    }


def _peer(folder: Path) -> dict[str, Any]:
    try:
        python = environments.interpreter("supervision")
        script = environments.RUNNERS / "run_supervision_coco.py"
        command = [str(python), str(script), str(folder / "boxes.json"), str(folder / "peer.json")]
        cost = process_cost.run(command, timeout_s=900)
    except FailedRunError as error:
        return {"what": "supervision load", "failed": str(error).splitlines()[-1]}
    return _row("supervision load", cost, json.loads((folder / "peer.json").read_text(encoding="utf-8")))


def bring_in(folder: str) -> str:
    """Import the file as answers."""
    place = Path(folder)
    done = import_labels.run(
        import_labels.ImportParams(place / "instances.json", "answers", annotator="anna"),
        inputs=import_labels.Inputs(place / "images.parquet", place / "taxonomy.yaml"),
        outputs=import_labels.Outputs(place / "out/rows.parquet", place / "out/problems.csv"),
    )
    return done.report.line().partition(": ")[2]


def take_out(folder: str) -> str:
    """Export the release as COCO."""
    place = Path(folder)
    return export.run("coco", place / "release", place / "out").line().partition(": ")[2]


def load(folder: str) -> str:
    """What everybody's evaluation does first."""
    from pycocotools.coco import COCO  # noqa: PLC0415 - only in the process that is measured

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(Path(folder) / "instances.json")
    return f"{len(coco.imgs):,} images, {len(coco.anns):,} objects"


def _make(folder: Path) -> None:
    """Write a taxonomy, an images table and COCO labels, the same on every run."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    entries = "".join(
        f'  - {{id: {number}, name: {name}, prompts: [{name}], threshold: 0.4, color: "#e6194b"}}\n'
        for number, name in enumerate(CATEGORIES)
    )
    (folder / "taxonomy.yaml").write_text(f"categories:\n{entries}", encoding="utf-8")
    ids = sorted(hashlib.sha256(str(number).encode()).hexdigest() for number in range(IMAGES))
    _images(folder / "images.parquet", ids)
    _coco(folder / "instances.json", rng)
    text = (folder / "instances.json").read_text(encoding="utf-8")
    (folder / "boxes.json").write_text(re.sub(r"\[\[[^\]]*\]\]", "[]", text), encoding="utf-8")
    bring_in(str(folder))
    _release(folder, ids)


def _images(path: Path, ids: list[str]) -> None:
    given = {
        "image_id": ids,
        "path": ["x.jpg"] * IMAGES,
        "sources": [[f"camera/{number:06d}.jpg"] for number in range(IMAGES)],
        "width": [WIDTH] * IMAGES,
        "height": [HEIGHT] * IMAGES,
        "bytes": [1] * IMAGES,
        "attributes": [[]] * IMAGES,
    }
    columns = [
        pa.array(given[field.name], field.type) if field.name in given else pa.nulls(IMAGES, field.type)
        for field in schema.IMAGES.arrow
    ]
    tables.write(pa.Table.from_arrays(columns, schema=schema.IMAGES.arrow), path, schema.IMAGES)


def _coco(path: Path, rng: np.random.Generator) -> None:
    turns = np.linspace(0, 2 * np.pi, 9)[:8]
    with path.open("w", encoding="utf-8") as file:
        images = [
            {"id": number, "file_name": f"{number:06d}.jpg", "width": WIDTH, "height": HEIGHT}
            for number in range(IMAGES)
        ]
        categories = [{"id": 3 * number, "name": name} for number, name in enumerate(CATEGORIES)]
        head = json.dumps({"images": images, "categories": categories})
        file.write(head[:-1] + ', "annotations": [')
        for number in range(IMAGES * OBJECTS):
            x, y = rng.uniform(0, WIDTH - 130), rng.uniform(0, HEIGHT - 130)
            w, h = rng.uniform(8, 120, 2)
            entry: dict[str, Any] = {
                "id": number,
                "image_id": int(number * 7919 % IMAGES),  # in no order
                "category_id": int(3 * (number % len(CATEGORIES))),
                "bbox": [round(x, 2), round(y, 2), round(w, 2), round(h, 2)],
                "area": round(w * h, 2),
                "iscrowd": 0,
                "segmentation": [],
            }
            if number % 2:
                points = np.stack([x + w / 2 * (1 + np.cos(turns)), y + h / 2 * (1 + np.sin(turns))], axis=1)
                entry["segmentation"] = [points.ravel().round(2).tolist()]
            file.write((",\n" if number else "\n") + json.dumps(entry))
        file.write("]}\n")


def _release(folder: Path, ids: list[str]) -> None:
    """The imported answers as a release with tiny images; its rows as the stage release writes them."""
    out = io.BytesIO()
    Image.new("L", (1, 1)).save(out, "JPEG", quality=1)
    data = out.getvalue()
    rows = tables.read(folder / "out/rows.parquet", schema.ANNOTATIONS).sort_by("image_id")
    by_image: dict[str, list[dict[str, Any]]] = {}
    for batch in rows.to_batches(max_chunksize=50_000):
        for row in batch.to_pylist():
            by_image.setdefault(row["image_id"], []).append(
                {name: row[name] for name in ("annotation_id", "category", "bbox_xyxy", "rle")}
            )
    layout = columns.schema(columns.of_images({}, captured_at=False), CATEGORIES)
    target = folder / "release/data/train-made-00000-of-00001.parquet"
    target.parent.mkdir(parents=True)
    with pq.ParquetWriter(target, layout) as writer:
        for start in range(0, IMAGES, 500):
            group = [_released(key, by_image.get(key, []), data) for key in ids[start : start + 500]]
            writer.write_table(pa.Table.from_pylist(group, schema=layout), row_group_size=100)
    manifest.write(
        folder / "release",
        manifest.Manifest(
            name="made",
            version="1.0.0",
            digest="0" * 64,
            images={"train": IMAGES},
            objects=dict.fromkeys(CATEGORIES, 0),
        ),
    )


def _released(image_id: str, rows: list[dict[str, Any]], data: bytes) -> dict[str, Any]:
    boxes = [row["bbox_xyxy"] for row in rows]
    rles = [row["rle"] for row in rows]
    return {
        "image": {"bytes": data, "path": f"{image_id}.jpg"},
        "image_id": image_id,
        "width": WIDTH,
        "height": HEIGHT,
        "objects": {
            "id": [row["annotation_id"] for row in rows],
            "bbox": [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes],
            "category": [CATEGORIES.index(row["category"]) for row in rows],
            "category_name": [row["category"] for row in rows],
            "area": [0.0] * len(rows),
            "iscrowd": [0] * len(rows),
            "segmentation": [
                None if rle is None else {"size": [HEIGHT, WIDTH], "counts": rle} for rle in rles
            ],
            "confidence": [None] * len(rows),
            "made_from": [[]] * len(rows),
        },
    }


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    intro = INTRO.format(
        images=content["images"],
        objects=content["objects"],
        width=WIDTH,
        height=HEIGHT,
        megabytes=round(content["bytes"] / 1e6),
    )
    rows = [
        [row["what"], row["failed"], "", ""]
        if "failed" in row
        else [row["what"], f"{row['wall_s']:.1f} s", f"{row['cpu_s']:.1f} s", f"{row['peak_gib']:.2f} GiB"]
        for row in content["rows"]
    ]
    return (
        intro
        + result.table(["what", "time", "processor time", "peak memory"], rows, numbers=3)
        + "\n"
        + result.target_table(result.targets(content))
        + result.footer(content)
    )


if __name__ == "__main__":
    measure()
