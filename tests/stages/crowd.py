"""Forty images that five people labelled, each a part of them, with everything that goes wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from curate import schema, tables
from curate.records import Annotation, Box
from tests import builders

PEOPLE = tuple(f"{name}@demo.invalid" for name in ("ann", "ben", "cem", "dan", "eve"))
IMAGES = 40
_OTHERS = """\
  - {id: 2, name: yield_sign, prompts: [yield sign], threshold: 0.4, color: "#3cb44b", parent: stop_sign}
"""


def project(root: Path, *, seed: int = 0) -> None:
    """Write it up to and with the stage pull.

    The first two people see no image of the last ones, the last category is on late images only, and the
    images have no order but that of their ids.
    """
    rng = np.random.default_rng(seed)
    names = sorted((f"crowd-{number}" for number in range(IMAGES)), key=builders.image_id)
    (root / "taxonomy.yaml").write_text(builders.TAXONOMY + _OTHERS, encoding="utf-8")
    builders.write_images(root / "data/dedupe/images.parquet", [builders.image(name) for name in names])
    drawn: list[Annotation] = []
    suggested: list[Annotation] = []
    for place, name in enumerate(names):
        objects = _objects(rng, late=place > 25)
        first = 0 if place < 13 else 1 if place < 26 else 2
        people = PEOPLE[first : first + int(rng.integers(1, 4))]
        for person in people:
            drawn += _answer(rng, name, person, objects)
        suggested += [
            builders.annotation(name, category, box, origin="model", score=float(rng.uniform(0.4, 1)))
            for category, box in objects
        ]
    builders.write_annotations(root / "data/autolabel/annotations.parquet", suggested)
    plan = [builders.plan_row(name, slot) for name in names for slot in range(3)]
    tables.write_rows(plan, root / "data/select/plan.parquet", schema.PLAN)
    builders.show(root)
    builders.write_pulled(
        root, [*_spoiled(drawn), builders.annotation("elsewhere", None, None, annotator_id=PEOPLE[0])]
    )
    _say(root / "data/pull/answers.parquet", rng)


def _objects(rng: np.random.Generator, *, late: bool) -> list[tuple[str, Box]]:
    categories = [*builders.CATEGORIES, *(["yield_sign"] if late else [])]
    objects: list[tuple[str, Box]] = []
    for _ in range(int(rng.integers(0, 6))):
        x, y, side = rng.uniform(2, 100), rng.uniform(2, 70), rng.uniform(15, 45)
        objects.append((str(rng.choice(categories)), (x, y, x + side, y + side)))
    return objects


def _answer(
    rng: np.random.Generator, name: str, person: str, objects: list[tuple[str, Box]]
) -> list[Annotation]:
    if rng.random() < 0.08:
        return [builders.annotation(name, None, None, annotator_id=person, outcome="skipped")]
    rows = []
    for category, box in objects:
        if rng.random() < 0.12:
            continue
        moved = [float(np.float32(edge + rng.normal(0, 1))) for edge in box]
        x1, y1, x2, y2 = moved
        if rng.random() < 0.1:
            category = str(rng.choice(list(builders.CATEGORIES)))  # noqa: PLW2901 - misnamed
        row = builders.annotation(name, category, (x1, y1, x2, y2), annotator_id=person)
        if rng.random() < 0.3:
            row = replace(row, rle=None)
        lit = str(rng.choice(["yes", "no"], p=[0.8, 0.2]))
        rows.append(replace(row, attributes=(("lit", (lit,)),)) if rng.random() < 0.5 else row)
    return rows or [builders.annotation(name, None, None, annotator_id=person)]


def _spoiled(rows: list[Annotation]) -> list[Annotation]:
    """Four rows that cannot be, far from each other."""
    drawn = [place for place, row in enumerate(rows) if row.bbox_xyxy is not None]
    outside, no_area, foreign, masked = (drawn[at * len(drawn) // 5] for at in range(1, 5))
    found = list(rows)
    found[outside] = replace(rows[outside], bbox_xyxy=(120.0, 40.0, 180.0, 80.0), rle=None)
    found[no_area] = replace(rows[no_area], bbox_xyxy=(-20.0, 10.0, -5.0, 20.0), rle=None)
    found[foreign] = replace(rows[foreign], category="unheard_of")
    found[masked] = replace(rows[masked], rle="12")
    return found


def _say(path: Path, rng: np.random.Generator) -> None:
    """Let people answer a question about the image, not always alike."""
    rows = tables.read(path, schema.ANSWERS).to_pylist()
    for row in rows:
        if row["outcome"] == "submitted":
            row["choices"] = [("light", [str(rng.choice(["day", "night"], p=[0.7, 0.3]))])]
    tables.write_rows(rows, path, schema.ANSWERS)
