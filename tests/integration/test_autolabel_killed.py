"""A run over 2,000 images is killed in its middle, with real worker processes, and goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import builders
from tests.integration.autolabel_run import SHARD

pytestmark = pytest.mark.integration
IMAGES, WORKERS = 2_000, 2
ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """2,000 small images."""
    (tmp_path / "taxonomy.yaml").write_text(builders.TAXONOMY)
    records = []
    scene = builders.scene([], seed=0, size=(64, 40))
    for number in range(IMAGES):
        path = tmp_path / f"images/{number}.jpg"
        pixels = scene.copy()
        pixels.flat[: number // 100] = 255
        pixels.flat[-1 - number % 100] = 0
        builders.write_jpeg(path, pixels)
        image = builders.image(f"image-{number}", path=str(path), width=64, height=40)
        records.append(image)
    builders.write_images(tmp_path / "images.parquet", records)
    return tmp_path


def start(project: Path, log: str, delay_s: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.autolabel_run", log, str(delay_s), str(WORKERS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=project, env=environment, start_new_session=True)


def looks(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_a_kill_costs_at_most_a_shard_a_worker(project: Path) -> None:
    first, second = project / "first.log", project / "second.log"
    process = start(project, first.name, 0.002)
    deadline = time.monotonic() + 60
    while looks(first) < IMAGES // 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    time.sleep(0.5)  # workers that have lost their parent leave
    seen = looks(first)
    assert IMAGES // 2 <= seen < IMAGES
    assert not (project / "out/table.parquet").exists()

    again = start(project, second.name, 0.0)
    assert again.wait(120) == 0
    repeated = seen + looks(second) - IMAGES
    assert 0 <= repeated <= WORKERS * SHARD

    table = (project / "out/table.parquet").read_bytes()
    shutil.rmtree(project / "cache")
    whole = start(project, "third.log", 0.0)
    assert whole.wait(120) == 0
    assert (project / "out/table.parquet").read_bytes() == table
