"""From a wheel alone: forty crops of photographs to a released paired set; product photos in one command.

The checkout lends photographs and weights, as a user has them. The programs are those of a fresh environment.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import skimage.data
import yaml
from PIL import Image

from tests.package import user_machine
from tests.package.user_machine import Machine
from tests.restoration import real_weights

EXTRAS = "pipeline,restoration,ffmpeg"
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
CROPS, SIDE, MAX_S = 40, 128, 360.0
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    yield user_machine.installed(folder, EXTRAS)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def weights(machine: Machine) -> Path:
    """Where a user has put them; the file's name tells the license."""
    folder = machine.work / "weights"
    folder.mkdir()
    for path in (real_weights.compact(), real_weights.compact().with_suffix(".bin")):
        shutil.copy(path, folder)
    real_weights.as_torch(real_weights.compact(), folder / "realesr-animevideov3.pth")
    return folder


def processor_s() -> float:
    """Seconds of a core that ended child processes have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def crops(folder: Path, number: int, side: int) -> None:
    """Crops that do not overlap, of scikit-image's photographs."""
    folder.mkdir()
    made = 0
    for name in PHOTOS:
        photo = getattr(skimage.data, name)()
        for top in range(0, photo.shape[0] - side + 1, side):
            for left in range(0, photo.shape[1] - side + 1, side):
                Image.fromarray(photo[top : top + side, left : left + side]).save(folder / f"{made:02}.png")
                made += 1
                if made == number:
                    return


def test_forty_crops_to_a_released_paired_set_and_a_ranking(machine: Machine, weights: Path) -> None:
    crops(machine.work / "photos", CROPS, SIDE)
    machine.run("curate init sr --images photos --template restoration", folder=".")
    project = machine.work / "sr"
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["pairs"] |= {"crop": SIDE, "step": SIDE}
    params["upscale"]["models"] |= {
        "compact": str(weights / "realesr-animevideov3-x4.param"),
        "compact-torch": str(weights / "realesr-animevideov3.pth"),
    }
    params["release"]["license"] = "cc-by-4.0"
    params["vote"] = {"raters": "simulated"}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    sources = (project / "sources.yaml").read_text().replace("license: null", "license: cc0-1.0")
    (project / "sources.yaml").write_text(sources)

    begun, before = time.monotonic(), processor_s()
    machine.run("dvc repro", folder="sr")
    worked = processor_s() - before
    print(f"dvc repro of {CROPS} crops: {time.monotonic() - begun:.0f} s, {worked:.0f} s of a core")  # noqa: T201
    assert worked < MAX_S  # so that a quiet core would do; how loaded this one is says nothing of curate
    with (project / "data/vote/ranking.csv").open() as file:
        ranking = list(csv.DictReader(file))
    assert {row["model"] for row in ranking} == {"bicubic", "compact", "compact-torch"}
    assert {row["raters"] for row in ranking} == {"simulated"}
    assert all(float(row["low"]) < float(row["strength"]) < float(row["high"]) for row in ranking)
    measured = json.loads((project / "metrics/measure.json").read_text())
    kept = json.loads((project / "metrics/dedupe.json").read_text())["counts"]["kept"]
    assert measured["counts"]["results"] == 3 * kept
    assert kept >= CROPS - 4  # sky beside sky is one picture
    assert set(measured["not_measured"]) >= {"lpips", "dists"}  # there are no weights of their backbones
    twins = (
        measured["models"]["compact"]["psnr"]["value"],
        measured["models"]["compact-torch"]["psnr"]["value"],
    )
    assert twins[0] == pytest.approx(twins[1], abs=0.02)  # the same weights by two libraries
    release = project / "data/release"
    rows = [pq.read_table(path) for path in (release / "data").glob("*.parquet")]
    assert sum(table.num_rows for table in rows) == kept
    assert "license: cc-by-4.0" in (release / "README.md").read_text()
    assert json.loads((project / "data/publish/receipt.json").read_text())["state"] == "published"
    assert "Running stage 'upscale'" not in machine.run("dvc repro", folder="sr")


def products(folder: Path, number: int, side: int) -> None:
    """Photographs of things on white, each another size, as a shop has them."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    coffee = Image.fromarray(skimage.data.coffee())
    for place in range(number):
        width, height = (int(value) for value in rng.integers(side // 2, side, 2))
        page = Image.new("RGB", (width, height), "white")
        page.paste(coffee.resize((width * 2 // 3, height * 2 // 3)), (width // 6, height // 6))
        page.save(folder / f"product-{place:03}.jpg", quality=85)


def fits(path: Path, side: int) -> bool:
    with Image.open(path) as made:
        return max(made.size) <= side


LONG = (pytest.mark.soak, pytest.mark.timeout(3600))  # 28 megapixels: 10 minutes on two busy cores


@pytest.mark.parametrize(
    ("number", "side", "fit", "first"), [(12, 96, 300, 3), pytest.param(100, 700, 2000, 30, marks=LONG)]
)
@pytest.mark.usefixtures("weights")
def test_product_photos_in_one_command(
    machine: Machine, number: int, side: int, fit: int, first: int
) -> None:
    """Killed after the `first` photographs, and run again to its end."""
    name, out = f"products-{number}", machine.work / f"large-{number}"
    products(machine.work / name, number, side)
    command = (
        f"curate upscale {name} --model weights/realesr-animevideov3-x4.param --out {out.name} "
        f"--fit {fit}x{fit} --use cc-by-4.0"
    )
    finished = killed_after(machine, command, out, first)
    said = machine.run(command, folder=".", timeout_s=3000)
    assert f"upscale: {number} images in {out.name}; weights under bsd-3-clause" in said
    made = {path: path.stat().st_mtime_ns for path in sorted(out.glob("*.png"))}
    assert len(made) == number
    assert finished.items() <= made.items()  # what was there is not made again
    assert all(fits(path, fit) for path in made)
    with (out / "upscaled.csv").open() as file:
        assert {row["model_license"] for row in csv.DictReader(file)} == {"bsd-3-clause"}
    page = (out / "contact-sheet.html").read_text()
    assert page.count('type="range"') == number
    assert not re.search(r'(src|href)="(?!data:)', page)
    machine.run(command, folder=".")
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert {path.suffix for path in out.iterdir()} == {".png", ".csv", ".html"}  # nothing half-made


def sessions() -> set[int]:
    """Of the programs that run now."""
    found = set()
    for pid in psutil.pids():
        with contextlib.suppress(OSError):  # it has ended
            found.add(os.getsid(pid))
    return found


def killed_after(machine: Machine, command: str, out: Path, number: int) -> dict[Path, int]:
    """When each file was written that a run had finished when it was killed."""
    running = machine.start(command, folder=".")
    while len(list(out.glob("*.png"))) < number:
        assert running.poll() is None
        time.sleep(0.05)
    running.kill()
    running.wait()
    while running.pid in sessions():  # its workers see the end of their pipe a moment later
        time.sleep(0.05)
    assert not (out / "upscaled.csv").exists()
    return {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
