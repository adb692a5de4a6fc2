"""Measures the demo's stored models on scenes that neither training nor threshold picking has seen.

`python -m demo.evaluate_models --models demo/models --scenes 300`

Thresholds are picked on the validation seeds, one per category; all figures come from the held-out seeds. The
pictures are drawn at full size and go through the public interfaces: AutoProcessor and
AutoModelForZeroShotObjectDetection for boxes, SamPredictor for masks.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.adapters.sam_builds import build_sam_tiny
from curate.extras import require
from demo.detector_model import PHRASES, category_of
from demo.provenance import environment
from demo.scenes import HELD_OUT_SEEDS, VALIDATION_SEEDS, Scene, draw_scene
from demo.signs import CATEGORIES

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

SIZES = ((640, 480), (640, 480), (640, 426), (480, 640))  # (width, height), in turn
MATCH_IOU = 0.5
FLOOR = 0.05  # scores below are not looked at
NMS_IOU = 0.6
PROMPT = ". ".join(PHRASES[category][0] for category in CATEGORIES) + "."


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes of one picture: (N, 4) xyxy pixels, scores (N,), categories (N,); best score first."""

    boxes: FloatArray
    scores: FloatArray
    categories: tuple[str, ...]


def evaluation_scene(seeds: range, index: int) -> Scene:
    """The `index`-th full-size scene of a seed range."""
    return draw_scene(seeds[index], size=SIZES[index % len(SIZES)])


def load_detector(folder: Path) -> tuple[Any, Any]:
    """Processor and model as a public checkpoint is loaded, from a local folder, without a network."""
    transformers = require("transformers", extra="autolabel")
    processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder, local_files_only=True)
    return processor, model.float().eval()


def detect(processor: Any, model: Any, image: npt.NDArray[np.uint8], prompt: str = PROMPT) -> Found:
    """All boxes of one picture above `FLOOR`, after suppression of overlapping ones of one category."""
    torch = require("torch", extra="autolabel")
    inputs = processor(images=image, text=prompt, return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)
    (result,) = processor.post_process_grounded_object_detection(
        outputs, inputs["input_ids"], threshold=FLOOR, text_threshold=FLOOR, target_sizes=[image.shape[:2]]
    )
    # The best word decides: a box may score a little on the words of several categories.
    words = outputs.logits[0].sigmoid()
    words = words[words.max(dim=1).values > FLOOR]
    ids = inputs["input_ids"][0]
    names = [category_of(_phrase_at(processor, ids, int(row.argmax()))) for row in words]
    boxes, scores = result["boxes"].numpy(), result["scores"].numpy()
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        rivals = [other for other in kept if names[other] == names[index]]
        if names[index] is not None and (
            not rivals or box_iou(boxes[[index]], boxes[rivals]).max() <= NMS_IOU
        ):
            kept.append(int(index))
    categories = tuple(name for index in kept if (name := names[index]) is not None)
    return Found(boxes[kept].reshape(-1, 4), scores[kept], categories)


def _phrase_at(processor: Any, ids: Any, position: int) -> str:
    """The phrase of the prompt that holds the token at `position`."""
    ends = [index for index, token in enumerate(ids.tolist()) if token in (101, 102, 1012)]
    start = max((end for end in ends if end < position), default=0)
    stop = min((end for end in ends if end > position), default=len(ids))
    text: str = processor.tokenizer.decode(ids[start + 1 : stop])
    return text


