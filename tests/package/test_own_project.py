"""From a wheel alone, in a folder elsewhere: `curate init`, real Label Studio, a release; then an upgrade.

The checkout lends its sample pictures, its tiny models and its simulated labelers, as a user has pictures,
weights and people. Everything else is done by the programs of a fresh environment that holds the wheel.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXTRAS = "pipeline,autolabel,labelstudio,hub"
LOOK_EACH_TIME = {"fingerprint", "ingest", "push", "pull", "publish"}
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Machine:
    """A user's: an environment with the wheel, and a folder to work in."""

    programs: Path
    work: Path

    def environment(self) -> dict[str, str]:
        """Nothing of ours: no PYTHONPATH, no server, the wheel's programs first."""
        ours = ("LABEL_STUDIO_", "PYTHON", "VIRTUAL_ENV", "CURATE_", "DVC_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        server = ROOT / ".venv-labelstudio/bin/label-studio"
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, "CURATE_LABEL_STUDIO_BIN": str(server), "DVC_NO_ANALYTICS": "1"}

    def run(self, command: str, *, folder: str = "signs", expect: int = 0) -> str:
        begun = time.monotonic()
        done = subprocess.run(
            shlex.split(command), cwd=self.work / folder, env=self.environment(),
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        print(f"{command}: {time.monotonic() - begun:.1f} s")  # noqa: T201
        assert done.returncode == expect, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def ran(self) -> set[str]:
        """The stages that a `dvc repro` runs."""
        return set(re.findall(r"Running stage '(\w+)'", self.run("dvc repro")))


def ours(*command: str) -> None:
    """A program of the checkout."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    uv = subprocess.run(
        [ROOT / "scripts/uv.sh", sys.executable], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    overrides = folder / "overrides.txt"  # as `tool.uv` of pyproject.toml: one OpenCV, not two in one folder
    overrides.write_text("opencv-python ; python_version < '3'\n")
    for command in (
        [uv, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)],
        [uv, "venv", "--quiet", "--python", sys.executable, "venv"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    (wheel,) = folder.glob("curate_vision-*.whl")
    install = [uv, "pip", "install", "--quiet", "--python", "venv/bin/python", "--override", str(overrides)]
    subprocess.run([*install, f"{wheel}[{EXTRAS}]"], cwd=folder, check=True)
    made = Machine(folder / "venv/bin", folder / "work")
    made.work.mkdir()
    yield made
    if (made.work / "signs").exists():
        made.run("curate labelstudio down")


@pytest.fixture(scope="module")
def project(machine: Machine) -> Path:
    """A new project on pictures beside it, its categories and weights named."""
    work = machine.work
    places = ["--out", f"{work}/photos", "--meta", f"{work}/meta", "--truth", f"{work}/truth.json"]
    ours("-m", "demo.raw_folder", *places, "--seed", "7", "--scenes", "64")
    shutil.rmtree(work / "photos/camera_b")  # 64 is the least that the demo draws
    machine.run("curate init signs --images photos", folder=".")
    folder = work / "signs"
    sources = folder / "sources.yaml"
    sources.write_text(sources.read_text().replace("license: null", "license: CC0-1.0"))
    (folder / "taxonomy.yaml").write_text((ROOT / "taxonomy.yaml").read_text())
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["autolabel"]["detector"] = {"model": str(ROOT / "demo/models/detector")}
    params["autolabel"]["segmenter"] = {"model": str(ROOT / "demo/models/segmenter.pth"), "build": "tiny"}
    params["qa"]["labelers"] = "simulated"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    truth = json.loads((work / "truth.json").read_text())
    truth["files"] = {f"photos/{name}": value for name, value in truth["files"].items()}
    (work / "truth.json").write_text(json.dumps(truth))
    return folder


@pytest.fixture(scope="module")
def released(machine: Machine, project: Path) -> Path:
    """The project after people have answered."""
    assert "broken  Label Studio" in machine.run("curate doctor", expect=1)
    machine.run("curate labelstudio up")
    assert machine.run("curate doctor").endswith("nothing that is needed is missing\n")
    machine.run("dvc repro push")
    ours("-m", "demo.labelers", "--root", str(project), "--truth", str(machine.work / "truth.json"))
    machine.run("dvc repro")
    return project


def test_the_wheel_runs_and_not_the_checkout(machine: Machine) -> None:
    look = "python -c 'import curate, curate_pipelines as wiring; print(curate.__file__, wiring.__file__)'"
    for path in machine.run(look, folder=".").split():
        assert Path(path).is_relative_to(machine.programs.parent)


def test_it_ends_in_a_release_that_opens(machine: Machine, released: Path) -> None:
    facts: dict[str, Any] = json.loads((released / "data/release/release.json").read_text())
    assert facts["name"] == "signs"
    assert sum(facts["images"].values()) > 20
    script = released.parent / "load.py"
    script.write_text(
        "from datasets import load_dataset\n"
        "data = load_dataset('data/release')\n"
        "print({split: len(rows) for split, rows in data.items()})\n"
        "print(sum(len(row['objects']['bbox']) for rows in data.values() for row in rows))\n"
    )
    splits, objects = machine.run(f"python {script}").splitlines()
    assert yaml.safe_load(splits) == facts["images"]
    assert int(objects) > 20
    card = (released / "data/release/README.md").read_text()
    assert "simulated" in card
    assert "demo" not in card.lower()


def test_it_is_exported_for_a_trainer(machine: Machine, released: Path) -> None:
    machine.run("curate export data/release --format coco --out ../coco")
    facts = json.loads((released / "data/release/release.json").read_text())
    exported = json.loads((released.parent / "coco/export.json").read_text())
    assert (exported["digest"], exported["images"]) == (facts["digest"], sum(facts["images"].values()))


def test_after_an_upgrade_exactly_the_stages_run_whose_code_changed(machine: Machine, released: Path) -> None:
    """The environment's own copy of a module, as another version of the wheel would have it."""
    (module,) = machine.programs.parent.glob("lib/python3*/site-packages/curate/agreement/figures.py")
    text = module.read_text()
    module.unlink()  # a link to the file in uv's cache, which stays as it is
    module.write_text(f"{text}_ANOTHER = 1\n")
    assert machine.ran() == LOOK_EACH_TIME | {"agreement"}
    assert (released / "data/release/release.json").exists()
