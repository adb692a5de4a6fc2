"""What the rules of autolabel change on held-out scenes of the demo: which boxes stay, how masks are cleaned.

`python -m benchmarks.postprocessing`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import demo_detections, result
from benchmarks.demo_detections import Truth
from curate.adapters.segment_anything_segmenter import SegmentAnythingSegmenter
from curate.geometry import masks
from curate.geometry.boxes import box_iou
from curate.labeling import mask_cleanup
from curate.labeling.suggestion_outcomes import Verdicts
from curate.params import SegmenterParams
from curate.records import BoolArray, Detections, FloatArray
from demo.evaluate_models import evaluation_scene
from demo.scenes import HELD_OUT_SEEDS, Scene

NAME = "postprocessing"
COMMAND = "python -m benchmarks.postprocessing"
SCENES = 20 if result.quick() else 600
BOXES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("defaults", "mean", {}),
    ("`detector.prompt_score: max`", "max", {}),
    ("`containment: 0.9`", "mean", {"containment": 0.9}),
    ("`containment: 0.7`", "mean", {"containment": 0.7}),
    ("`across: keep_both`", "mean", {"across": "keep_both"}),
    ("`nms_iou: 0.5`", "mean", {"iou": 0.5}),
)
SHARES = (0.0, 0.01, 0.05, 0.2)  # of max_hole and max_island
HELD = 0.01  # cleaned so far before a mask is held against its box
MIN_BOX_IOU = (0.5, 0.7)
CLEANED = ("iou", "box_iou", "changed")


def measure() -> None:
    """Detect and segment, then apply each rule to the same boxes and masks."""
    detectors = {how: demo_detections.detector(how) for how in ("mean", "max")}
    checkpoint = result.ROOT / "demo/models/segmenter.pth"
    segmenter = SegmentAnythingSegmenter(SegmenterParams(build="tiny", model=str(checkpoint)), device="cpu")
    categories = demo_detections.categories()
    truths: list[Truth] = []
    found: dict[str, list[Detections]] = {how: [] for how in detectors}
    measured = []
    for index in range(SCENES):
        scene = evaluation_scene(HELD_OUT_SEEDS, index)
        truths.append([(entry.category, entry.bbox_xyxy) for entry in scene.objects])
        for how, detector in detectors.items():
            found[how] += detector.detect([scene.image], categories)
        measured += _masks(segmenter, scene)
    boxes = [
        {"rule": name, "f1": _best_f1(demo_detections.judged(truths, _sifted(found[how], changes)))}
        for name, how, changes in BOXES
    ]
    content = {
        "scenes": SCENES,
        "boxes": boxes,
        "masks": {
            "signs": len(measured),
            "cleaned": [
                {"share": share}
                | {name: float(np.mean([m[name][share] for m in measured])) for name in CLEANED}
                for share in SHARES
            ],
            "refused": [_refused(measured, min_iou) for min_iou in MIN_BOX_IOU],
        },
        "versions": result.versions("torch", "transformers", "numpy", "scipy"),
    }
    result.save(NAME, content, command=COMMAND)


def _sifted(found: Sequence[Detections], changes: Mapping[str, Any]) -> list[Detections]:
    return [demo_detections.suggested(boxes, **changes) for boxes in found]


def _best_f1(judged: Verdicts) -> dict[str, float]:
    """Best F1 over all thresholds, by category, and their mean."""
    best = {}
    for category in sorted(set(judged.object_categories)):
        mine = judged.categories == category
        order = np.argsort(-judged.scores[mine], kind="stable")
        right = np.cumsum(judged.right[mine][order])
        signs = int((judged.object_categories == category).sum())
        best[category] = float((2 * right / (np.arange(1, len(right) + 1) + signs)).max())
    return {**best, "mean": float(np.mean(list(best.values())))}


def _masks(segmenter: SegmentAnythingSegmenter, scene: Scene) -> list[dict[str, Any]]:
    """IoU with the truth of each sign's mask from its true box, by share of cleaning; and whether it fits."""
    if not scene.objects:
        return []
    boxes = np.array([entry.bbox_xyxy for entry in scene.objects], dtype=np.float32)
    planes, _ = segmenter.segment(scene.image, boxes)
    return [_mask(*row) for row in zip(planes, boxes, [entry.mask for entry in scene.objects], strict=True)]


def _mask(plane: BoolArray, box: FloatArray, truth: BoolArray) -> dict[str, Any]:
    cleaned = {share: mask_cleanup.clean(plane, max_hole=share, max_island=share) for share in SHARES}
    return {
        "iou": {share: _iou(mask, truth) for share, mask in cleaned.items()},
        "box_iou": {share: _box_iou(mask, box) for share, mask in cleaned.items()},
        "changed": {share: bool((mask != plane).any()) for share, mask in cleaned.items()},
        "fits": {
            min_iou: mask_cleanup.fits_box(cleaned[HELD], box, min_iou=min_iou) for min_iou in MIN_BOX_IOU
        },
    }


def _box_iou(mask: BoolArray, box: FloatArray) -> float:
    around = masks.bbox(masks.encode(mask), width=mask.shape[1], height=mask.shape[0])
    return 0.0 if around is None else float(box_iou([around], [box])[0, 0])


def _iou(a: BoolArray, b: BoolArray) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0


def _refused(measured: Sequence[Mapping[str, Any]], min_iou: float) -> dict[str, Any]:
    refused = [mask["iou"][HELD] for mask in measured if not mask["fits"][min_iou]]
    kept = [mask["iou"][HELD] for mask in measured if mask["fits"][min_iou]]
    return {
        "min_box_iou": min_iou,
        "refused": len(refused) / len(measured),
        "refused_iou": float(np.mean(refused)) if refused else None,
        "kept_iou": float(np.mean(kept)) if kept else None,
    }


INTRO = """## Rules of autolabel

The demo's detector on {scenes:,} held-out scenes, suggestions from a score of 0.1 on: the best F1 over all
thresholds at IoU 0.5, the mean over categories. The rules are parameters of `autolabel`.

"""
MASKS = """
Masks of the demo's segmenter from the true boxes of {signs:,} signs, where holes and islands of up to so
large a share of the mask are cleaned away (`masks.max_hole`, `masks.max_island`): how many masks that
changes, the mean IoU with the truth, and the mean IoU of the mask's box with the true one.

"""
FITS = """
The same, cleaned up to {held:.0f}%, where masks whose box has a smaller IoU than that with the box that was
asked for are not taken over (`masks.min_box_iou`):

"""


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [[row["rule"], f"{row['f1']['mean']:.4f}"] for row in content["boxes"]]
    cleaned = [
        [
            f"{100 * row['share']:.0f}%",
            f"{100 * row['changed']:.1f}%",
            f"{row['iou']:.4f}",
            f"{row['box_iou']:.4f}",
        ]
        for row in content["masks"]["cleaned"]
    ]
    refused = [
        [
            f"{row['min_box_iou']:g}",
            f"{100 * row['refused']:.1f}%",
            *map(_cell, (row["kept_iou"], row["refused_iou"])),
        ]
        for row in content["masks"]["refused"]
    ]
    return (
        INTRO.format(**content)
        + result.table(["rule", "best F1"], rows, numbers=1)
        + MASKS.format(**content["masks"])
        + result.table(["cleaned up to", "changed", "mask IoU", "box IoU"], cleaned, numbers=4)
        + FITS.format(held=100 * HELD)
        + result.table(
            ["least IoU", "refused", "IoU of the others", "IoU of the refused"], refused, numbers=4
        )
        + "\n"
        + result.footer(content)
    )


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    measure()
