"""Small valid records, tables and whole projects for tests; no stage has to run first.

`small_project` writes what the stages up to a chosen one would leave behind: eight raw files, of which one is
unreadable and one is a near-duplicate, two categories, two annotators who agree on most images.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from curate import schema, tables
from curate.labeling import taxonomy
from curate.qa import task_drafts
from curate.records import Annotation, BoolArray, Box, ImageRecord, UInt8Image, derived_id
from curate.shown import record
from curate.shown import rows as shown_rows
from curate.stages.answer_join import AnswerJoin
from tests.pulled import answer_row

STAGES = ("ingest", "dedupe", "autolabel", "select", "pull", "agreement")
CATEGORIES = {"stop_sign": (230, 25, 75), "parking_sign": (67, 99, 216)}
ANNOTATORS = ("simulated-1@demo.invalid", "simulated-2@demo.invalid")
WIDTH, HEIGHT = 160, 120
TAXONOMY = """\
categories:
  - {id: 0, name: stop_sign, prompts: [stop sign], threshold: 0.4, color: "#e6194b"}
  - {id: 1, name: parking_sign, prompts: [parking sign], threshold: 0.4, color: "#4363d8"}
"""


def image_id(name: str) -> str:
    """The 64 hex digits that stand for the image called `name`."""
    return hashlib.sha256(name.encode()).hexdigest()


def scene(
    objects: Iterable[tuple[str, Box]], *, seed: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> UInt8Image:
    """(H, W, 3) pixels: a seeded noisy gradient, and an ellipse in the category's color for every object."""
    width, height = size
    rng = np.random.default_rng(seed)
    corners = rng.integers(40, 200, size=(2, 3))
    ramp = np.linspace(0, 1, width)[None, :, None]
    pixels = (1 - ramp) * corners[0] + ramp * corners[1] + rng.normal(0, 6, size=(height, width, 3))
    for category, box in objects:
        pixels[ellipse(box, size=size)] = CATEGORIES.get(category, (128, 128, 128))
    return np.asarray(np.clip(pixels, 0, 255), dtype=np.uint8)


