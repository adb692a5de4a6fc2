"""What the public models cost on this machine: processor seconds and memory per image, at full size.

Weights are random, which costs the same: `python -m benchmarks.models`
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import result
from benchmarks.model_flops import gflop
from curate.adapters.groundingdino_detector import GroundingDinoDetector
from curate.adapters.segment_anything_segmenter import SegmentAnythingSegmenter
from curate.adapters.transformers_detector import TransformersDetector
from curate.adapters.transformers_segmenter import TransformersSegmenter
from curate.params import DetectorParams, SegmenterParams
from curate.records import Category, UInt8Image
from tests.adapters import full_size

NAME = "models"
COMMAND = "python -m benchmarks.models"
IMAGES = 1 if result.quick() else 3
SIZE = (480, 640)  # pixels, height and width: detectors enlarge it to 800 x 1066, SAM to 768 x 1024
BOXES = 10  # an image
PROMPTS = ("stop sign", "red sign", "parking sign", "dog")
INTRO = """## Models

Architectures of full size with **random weights** (time does not depend on them; accuracy is not measured
here), one process each, {threads} threads, float32, a picture of {width} x {height} pixels, {prompts}
prompts, {boxes} boxes. *Processor seconds* are summed over the threads, the mean of {images} images after the
first; *memory* is the largest resident size of the process, the libraries' share included.

