"""A small restoration project whose figures the stages really measured, for pages that show it.

The model `overdone` is bicubic, sharpened: sharper on every image, and further from the truth.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageFilter

from curate import tables
from curate.adapters import image_metrics
from curate.engines.local import LocalEngine
from curate.params import DiagnoseParams, MeasureParams, VoteParams
from curate.records import StageReport
from curate.report import diagnosis_sheets
from curate.restoration import table_schemas
from curate.restoration.image_faults import FAULTS
from curate.stages import measure, vote
from tests.restoration import restoration_rows

MODELS = ("bicubic", "overdone", "soft")
SIZE = (392, 300)


def restoration_project(root: Path) -> Path:
    """Seven pairs of five photographs, three models, votes of simulated raters; nothing needs a model."""
    for folder in ("photos", "data/pairs", "data/upscale", "metrics"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(
        "release: {name: photographs x4}\nmeasure: {metrics: [psnr, ssim, lpips, blur]}\n"
    )
    pairs, upscaled, diagnosed = [], [], []
    names = ("astronaut", "coffee", "chelsea", "rocket", "camera")
    for number in range(7):
        name = names[number % 5]
        photo = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        left, top = (
            (13 * number) % max(1, photo.width - SIZE[0]),
            (7 * number) % max(1, photo.height - SIZE[1] + 1),
        )
        clean = photo.crop((left, top, left + SIZE[0], top + SIZE[1]))
        small = clean.resize((SIZE[0] // 4, SIZE[1] // 4), Image.Resampling.BICUBIC)
        large = small.resize(SIZE, Image.Resampling.BICUBIC)
        made = {
            "bicubic": large,
            "overdone": large.filter(ImageFilter.UnsharpMask(3, 400, 0)),
            "soft": large.filter(ImageFilter.GaussianBlur(2)),
        }
        hr, lr = f"data/pairs/hr{number}.png", f"data/pairs/lr{number}.png"
        clean.save(root / hr)
        small.save(root / lr)
        pair = f"p{number}"
        split = ("train", "test")[number % 2]
        row = {
            "hr_path": hr,
            "lr_path": lr,
            "image_id": name,
            "width": SIZE[0],
            "height": SIZE[1],
            "split": split,
        }
        pairs.append(restoration_rows.pair(pair, **row))
        for model, image in made.items():
            path = f"data/upscale/{model}{number}.png"
            image.save(root / path)
            license = "none" if model == "bicubic" else "bsd-3-clause"
            upscaled.append(restoration_rows.upscaled(model, pair, path=path, model_license=license))
    for name in names:
        Image.fromarray(getattr(skimage.data, name)()).convert("RGB").save(root / f"photos/{name}.png")
        faults = ["noisy"] if name == "coffee" else []
        bands = {"noisy": "noisy" if faults else "not noisy", "blurred": "not blurred"}
        bands["jpeg_quality"] = "not known"
        one = restoration_rows.diagnosed(name, faults, bands) | {
            "path": f"photos/{name}.png",
            "unknown": ["jpeg_quality"],
        }
        diagnosed.append(one)
    tables.write_rows(pairs, root / "data/pairs/pairs.parquet", table_schemas.IMAGE_PAIRS)
    tables.write_rows(upscaled, root / "data/upscale/upscaled.parquet", table_schemas.UPSCALED)
    tables.write_rows(diagnosed, root / "data/diagnose/images.parquet", table_schemas.DIAGNOSED)
    _stages(root, diagnosed)
    return root


def _stages(root: Path, diagnosed: list[dict[str, object]]) -> None:
    here = Path.cwd()
    os.chdir(root)  # paths in tables are relative to the project
    try:
        _metrics("ingest", {"files": 8, "images": 6})
        _metrics("dedupe", {"kept": 5})
        limits = {fault.name: fault.bound(DiagnoseParams()) for fault in FAULTS}
        Path("metrics/diagnose.json").write_text(json.dumps({"counts": {}, "limits": limits}))
        diagnosis_sheets.write(diagnosed, Path("data/diagnose/sheets"), 40)
        pairs, upscaled = Path("data/pairs/pairs.parquet"), Path("data/upscale/upscaled.parquet")
        outputs = [Path("data/measure") / name for name in ("figures.parquet", "summary.csv", "worst.csv")]
        measured = measure.run(
            MeasureParams(metrics=("psnr", "ssim", "lpips", "blur"), bootstrap=200),
            inputs=measure.Inputs(pairs, upscaled, Path("data/diagnose/images.parquet")),
            outputs=measure.Outputs(*outputs),
            ports=measure.Ports(image_metrics.load, LocalEngine(in_process=True)),
        )
        _write(measured)
        votes = [Path("data/vote") / f"{name}.csv" for name in ("plan", "votes", "ranking")]
        _write(
            vote.run(
                VoteParams(raters="simulated", bootstrap=100),
                inputs=vote.Inputs(pairs, upscaled, outputs[0]),
                outputs=vote.Outputs(*votes, Path("data/vote/pictures"), Path("data/people.csv")),
                ports=vote.Ports(None, "votes"),
            )
        )
    finally:
        os.chdir(here)


def _write(report: StageReport) -> None:
    counts = {name.replace(" ", "_"): value for name, value in report.counts}
    Path(f"metrics/{report.stage}.json").write_text(json.dumps({"counts": counts, **report.metrics}))


def _metrics(stage: str, counts: dict[str, int]) -> None:
    Path(f"metrics/{stage}.json").write_text(json.dumps({"counts": counts}))


def psnr(root: Path, first: str, second: str) -> float:
    """In RGB, of two files."""
    a, b = (np.asarray(Image.open(root / path).convert("RGB"), dtype=float) for path in (first, second))
    return float(10 * np.log10(255**2 / np.mean((a - b) ** 2)))
