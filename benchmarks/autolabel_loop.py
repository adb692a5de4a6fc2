"""The plain loop that scripts write today, for benchmarks/autolabel.py."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from pathlib import Path
from typing import Any

import groundingdino
import numpy as np
import torch
from groundingdino.util import inference
from segment_anything import SamPredictor, sam_model_registry

from benchmarks.autolabel_stage import CHECKPOINT, PROMPTS, SEGMENTER


def plain_loop(images: str, weights: str, number: int, threshold: float, device: str) -> dict[str, Any]:
    """One image at a time: groundingdino's `predict`, `SamPredictor.set_image`, then box by box.

    As autodistill's Grounded SAM does: three masks a box, of which the best by its own score stays.
    """
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = inference.load_model(str(_config(weights)), f"{weights}/{CHECKPOINT}", device=device)
    predictor = SamPredictor(sam_model_registry["vit_b"](checkpoint=f"{weights}/{SEGMENTER}").to(device))
    caption = " . ".join(PROMPTS) + " ."
    boxes_found, began = 0, time.perf_counter()
    for index in range(number):
        source, image = inference.load_image(str(Path(images) / f"{index}.jpg"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            boxes, _, _ = inference.predict(
                model=model, image=image, caption=caption, box_threshold=threshold,
                text_threshold=threshold, device=device,
            )  # fmt: skip
        predictor.set_image(source)
        height, width = source.shape[:2]
        for x, y, w, h in boxes.numpy() * np.array([width, height, width, height]):
            corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            masks, scores, _ = predictor.predict(box=corners, multimask_output=True)
            masks[int(np.argmax(scores))]
            boxes_found += 1
    return {"seconds": time.perf_counter() - began, "boxes": boxes_found}


def _config(weights: str) -> Path:
    """The package's configuration, with the text encoder beside the checkpoint."""
    source = Path(str(groundingdino.__file__)).parent / "config/GroundingDINO_SwinT_OGC.py"
    target = Path(weights) / "SwinT_OGC.py"
    text = source.read_text(encoding="utf-8")
    encoder = Path(weights) / "bert-base-uncased"
    target.write_text(text.replace('"bert-base-uncased"', repr(str(encoder))), encoding="utf-8")
    return target
