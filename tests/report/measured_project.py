"""A project of three people whose figures the stages really measured, for pages that show them."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from curate import schema, tables
from curate.agreement.gates import Gate
from curate.engines.local import LocalEngine
from curate.params import AgreementParams
from curate.params.quality import QualityParams
from curate.records import Annotation, Box, StageReport
from curate.stages import agreement, quality
from tests import builders
from tests.builders import annotation

PEOPLE = ("ann@example.org", "bob@example.org", "cem@example.org")
SIZE = (480, 360)
IMAGES = 60
NAMES = tuple(f"street_camera_{number:03d}" for number in range(IMAGES))
GOLD = NAMES[:12]
_BEGUN = datetime.fromisoformat("2026-01-05T08:00:00+00:00")
_KINDS = ("stop_sign", "parking_sign")
Objects = list[tuple[str, Box]]


def measured_project(root: Path) -> Path:
    """Bob misses objects; Cem calls parking signs stop signs, and is quick. Ann is careful."""
    rng = np.random.default_rng(8)
    truth = {name: _truth(rng) for name in NAMES}
    (root / "taxonomy.yaml").write_text(builders.TAXONOMY)
    (root / "params.yaml").write_text("release: {name: street signs}\nqa: {gold: gold}\n")
    records = [_image(root, name, truth[name], seed) for seed, name in enumerate(NAMES)]
    for folder in ("ingest", "dedupe"):
        builders.write_images(root / f"data/{folder}/images.parquet", records)
    model = [row for name in NAMES for row in _model(name, truth[name], rng)]
    builders.write_annotations(root / "data/autolabel/annotations.parquet", model)
    plan = [
        builders.plan_row(name, slot, reason="gold" if name in GOLD else "overlap")
        for name in NAMES
        for slot in range(len(PEOPLE))
    ]
    tables.write_rows(plan, root / "data/select/plan.parquet", schema.PLAN)
    builders.show(root)
    builders.write_pulled(
        root, [row for at, name in enumerate(NAMES) for row in _answers(at, name, truth[name], rng)]
    )
    known = [annotation(name, kind, box, origin="gold") for name in GOLD for kind, box in truth[name]]
    builders.write_annotations(root / "gold/known.parquet", known)
    (root / "data/push/receipt.json").write_text("{}")
    _measure(root)
    return root


def _truth(rng: np.random.Generator) -> Objects:
    found: Objects = []
    for place in range(int(rng.integers(1, 4))):
        side = rng.uniform(50, 110, 2)
        left, top = 20 + 150 * place + rng.uniform(0, 30), rng.uniform(20, 340 - side[1])
        found.append((str(rng.choice(_KINDS)), (left, top, left + side[0], top + side[1])))
    return found


def _image(root: Path, name: str, objects: Objects, seed: int) -> object:
    record = builders.image(name, width=SIZE[0], height=SIZE[1])
    builders.write_jpeg(root / str(record.path), builders.scene(objects, seed=seed, size=SIZE))
    return record


def _model(name: str, objects: Objects, rng: np.random.Generator) -> list[Annotation]:
    rows = [
        annotation(
            name, kind, _moved(box, rng, 0.01), origin="model", score=float(rng.uniform(0.6, 0.95)),
            model_version="unit-1", size=SIZE,
        )
        for kind, box in objects
    ]  # fmt: skip
    return rows or [annotation(name, None, None, origin="model", model_version="unit-1")]


def _answers(at: int, name: str, objects: Objects, rng: np.random.Generator) -> list[Annotation]:
    rows: list[Annotation] = []
    for number, person in enumerate(PEOPLE):
        missed, confused, spread, seconds = (
            (0.0, 0.0, 0.01, 30),
            (0.3, 0.0, 0.02, 28),
            (0.02, 0.4, 0.05, 11),
        )[number]
        when = _BEGUN + timedelta(hours=at * 2 + number * 0.1)
        common = {"annotator_id": person, "created_at": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "size": SIZE}
        lead = seconds + float(rng.uniform(0, 8))
        drawn = [
            annotation(
                name, "stop_sign" if rng.random() < confused else kind, _moved(box, rng, spread),
                lead_time_s=lead, **common,
            )
            for kind, box in objects
            if rng.random() >= missed
        ]  # fmt: skip
        rows += drawn or [annotation(name, None, None, lead_time_s=lead, **common)]
    return rows


def _moved(box: Box, rng: np.random.Generator, spread: float) -> Box:
    x1, y1, x2, y2 = np.array(box) + rng.normal(0, spread, 4) * (box[2] - box[0])
    return float(max(0, x1)), float(max(0, y1)), float(min(SIZE[0], x2)), float(min(SIZE[1], y2))


def _measure(root: Path) -> None:
    data, plots, people = root / "data", root / "plots", root / "data/people.csv"
    common = {"plan": data / "select/plan.parquet", "annotations": data / "pull/annotations.parquet",
              "answers": data / "pull/answers.parquet", "shown": data / "push/shown",
              "images": data / "dedupe/images.parquet", "taxonomy": root / "taxonomy.yaml"}  # fmt: skip
    measured = quality.run(
        QualityParams(bootstrap=100),
        inputs=quality.Inputs(**common, receipt=data / "push/receipt.json", gold=root / "gold"),
        outputs=quality.Outputs(data / "quality", plots, people),
    )
    agreed = agreement.run(
        AgreementParams(bootstrap=100),
        inputs=agreement.Inputs(**common, suggestions=data / "autolabel/annotations.parquet"),
        outputs=agreement.Outputs(
            plots=plots,
            people=people,
            **{
                name: data / "agreement" / f"{name}.{kind}"
                for kind, names in {
                    "parquet": ("consensus", "objects", "images", "pairs"),
                    "csv": ("figures", "queue", "label_errors", "bad_rows"),
                }.items()
                for name in names
            },
        ),
        ports=agreement.Ports(LocalEngine(1)),
    )
    looks = IMAGES * len(PEOPLE)
    _metrics(root, "pull", {"slots_done": looks, "slots_needed": looks + 20})
    for report in (measured, agreed):
        _metrics(root, report.stage, _counted(report))
    gates = [
        Gate("licenses", "every license is known", True, "all hold"),
        Gate(
            "people_agree", "agreement.f1.lower >= 0.95", False, "0.800 (0.750 to 0.850)", "no more overlap"
        ),
    ]
    (root / "metrics/gates.json").write_text(json.dumps([asdict(gate) for gate in gates]))


def _counted(report: StageReport) -> dict[str, object]:
    return {"counts": {name.replace(" ", "_"): number for name, number in report.counts}, **report.metrics}


def _metrics(root: Path, stage: str, content: dict[str, object]) -> None:
    (root / "metrics").mkdir(exist_ok=True)
    (root / f"metrics/{stage}.json").write_text(json.dumps(content, allow_nan=False))
