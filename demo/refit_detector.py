"""Fits the demo's small detector to what was labeled: about two minutes of a processor.

`curate train --with "python -m demo.refit_detector --data {data} --out {out} --seed {seed}"`

It goes on from the detector that suggested, on the images of the release instead of drawn ones; the part that
`demo.train_detector` begins with is left out. Nothing is chosen by the validation split: the steps are
as many as are asked for.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from curate.extras import require
from demo.signs import CATEGORIES
from demo.train_detector import Sampler, train
from demo.training_pool import LONG_SIDE, PoolScene

BASE = Path("demo/models/detector")


def load_scenes(data: Path, split: str) -> list[PoolScene]:
    """The images of one split of a COCO folder at the model's size, without masks.

    Args:
        data: What `curate train` hands over.
        split: "train" or "validation".
    """
    content = json.loads((data / f"annotations/instances_{split}.json").read_text(encoding="utf-8"))
    names = {one["id"]: one["name"] for one in content["categories"]}
    objects: dict[int, list[dict[str, Any]]] = {one["id"]: [] for one in content["images"]}
    for one in content["annotations"]:
        objects[one["image_id"]].append(one)
    scenes = []
    for entry in content["images"]:
        scale = LONG_SIDE / max(entry["width"], entry["height"])
        size = (round(entry["width"] * scale), round(entry["height"] * scale))
        pixels = cv2.cvtColor(
            cv2.imread(str(data / "images" / split / entry["file_name"])), cv2.COLOR_BGR2RGB
        )
        image = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        mine = objects[entry["id"]]
        boxes = np.array([one["bbox"] for one in mine], dtype=np.float32).reshape(-1, 4) * np.float32(scale)
        boxes[:, 2:] += boxes[:, :2]
        scenes.append(
            PoolScene(
                image,
                np.zeros((0, size[1], size[0]), dtype=bool),
                boxes,
                np.array([CATEGORIES.index(names[one["category_id"]]) for one in mine], dtype=np.int64),
            )
        )
    return scenes


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, fit, store the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=BASE)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch = require("torch", extra="autolabel")
    transformers = require("transformers", extra="autolabel")
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    scenes = load_scenes(options.data, "train")
    started = time.perf_counter()
    processor = transformers.AutoProcessor.from_pretrained(options.base, local_files_only=True)
    model = transformers.GroundingDinoForObjectDetection.from_pretrained(options.base, local_files_only=True)
    mean = train(
        model.float(),
        processor,
        Sampler(scenes, options.batch_size, rng),
        steps=options.steps,
        device="cpu",
        rng=rng,
        rate=options.rate,
        save=lambda _mean, _step: None,
    )
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in mean.state_dict().items()
    }
    mean.save_pretrained(options.out, state_dict=weights)
    processor.save_pretrained(options.out)
    print(f"{options.steps} steps on {len(scenes)} images in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
