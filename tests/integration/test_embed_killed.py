"""A run of the stage embed is killed in its middle, with real worker processes, and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.embeddings import load_embeddings
from tests import builders
from tests.integration.embed_run import SHARD

pytestmark = pytest.mark.integration
IMAGES, WORKERS = 320, 2
ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """320 small images."""
    records = []
    scene = builders.scene([], seed=0, size=(64, 40))
    for number in range(IMAGES):
        path = tmp_path / f"images/{number}.jpg"
        pixels = scene.copy()
        pixels.flat[: 20 * number] = 255
        builders.write_jpeg(path, pixels)
        records.append(builders.image(f"image-{number}", path=str(path), width=64, height=40))
    builders.write_images(tmp_path / "images.parquet", records)
    return tmp_path


def start(project: Path, log: str, delay_s: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.embed_run", log, str(delay_s), str(WORKERS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=project, env=environment, start_new_session=True)


def looks(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_a_kill_costs_at_most_a_shard_a_worker(project: Path) -> None:
    first, second = project / "first.log", project / "second.log"
    process = start(project, first.name, 0.02)
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
    assert 0 <= seen + looks(second) - IMAGES <= WORKERS * SHARD

    assert len(load_embeddings(project / "out/table.parquet")) == IMAGES
