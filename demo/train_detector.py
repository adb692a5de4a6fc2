"""Trains the demo's small Grounding DINO on drawn scenes.

`python -m demo.train_detector --device cpu --out demo/models/detector`

First the Swin backbone learns to name every cell (dense cross-entropy), then the whole model learns to
detect. Batches shuffle the prompts, swap their wording and leave some out, so that the text is really read.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from curate.extras import require
from demo.detector_loss import cell_centers, merge_phrases, proposal_loss, set_loss
from demo.detector_model import ABSENT_PHRASES, PHRASES, build_config, build_processor
from demo.provenance import environment
from demo.signs import CATEGORIES
from demo.training_pool import LONG_SIDE, PoolScene, load_pool

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)  # the image processor's
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
EMA_DECAY = 0.995  # the stored weights are this running mean


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures of one batch, padded at the right and bottom to a common size.

    Attributes:
        pixels: (B, 3, H, W) normalized.
        pixel_mask: (B, H, W) 1 on the picture.
        boxes: a picture each, (N, 4) cxcywh shares of the unpadded picture.
        categories: a picture each, (N,) indices into `CATEGORIES`.
    """

    pixels: npt.NDArray[np.float32]
    pixel_mask: npt.NDArray[np.int64]
    boxes: list[npt.NDArray[np.float32]]
    categories: list[npt.NDArray[np.int64]]


def _varied(scene: PoolScene, rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], Any, Any]:
    """A scene zoomed, moved and tinted a little; signs of which too little is left are dropped."""
    height, width = scene.image.shape[:2]
    zoom = float(np.exp(rng.uniform(-0.2, 0.2)))
    shift = rng.uniform(-0.08, 0.08, size=2) * (width, height)
    move = np.array(
        [[zoom, 0, shift[0] + width * (1 - zoom) / 2], [0, zoom, shift[1] + height * (1 - zoom) / 2]]
    )
    image = cv2.warpAffine(scene.image, move, (width, height), borderMode=cv2.BORDER_REFLECT_101).astype(
        np.float32
    )
    boxes = scene.boxes * zoom + np.tile(move[:, 2], 2).astype(np.float32)
    clipped = np.clip(boxes, 0, np.array([width, height] * 2, dtype=np.float32))
    areas = [np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), axis=1) for b in (boxes, clipped)]
    kept = areas[1] >= 0.55 * areas[0]
    for box in (
        clipped[~kept].round().astype(int)
    ):  # what is left of a dropped sign must not teach "nothing here"
        image[box[1] : box[3], box[0] : box[2]] = image.mean(axis=(0, 1))
    gain = rng.uniform(0.8, 1.2) * rng.uniform(0.92, 1.08, size=3)
    image = np.clip(image * gain.astype(np.float32) + rng.uniform(-12, 12), 0, 255)
    return (image / 255 - MEAN) / STD, clipped[kept] / np.array([width, height] * 2), scene.categories[kept]


def make_batch(scenes: Sequence[PoolScene], rng: np.random.Generator) -> Batch:
    """Vary and stack scenes; different shapes are padded to one."""
    height = max(scene.image.shape[0] for scene in scenes)
    width = max(scene.image.shape[1] for scene in scenes)
    pixels = np.zeros((len(scenes), 3, height, width), dtype=np.float32)
    mask = np.zeros((len(scenes), height, width), dtype=np.int64)
    all_boxes, categories = [], []
    for index, scene in enumerate(scenes):
        image, boxes, names = _varied(scene, rng)
        pixels[index, :, : image.shape[0], : image.shape[1]] = image.transpose(2, 0, 1)
        mask[index, : image.shape[0], : image.shape[1]] = 1
        centers, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        all_boxes.append(np.concatenate([centers, sizes], axis=1).astype(np.float32))
        categories.append(names)
    return Batch(pixels, mask, all_boxes, categories)


