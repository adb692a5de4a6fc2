"""Stage measure: a figure or a reason for each result, means with intervals, what deserves a look."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from curate import tables
from curate.engines.local import LocalEngine
from curate.errors import InputError, MetricError, ParamsError
from curate.params import MeasureParams
from curate.ports import ImageMetric
from curate.records import StageReport, UInt8Image
from curate.restoration import table_schemas
from curate.stages import measure
from tests.restoration import restoration_rows

RNG = np.random.default_rng(0)


class Odd:
    """The mean, but not of images that begin with black."""

    name, higher_is_better = "vmaf", True

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:
        if not reference[0, 0].any():
            raise MetricError("begins with black")
        return float(image.mean())


def load(names: Sequence[str]) -> tuple[list[ImageMetric], dict[str, str]]:
    found: list[ImageMetric] = [Odd()] if "vmaf" in names else []
    return found, {name: f"no weights in {Path.home()}/x" for name in names if name == "lpips"}


PORTS = measure.Ports(load, LocalEngine(in_process=True))


def project(folder: Path) -> None:
    pairs, upscaled = [], []
    for n in range(6):
        clean = RNG.integers(1, 256, (40, 48, 3)).astype(np.uint8)
        clean[0, 0] = 0 if n == 5 else 9
        Image.fromarray(clean).save(folder / f"hr{n}.png")
        pairs.append(
            restoration_rows.pair(f"p{n}", hr_path=str(folder / f"hr{n}.png"), image_id=f"i{n}", scale=4)
        )
        for model, noise in (("bicubic", 8), ("model", 4)):
            path = folder / f"{model}{n}.png"
            made = np.clip(clean + RNG.normal(0, noise, clean.shape), 0, 255).astype(np.uint8)
            Image.fromarray(clean if (model, n) == ("model", 0) else made).save(path)
            upscaled.append(restoration_rows.upscaled(model, f"p{n}", path=str(path)))
    upscaled.append(restoration_rows.upscaled("model", "p9", path="elsewhere.png"))  # of no pair
    tables.write_rows(pairs, folder / "pairs.parquet", table_schemas.IMAGE_PAIRS)
    tables.write_rows(upscaled, folder / "upscaled.parquet", table_schemas.UPSCALED)
    bands = [{"noisy": "noisy" if n < 3 else "not noisy", "jpeg_quality": "below 50"} for n in range(5)]
    rows = [restoration_rows.diagnosed(f"i{n}", [], one) for n, one in enumerate(bands)]  # none of i5
    tables.write_rows(rows, folder / "diagnosed.parquet", table_schemas.DIAGNOSED)


class Deadly(Odd):
    """Ends its worker at images that begin with black."""

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:
        if not reference[0, 0].any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().measure(reference, image)


def load_deadly(names: Sequence[str]) -> tuple[list[ImageMetric], dict[str, str]]:
    return [Deadly()], load(names)[1]


def run(folder: Path, ports: measure.Ports = PORTS, **settings: object) -> StageReport:
    params = MeasureParams.model_validate({"metrics": ["psnr", "ssim", "vmaf", "lpips"], **settings})
    return measure.run(
        params,
        inputs=measure.Inputs(
            folder / "pairs.parquet", folder / "upscaled.parquet", folder / "diagnosed.parquet"
        ),
        outputs=measure.Outputs(folder / "m.parquet", folder / "summary.csv", folder / "worst.csv"),
        ports=ports,
    )


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_result_and_metric_has_a_figure_or_a_reason(tmp_path: Path) -> None:
    project(tmp_path)
    report = run(tmp_path)
    rows = tables.read(tmp_path / "m.parquet", table_schemas.MEASURED).to_pylist()
    assert len(rows) == 12 * 4
    why = {row["metric"]: row["reason"] for row in rows if row["value"] is None}
    assert why == {
        "lpips": "no weights in ~/x", "vmaf": "begins with black", "psnr": "the two are equal: infinite",
    }  # fmt: skip
    stated = {(row["metric"], row["color"], row["border"]) for row in rows}
    assert stated == {("psnr", "y", 4), ("ssim", "y", 4), ("vmaf", "rgb", 0), ("lpips", "rgb", 0)}
    assert dict(report.counts) == {"results": 12, "figures": 33, "not measured": 15}
    assert report.metrics["not_measured"] == {"lpips": "no weights in ~/x"}


def test_the_summary_has_means_intervals_and_differences(tmp_path: Path) -> None:
    project(tmp_path)
    report = run(tmp_path, slices=["preset"])
    rows = {(r["model"], r["metric"], r["slice"]): r for r in read(tmp_path / "summary.csv")}
    better = rows["model", "psnr", "all"]
    assert (better["n"], better["not_measured"]) == ("5", "1")
    assert float(better["low"]) < float(better["mean"]) < float(better["high"])
    assert 5 < float(better["difference"]) < 7  # half the noise: 6 dB
    assert rows["bicubic", "psnr", "all"]["difference"] == ""
    plain = rows["bicubic", "psnr", "all"]  # on the same five pairs
    assert (plain["n"], plain["not_measured"]) == ("5", "0")
    for row in (better, plain):
        assert (row["left_out"], row["why_left_out"]) == ("1", "1 by model: equal to the original")
    assert report.metrics["left_out_of_means"]["psnr"] == "1 by model: equal to the original"
    assert rows["model", "lpips", "all"]["left_out"] == "0"  # nobody has it, which metrics say
    assert rows["model", "lpips", "all"]["mean"] == ""
    assert rows["model", "psnr", "preset"]["slice_value"] == "classical"
    worst = read(tmp_path / "worst.csv")
    assert {row["why"] for row in worst} == {"worst", "disputed"}


def test_figures_are_split_by_what_diagnose_says_of_the_image(tmp_path: Path) -> None:
    project(tmp_path)
    run(tmp_path)
    rows = [
        row for row in read(tmp_path / "summary.csv") if (row["model"], row["metric"]) == ("bicubic", "ssim")
    ]
    found = {(row["slice"], row["slice_value"]): row for row in rows}
    assert {(name, value): row["n"] for (name, value), row in found.items()} == {
        ("all", "all"): "6",
        ("preset", "classical"): "6",
        ("noisy", "noisy"): "3",
        ("noisy", "not noisy"): "2",
        ("noisy", "not known"): "1",  # no row of it
        ("blurred", "not looked at"): "5",
        ("blurred", "not known"): "1",
        ("jpeg_quality", "below 50"): "5",
        ("jpeg_quality", "not known"): "1",
    }
    values = tables.read(tmp_path / "m.parquet", table_schemas.MEASURED).to_pylist()
    mine = [
        row["value"]
        for row in values
        if (row["model"], row["metric"]) == ("bicubic", "ssim") and row["pair_id"] in ("p0", "p1", "p2")
    ]
    noisy = found["noisy", "noisy"]
    assert float(noisy["mean"]) == pytest.approx(np.mean(mine))
    assert float(noisy["low"]) < float(noisy["mean"]) < float(noisy["high"])
    assert found["noisy", "not known"]["low"] == ""  # of one image there is no interval


def test_figures_of_the_result_alone_need_no_weights_of_others(tmp_path: Path) -> None:
    project(tmp_path)
    for n, name in enumerate(("brick", "grass", "gravel", "astronaut", "coffee", "brick")):
        photo = Image.fromarray(getattr(skimage.data, name)()).convert("RGB").resize((672, 576))
        if n == 5:
            photo = photo.transpose(Image.Transpose.ROTATE_90)
        photo.save(tmp_path / f"hr{n}.png")
        photo.filter(ImageFilter.GaussianBlur(3)).save(tmp_path / f"bicubic{n}.png")
        photo.save(tmp_path / f"model{n}.png")
    report = run(tmp_path, metrics=["psnr", "niqe_here", "blur", "ringing"], slices=[])
    figures = report.metrics["models"]
    for name in ("niqe_here", "blur"):
        assert figures["bicubic"][name]["value"] > figures["model"][name]["value"]
        assert report.metrics["higher_is_better"][name] is False
    assert report.metrics["niqe_here_patches"] >= 100
    assert "no weights of others" in report.metrics["licenses"]["niqe_here"]
    rows = tables.read(tmp_path / "m.parquet", table_schemas.MEASURED).to_pylist()
    assert {row["reason"] for row in rows if row["metric"] == "ringing" and row["value"] is None} <= {
        row["reason"] for row in rows if "too few for ringing" in str(row["reason"])
    }


def test_too_few_clean_images_have_no_model_of_naturalness(tmp_path: Path) -> None:
    project(tmp_path)
    report = run(tmp_path, metrics=["psnr", "niqe_here"])
    assert "have 0 sharp patches of 96 pixels" in report.metrics["not_measured"]["niqe_here"]
    rows = tables.read(tmp_path / "m.parquet", table_schemas.MEASURED).to_pylist()
    assert sum(row["metric"] == "niqe_here" for row in rows) == 12


def test_a_damaged_result_is_not_measured(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "model3.png").write_bytes(b"damaged")
    run(tmp_path)
    rows = tables.read(tmp_path / "m.parquet", table_schemas.MEASURED).to_pylist()
    reasons = {row["reason"] for row in rows if (row["model"], row["pair_id"]) == ("model", "p3")}
    assert any("model3.png cannot be read" in str(reason) for reason in reasons)


def test_a_result_that_ends_its_worker_is_a_row_a_metric_beside_missing_ones(tmp_path: Path) -> None:
    project(tmp_path)
    run(tmp_path, measure.Ports(load_deadly, LocalEngine(1, retries=0)))
    rows = tables.read(tmp_path / "m.parquet", table_schemas.MEASURED).to_pylist()
    assert len(rows) == 12 * 4
    reasons = {row["metric"]: row["reason"] for row in rows if row["pair_id"] == "p5"}
    assert reasons.pop("lpips") == "no weights in ~/x"
    assert len(reasons) == 3
    assert all(str(reason).startswith("ended its worker") for reason in reasons.values())
    assert all(row["value"] is not None for row in rows if (row["pair_id"], row["metric"]) == ("p4", "ssim"))


def test_two_runs_write_the_same(tmp_path: Path) -> None:
    project(tmp_path)
    run(tmp_path)
    first = [(tmp_path / name).read_bytes() for name in ("m.parquet", "summary.csv", "worst.csv")]
    run(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in ("m.parquet", "summary.csv", "worst.csv")] == first


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    project(tmp_path)
    with pytest.raises(ParamsError, match=r"measure\.slices: weather is no column.*noisy"):
        run(tmp_path, slices=["weather"])
    tables.write_rows([], tmp_path / "upscaled.parquet", table_schemas.UPSCALED)
    with pytest.raises(InputError, match="no result of the pairs: run upscale again"):
        run(tmp_path)


class NoNumber(Odd):
    """A learned metric whose weights are damaged."""

    def measure(self, reference: UInt8Image, image: UInt8Image) -> float:
        return float("nan") if not reference[0, 0].any() else super().measure(reference, image)


def test_a_figure_that_is_no_number_is_not_measured(tmp_path: Path) -> None:
    project(tmp_path)
    ports = measure.Ports(lambda _: ([NoNumber()], {}), LocalEngine(in_process=True))
    run(tmp_path, ports, metrics=["vmaf"], slices=[])
    rows = tables.read(tmp_path / "m.parquet", table_schemas.MEASURED).to_pylist()
    without = {row["reason"] for row in rows if row["value"] is None}
    assert without == {"the figure is no number (nan)"}
    assert all(np.isfinite(row["value"]) for row in rows if row["value"] is not None)
