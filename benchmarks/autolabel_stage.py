"""The stage as benchmarks/autolabel.py runs it, in a process of its own that holds no model itself."""

from __future__ import annotations

import functools
import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from curate import schema, tables
from curate.engines import placement
from curate.engines.local import LocalEngine
from curate.labeling.run.models import Models
from curate.params import AutolabelParams, load
from curate.records import FloatArray
from curate.stages import autolabel
from curate_pipelines import models

PROMPTS = ("stop sign", "park sign")
BOXES = 10  # per image, on average
CHECKPOINT, SEGMENTER = "groundingdino_swint_ogc.pth", "sam_vit_b_01ec64.pth"


def threshold_of(scores: FloatArray, images: int) -> float:
    """The threshold that leaves `BOXES` boxes per image on average.

    The scores of random weights mean nothing. The loop takes the best of all tokens, the stage that of the
    prompts' own, so each has a threshold of its own: one for both would leave them different numbers of masks
    to draw.

    Args:
        scores: (N,) of all boxes of all images.
        images: How many.
    """
    return float(np.sort(scores)[-BOXES * images - 1])


def settings(weights: str, threshold: float, device: str) -> AutolabelParams:
    """The stage on the public architectures; every box above the threshold stays, as in the plain loop."""
    values = {
        "detector": {
            "kind": "groundingdino",
            "model": f"{weights}/{CHECKPOINT}",
            "config": "SwinT_OGC",
            "prompt_score": "max",
        },
        "segmenter": {"model": f"{weights}/{SEGMENTER}", "build": "vit_b"},
        "device": device,
        "nms_iou": 1.0,
        "across": "keep_both",
        "min_score": threshold,
        "shard_size": 2,
        "max_boxes": 10_000,
    }
    return AutolabelParams.model_validate(values)


def stage(images: str, weights: str, number: int, threshold: float, device: str) -> dict[str, Any]:
    """The stage over the same images, from disk to table."""
    root = Path(images)
    lines = [
        f"  - {{id: {index}, name: {name.replace(' ', '_')}, prompts: [{name}], threshold: {threshold!r}, "
        f'color: "#00000{index}"}}'
        for index, name in enumerate(PROMPTS)
    ]
    taxonomy = root / "taxonomy.yaml"
    taxonomy.write_text("categories:\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return _run(settings(weights, threshold, device), root, number, taxonomy)


def small_stage(images: str, number: int) -> dict[str, Any]:
    """The stage with the demo's models, as params.yaml has it."""
    params = load().autolabel
    return _run(params, Path(images), number, params.taxonomy)


def _run(params: AutolabelParams, root: Path, number: int, taxonomy: Path) -> dict[str, Any]:
    out = root / f"out-{time.time_ns()}"
    out.mkdir()
    rows = tables.read(root / "images.parquet", schema.IMAGES)
    wanted = [str(root / f"{index}.jpg") for index in range(number)]
    chosen = rows.filter([path in set(wanted) for path in rows["path"].to_pylist()])
    tables.write(chosen, out / "images.parquet", schema.IMAGES)
    loading = functools.partial(_loaded, params, str(out / "loaded"))
    environments = placement.of_this_machine(params.device, params.workers)
    report = autolabel.run(
        params,
        inputs=autolabel.Inputs(images=out / "images.parquet", taxonomy=taxonomy),
        outputs=autolabel.Outputs(
            out / "table.parquet", out / "shards", out / "plot.csv", out / "failures.csv"
        ),
        ports=autolabel.Ports(loading, LocalEngine(environments=environments)),
    )
    ended = time.time()
    ready = [float(line) for line in (out / "loaded").read_text(encoding="utf-8").split()]
    return {
        "seconds": ended - min(ready),  # from the first worker that holds its models
        "boxes": dict(report.counts)["boxes"],
        "failed": dict(report.counts)["failed"],
        "workers": len(environments),
        "table": hashlib.sha256((out / "table.parquet").read_bytes()).hexdigest(),
    }


def _loaded(params: AutolabelParams, log: str) -> Models:
    found = models.models(params)
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(f"{time.time()}\n")
    return found
