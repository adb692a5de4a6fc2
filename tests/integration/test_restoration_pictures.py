"""A restoration project with a real model, stage by stage; pictures of docs/restoration.md from its pages.

CURATE_PICTURES=docs/images makes the pictures of the documentation anew; without it they go with the test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import sklearn.datasets
import yaml
from PIL import Image
from typer.testing import CliRunner

from curate.cli import app
from curate.yamlfile import load_yaml
from curate_pipelines import PIPELINES
from tests.integration.chromium import window
from tests.restoration import real_weights

ROOT = Path(__file__).parents[2]


def photographs(folder: Path) -> None:
    folder.mkdir()
    names = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle")
    photos = {name: getattr(skimage.data, name)() for name in names[:4]}
    photos["motorcycle"] = skimage.data.stereo_motorcycle()[0]
    photos |= {name: sklearn.datasets.load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    for name, pixels in photos.items():
        Image.fromarray(np.asarray(pixels)[:300, :420]).save(folder / f"{name}.png")
    coffee = photos["coffee"].astype(float) + np.random.default_rng(0).normal(0, 14, photos["coffee"].shape)
    Image.fromarray(np.clip(coffee, 0, 255).astype(np.uint8)[80:380, 120:540]).save(folder / "noisy.png")


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_real_model_s_report_and_contact_sheet_are_pictures_of_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = ROOT / os.environ["CURATE_PICTURES"] if "CURATE_PICTURES" in os.environ else tmp_path
    monkeypatch.chdir(tmp_path)
    photographs(Path("photos"))
    runner = CliRunner()
    made = runner.invoke(app, ["init", "sr", "--images", "photos", "--template", "restoration"])
    assert made.exit_code == 0, made.output
    monkeypatch.chdir("sr")
    content, _ = load_yaml(Path("params.yaml"))
    content["pairs"] |= {"preset": "classical", "crop": 288, "step": 288, "min_rest": 200}
    content["upscale"] |= {
        "models": {"bicubic": "bicubic", "realesr-animevideov3": str(real_weights.compact())}
    }
    content["release"] |= {"name": "photographs x4", "license": "cc-by-4.0"}
    content["vote"] = {"raters": "simulated", "bootstrap": 100}
    content["measure"] |= {"metrics": ["psnr", "ssim", "ssimulacra2", "blur"], "bootstrap": 200}
    Path("params.yaml").write_text(yaml.safe_dump(content))
    sources = Path("sources.yaml").read_text().replace("license: null", "license: cc0-1.0")
    Path("sources.yaml").write_text(sources)
    for stage in PIPELINES["restoration"][:-1]:
        command = [str(Path(sys.executable).with_name("curate")), "run", stage]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (stage, done.stdout + done.stderr)
    assert runner.invoke(app, ["report"]).exit_code == 0
    facts = json.loads(Path("data/report/index.json").read_text())
    assert facts["losses_to_bicubic"]["realesr-animevideov3"][1] == 8
    loss = facts["sharper_but_less_true"]
    assert loss["psnr"][1] < loss["psnr"][0]
    assert loss["sharpness"][2] > loss["sharpness"][1]
    assert next(one["images"] for one in facts["faults"] if one["name"] == "noisy") >= 1
    with window(1120, 900) as shown:
        shown.page.goto(Path("data/report/index.html").resolve().as_uri())
        for selector, name in (("#truth", "truth"), (".example", "examples")):
            path = pictures / f"restoration-{name}.jpg"
            shown.page.locator(selector).first.screenshot(path=str(path), type="jpeg", quality=85)
            assert path.stat().st_size > 20_000
        shown.page.goto(Path("data/diagnose/sheets/noisy.html").resolve().as_uri())
        path = pictures / "restoration-sheet.jpg"
        shown.page.locator(".case").first.screenshot(path=str(path), type="jpeg", quality=85)
    assert (shown.refused, shown.errors) == ([], [])
