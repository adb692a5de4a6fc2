"""Trains the demo's small SAM on drawn scenes, prompted by boxes as a detector gives them.

`python -m demo.train_segmenter --device cpu --out demo/models/segmenter.pth`

The single-mask output and the three multi-mask outputs are both trained (the best of the three, as in the
original), and the predicted quality learns the IoU of the masks.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from curate.adapters.sam_builds import build_sam_tiny
from curate.extras import require
from demo.provenance import environment
from demo.training_pool import LONG_SIDE, PoolScene, load_pool

FloatArray = npt.NDArray[np.float32]
EMA_DECAY = 0.995  # the stored weights are this running mean
OBJECTS_PER_SCENE = 4
SIDE = 264  # pixels of the encoder's square input
MEAN = np.array([123.675, 116.28, 103.53], dtype=np.float32)  # of SAM's RGB pixels
STD = np.array([58.395, 57.12, 57.375], dtype=np.float32)


def _varied(scene: PoolScene, rng: np.random.Generator) -> tuple[FloatArray, list[FloatArray]]:
    """A scene zoomed, moved and tinted a little: (S, S, 3) padded picture, masks (S, S) in 0..1."""
    scale = SIDE / LONG_SIDE
    height, width = (round(length * scale) for length in scene.image.shape[:2])
    zoom = scale * float(np.exp(rng.uniform(-0.25, 0.25)))
    shift = (np.array([width, height]) - np.array(scene.image.shape[1::-1]) * zoom) / 2
    shift = shift + rng.uniform(-0.08, 0.08, size=2) * (width, height)
    move = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    flip = rng.random() < 0.5  # the segmenter need not read: a mirrored P is as good
    image = cv2.warpAffine(scene.image, move, (width, height), borderMode=cv2.BORDER_REFLECT_101).astype(
        np.float32
    )
    gain = rng.uniform(0.8, 1.2) * rng.uniform(0.92, 1.08, size=3)
    image = np.clip(image * gain.astype(np.float32) + np.float32(rng.uniform(-12, 12)), 0, 255)
    # What is padded stays zero after normalization, as SAM does it.
    picture: FloatArray = np.zeros((SIDE, SIDE, 3), dtype=np.float32)
    picture[:height, :width] = ((image - MEAN) / STD)[:, ::-1] if flip else (image - MEAN) / STD
    masks: list[FloatArray] = []
    for mask in scene.masks:
        moved = cv2.warpAffine(mask.astype(np.float32), move, (width, height), flags=cv2.INTER_LINEAR)
        padded: FloatArray = np.zeros((SIDE, SIDE), dtype=np.float32)
        padded[:height, :width] = moved[:, ::-1] if flip else moved
        if (padded >= 0.5).sum() >= 20:
            masks.append(padded)
    return picture, masks


def _prompt_box(mask: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The mask's box as a detector or a hurried person draws it: (4,) xyxy pixels."""
    rows, columns = np.flatnonzero((mask >= 0.5).any(axis=1)), np.flatnonzero((mask >= 0.5).any(axis=0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float32)
    if rng.random() < 0.75:
        size = np.tile(box[2:] - box[:2], 2)
        box = box + np.clip(rng.normal(0, 0.05, size=4), -0.12, 0.12).astype(np.float32) * size
    return np.clip(box, 0, SIDE).astype(np.float32)


def _mask_losses(torch: Any, logits: Any, target: Any) -> tuple[Any, Any]:
    """(N, M) loss of each predicted mask against (N, 1, h, w) targets, and its IoU (N, M), detached."""
    functional = torch.nn.functional
    target = target.expand_as(logits)
    cross = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    # A sign covers few pixels: weigh the neighborhood of the sign, or "nothing anywhere" is cheap.
    weight = 1 + 9 * functional.max_pool2d(target, 9, stride=1, padding=4)
    cross = (cross * weight).sum((2, 3)) / weight.sum((2, 3))
    probability = logits.sigmoid()
    dice = 1 - (2 * (probability * target).sum((2, 3)) + 1) / (
        probability.sum((2, 3)) + target.sum((2, 3)) + 1
    )
    with torch.no_grad():
        a, b = logits > 0, target >= 0.5
        iou = (a & b).sum((2, 3)) / (a | b).sum((2, 3)).clamp(min=1)
    return cross * 2 + dice, iou


def _step(
    torch: Any, sam: Any, scenes: Sequence[PoolScene], rng: np.random.Generator, device: str
) -> tuple[Any, float]:
    """Loss of one batch and the mean IoU of the single-mask output."""
    made = [_varied(scene, rng) for scene in scenes]
    pictures = torch.from_numpy(
        np.stack([picture for picture, _ in made]).transpose(0, 3, 1, 2).copy()
    ).float()
    embeddings = sam.image_encoder(pictures.to(device))
    positions = sam.prompt_encoder.get_dense_pe()
    losses, ious = [], []
    for embedding, (_, masks) in zip(embeddings, made, strict=True):
        if not masks:
            continue
        boxes = torch.from_numpy(np.stack([_prompt_box(mask, rng) for mask in masks[:OBJECTS_PER_SCENE]])).to(
            device
        )
        target = torch.from_numpy(np.stack(masks[:OBJECTS_PER_SCENE]))[:, None].to(device)
        sparse, dense = sam.prompt_encoder(points=None, boxes=boxes, masks=None)
        logits, quality = sam.mask_decoder.predict_masks(
            image_embeddings=embedding[None],
            image_pe=positions,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )
        target = torch.nn.functional.interpolate(target, size=logits.shape[-2:], mode="area")
        loss, iou = _mask_losses(torch, logits, target)
        best = loss[:, 1:].min(dim=1).values
        losses.append(loss[:, 0] + 0.3 * best + ((quality - iou) ** 2).mean(dim=1))
        ious.append(iou[:, 0])
    return torch.cat(losses).mean(), float(torch.cat(ious).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, store weights and a record of the run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("demo/models/segmenter.pth"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/demo"), help="folder of pre-drawn scenes")
    parser.add_argument("--scenes", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--resume", type=Path, help="weights to go on from")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="torch's threads; 0 = its default")
    options = parser.parse_args(arguments)
    torch = require("torch", extra="autolabel")
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    pool = load_pool("training", options.scenes, folder=options.cache)
    scenes = [scene for scene in pool if len(scene.boxes)]
    sam = build_sam_tiny(str(options.resume) if options.resume else None).to(options.device)
    earlier = _record_path(options.resume).read_text(encoding="utf-8") if options.resume else "null"
    sam.train()
    mean = copy.deepcopy(sam)
    optimizer = torch.optim.AdamW(sam.parameters(), lr=options.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.rate, total_steps=options.steps, pct_start=0.1
    )
    started = time.perf_counter()
    recent: list[float] = []
    for step in range(options.steps):
        chosen = rng.choice(len(scenes), size=options.batch_size, replace=False)
        loss, iou = _step(torch, sam, [scenes[int(index)] for index in chosen], rng, options.device)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(sam.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent = [*recent, iou][-50:]
        decay = min(EMA_DECAY, (step + 1) / (step + 20))
        with torch.no_grad():
            for kept, new in zip(mean.parameters(), sam.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        if step % 25 == 0:
            figures = f"loss {float(loss.detach()):.3f} iou {np.mean(recent):.3f}"
            print(f"{time.strftime('%H:%M:%S')} step {step} {figures}", file=sys.stderr, flush=True)
        if (step + 1) % 300 == 0 or step + 1 == options.steps:
            progress = {
                "continued_from": json.loads(earlier),
                "steps_done": step + 1,
                "wall_time_s": round(time.perf_counter() - started, 1),
            }
            _save(torch, mean, options, progress)


def _record_path(weights: Path) -> Path:
    return weights.with_name(weights.stem + ".training.json")


def _save(torch: Any, sam: Any, options: argparse.Namespace, progress: dict[str, Any]) -> None:
    options.out.parent.mkdir(parents=True, exist_ok=True)
    # Stored in half precision to keep the repository small; every figure is measured on what is stored.
    weights = {
        name: value.half() if value.is_floating_point() else value for name, value in sam.state_dict().items()
    }
    torch.save(weights, options.out)
    record = (
        environment(options, torch)
        | progress
        | {
            "parameters": sum(parameter.numel() for parameter in sam.parameters()),
            "input": f"longer side {SIDE} pixels",
        }
    )
    _record_path(options.out).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
