"""Stage upscale with a fake model: rows, licenses, failures; and a run that is killed."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.adapters import upscalers
from curate.engines.local import LocalEngine
from curate.errors import InputError, ModelError, ParamsError
from curate.images import png_stream
from curate.params import UpscaleParams
from curate.ports import Upscaler
from curate.restoration import upscale_files
from curate.stages import upscale
from curate.stages.upscale import SourceImage

RNG = np.random.default_rng(5)


def ports(workers: int = 0) -> upscale.Ports:
    engine = LocalEngine(workers) if workers else LocalEngine(in_process=True)
    return upscale.Ports(functools.partial(upscalers.load, scale=2, device="cpu"), engine)


def images(folder: Path, number: int = 5) -> list[SourceImage]:
    folder.mkdir(exist_ok=True)
    for place in range(number):
        Image.fromarray(RNG.integers(0, 256, (30, 40, 3)).astype(np.uint8)).save(folder / f"{place}.png")
    return [SourceImage(f"id{n}", folder / f"{n}.png", f"id{n}") for n in range(number)]


def test_a_row_an_image_and_model_with_the_license(tmp_path: Path) -> None:
    params = UpscaleParams(models={"plain": "bicubic", "also": "bicubic"})
    given = images(tmp_path / "in")
    rows = upscale.upscale_all(
        params, given, folder=lambda name: tmp_path / name, ports=ports(), release_license="cc-by-4.0"
    )
    assert [(row["model"], row["image_id"]) for row in rows] == [
        (model, one.image_id) for model in ("also", "plain") for one in given
    ]
    assert {(row["outcome"], row["model_license"], row["scale"], row["width"]) for row in rows} == {
        ("upscaled", "none", 2, 80)
    }
    assert {row["ran_on"] for row in rows} == {"cpu float32"}
    assert all(Path(row["path"]).is_file() for row in rows)


def test_a_model_that_forbids_commerce_is_refused_before_anything_ran(tmp_path: Path) -> None:
    params = UpscaleParams(models={"ultra": "4x-UltraSharp.pth"})
    with pytest.raises(ParamsError, match="forbids commercial use"):
        upscale.upscale_all(
            params,
            images(tmp_path / "in"),
            folder=lambda name: tmp_path / name,
            ports=ports(),
            release_license="cc-by-4.0",
        )
    assert not (tmp_path / "ultra").exists()


def test_a_license_that_the_hub_does_not_know_needs_a_word_of_the_user(tmp_path: Path) -> None:
    given = {"models": {"own": str(tmp_path / "own.pth")}, "licenses": {"own": "other"}}
    run = functools.partial(
        upscale.upscale_all,
        images=images(tmp_path / "in", 1),
        folder=lambda name: tmp_path / name,
        ports=ports(),
        release_license="cc-by-4.0",
    )
    with pytest.raises(ParamsError, match=r"model own stands under other.*commercial_use"):
        run(UpscaleParams.model_validate(given))
    with pytest.raises(ModelError, match=r"own\.pth does not exist"):  # allowed, and so it is loaded
        run(UpscaleParams.model_validate({**given, "commercial_use": ["own"]}))


def test_what_fails_is_a_row_and_too_many_end_the_run(tmp_path: Path) -> None:
    given = images(tmp_path / "in")
    for one in given[:2]:
        one.path.write_bytes(b"damaged")
    run = functools.partial(
        upscale.upscale_all, images=given, folder=lambda _: tmp_path, ports=ports(), release_license=None
    )
    rows = run(UpscaleParams())
    assert [row["reason"] for row in rows] == ["unreadable", "unreadable", None, None, None]
    assert rows[0]["path"] is None
    with pytest.raises(
        InputError, match=r"upscale\.max_failures = 1 images failed by bicubic \(2 unreadable\)"
    ):
        run(UpscaleParams(max_failures=1))


class _Deadly(upscalers.BicubicUpscaler):
    def upscale(self, tile: np.ndarray) -> np.ndarray:
        if tile.shape[1] == 41:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().upscale(tile)


def _deadly(_: str) -> Upscaler:
    return _Deadly(2)


def test_an_image_that_kills_its_worker_is_a_row(tmp_path: Path) -> None:
    given = images(tmp_path / "in", 3)
    Image.new("RGB", (41, 20)).save(given[1].path)
    rows = upscale.upscale_all(
        UpscaleParams(),
        given,
        folder=lambda _: tmp_path / "out",
        ports=upscale.Ports(_deadly, LocalEngine(1, retries=0)),
        release_license=None,
    )
    assert [row["reason"] for row in rows] == [None, "killed_worker", None]


PROGRAM = """
import functools, sys, time
from pathlib import Path
from curate.adapters import upscalers
from curate.params import UpscaleParams
from curate.restoration.upscale_files import FileUpscaler, UpscaleTask

quick = upscalers.BicubicUpscaler.upscale
upscalers.BicubicUpscaler.upscale = lambda self, tile: time.sleep(0.1) or quick(self, tile)

folder = Path(sys.argv[1])
tasks = [UpscaleTask(p.name, p, folder / "out" / p.name) for p in sorted(folder.glob("in/*.png"))]
FileUpscaler(upscalers.BicubicUpscaler(2), UpscaleParams(tile=64)).upscale(tasks)
"""


def test_kill_9_leaves_whole_files_only_and_the_next_run_goes_on(tmp_path: Path) -> None:
    images(tmp_path / "in", 12)
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)])
    out = tmp_path / "out"
    deadline = time.monotonic() + 60
    while len(list(out.glob("*.png"))) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    whole = sorted(out.glob("*.png"))
    assert 3 <= len(whole) < 12
    for path in whole:
        with Image.open(path) as made:
            made.load()
            assert made.size == (80, 60)
    before = {path: path.stat().st_mtime_ns for path in whole}
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=False, timeout=120)
    assert done.returncode == 0
    assert len(list(out.glob("*.png"))) == 12
    assert {path: path.stat().st_mtime_ns for path in whole} == before
    assert not list(out.glob(".*.partial"))
    with whole[0].open("rb") as file:
        assert png_stream.text_of(file, upscale_files.KEY)


# VmHWM: getrusage would count the process that started this one too.
MEMORY = """
import sys
from pathlib import Path
from curate.adapters import upscalers
from curate.params import UpscaleParams
from curate.restoration.upscale_files import FileUpscaler, UpscaleTask

upscaler = upscalers.BicubicUpscaler(4)
params = UpscaleParams(png_level=1)
(done,) = FileUpscaler(upscaler, params).upscale([UpscaleTask("a", Path(sys.argv[1]), Path(sys.argv[2]))])
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(done.width, done.height, peak.split()[1])
"""


@pytest.mark.integration
def test_memory_is_bounded_by_the_tile_for_24_million_pixels(tmp_path: Path) -> None:
    """The result alone has 1,152 MB of pixels, the model's floats of it four times as many."""
    Image.new("RGB", (6000, 4000), (200, 90, 40)).save(tmp_path / "large.png", compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "large.png"), str(tmp_path / "out.png")],
        check=True,
        capture_output=True,
        text=True,
        timeout=500,
    )
    width, height, kilobytes = map(int, done.stdout.split())
    print(f"24 Mpx: {kilobytes / 1e3:.0f} MB at most")  # noqa: T201
    assert (width, height) == (24000, 16000)
    assert kilobytes < 1_000_000
