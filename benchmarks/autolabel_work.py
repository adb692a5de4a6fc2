"""What an image costs at least, what decoding takes, and what batches do to accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import autolabel_accuracy
from benchmarks.autolabel_stage import BOXES, PROMPTS, settings, threshold_of
from curate.images.load_upright import load_upright
from curate.labeling import prompts
from curate.params import load
from curate.records import Category
from curate_pipelines import models


def calibrate(images: str, weights: str, number: int, device: str) -> dict[str, Any]:
    """The threshold that leaves the stage `BOXES` boxes per image on average, and the work of one image.

    Returns:
        threshold; operations of one image through detector and segmenter (multiply and add count two);
        operations per second of a product of two matrices, as measured here; the device's name.
    """
    loaded = models.models(settings(weights, 0.0, device))
    categories = [Category(name, index, (name,), 0.0, "#000000") for index, name in enumerate(PROMPTS)]
    segmenter = loaded.segmenter
    if segmenter is None:
        raise RuntimeError("no segmenter")
    pictures = [np.array(Image.open(Path(images) / f"{index}.jpg")) for index in range(number)]
    with FlopCounterMode(display=False) as counter:
        (first,) = loaded.detector.detect(pictures[:1], categories)
        segmenter.segment(pictures[0], prompts.one_prompt_per_box(first).boxes[:BOXES])
    others = [loaded.detector.detect([pixels], categories)[0] for pixels in pictures[1:]]
    scores = np.concatenate([prompts.one_prompt_per_box(found).scores for found in [first, *others]])
    on_gpu = loaded.on_gpu
    return {
        "threshold": threshold_of(scores, number),
        "operations": float(counter.get_total_flops()),
        "operations_s": _matrix_rate(torch.device("cuda" if on_gpu else "cpu")),
        "device_name": torch.cuda.get_device_name() if on_gpu else "the processor",
    }


def _matrix_rate(device: Any) -> float:
    """Float32 operations per second of matrices of 4,096 on a side, best of five."""
    side = 4096
    matrix = torch.randn(side, side, device=device)
    best = float("inf")
    for _ in range(6):
        began = time.perf_counter()
        matrix @ matrix
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return 2.0 * side**3 / best


def accuracy(images: int, *, batch_size: int) -> dict[str, float]:
    """The demo's models on held-out scenes through the adapters and the rules of the stage.

    Args:
        images: Scenes.
        batch_size: Images per forward pass.

    Returns:
        Precision, recall and F1 at IoU 0.5 with the thresholds of taxonomy.yaml, and the mean IoU of the
        masks of boxes that are right.
    """
    params = load().autolabel
    return autolabel_accuracy.measure(params, images, batch_size)


def decoders(images: str, number: int) -> dict[str, float]:
    """Images per second decoded by two threads and by two processes that hand the pixels over."""
    paths = [Path(images) / f"{index}.jpg" for index in range(number)] * 4
    rates = {}
    pools: Sequence[tuple[str, Callable[[], Executor]]] = (
        ("threads", partial(ThreadPoolExecutor, 2)),
        ("processes", partial(ProcessPoolExecutor, 2)),
    )
    for name, make in pools:
        with make() as pool:
            list(pool.map(load_upright, paths[:2]))
            began = time.perf_counter()
            done = sum(pixels.nbytes > 0 for pixels in pool.map(load_upright, paths))
            rates[name] = done / (time.perf_counter() - began)
    return rates
