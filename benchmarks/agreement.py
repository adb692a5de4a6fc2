"""What agreement costs: everything that three people drew on up to 100,000 images, compared and settled.

`python -m benchmarks agreement`; `python -m benchmarks.agreement million` measures a million images on both
engines, once (half an hour and 15 GB of disk), and keeps the figures beside the others.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pycocotools import mask as coco

from benchmarks import process_cost, result
from benchmarks.result import Target
from curate import schema, tables
from curate.agreement import mask_runs, plots
from curate.agreement.bad_rows import Known
from curate.agreement.figures import Settings
from curate.compiled import compiled
from curate.engines import factory
from curate.geometry.brush_rle_kernels import coco_counts
from curate.params import AgreementParams, EngineParams
from curate.schema import TableSchema
from curate.stages import agreement_shards
from curate.stages.agreement_shards import Job, Ports
from curate.stages.drawn_rows import DrawnRows

NAME = "agreement"
MILLION = "agreement_million"
COMMAND = "python -m benchmarks agreement"
SIZES = (100, 200) if result.quick() else (1_000, 10_000, 100_000)  # images
RUNS = 1 if result.quick() else 3
PEOPLE, OBJECTS, WIDTH, HEIGHT = 3, 8, 640, 480
CATEGORIES = ("stop_sign", "parking_sign", "warning_sign")
SHARD = 60 if result.quick() else 10_000  # images
MILLION_OBJECTS = 2  # per image: what a disk of 50 GB and half an hour allow
_PIECE = 20_000  # images that are drawn at a time
MASK_PAIRS = 2_000 if result.quick() else 100_000
INTRO = """## Agreement

The work of the stage `agreement` on what {people} people drew: {objects} objects with masks per image of
{width} x {height} pixels, sides of 20 to 120, edges 2% off, 5% missed, 3% named otherwise. Bad rows,
matching, joint objects, masks by STAPLE, every figure of every slice with 1,000 resamples, tables read and
written; outlines (`agreement.contours`) are left out. More than {shard:,} images go in shards to {cores}
workers. A process of its own, its start and imports included, on {cores} cores. Medians of {runs} runs; the
peak is that of all its processes together, without mapped files.

