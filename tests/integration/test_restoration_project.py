"""A project of the template restoration, from crops of photographs to a published set of pairs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import skimage.data
import yaml
from PIL import Image
from typer.testing import CliRunner

from curate import pipeline_templates
from curate.cli import app
from curate.yamlfile import load_yaml
from tests.restoration import real_weights


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_project_from_crops_to_a_published_paired_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photo = getattr(skimage.data, name)()
        for n in range(3):
            Image.fromarray(photo[n * 90 : n * 90 + 96, n * 100 : n * 100 + 192]).save(
                f"photos/{name}{n}.png"
            )
    made = CliRunner().invoke(app, ["init", "sr", "--images", "photos", "--template", "restoration"])
    assert made.exit_code == 0, made.output
    assert "name your models in params.yaml" in made.output
    monkeypatch.chdir("sr")
    content, _ = load_yaml(Path("params.yaml"))
    content["pairs"] |= {"crop": 96, "step": 96}
    content["upscale"] |= {"models": {"bicubic": "bicubic", "compact": str(real_weights.compact())}}
    content["release"] |= {"license": "cc-by-4.0"}
    content["vote"] = {"raters": "simulated", "bootstrap": 100}
    content["measure"] |= {"metrics": ["psnr", "ssim", "lpips"], "bootstrap": 200}
    Path("params.yaml").write_text(yaml.safe_dump(content))
    sources = Path("sources.yaml").read_text().replace("license: null", "license: cc0-1.0")
    Path("sources.yaml").write_text(sources)
    assert pipeline_templates.nearest(Path("dvc.yaml")) == ("restoration", ())
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in (["dvc", "init", "--quiet"], ["dvc", "repro", "--quiet"]):
        if command[1] == "init" and Path(".dvc/config").exists():
            continue
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    diagnosed = json.loads(Path("metrics/diagnose.json").read_text())
    assert diagnosed["counts"]["images"] == 12
    assert diagnosed["not_known"]["jpeg_quality"] == 12
    assert {path.stem for path in Path("data/diagnose/sheets").iterdir()} == set(diagnosed["faults"])
    slices = Path("data/measure/summary.csv").read_text()
    assert "compact,psnr,noisy,not noisy" in slices
    metrics = json.loads(Path("metrics/measure.json").read_text())
    assert metrics["counts"]["results"] == 2 * 24
    assert "not in" in metrics["not_measured"]["lpips"]
    assert metrics["models"]["compact"]["psnr"]["low"] is not None
    assert Path("data/vote/ranking.csv").read_text().count(",simulated\n") == 2
    assert pq.read_table("data/splits.parquet").num_rows == 12
    page = CliRunner().invoke(app, ["report"])
    assert page.exit_code == 0, page.output
    assert "Sharper is not truer" in Path("data/report/index.html").read_text()
    (release,) = Path("data").glob("release")
    rows = [pq.read_table(path).num_rows for path in (release / "data").glob("*.parquet")]
    assert sum(rows) == 24
    card = (release / "README.md").read_text()
    assert "`compact` | psnr" in card
    receipt = json.loads(Path("data/publish/receipt.json").read_text())
    assert receipt["state"] == "published"
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(release), cache_dir=str(tmp_path / "hf"))
    pair = loaded["train"][0]
    assert (pair["hr"].size, pair["lr"].size) == ((96, 96), (24, 24))
