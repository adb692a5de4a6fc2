"""`curate models` against a Hub on loopback: fetched once, and used without a network afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from curate.adapters import weights
from tests.adapters.fake_files import COMMIT, serving
from tests.adapters.small_models import save_detector, save_segmenter

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
DETECT = """
from pathlib import Path
from curate import params
from curate_pipelines.models import models
from tests.adapters.small_models import category, noise

loaded = models(params.load(Path("params.yaml")).autolabel)
(found,) = loaded.detector.detect([noise(0)], [category("dog", "dog")])
print(loaded.detector.model_version, len(found.scores))
"""


def run(folder: Path, *program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "CURATE_"))}
    settings = {
        "HF_HOME": str(folder / "hub"),
        "CURATE_MODELS": str(folder / "models"),
        "PYTHONPATH": str(ROOT),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    return subprocess.run(
        [sys.executable, *program],
        cwd=folder,
        env=kept | settings | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_fetched_from_the_hub_then_used_without_a_network(tmp_path: Path) -> None:
    detector = save_detector(tmp_path / "made")
    segmenter = save_segmenter(tmp_path / "own.pth")
    settings = {
        "autolabel": {
            "detector": {
                "model": "owner/detector",
                "revision": COMMIT,
                "sha256": weights.sha256(detector / "model.safetensors"),
            },
            "segmenter": {"model": str(segmenter), "build": "tiny"},
            "device": "cpu",
        }
    }
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump(settings))
    content = {f"owner/detector/{path.name}": path.read_bytes() for path in detector.iterdir()}
    content["owner/detector/pytorch_model.bin"] = b"the same weights again, in a format that is not wanted"
    with serving(content=content) as hub:
        hub.drops = [200_000]  # of the weights, or of what comes first
        fetched = run(tmp_path, "-m", "curate", "models", "fetch", HF_ENDPOINT=hub.url)
        assert fetched.returncode == 0, fetched.stderr
        asked = [path for path in hub.paths if "resolve" in path]
        assert not any("pytorch_model.bin" in path for path in asked)
        gets = sum(path.startswith("GET") for path in asked)
        again = run(tmp_path, "-m", "curate", "models", "fetch", HF_ENDPOINT=hub.url)
        assert again.stdout == fetched.stdout
        assert sum(path.startswith("GET") and "resolve" in path for path in hub.paths) == gets
    offline = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": hub.url}
    assert run(tmp_path, "-m", "curate", "models", "fetch", **offline).stdout == fetched.stdout
    verified = run(tmp_path, "-m", "curate", "models", "verify", **offline)
    assert verified.returncode == 0, verified.stderr
    assert "as it should be" in verified.stdout.splitlines()[0]
    found = run(tmp_path, "-c", DETECT, **offline)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == [f"owner/detector@{COMMIT[:12]}", "9"]

    settings["autolabel"]["detector"]["sha256"] = "0" * 64  # type: ignore[index]
    params.write_text(yaml.safe_dump(settings))
    refused = run(tmp_path, "-m", "curate", "models", "verify", **offline)
    assert refused.returncode == 1
    assert f"autolabel.detector.sha256 names: expected {'0' * 64}, found" in refused.stderr