def ellipse(box: Box, *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> BoolArray:
    """(H, W) mask of the ellipse that fills `box`."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width] + 0.5
    x1, y1, x2, y2 = box
    radius = ((x - (x1 + x2) / 2) / ((x2 - x1) / 2)) ** 2 + ((y - (y1 + y2) / 2) / ((y2 - y1) / 2)) ** 2
    return np.asarray(radius <= 1.0)


def rle(mask: BoolArray) -> str:
    """The mask as COCO compressed counts."""
    counts: bytes = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts.decode("ascii")


def write_jpeg(path: Path, pixels: UInt8Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90)
    return path


def image(name: str, **changes: Any) -> ImageRecord:
    """A kept image called `name`, whose upright file is where ingest would put it."""
    key = image_id(name)
    record = ImageRecord(
        image_id=key,
        sources=(f"unit/{name}.jpg",),
        bytes=4000,
        path=f"data/ingest/images/{key[:2]}/{key}.jpg",
        format="JPEG",
        width=WIDTH,
        height=HEIGHT,
        exif_orientation=1,
        license="cc-by-4.0",
        attribution="unit tests",
        brightness=120.0,
        contrast=40.0,
        sharpness=300.0,
        quality=(("blur", 0.25), ("noise", 1.5)),
    )
    return replace(record, **changes)


def annotation(name: str, category: str | None, box: Box | None, **changes: Any) -> Annotation:
    """A row on the image called `name`: an object with an elliptic mask, or "empty" where `category` is None.

    `size=(width, height)` says how large the image is where it is not the usual one.
    """
    size: tuple[int, int] = changes.pop("size", (WIDTH, HEIGHT))
    origin, annotator = changes.get("origin", "human"), changes.get("annotator_id")
    values: dict[str, Any] = {
        "annotation_id": derived_id(name, origin, annotator or "", category or "", *(box or ())),
        "image_id": image_id(name),
        "origin": origin,
        "category": category,
        "bbox_xyxy": box,
        "rle": rle(ellipse(box, size=size)) if box is not None else None,
        "outcome": "object" if box is not None else "empty",
    }
    if origin == "human":
        values["task_id"] = derived_id("task", image_id(name))
    return Annotation(**{**values, **changes})


def write_images(path: Path, records: Sequence[ImageRecord]) -> Path:
    tables.write_rows([record.row() for record in records], path, schema.IMAGES)
    return path


def write_annotations(path: Path, records: Sequence[Annotation]) -> Path:
    tables.write_rows([record.row() for record in records], path, schema.ANNOTATIONS)
    return path


def write_pulled(root: Path, records: Sequence[Annotation]) -> None:
    """What people drew and their answers, joined to what was shown, as the stage pull leaves both tables."""
    write_annotations(root / "data/pull/annotations.parquet", records)
    join = AnswerJoin(record.load(root / "data/push/shown"))
    by_answer: dict[tuple[str, str], list[Annotation]] = {}
    for row in records:
        join.annotation(row.row())
        by_answer.setdefault((str(row.task_id), str(row.annotator_id)), []).append(row)
    answers = [join.answer(answer_row(*rows)) for rows in by_answer.values()]
    tables.write_rows(answers, root / "data/pull/answers.parquet", schema.ANSWERS)


def write_pairs(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    tables.write_rows(rows, path, schema.PAIRS)
    return path


def pair(
    a: Annotation | None, b: Annotation | None, *, index: int = 0, iou: float | None = None
) -> dict[str, Any]:
    """A row of the pairs table: two matched annotations, or one that only one annotator drew."""
    known = a or b
    assert known is not None
    return {
        "image_id": known.image_id,
        "annotator_a": (a.annotator_id if a else None) or ANNOTATORS[0],
        "annotator_b": (b.annotator_id if b else None) or ANNOTATORS[1],
        "pair_index": index,
        "annotation_a": a.annotation_id if a else None,
        "annotation_b": b.annotation_id if b else None,
        "category_a": a.category if a else None,
        "category_b": b.category if b else None,
        "box_iou": iou if a and b else None,
        "mask_iou": iou if a and b else None,
    }


@dataclass(frozen=True, slots=True)
class SmallProject:
    """What `small_project` wrote.

    Attributes:
        root: Project folder.
        images: Every row of the last images table.
        annotations: Rows by stage: autolabel, pull, consensus.
    """

    root: Path
    images: tuple[ImageRecord, ...]
    annotations: Mapping[str, tuple[Annotation, ...]]


_OBJECTS: dict[str, list[tuple[str, Box]]] = {
    "one": [("stop_sign", (20.0, 20.0, 80.0, 80.0))],
    "two": [("parking_sign", (60.0, 30.0, 140.0, 100.0))],
    "three": [("stop_sign", (10.0, 40.0, 60.0, 100.0)), ("parking_sign", (90.0, 20.0, 150.0, 90.0))],
    "four": [],
    "five": [("stop_sign", (50.0, 10.0, 120.0, 90.0))],
    "six": [("parking_sign", (15.0, 15.0, 75.0, 85.0))],
    "copy": [("stop_sign", (20.0, 20.0, 80.0, 80.0))],
}


def small_project(root: Path, *, stage: str = "agreement") -> SmallProject:
    """Write images, tables, taxonomy, queue and metrics of a finished project, up to and with `stage`.

    Args:
        root: Empty folder that becomes the project.
        stage: One of `STAGES`: later tables are not written.
    """
    reached = STAGES.index(stage) + 1
    (root / "taxonomy.yaml").write_text(TAXONOMY, encoding="utf-8")
    ingested = _images(root)
    deduped = tuple(_deduped(record) for record in ingested)
    done = dict.fromkeys(STAGES[:reached])
    annotations: dict[str, tuple[Annotation, ...]] = {}
    write_images(root / "data/ingest/images.parquet", ingested)
    if "dedupe" in done:
        write_images(root / "data/dedupe/images.parquet", deduped)
    if "autolabel" in done:
        annotations["autolabel"] = _model_rows()
        write_annotations(root / "data/autolabel/annotations.parquet", annotations["autolabel"])
    if "select" in done:
        tables.write_rows(_plan_rows(), root / "data/select/plan.parquet", schema.PLAN)
    if "pull" in done:
        show(root)
        annotations["pull"] = _human_rows()
        write_pulled(root, annotations["pull"])
    if "agreement" in done:
        annotations["consensus"] = _consensus_rows()
        write_annotations(root / "data/agreement/consensus.parquet", annotations["consensus"])
        write_support(root, annotations["consensus"])
        _write_agreement(root, annotations["pull"])
    return SmallProject(root, deduped if "dedupe" in done else ingested, annotations)


def show(
    root: Path, *, since: str = "2026-01-05T08:00:00.000000Z", until: str = "2026-01-05T08:01:00.000000Z"
) -> None:
    """Record what the tables of a project show, as the stage push does; sent from `since` to `until`."""
    images = {row["image_id"]: row for row in _rows(root / "data/dedupe/images.parquet", schema.IMAGES)}
    suggestions = map(
        Annotation.from_row, _rows(root / "data/autolabel/annotations.parquet", schema.ANNOTATIONS)
    )
    slots = _rows(root / "data/select/plan.parquet", schema.PLAN)
    categories = taxonomy.load(root / "taxonomy.yaml")
    names = [category.name for category in categories]
    folder = root / "data/push/shown"
    planned = task_drafts.planned_tasks(slots, images, suggestions, names=names)
    digest = taxonomy.digest(categories)
    rows = [row for task in planned for row in shown_rows.shown_rows(task, guideline=None, taxonomy=digest)]
    known = record.load(folder, required=False)
    sets = [side for task in planned for side in (task.proposed, task.draft.pre_annotations)]
    suggested = [row for one in sets for row in shown_rows.suggestion_rows(one)]
    record.append(folder, known, record.rows_to_send(known, rows), suggested, since=since)
    record.keep_text(folder, "taxonomy", digest, (root / "taxonomy.yaml").read_text(encoding="utf-8"))
    open_rows = record.load(folder).open_rows()
    record.settle(folder, {row["shown_id"]: True for row in open_rows}, at=until)


def _rows(path: Path, table: schema.TableSchema) -> list[dict[str, Any]]:
    return list(tables.read(path, table).to_pylist())


def _images(root: Path) -> tuple[ImageRecord, ...]:
    records = []
    seeds = {name: seed for seed, name in enumerate(_OBJECTS)}
    seeds["copy"] = seeds["one"]  # the near-duplicate shows the same scene
    for name, objects in _OBJECTS.items():
        record = image(name)
        assert record.path is not None
        write_jpeg(root / record.path, scene(objects, seed=seeds[name]))
        records.append(record)
    broken = image(
        "broken", path=None, width=None, height=None, format=None, brightness=None, contrast=None,
        sharpness=None, drop_reason="truncated", drop_detail="image file is truncated",
    )  # fmt: skip
    return (*records, broken)


def _deduped(record: ImageRecord) -> ImageRecord:
    if record.drop_reason is not None:
        return record
    phash = int(record.image_id[:16], 16)
    if record.image_id == image_id("one"):
        return replace(record, phash=phash, dup_group=image_id("one"))
    if record.image_id == image_id("copy"):
        return replace(
            record,
            phash=int(image_id("one")[:16], 16) ^ 0b101,
            dup_group=image_id("one"),
            duplicate_of=image_id("one"),
            drop_reason="near_duplicate",
            drop_detail="same, 2 bits from keeper, correlation 0.97; keeper has more bytes (1001 over 1000)",
            dup_hamming=2,
            dup_correlation=0.97,
            dup_relation="same",
        )
    return replace(record, phash=phash)


def _kept() -> list[tuple[str, str, Box]]:
    return [(name, *entry) for name, objects in _OBJECTS.items() if name != "copy" for entry in objects]


def _model_rows() -> tuple[Annotation, ...]:
    rows = [
        annotation(
            name, category, box, origin="model", score=0.9 - 0.05 * index,
            prompt=category.replace("_", " "), model_version="unit-1",
        )
        for index, (name, category, box) in enumerate(_kept())
    ]  # fmt: skip
    return (*rows, annotation("four", None, None, origin="model", model_version="unit-1"))


def _human_rows() -> tuple[Annotation, ...]:
    """Both look at all; the second moves each box by 2 pixels, calls "six" a stop sign and misses "five"."""
    first, second = ANNOTATORS
    rows = [
        annotation(name, category, box, annotator_id=first, lead_time_s=9.0)
        for name, category, box in _kept()
    ]
    for name, category, box in _kept():
        moved = (box[0] + 2, box[1] + 2, box[2] + 2, box[3] + 2)
        seen = "stop_sign" if name == "six" else category
        if name != "five":
            rows.append(annotation(name, seen, moved, annotator_id=second, lead_time_s=11.0))
    empty = [annotation("four", None, None, annotator_id=person, lead_time_s=3.0) for person in ANNOTATORS]
    return (*rows, *empty, annotation("five", None, None, annotator_id=second, lead_time_s=3.0))


def _consensus_rows() -> tuple[Annotation, ...]:
    rows = [annotation(name, category, box, origin="consensus", score=1.0) for name, category, box in _kept()]
    return (*rows, annotation("four", None, None, origin="consensus"))


def plan_row(name: str, slot: int = 0, **changes: Any) -> dict[str, Any]:
    """A row of the plan for the image called `name`, whom one person reviews."""
    row = {
        "task_id": derived_id("task", image_id(name)),
        "slot": slot,
        "image_id": image_id(name),
        "reason": "overlap" if slot else "review",
        "detail": None,
        "arm": "suggested",
        "priority": 0,
        "labeler": None,
        "seeded_kind": None,
        "seeded_id": None,
    }
    return {**row, **changes}


def _plan_rows() -> list[dict[str, Any]]:
    """Two people look at each kept image."""
    return [plan_row(name, slot) for name in _OBJECTS if name != "copy" for slot in (0, 1)]


def write_support(root: Path, consensus: Sequence[Annotation], **of_images: Any) -> None:
    """What a consensus rests on: each object on one annotation, with a confidence of 0.9."""
    objects = [
        {
            **row.row(),
            "confidence": 0.9,
            "votes": 1,
            "annotators": 1,
            "made_from": [f"of {row.annotation_id}"],
        }
        for row in consensus
    ]
    names = schema.CONSENSUS_OBJECTS.arrow.names
    folder = root / "data/agreement"
    rows = [{name: row.get(name) for name in names} for row in objects]
    tables.write_rows(rows, folder / "objects.parquet", schema.CONSENSUS_OBJECTS)
    images = [
        {"image_id": key, "annotators": 1, "confidence": 0.8, "review": None, "held_back": False,
         "decided": False, "answers": [], "answers_confidence": [], **of_images}
        for key in sorted({row.image_id for row in consensus})
    ]  # fmt: skip
    tables.write_rows(images, folder / "images.parquet", schema.CONSENSUS_IMAGES)


def _write_agreement(root: Path, human: Sequence[Annotation]) -> None:
    by_person = {
        (row.image_id, row.annotator_id, index): row
        for person in ANNOTATORS
        for key in sorted({row.image_id for row in human})
        for index, row in enumerate(
            r for r in human if r.image_id == key and r.annotator_id == person and r.outcome == "object"
        )
    }
    rows = []
    for (key, person, index), first in by_person.items():
        if person == ANNOTATORS[0]:
            second = by_person.get((key, ANNOTATORS[1], index))
            rows.append(pair(first, second, index=index, iou=0.91))
    write_pairs(root / "data/agreement/pairs.parquet", rows)
    with (root / "data/agreement/queue.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image_id", "path", "reason", "f1", "mean_iou"])
        writer.writerow([image_id("five"), image("five").path, "low_f1", 0.0, ""])
        writer.writerow([image_id("six"), image("six").path, "category", 0.0, 0.91])
    metrics = {
        "f1": {"value": 0.67, "low": 0.4, "high": 0.9, "n": 5},
        "mean_box_iou": {"value": 0.91, "low": 0.9, "high": 0.92, "n": 4},
        "kappa": {"value": 0.5, "low": 0.0, "high": 1.0, "n": 5},
    }
    (root / "data/agreement/figures.csv").write_text(
        "figure,by,name,value,low,high,n,reason\nf1,category,stop_sign,0.8,0.6,0.9,5,\n"
        "f1,category,parking_sign,undefined,undefined,undefined,0,no pair\n"
    )
    (root / "metrics").mkdir(exist_ok=True)
    (root / "metrics/agreement.json").write_text(json.dumps(metrics, indent=2), encoding="utf-8")
