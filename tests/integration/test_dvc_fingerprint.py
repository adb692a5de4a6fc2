"""After a change of code the real `dvc repro` runs exactly the stages that the code belongs to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate import fingerprint
from curate_pipelines import fingerprint as stage_code

ROOT = Path(__file__).parents[2]
LOOK_EACH_TIME = {"fingerprint", "ingest", "push", "pull", "publish"}
pytestmark = pytest.mark.integration

# Stands in for every stage but the fingerprint: outputs of one content, as of a stage that a change of code
# does not touch.
STAND_IN = """
import pathlib, sys
if pathlib.Path("fail").exists():
    sys.exit("this stage fails, or waits for people")
for name in sys.argv[1:]:
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.write_text("{}\\n")
    else:
        path.mkdir(exist_ok=True)
        (path / "file").write_text("{}\\n")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project's code and dvc.yaml, its stages replaced by stand-ins."""
    folder = tmp_path_factory.mktemp("project")
    for package in (ROOT / "curate", ROOT / "pipelines/curate_pipelines"):
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "stand_in.py").write_text(STAND_IN)
    (folder / "taxonomy.yaml").write_text("categories: []\n")
    (folder / "params.yaml").write_text("# every line left out\n")
    content = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    for name, entry in content["stages"].items():
        entry["deps"] = [path for path in entry.get("deps", []) if path.startswith(("data/", "metrics/"))]
        if name != "fingerprint":
            outputs = [_path(one) for kind in ("outs", "metrics", "plots") for one in entry.get(kind, [])]
            entry["cmd"] = f"{sys.executable} stand_in.py {' '.join(outputs)}"
        else:
            entry["cmd"] = f"{sys.executable} -m curate run fingerprint"
    (folder / "dvc.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    _dvc(folder, "init", "--no-scm", "--quiet")
    assert _ran(folder) == set(content["stages"])
    return folder


def _path(entry: str | dict[str, Any]) -> str:
    return entry if isinstance(entry, str) else next(iter(entry))


def _dvc(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(folder)}
    program = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _ran(folder: Path) -> set[str]:
    return set(re.findall(r"Running stage '(\w+)'", _dvc(folder, "repro")))


def test_without_a_change_only_what_looks_each_time_runs(project: Path) -> None:
    assert _ran(project) == LOOK_EACH_TIME


def test_a_comment_reruns_nothing(project: Path) -> None:
    path = project / "curate/dedupe/groups.py"
    path.write_text(f"# A word more.\n{path.read_text()}")
    assert _ran(project) == LOOK_EACH_TIME


@pytest.mark.parametrize("module", ["curate.dedupe.groups", "curate.geometry.boxes"])
def test_a_change_of_code_reruns_the_stages_that_use_it(project: Path, module: str) -> None:
    path = project / f"{module.replace('.', '/')}.py"
    path.write_text(f"{path.read_text()}\n_CHANGED = 1\n")
    using = {
        stage
        for stage in stage_code.STAGES
        if module in fingerprint.imported(f"curate_pipelines.{stage}", without=stage_code._WITHOUT)
    }
    assert using
    assert not using >= set(stage_code.STAGES)
    assert _ran(project) == LOOK_EACH_TIME | using


def test_an_edited_guideline_or_gold_reruns_what_depends_on_it(project: Path) -> None:
    (project / "gold").mkdir()
    (project / "guideline.md").write_text("Draw tightly.")
    (project / "params.yaml").write_text("qa: {gold: gold}\nlabelstudio: {instructions: guideline.md}\n")
    assert _ran(project) == LOOK_EACH_TIME | {"select", "quality"}
    (project / "gold/one.json").write_text("{}")
    assert _ran(project) == LOOK_EACH_TIME | {"select", "quality"}
    (project / "params.yaml").write_text("qa: {gold: null}\ndedupe: {decisions: null}\n")
    assert _ran(project) == LOOK_EACH_TIME | {"select", "quality"}


def test_a_stage_that_fails_or_waits_leaves_the_earlier_tables(project: Path) -> None:
    content = yaml.safe_load((project / "dvc.yaml").read_text())
    tables = [
        project / _path(one)
        for name in ("ingest", "push", "pull")
        for kind in ("outs", "metrics", "plots")
        for one in content["stages"][name].get(kind, [])
    ]
    assert len(tables) > 8
    before = {path: path.stat().st_mtime_ns for path in tables}
    (project / "fail").touch()
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(project)}
    command = [sys.executable, "-m", "dvc", "repro", "--keep-going"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "this stage fails, or waits for people" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in tables} == before
    (project / "fail").unlink()
    assert _ran(project) == LOOK_EACH_TIME


def test_a_wrong_parameter_stops_before_anything_ran(project: Path) -> None:
    (project / "params.yaml").write_text("release: {name: ../../x}\n")
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(project)}
    command = [sys.executable, "-m", "dvc", "repro"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "fingerprint: params.yaml:1: release.name = '../../x' is refused" in done.stderr
    assert re.findall(r"Running stage '(\w+)'", done.stdout) == ["fingerprint"]
