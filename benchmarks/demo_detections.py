"""What the demo's detector suggests on held-out scenes, and what is right of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import pyarrow as pa

from benchmarks import result
from curate import schema
from curate.adapters.transformers_detector import TransformersDetector
from curate.labeling import nms, prompts, suggestion_outcomes, taxonomy
from curate.labeling.suggestion_outcomes import Verdicts
from curate.params import AutolabelParams, DetectorParams
from curate.records import Annotation, Box, Category, Detections, Origin, derived_id

FLOOR = 0.1  # score from which the detector suggests here
IOU = 0.5  # from which a suggestion is the sign
Truth = Sequence[tuple[str, Box]]  # category and box of every sign of a scene


def categories() -> tuple[Category, ...]:
    """The demo's, with one low threshold."""
    known = taxonomy.load(result.ROOT / "taxonomy.yaml")
    return tuple(replace(category, threshold=FLOOR) for category in known)


def detector(prompt_score: Literal["mean", "max"] = "mean") -> TransformersDetector:
    """The demo's, on the CPU."""
    folder = str(result.ROOT / "demo/models/detector")
    return TransformersDetector(DetectorParams(model=folder, prompt_score=prompt_score), device="cpu")


def suggested(found: Detections, **changes: Any) -> Detections:
    """The boxes that stay by the defaults of autolabel, but for changes to `nms.Rules`."""
    usual = AutolabelParams()
    rules = nms.Rules(
        thresholds=dict.fromkeys(found.categories, FLOOR),
        min_side=usual.min_side,
        iou=usual.nms_iou,
        containment=usual.containment,
        across=usual.across,
        max_boxes=usual.max_boxes,
    )
    found = prompts.one_prompt_per_box(found, rules.thresholds)
    stays, _ = nms.sift(found, replace(rules, **changes))
    return found.take(stays)


def judged(truths: Sequence[Truth], found: Sequence[Detections]) -> Verdicts:
    """Suggestions held against the signs that were drawn, scene by scene."""
    model, gold = [], []
    for index, (truth, boxes) in enumerate(zip(truths, found, strict=True)):
        rows = zip(boxes.categories, boxes.boxes.tolist(), boxes.scores.tolist(), strict=True)
        model += [_row(index, "model", *row) for row in rows]
        gold += [_row(index, "gold", category, box, None) for category, box in truth]
        if not truth:
            gold.append(Annotation(f"{index}", f"{index:064d}", "gold", outcome="empty"))
    made, answers = (
        pa.Table.from_pylist([row.row() for row in rows], schema=schema.ANNOTATIONS.arrow)
        for rows in (model, gold)
    )
    return suggestion_outcomes.judge(made, answers, iou_threshold=IOU)


def _row(index: int, origin: Origin, category: str, box: Sequence[float], score: float | None) -> Annotation:
    x1, y1, x2, y2 = box
    name = derived_id(index, origin, category, x1, y1, x2, y2)
    return Annotation(name, f"{index:064d}", origin, category, (x1, y1, x2, y2), score=score)
