"""What planning costs: the stage select on tables of many images, and the same again after growth.

`python -m benchmarks plan`
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import process_cost, result
from benchmarks.result import Target
from curate import schema, tables
from curate.geometry import masks
from curate.params import QaParams
from curate.schema import TableSchema
from curate.stages import select

NAME = "plan"
COMMAND = "python -m benchmarks plan"
SIZES = (1_000, 2_000) if result.quick() else (10_000, 100_000)  # images
RUNS = 1 if result.quick() else 3
BOXES = 3  # an image
WIDTH, HEIGHT = 1600, 1200
TAXONOMY = """\
categories:
  - {id: 0, name: stop_sign, prompts: [stop sign], threshold: 0.4, color: "#e6194b"}
  - {id: 1, name: parking_sign, prompts: [parking sign], threshold: 0.4, color: "#4363d8"}
"""
PARAMS = QaParams(
    audit=400,
    uncertain=0.1,
    rare_floor=500,
    control_share=0.05,
    seeded_errors=0.02,
    overlap_share=0.2,
    blind="strict",
    people=tuple(f"labeler-{number}@example.invalid" for number in range(12)),
)
INTRO = """## The plan

The stage select with every part on (audit 400, uncertain 10%, 500 of each category, control, planted errors,
overlap, 12 people with a project each), {boxes} boxes with masks per image, {width} x {height} pixels. A
process of its own, its start and imports included; *again* goes on from the plan of the first run. Medians of
{runs} runs; the peak is that of the process without mapped files.

"""


def measure() -> None:
    """Make the tables, then time runs of a new process each."""
    rows: list[dict[str, Any]] = []
    for images in SIZES:
        folder = result.CACHE / f"plan-{images}"
        if not (folder / "annotations.parquet").exists():
            _make(folder, images)
        costs: dict[str, list[process_cost.Cost]] = {"first": [], "again": []}
        for _ in range(RUNS):
            (folder / "plan.parquet").unlink(missing_ok=True)
            for found in costs.values():
                found.append(process_cost.call(plan, folder=str(folder))[0])
        for name, found in costs.items():
            rows.append(
                {
                    "images": images,
                    "run": name,
                    "wall_s": result.median(cost.wall_s for cost in found),
                    "cpu_s": result.median(cost.cpu_s for cost in found),
                    "peak_bytes": max(cost.peak_own_bytes for cost in found),
                }
            )
    last = next(row for row in rows if row["images"] == SIZES[-1])
    entry = Target(f"plan of {SIZES[-1]:,} images", 10, last["wall_s"], "s", at_most=True)
    content = {"rows": rows, "runs": RUNS, "boxes": BOXES, "width": WIDTH, "height": HEIGHT}
    result.save(NAME, content, command=COMMAND, targets=[entry])


def _make(folder: Path, images: int) -> None:
    """Tables as the stages before would leave them, from a seed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "taxonomy.yaml").write_text(TAXONOMY, encoding="utf-8")
    ids = sorted(hashlib.sha256(str(number).encode()).hexdigest() for number in range(images))
    _write(
        folder / "images.parquet",
        schema.IMAGES,
        images,
        {
            "image_id": ids,
            "path": ["x.jpg"] * images,
            "sources": [["made/x.jpg"]] * images,
            "width": [WIDTH] * images,
            "height": [HEIGHT] * images,
            "bytes": [1] * images,
            "attributes": [[]] * images,
        },
    )
    rows, rng = images * BOXES, np.random.default_rng(0)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rle = masks.encode(((x - 500) / 180) ** 2 + ((y - 400) / 140) ** 2 <= 1)
    corner = rng.uniform((300, 240), (340, 280), (rows, 2))
    boxes = np.concatenate([corner, corner + np.array([360, 280])], axis=1).astype(np.float32)
    _write(
        folder / "annotations.parquet",
        schema.ANNOTATIONS,
        rows,
        {
            "annotation_id": [hashlib.sha256(f"box {row}".encode()).hexdigest()[:24] for row in range(rows)],
            "image_id": [ids[image] for image in rng.integers(0, images, rows)],
            "origin": ["model"] * rows,
            "category": np.where(rng.random(rows) < 0.99, "stop_sign", "parking_sign").tolist(),
            "bbox_xyxy": pa.FixedSizeListArray.from_arrays(pa.array(boxes.ravel()), 4),
            "rle": [rle] * rows,
            "score": rng.uniform(0.4, 1, rows).astype(np.float32),
            "model_version": ["made"] * rows,
            "outcome": ["object"] * rows,
        },
    )


def _write(path: Path, kind: TableSchema, rows: int, columns: Mapping[str, Any]) -> None:
    arrays = {
        field.name: pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in kind.arrow
    }
    tables.write(pa.table(arrays, schema=kind.arrow), path, kind)


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [
        [
            f"{row['images']:,}",
            row["run"],
            f"{row['wall_s']:.1f} s",
            f"{row['cpu_s']:.1f} s",
            f"{row['peak_bytes'] / 1e6:,.0f} MB",
        ]
        for row in content["rows"]
    ]
    header = ["images", "run", "time", "processor time", "peak memory"]
    return (
        INTRO.format(**content)
        + result.table(header, rows, numbers=3)
        + "\n"
        + result.target_table(result.targets(content))
        + result.footer(content)
    )


def plan(folder: str) -> None:
    """One run of the stage on the tables of a folder, in the process that is measured."""
    place = Path(folder)
    select.run(
        PARAMS,
        inputs=select.Inputs(
            place / "images.parquet", place / "annotations.parquet", place / "taxonomy.yaml", place / "shown"
        ),
        outputs=select.Outputs(place / "plan.parquet", place / "plots"),
    )


if __name__ == "__main__":
    measure()