"""


def measure() -> None:
    """Build and time each model in processes of their own."""
    rows = []
    for name, model in _MODELS.items():
        if result.quick() and name not in _QUICK:
            continue
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            _child("build", name, folder)
            rows.append(
                {"model": name, "kind": model.kind, "gflop": gflop(name), **_child("time", name, folder)}
            )
        print(rows[-1], flush=True)
    content = {
        "rows": rows,
        "images": IMAGES,
        "size": SIZE,
        "boxes": BOXES,
        "prompts": len(PROMPTS),
        "threads": os.cpu_count(),
        "versions": result.versions("torch", "transformers", "groundingdino-py", "segment-anything"),
    }
    result.save(NAME, content, command=COMMAND)


def section() -> str:
    """Markdown of the saved result."""
    content = result.load(NAME)
    header = (
        "model",
        "adapter",
        "parameters, M",
        "image encoder, GFLOP",
        "processor s per image",
        "of it with one box",
        "loading, processor s",
        "memory, GB",
    )
    rows = [
        (
            row["model"],
            row["kind"],
            f"{row['parameters'] / 1e6:.0f}",
            f"{row['gflop']:.0f}",
            f"{row['image_cpu_s']:.1f}",
            f"{row['encode_cpu_s']:.1f}" if row["encode_cpu_s"] is not None else "",
            f"{row['load_cpu_s']:.1f}",
            f"{row['peak_bytes'] / 1e9:.1f}",
        )
        for row in content["rows"]
    ]
    height, width = content["size"]
    intro = INTRO.format(
        height=height,
        width=width,
        **{name: content[name] for name in ("threads", "prompts", "boxes", "images")},
    )
    return f"{intro}{result.table(header, rows, numbers=6)}\n{result.footer(content)}"


class _Model:
    """How a model is built into a folder, and loaded from it."""

    def __init__(self, kind: str, save: Callable[[Path], str], **settings: Any) -> None:
        self.kind, self.save, self.settings = kind, save, settings


def _grounding(config: str, file: str) -> Callable[[Path], str]:
    def build(folder: Path) -> str:
        encoder = full_size.save_text_encoder(folder)
        return str(full_size.save_grounding_dino(folder / file, full_size.grounding_dino(encoder, config)))

    return build


def _grounding_tiny(folder: Path) -> str:
    encoder = full_size.save_text_encoder(folder)
    state = full_size.grounding_dino(encoder, "SwinT_OGC")
    return str(full_size.save_grounding_dino_tiny(folder / "tiny", state, encoder))


def _owlv2(folder: Path) -> str:
    return str(full_size.save_owlv2_base(folder / "owlv2"))


def _sam(build: str) -> Callable[[Path], str]:
    def save(folder: Path) -> str:
        torch.save(full_size.sam(build), folder / f"{build}.pth")
        return str(folder / f"{build}.pth")

    return save


def _sam_base(folder: Path) -> str:
    return str(full_size.save_sam_base(folder / "sam", full_size.sam("vit_b")))


def _sam2(folder: Path) -> str:
    return str(full_size.save_sam2_tiny(folder / "sam2"))


_MODELS = {
    "grounding-dino-tiny": _Model("transformers", _grounding_tiny),
    "groundingdino_swint_ogc.pth": _Model(
        "groundingdino", _grounding("SwinT_OGC", "t.pth"), config="SwinT_OGC"
    ),
    "groundingdino_swinb_cogcoor.pth": _Model("groundingdino", _grounding("SwinB", "b.pth"), config="SwinB"),
    "owlv2-base-patch16-ensemble": _Model("transformers", _owlv2),
    "sam_vit_b_01ec64.pth": _Model("segment_anything", _sam("vit_b"), build="vit_b"),
    "sam_vit_l_0b3195.pth": _Model("segment_anything", _sam("vit_l"), build="vit_l"),
    "sam_vit_h_4b8939.pth": _Model("segment_anything", _sam("vit_h"), build="vit_h"),
    "sam-vit-base": _Model("transformers", _sam_base),
    "sam2.1-hiera-tiny": _Model("transformers", _sam2),
}
_QUICK = ("sam2.1-hiera-tiny",)


def _child(what: str, name: str, folder: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.models", what, name, folder],
        cwd=result.ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _build(name: str, folder: Path) -> dict[str, Any]:
    """Save it, and where it is."""
    path = _MODELS[name].save(folder)
    (folder / "model.txt").write_text(path)
    return {"model": path}


def _time(name: str, folder: Path) -> dict[str, Any]:
    """Load, look at one image, then time the others."""
    began = time.process_time()
    answer, network = _loaded(name, (folder / "model.txt").read_text())
    loaded = time.process_time()
    pictures = [_picture(seed) for seed in range(IMAGES + 1)]
    answer(pictures[0], BOXES)
    image = _cpu_s(answer, pictures[1:], BOXES)
    encoding = _cpu_s(answer, pictures[1:], 1) if name.startswith("sam") else None
    return {
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "load_cpu_s": loaded - began,
        "image_cpu_s": image,
        "encode_cpu_s": encoding,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _cpu_s(answer: Callable[[UInt8Image, int], None], pictures: list[UInt8Image], boxes: int) -> float:
    began = time.process_time()
    for picture in pictures:
        answer(picture, boxes)
    return (time.process_time() - began) / len(pictures)


def _loaded(name: str, path: str) -> tuple[Callable[[UInt8Image, int], None], Any]:
    """What is timed, and the network."""
    model = _MODELS[name]
    values = {"kind": model.kind, "model": path, **model.settings}
    if name.startswith("sam"):
        own = model.kind == "segment_anything"
        settings = SegmenterParams.model_validate(values)
        segmenter: Any = (SegmentAnythingSegmenter if own else TransformersSegmenter)(settings, device="cpu")
        boxes = _boxes()
        network = segmenter._predictor.model if own else segmenter._model
        return lambda picture, count: segmenter.segment(picture, boxes[:count]), network
    own = model.kind == "groundingdino"
    wanted = DetectorParams.model_validate(values)
    detector: Any = (GroundingDinoDetector if own else TransformersDetector)(wanted, device="cpu")
    categories = [Category(prompt, i, (prompt,), 0.3, "#000000") for i, prompt in enumerate(PROMPTS)]
    network = detector._model if own else detector._asked._model
    return lambda picture, _: detector.detect([picture], categories), network


def _picture(seed: int) -> UInt8Image:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def _boxes() -> Any:
    corners = np.random.default_rng(0).uniform(0, 300, (BOXES, 2))
    return np.concatenate([corners, corners + 150], axis=1).astype(np.float32)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        step = {"build": _build, "time": _time}[sys.argv[1]]
        print(json.dumps(step(sys.argv[2], Path(sys.argv[3]))))
    else:
        measure()