class Sampler:
    """Draws batches: mostly of one shape, every fifth one mixed and padded as a batch of real pictures is."""

    def __init__(self, scenes: Sequence[PoolScene], size: int, rng: np.random.Generator) -> None:
        """`size`: pictures per batch."""
        self._scenes, self._size, self._rng = scenes, size, rng
        shapes = sorted({scene.image.shape for scene in scenes})
        self._buckets = [
            [i for i, scene in enumerate(scenes) if scene.image.shape == shape] for shape in shapes
        ]
        self._shares = np.array([len(bucket) for bucket in self._buckets]) / len(scenes)

    def next(self, *, mixed_share: float = 0.2) -> Batch:
        """Draw the next batch."""
        indices: Sequence[int] = range(len(self._scenes))
        if self._rng.random() >= mixed_share:
            indices = self._buckets[int(self._rng.choice(len(self._buckets), p=self._shares))]
        chosen = self._rng.choice(indices, size=self._size, replace=len(indices) < self._size)
        return make_batch([self._scenes[int(index)] for index in chosen], self._rng)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text of one batch: phrases in order, and for each category asked for the indices of its phrases."""

    phrases: tuple[str, ...]
    categories: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]


def sample_prompt(rng: np.random.Generator) -> Prompt:
    """Choose what a batch is asked for."""
    entries: list[tuple[str, str | None]] = []
    for category in CATEGORIES:
        if rng.random() < 0.88:
            names = PHRASES[category]
            first = names[0] if rng.random() < 0.6 else names[int(rng.integers(len(names)))]
            entries.append((first, category))
            other = names[int(rng.integers(len(names)))]
            if rng.random() < 0.12 and other != first:
                entries.append((other, category))
    if not entries:
        entries.append((PHRASES[CATEGORIES[0]][0], CATEGORIES[0]))
    if rng.random() < 0.5:
        absent = rng.choice(len(ABSENT_PHRASES), size=int(rng.integers(1, 3)), replace=False)
        entries += [(ABSENT_PHRASES[int(index)], None) for index in absent]
    if rng.random() < 0.7:
        entries = [entries[int(index)] for index in rng.permutation(len(entries))]
    asked = tuple(category for category in CATEGORIES if any(named == category for _, named in entries))
    groups = tuple(
        tuple(i for i, (_, named) in enumerate(entries) if named == category) for category in asked
    )
    return Prompt(tuple(phrase for phrase, _ in entries), asked, groups)


def _labels(batch: Batch, prompt: Prompt, torch: Any, device: str) -> list[dict[str, Any]]:
    number = {CATEGORIES.index(category): index for index, category in enumerate(prompt.categories)}
    labels = []
    for boxes, categories in zip(batch.boxes, batch.categories, strict=True):
        asked = [index for index, category in enumerate(categories.tolist()) if category in number]
        classes = [number[int(categories[index])] for index in asked]
        labels.append(
            {
                "class_labels": torch.tensor(classes, dtype=torch.long, device=device),
                "boxes": torch.from_numpy(boxes[asked].reshape(-1, 4)).to(device),
                "phrase_groups": prompt.groups,
            }
        )
    return labels


def pretrain_backbone(model: Any, sampler: Sampler, steps: int, device: str) -> None:
    """Teach the backbone to name every cell of its three feature maps."""
    torch = require("torch", extra="autolabel")
    functional = torch.nn.functional
    backbone = model.model.backbone.conv_encoder.model
    heads = torch.nn.ModuleList(torch.nn.Conv2d(c, len(CATEGORIES) + 1, 1) for c in backbone.channels).to(
        device
    )
    parameters = [*backbone.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps, pct_start=0.15)
    weights = torch.tensor([0.25] + [1.0] * len(CATEGORIES), device=device)
    backbone.train()
    for step in range(steps):
        batch = sampler.next(mixed_share=0.0)
        features = backbone(torch.from_numpy(batch.pixels).to(device)).feature_maps
        loss: Any = 0.0
        for feature, head in zip(features, heads, strict=True):
            target = torch.from_numpy(_dense_target(batch, *feature.shape[-2:])).to(device)
            loss = loss + functional.cross_entropy(head(feature), target, weight=weights, ignore_index=-1)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            _say(f"dense {step} loss {float(loss.detach()):.3f}")


def _dense_target(batch: Batch, height: int, width: int) -> npt.NDArray[np.int64]:
    """(B, height, width): 1 + category inside a box shrunk to 0.7, -1 in the rest of the box, 0 elsewhere."""
    target = np.zeros((len(batch.boxes), height, width), dtype=np.int64)
    y, x = (np.arange(height)[:, None] + 0.5) / height, (np.arange(width)[None] + 0.5) / width
    for index, (boxes, categories) in enumerate(zip(batch.boxes, batch.categories, strict=True)):
        for (cx, cy, w, h), category in zip(boxes.tolist(), categories.tolist(), strict=True):
            distance = np.maximum(np.abs(x - cx) / w, np.abs(y - cy) / h)
            target[index][distance <= 0.5] = -1
            target[index][distance <= 0.35] = 1 + category
    return target


def train(
    model: Any,
    processor: Any,
    sampler: Sampler,
    *,
    steps: int,
    device: str,
    rng: np.random.Generator,
    rate: float,
    save: Callable[[Any, int], None],
) -> Any:
    """Train the whole model; returns the running mean of its weights."""
    torch = require("torch", extra="autolabel")
    grounding = require("transformers.models.grounding_dino.modeling_grounding_dino", extra="autolabel")
    set_loss(model)
    mean = copy.deepcopy(model).eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    model.train()
    for step in range(steps):
        batch, prompt = sampler.next(), sample_prompt(rng)
        encoded = processor.tokenizer(
            [". ".join(prompt.phrases) + "."] * len(batch.boxes), return_tensors="pt"
        ).to(device)
        labels = _labels(batch, prompt, torch, device)
        mask = torch.from_numpy(batch.pixel_mask).to(device)
        pixels = torch.from_numpy(batch.pixels).to(device)
        outputs = model(pixel_values=pixels, pixel_mask=mask, **encoded, labels=labels)
        label_map = merge_phrases(
            grounding.build_label_maps(outputs.logits, encoded["input_ids"])[0], prompt.groups
        )
        height, width = batch.pixels.shape[-2:]
        shapes = [(-(-height // stride), -(-width // stride)) for stride in (8, 16, 32)]
        proposals = proposal_loss(outputs, labels, label_map, cell_centers(mask, shapes))
        loss = outputs.loss + proposals
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        decay = min(EMA_DECAY, (step + 1) / (step + 20))
        with torch.no_grad():
            for kept, new in zip(mean.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        if step % 25 == 0:
            shown = {"all": loss, "proposals": proposals} | outputs.loss_dict
            names = ("all", "proposals", "loss_ce", "loss_bbox", "loss_giou")
            _say(f"detect {step} " + " ".join(f"{name} {float(shown[name].detach()):.2f}" for name in names))
        if (step + 1) % 300 == 0 or step + 1 == steps:
            save(mean, step + 1)
    return mean


def _record_path(folder: Path) -> Path:
    return folder.with_name(folder.name + ".training.json")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train, store weights and a record of the run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("demo/models/detector"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/demo"), help="folder of pre-drawn scenes")
    parser.add_argument("--scenes", type=int, default=4000)
    parser.add_argument("--dense-steps", type=int, default=800)
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate of the second part")
    parser.add_argument("--resume", type=Path, help="model folder to go on from; no dense part then")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="torch's threads; 0 = its default")
    options = parser.parse_args(arguments)
    torch = require("torch", extra="autolabel")
    transformers = require("transformers", extra="autolabel")
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    scenes = load_pool("training", options.scenes, folder=options.cache)
    sampler = Sampler(scenes, options.batch_size, rng)
    processor = build_processor()
    started = time.perf_counter()
    earlier: dict[str, Any] | None = None
    if options.resume:
        model = transformers.GroundingDinoForObjectDetection.from_pretrained(
            options.resume, local_files_only=True
        )
        model = model.float().to(options.device)
        earlier = json.loads(_record_path(options.resume).read_text(encoding="utf-8"))
    else:
        model = transformers.GroundingDinoForObjectDetection(build_config()).to(options.device)
        pretrain_backbone(model, sampler, options.dense_steps, options.device)
        with torch.no_grad():  # a class logit is a product of 64 terms: start near zero
            model.model.enc_output_norm.weight.fill_(0.3)

    def save(mean: Any, step: int) -> None:
        # Stored in half precision to keep the repository small; every figure is measured on what is stored.
        weights = {
            name: value.half() if value.is_floating_point() else value
            for name, value in mean.state_dict().items()
        }
        mean.save_pretrained(options.out, state_dict=weights)
        processor.save_pretrained(options.out)
        record = environment(options, torch) | {
            "continued_from": earlier,
            "steps_done": step,
            "wall_time_s": round(time.perf_counter() - started, 1),
            "parameters": sum(parameter.numel() for parameter in mean.parameters()),
            "input": f"longer side {LONG_SIDE} pixels",
        }
        _record_path(options.out).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    train(
        model,
        processor,
        sampler,
        steps=options.steps,
        device=options.device,
        rng=rng,
        rate=options.rate,
        save=save,
    )


if __name__ == "__main__":
    main()
