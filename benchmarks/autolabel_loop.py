"""The plain loop that scripts write today, for benchmarks/autolabel.py."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import groundingdino
import numpy as np
import torch
from groundingdino.util import inference
from segment_anything import SamPredictor, sam_model_registry

from benchmarks.autolabel_stage import CHECKPOINT, PROMPTS, SEGMENTER, threshold_of
from curate.adapters.groundingdino_detector import in_the_warpers_place
from curate.records import UInt8Image


def calibrate(images: str, weights: str, number: int, device: str) -> dict[str, float]:
    """The threshold that leaves this loop `BOXES` boxes per image on average."""
    detect = _detector(weights, _device(device))
    scores = [detect(f"{images}/{index}.jpg", 0.0)[2].numpy() for index in range(number)]
    return {"threshold": threshold_of(np.concatenate(scores), number)}


def plain_loop(images: str, weights: str, number: int, threshold: float, device: str) -> dict[str, Any]:
    """One image at a time: groundingdino's `predict`, `SamPredictor.set_image`, then box by box.

    As autodistill's Grounded SAM does: three masks per box, of which the best by its own score stays.
    """
    device = _device(device)
    detect = _detector(weights, device)
    predictor = SamPredictor(sam_model_registry["vit_b"](checkpoint=f"{weights}/{SEGMENTER}").to(device))
    boxes_found, began = 0, time.perf_counter()
    for index in range(number):
        source, boxes, _ = detect(f"{images}/{index}.jpg", threshold)
        predictor.set_image(source)
        height, width = source.shape[:2]
        for x, y, w, h in boxes.numpy() * np.array([width, height, width, height]):
            corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            masks, scores, _ = predictor.predict(box=corners, multimask_output=True)
            masks[int(np.argmax(scores))]
            boxes_found += 1
    return {"seconds": time.perf_counter() - began, "boxes": boxes_found}


def _device(device: str) -> str:
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def _detector(weights: str, device: str) -> Callable[[str, float], tuple[UInt8Image, Any, Any]]:
    """Load the package's model: file and threshold to pixels, boxes (N, 4) as shares, and scores (N,)."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with in_the_warpers_place():  # without it the package builds nothing with transformers 5
            model = inference.load_model(str(_config(weights)), f"{weights}/{CHECKPOINT}", device=device)
    caption = " . ".join(PROMPTS) + " ."

    def detect(path: str, min_score: float) -> tuple[UInt8Image, Any, Any]:
        source, image = inference.load_image(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            boxes, scores, _ = inference.predict(
                model=model, image=image, caption=caption, box_threshold=min_score, text_threshold=min_score,
                device=device,
            )  # fmt: skip
        return source, boxes, scores

    return detect


def _config(weights: str) -> Path:
    """The package's configuration, with the text encoder beside the checkpoint."""
    source = Path(str(groundingdino.__file__)).parent / "config/GroundingDINO_SwinT_OGC.py"
    target = Path(weights) / "SwinT_OGC.py"
    text = source.read_text(encoding="utf-8")
    encoder = Path(weights) / "bert-base-uncased"
    target.write_text(text.replace('"bert-base-uncased"', repr(str(encoder))), encoding="utf-8")
    return target
