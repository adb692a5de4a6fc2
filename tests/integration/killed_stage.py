"""A stage in a process of its own, with real workers, that is killed midway and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from curate.records import UInt8Image
from tests import builders

ROOT = Path(__file__).parents[2]
WORKERS = 2


def make_images(folder: Path, number: int) -> None:
    """images.parquet and as many small images, no two alike."""
    records = []
    scene = builders.scene([], seed=0, size=(64, 40))
    for place in range(number):
        path = folder / f"images/{place}.jpg"
        builders.write_jpeg(path, _marked(scene, place))
        records.append(builders.image(f"image-{place}", path=str(path), width=64, height=40))
    builders.write_images(folder / "images.parquet", records)


def _marked(scene: UInt8Image, place: int) -> UInt8Image:
    pixels = scene.copy()
    pixels.flat[: 20 * (place % 320)] = 255
    pixels.flat[-1 - place // 320] = 0
    return pixels


def start(project: Path, program: str, log: str, delay_s: float) -> subprocess.Popen[bytes]:
    """Run a module of this folder in the project; it writes a line to the log for each image."""
    command = [sys.executable, "-m", f"tests.integration.{program}", log, str(delay_s), str(WORKERS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=project, env=environment, start_new_session=True)


def kill_midway(project: Path, program: str, *, images: int, delay_s: float) -> int:
    """Images looked at twice by a run that is killed after half of them and the one after it."""
    first, second = project / "first.log", project / "second.log"
    process = start(project, program, first.name, delay_s)
    deadline = time.monotonic() + 60
    while _looks(first) < images // 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    time.sleep(0.5)  # workers that have lost their parent leave
    seen = _looks(first)
    assert images // 2 <= seen < images
    assert not (project / "out/table.parquet").exists()
    assert start(project, program, second.name, 0.0).wait(120) == 0
    return seen + _looks(second) - images


def _looks(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0