def box_iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """(N, 4), (M, 4) xyxy -> (N, M) in [0, 1]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(box[:, 2:] - box[:, :2]).prod(axis=1) for box in (a, b)]
    iou: FloatArray = (shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)).astype(
        np.float32
    )
    return iou


@dataclass(frozen=True, slots=True)
class Judged:
    """Every box of one category over a set of scenes: scores (N,), right or wrong (N,), signs there are."""

    scores: FloatArray
    right: BoolArray
    signs: int

    def counts(self, threshold: float) -> tuple[int, int, int]:
        """(right, wrong, missed) from `threshold` on."""
        kept = self.scores >= threshold
        right = int(self.right[kept].sum())
        return right, int(kept.sum()) - right, self.signs - right


def judge(scenes: Sequence[Scene], found: Sequence[Found]) -> dict[str, Judged]:
    """Match boxes to signs of their category, best score first, each sign once, from IoU `MATCH_IOU` on."""
    judged = {}
    for category in CATEGORIES:
        scores, right, signs = [], [], 0
        for scene, result in zip(scenes, found, strict=True):
            truth = np.array([o.bbox_xyxy for o in scene.objects if o.category == category], dtype=np.float32)
            free = np.ones(len(truth), dtype=bool)
            signs += len(truth)
            for box, score, name in zip(result.boxes, result.scores, result.categories, strict=True):
                if name != category:
                    continue
                overlap = box_iou(box[None], truth.reshape(-1, 4))[0] * free
                hit = len(overlap) > 0 and bool(overlap.max() >= MATCH_IOU)
                if hit:
                    free[int(overlap.argmax())] = False
                scores.append(score)
                right.append(hit)
        judged[category] = Judged(np.array(scores, dtype=np.float32), np.array(right, dtype=bool), signs)
    return judged


def figures(right: int, wrong: int, missed: int) -> dict[str, float | int]:
    """Precision, recall and F1 with their counts."""
    return {
        "precision": round(right / max(1, right + wrong), 4),
        "recall": round(right / max(1, right + missed), 4),
        "f1": round(2 * right / max(1, 2 * right + wrong + missed), 4),
        "right": right,
        "wrong": wrong,
        "missed": missed,
    }


def pick_thresholds(judged: dict[str, Judged]) -> dict[str, float]:
    """The best F1's threshold per category, in steps of 0.01; the middle one where several are best."""
    thresholds = {}
    for category, item in judged.items():
        candidates = [step / 100 for step in range(10, 91)]
        scores = [figures(*item.counts(threshold))["f1"] for threshold in candidates]
        best = [
            threshold for threshold, score in zip(candidates, scores, strict=True) if score == max(scores)
        ]
        thresholds[category] = best[len(best) // 2]
    return thresholds


def mask_ious(predictor: Any, scene: Scene, boxes: FloatArray | None = None) -> list[float]:
    """IoU of SAM's mask and the true one, sign by sign, given the true boxes (or `boxes`)."""
    predictor.set_image(scene.image)
    ious = []
    for index, item in enumerate(scene.objects):
        box = np.array(item.bbox_xyxy) if boxes is None else boxes[index]
        masks, _, _ = predictor.predict(box=box, multimask_output=False)
        ious.append(float((masks[0] & item.mask).sum() / (masks[0] | item.mask).sum()))
    return ious


def evaluate(models: Path, *, validation: int, held_out: int) -> dict[str, Any]:
    """Measure the models of a folder on so many scenes."""
    torch = require("torch", extra="autolabel")
    segment_anything = require("segment_anything", extra="autolabel")
    processor, model = load_detector(models / "detector")
    chosen = [evaluation_scene(VALIDATION_SEEDS, index) for index in range(validation)]
    thresholds = pick_thresholds(judge(chosen, [detect(processor, model, scene.image) for scene in chosen]))
    scenes = [evaluation_scene(HELD_OUT_SEEDS, index) for index in range(held_out)]
    started = time.perf_counter()
    found = [detect(processor, model, scene.image) for scene in scenes]
    detector_s = (time.perf_counter() - started) / held_out
    judged = judge(scenes, found)
    counts = {category: item.counts(thresholds[category]) for category, item in judged.items()}
    predictor = segment_anything.SamPredictor(build_sam_tiny(str(models / "segmenter.pth")))
    started = time.perf_counter()
    ious = [iou for scene in scenes for iou in mask_ious(predictor, scene)]
    segmenter_s = (time.perf_counter() - started) / held_out
    total = np.array(list(counts.values())).sum(axis=0).tolist()
    return {
        "detector": {
            "match_iou": MATCH_IOU,
            "prompt": PROMPT,
            "thresholds": thresholds,
            "all": figures(*total),
            "by_category": {category: figures(*count) for category, count in counts.items()},
            "seconds_per_image": round(detector_s, 4),
        },
        "segmenter": {
            "prompt": "true boxes",
            "mean_iou": round(float(np.mean(ious)), 4),
            "median_iou": round(float(np.median(ious)), 4),
            "share_above_0.75": round(float(np.mean(np.array(ious) > 0.75)), 4),
            "signs": len(ious),
            "seconds_per_image": round(segmenter_s, 4),
        },
        "scenes": {"validation": validation, "held_out": held_out, "first_seed": HELD_OUT_SEEDS.start},
        "threads": torch.get_num_threads(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, write evaluation.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("demo/models"))
    parser.add_argument("--scenes", type=int, default=300, help="held-out scenes")
    parser.add_argument("--validation", type=int, default=200, help="scenes for picking thresholds")
    options = parser.parse_args(arguments)
    torch = require("torch", extra="autolabel")
    measured = evaluate(options.models, validation=options.validation, held_out=options.scenes)
    document = measured | {"environment": environment(options, torch)}
    target = options.models / "evaluation.json"
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"detector": measured["detector"]["all"], "segmenter": measured["segmenter"]}))


if __name__ == "__main__":
    main()
