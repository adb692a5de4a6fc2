"""The wheel in an empty environment: small, quick, without torch, and it works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_BYTES, MAX_S = 640 * 10**6, 60.0
pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

# Runs in the new environment: one line of JSON about what is there, then the doctests of a few public names.
LOOK = """
import doctest, importlib.util, inspect, json, sys
import curate
absent = [name for name in ("torch", "dvc", "fsspec", "pillow_heif", "datasets", "fiftyone", "ray", "httpx")
          if importlib.util.find_spec(name) is None]
failed = tried = 0
for name in ("kappa", "mask_iou", "load_image", "hash_images", "consensus", "assign_splits"):
    function = getattr(curate, name)
    module = inspect.getmodule(function)
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(function, name, module=module, globs=dict(vars(module)))
    result = doctest.DocTestRunner().run(example)
    failed, tried = failed + result.failed, tried + result.attempted
print(json.dumps({"file": curate.__file__, "absent": absent, "failed": failed, "tried": tried}))
"""


def run(*command: str, folder: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and what it asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    uv = run("scripts/uv.sh", sys.executable, folder=ROOT).strip()
    run(uv, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT), folder=folder)
    (wheel,) = folder.glob("curate_vision-*.whl")
    begun = time.monotonic()
    run(uv, "venv", "--quiet", "--python", sys.executable, "venv", folder=folder)
    python = str(folder / "venv/bin/python")
    run(uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", python, str(wheel), folder=folder)
    taken = time.monotonic() - begun
    sizes = {(s.st_dev, s.st_ino): s.st_size for p in (folder / "venv").rglob("*") if (s := p.lstat())}
    (folder / "measured.json").write_text(json.dumps({"seconds": taken, "bytes": sum(sizes.values())}))
    return folder


def test_the_core_is_small_and_quickly_installed(environment: Path) -> None:
    measured = json.loads((environment / "measured.json").read_text())
    print(f"core: {measured['bytes'] / 1e6:.0f} MB, {measured['seconds']:.1f} s")  # noqa: T201
    assert measured["bytes"] < MAX_BYTES
    assert measured["seconds"] < MAX_S


def test_the_command_works(environment: Path) -> None:
    command = str(environment / "venv/bin/curate")
    assert "curate [OPTIONS] COMMAND" in run(command, "--help", folder=environment)
    assert run(command, "params", "doc", folder=environment) == (ROOT / "docs/parameters.md").read_text()
    assert run(command, "--version", folder=environment).startswith("curate 0.")


def test_the_examples_run_without_any_extra(environment: Path) -> None:
    python = str(environment / "venv/bin/python")
    work = environment / "work"
    work.mkdir(exist_ok=True)
    seen = json.loads(run(python, "-I", "-c", LOOK, folder=work).splitlines()[-1])
    assert str(environment) in seen["file"]
    assert (seen["failed"], len(seen["absent"])) == (0, 8)
    assert seen["tried"] > 20


def test_the_wheel_takes_no_other_name_than_its_own(environment: Path) -> None:
    (wheel,) = environment.glob("curate_vision-*.whl")
    top = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"curate", "curate_pipelines"}


def test_the_wiring_is_in_the_wheel(environment: Path) -> None:
    (environment / "params.yaml").write_text("release: {name: ../x}\n")
    program = [str(environment / "venv/bin/curate"), "run", "fingerprint"]
    done = subprocess.run(program, cwd=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "release.name" in done.stderr) == (1, True)