"""


def drawn(images: int, seed: int = 0, *, first: int = 0, objects: int = OBJECTS) -> pa.Table:
    """The `annotations` table of people's work, on images numbered from `first` with so many objects each."""
    rng = np.random.default_rng(seed)
    truth = images * objects
    sides = rng.uniform(20, 120, (truth, 2))
    corner = rng.uniform(0, 1, (truth, 2)) * ([WIDTH, HEIGHT] - sides)
    of = np.repeat(np.arange(truth), PEOPLE)
    person = np.tile(np.arange(PEOPLE), truth)
    seen = rng.random(len(of)) >= 0.05
    of, person = of[seen], person[seen]
    off = rng.normal(0, 0.02, (len(of), 4)) * np.tile(sides[of], 2)
    edges = np.concatenate([corner[of], corner[of] + sides[of]], axis=1) + off
    edges = np.clip(edges, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    text, ends, boxes = _ellipses(edges, HEIGHT, WIDTH * HEIGHT)
    category = (np.arange(truth) % len(CATEGORIES))[of]
    other = rng.random(len(of)) < 0.03
    category = np.where(other, (category + 1) % len(CATEGORIES), category)
    numbers = range(first, first + images)
    image_ids = pa.array([f"{number:064x}" for number in numbers])
    rles = pa.StringArray.from_buffers(len(of), pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(text))
    image = of // objects
    columns = {
        "annotation_id": pa.array([f"a{first:011d}{number:012d}" for number in range(len(of))]),
        "image_id": image_ids.take(pa.array(image)),
        "origin": pa.array(["human"] * len(of)),
        "annotator_id": pa.array([f"labeler-{n}@example.org" for n in range(PEOPLE)]).take(pa.array(person)),
        "category": pa.array(CATEGORIES).take(pa.array(category)),
        "bbox_xyxy": pa.FixedSizeListArray.from_arrays(pa.array(boxes.astype(np.float32).ravel()), 4),
        "rle": rles,
        "task_id": pa.array([f"t{number:023d}" for number in numbers]).take(pa.array(image)),
        "outcome": pa.array(["object"] * len(of)),
    }
    return _table(schema.ANNOTATIONS, columns, len(of))


@compiled
def _ellipses(
    edges: NDArray[np.float64], height: int, pixels: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """COCO's counts of the ellipses in some boxes, where each begins, and the boxes around their pixels."""
    text = np.empty(edges.shape[0] * 400, dtype=np.uint8)
    ends = np.zeros(edges.shape[0] + 1, dtype=np.int64)
    boxes = np.zeros((edges.shape[0], 4), dtype=np.int64)
    places = np.empty(2000, dtype=np.int64)
    used = 0
    for i in range(edges.shape[0]):
        x1, y1, x2, y2 = edges[i]
        top, bottom, left, right, count = height, 0, 1 << 30, 0, 0
        for x in range(int(x1), int(x2) + 1):
            across = (x + 0.5 - (x1 + x2) / 2) / ((x2 - x1) / 2)
            if abs(across) >= 1:
                continue
            half = (y2 - y1) / 2 * np.sqrt(1 - across * across)
            first = int(np.ceil((y1 + y2) / 2 - half - 0.5))
            last = int(np.floor((y1 + y2) / 2 + half - 0.5))
            first, last = max(first, 0), min(last, height - 1)
            if last >= first:
                places[count], places[count + 1] = x * height + first, x * height + last + 1
                top, bottom = min(top, first), max(bottom, last + 1)
                left, right = min(left, x), max(right, x + 1)
                count += 2
        found = coco_counts(places[:count], pixels)
        text[used : used + found.size] = found
        used += found.size
        ends[i + 1] = used
        boxes[i] = left, top, right, bottom
    return text[:used].copy(), ends, boxes


def _table(of: TableSchema, columns: dict[str, Any], rows: int) -> pa.Table:
    given = {field.name: columns.get(field.name, pa.nulls(rows, field.type)) for field in of.arrow}
    return pa.table(given).cast(of.arrow)


def measure() -> None:
    """Make the tables, then time runs of a new process each; and overlaps of masks."""
    rows = [_measured(images, "local", RUNS) for images in SIZES]
    overlap = _overlaps()
    last, several = rows[-1], f"{SIZES[-1]:,} images, {PEOPLE} people, {OBJECTS} objects with masks"
    targets = [
        Target(several, 60, last["wall_s"], "s", at_most=True),
        Target(f"{several}: peak memory", 3, last["peak_bytes"] / 2**30, "GiB", at_most=True),
        Target("mask IoU against pycocotools", 1, overlap["pycocotools_s"] / overlap["curate_s"], "x"),
    ]
    content = {
        "rows": rows, "runs": RUNS, "people": PEOPLE, "objects": OBJECTS, "width": WIDTH, "height": HEIGHT,
        "cores": os.cpu_count(), "shard": SHARD, "overlap": overlap,
    }  # fmt: skip
    result.save(NAME, content, command=COMMAND, targets=targets)


def measure_million() -> None:
    """A million images on both engines, once each."""
    images = 500 if result.quick() else 1_000_000
    rows = [_measured(images, kind, 1, objects=MILLION_OBJECTS) for kind in ("local", "ray")]
    shutil.rmtree(_folder(images, MILLION_OBJECTS))
    command = "python -m benchmarks.agreement million"
    content = {
        "name": NAME,
        "rows": rows,
        "people": PEOPLE,
        "objects": MILLION_OBJECTS,
        "cores": os.cpu_count(),
    }
    result.save(MILLION, content, command=command)


def _folder(images: int, objects: int) -> Path:
    return result.CACHE / f"agreement-{images}-{objects}"


def _measured(images: int, kind: str, runs: int, *, objects: int = OBJECTS) -> dict[str, Any]:
    folder = _folder(images, objects)
    if not (folder / "annotations.parquet").exists():
        write_drawn(folder, images, objects)
    costs = [process_cost.call(settle, folder=str(folder), images=images, kind=kind) for _ in range(runs)]
    return {
        "images": images,
        "engine": kind,
        "objects": costs[0][1]["objects"],
        "wall_s": result.median(cost.wall_s for cost, _ in costs),
        "cpu_s": result.median(cost.cpu_s for cost, _ in costs),
        "peak_bytes": max(cost.peak_own_bytes for cost, _ in costs),
    }


def write_drawn(folder: Path, images: int, objects: int = OBJECTS) -> None:
    """Write the table of `drawn` into a folder, for `settle`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tables.stream(folder / "annotations.parquet", schema.ANNOTATIONS) as stream:
        for first in range(0, images, _PIECE):
            stream.write(drawn(min(_PIECE, images - first), first, first=first, objects=objects))


def settle(folder: str, images: int, kind: str) -> dict[str, int]:
    """What the stage does with the table of a folder, in the process that is measured."""
    place = Path(folder)
    ids = [f"{number:064x}" for number in range(images)]
    tasks = {image_id: f"t{number:023d}" for number, image_id in enumerate(ids)}
    job = Job(
        AgreementParams(contours=False, shard_size=SHARD),
        DrawnRows(place / "annotations.parquet"),
        Known(dict.fromkeys(ids, (WIDTH, HEIGHT)), set(CATEGORIES), tasks),
        Settings(resamples=1000),
        {},
        place / "shards",
    )
    done = agreement_shards.run(job, Ports(factory.engine(EngineParams.model_validate({"kind": kind}))))
    tables.write(done.agreed.annotations, place / "consensus.parquet", schema.ANNOTATIONS)
    tables.write(done.agreed.objects, place / "objects.parquet", schema.CONSENSUS_OBJECTS)
    with tables.stream(place / "pairs.parquet", schema.PAIRS) as pairs:
        for piece in done.pairs:
            pairs.write(piece)
    plots.write_csv(place / "figures.csv", plots.FIGURES, plots.table(done.measured, {}))
    return {"objects": int(done.agreed.reliability.patterns.drawn().sum())}


def _overlaps() -> dict[str, float]:
    """Seconds for the IoU of the same pairs of masks: pycocotools, and here; best of five, in one process.

    Both get every mask of two people on an image against every other; pycocotools' dictionaries are made
    before, the counts of ours are read within the time.
    """
    side = PEOPLE * OBJECTS
    groups = max(1, MASK_PAIRS // side**2)
    rles = drawn(groups + groups // 10 + 1, seed=1)["rle"].combine_chunks()[: groups * side]
    start = np.repeat(np.arange(groups) * side, side**2)
    first = start + np.tile(np.repeat(np.arange(side), side), groups)
    second = start + np.tile(np.arange(side), groups * side)
    encoded = [{"size": [HEIGHT, WIDTH], "counts": rle.encode()} for rle in rles.to_pylist()]
    blocks = [encoded[at : at + side] for at in range(0, len(encoded), side)]
    theirs, ours = [], []
    for _ in range(5):
        began = time.perf_counter()
        expected = [coco.iou(block, block, [0] * side) for block in blocks]
        middle = time.perf_counter()
        found = mask_runs.iou(mask_runs.read(rles, np.full(len(rles), HEIGHT)), first, second)
        theirs.append(middle - began)
        ours.append(time.perf_counter() - middle)
        np.testing.assert_allclose(found, np.concatenate([block.ravel() for block in expected]), atol=1e-12)
    return {"pairs": len(first), "pycocotools_s": min(theirs), "curate_s": min(ours)}


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [_cells(row) for row in content["rows"]]
    overlap = content["overlap"]
    return (
        INTRO.format(**content)
        + result.table(["images", "objects", "time", "processor time", "peak memory"], rows, numbers=4)
        + _note(content)
        + _million()
        + f"\nIoU of {overlap['pairs']:,} pairs of masks, reading the counts included: "
        f"{overlap['curate_s']:.3f} s, pycocotools {overlap['pycocotools_s']:.3f} s.\n\n"
        + result.target_table(result.targets(content))
        + result.footer(content)
    )


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['images']:,}",
        f"{row['objects']:,}",
        f"{row['wall_s']:.1f} s",
        f"{row['cpu_s']:.1f} s",
        f"{row['peak_bytes'] / 2**30:.2f} GiB",
    ]


def _million() -> str:
    """The Markdown of the last measurement of a million images."""
    if not (result.RESULTS / f"{MILLION}.json").exists():
        return "\nA million images: not run.\n"
    content = result.load(MILLION)
    rows = [[row["engine"], *_cells(row)] for row in content["rows"]]
    header = ["engine", "images", "objects", "time", "processor time", "peak memory"]
    what = (
        f"A million images of {content['objects']} objects, {content['people']} people, one run per engine:"
    )
    return (
        f"\n{what}\n\n"
        + result.table(header, rows, numbers=5)
        + _note(content)
        + "\n"
        + result.footer(content)
    )


def _note(content: dict[str, Any]) -> str:
    """What a reader must know of how it was measured."""
    return f"\n{content['note']}\n" if "note" in content else ""


if __name__ == "__main__":
    measure_million() if sys.argv[1:] == ["million"] else measure()
