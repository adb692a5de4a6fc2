"""Boxes and masks of the demo's models on held-out scenes, by the adapters and rules of the stage."""

from __future__ import annotations

import numpy as np

from curate.geometry import masks
from curate.geometry.boxes import box_iou
from curate.labeling import taxonomy
from curate.labeling.run import suggestion_rows
from curate.labeling.run.models import Models
from curate.params import AutolabelParams
from curate.records import Category, Detections
from curate_pipelines import models
from demo.scenes import HELD_OUT_SEEDS, Scene, draw_scene

SIZE = (640, 480)  # width and height: all alike, so that batches fill
_RIGHT = 0.5  # IoU


def measure(params: AutolabelParams, images: int, batch_size: int) -> dict[str, float]:
    """Precision, recall and F1 of boxes at IoU 0.5, mean IoU of the masks of right boxes, all in percent."""
    loaded = models.models(params)
    categories = taxonomy.load(params.taxonomy)
    right, wrong, signs = 0, 0, 0
    mask_ious: list[float] = []
    for start in range(0, images, batch_size):
        seeds = range(start, min(start + batch_size, images))
        scenes = [draw_scene(HELD_OUT_SEEDS[seed], size=SIZE) for seed in seeds]
        found = loaded.detector.detect([scene.image for scene in scenes], categories)
        for scene, raw in zip(scenes, found, strict=True):
            ious, missed_boxes = _of_scene(scene, raw, params, categories, loaded)
            right, wrong, signs = right + len(ious), wrong + missed_boxes, signs + len(scene.objects)
            mask_ious += ious
    return {
        "precision": 100 * right / max(1, right + wrong),
        "recall": 100 * right / max(1, signs),
        "f1": 200 * right / max(1, right + wrong + signs),
        "mask_iou": 100 * float(np.mean(mask_ious)) if mask_ious else 0.0,
        "boxes": right + wrong,
        "images": images,
    }


def _of_scene(
    scene: Scene,
    raw: Detections,
    params: AutolabelParams,
    categories: tuple[Category, ...],
    loaded: Models,
) -> tuple[list[float], int]:
    """The IoU of the mask of each right box, and the number of wrong boxes."""
    names = {prompt: category.name for category in categories for prompt in category.prompts}
    sifted = suggestion_rows.sift(
        [raw], names, suggestion_rows.rules(params, categories), keep_rejects=False
    ).suggested
    if loaded.segmenter is None or not len(sifted.boxes):
        return [], len(sifted.boxes)
    planes, _ = loaded.segmenter.segment(scene.image, sifted.boxes)
    free = list(scene.objects)
    ious: list[float] = []
    wrong = 0
    for box, name, plane in zip(sifted.boxes, sifted.categories, planes, strict=True):
        overlaps = [
            float(box_iou(box[None], np.array([sign.bbox_xyxy]))[0, 0]) if sign.category == name else 0.0
            for sign in free
        ]
        if not overlaps or max(overlaps) < _RIGHT:
            wrong += 1
            continue
        truth = free.pop(int(np.argmax(overlaps))).mask
        rle = suggestion_rows.kept_mask(plane, masks.encode(plane), box, params.masks)
        height, width = truth.shape
        mask = masks.decode(rle, width=width, height=height) if rle else np.zeros_like(truth)
        ious.append(float((mask & truth).sum() / max(1, (mask | truth).sum())))
    return ious, wrong
