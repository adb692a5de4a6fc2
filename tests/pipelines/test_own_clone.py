"""`make own`: a clone of the repository becomes a project of one's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO_PARTS = (
    "data/demo/truth.json",
    "data/raw/a.jpg",
    "metrics/dedupe.json",
    "plots/distances.csv",
    "dvc.lock",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which the demo has run, and a folder of photos beside it."""
    target = tmp_path / "signs"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", target], check=True)
    (target / "scripts/own_project.sh").write_bytes((ROOT / "scripts/own_project.sh").read_bytes())
    for name in DEMO_PARTS:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("demo")
    (tmp_path / "photos").mkdir()
    return target


def own(clone: Path, images: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "scripts/own_project.sh", images],
        cwd=clone, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_project_is_the_templates_alone(clone: Path) -> None:
    done = own(clone, "../photos")
    assert done.returncode == 0, done.stderr
    assert not [name for name in DEMO_PARTS if (clone / name).exists()]
    assert not (clone / "gold").exists()
    assert str(clone.parent / "photos") in (clone / "sources.yaml").read_text()
    template = ROOT / "curate/templates/detection"
    for name in ("dvc.yaml", "guideline.md", "decisions.csv"):
        assert (clone / name).read_bytes() == (template / name).read_bytes(), name
    for name in ("params.yaml", "taxonomy.yaml", "sources.yaml", "description.md"):
        assert "demo" not in (clone / name).read_text(), name
    assert (clone / "curate/new_project.py").is_file(), "code stays"


def _keep_answers_alone(clone: Path) -> None:
    shutil.rmtree(clone / "data")
    for name in ("metrics", "plots"):
        shutil.rmtree(clone / name)
    (clone / "dvc.lock").unlink()
    (clone / ".labelstudio").mkdir()


@pytest.mark.parametrize(
    ("spoil", "images", "line"),
    [
        (
            lambda clone: (clone / "params.yaml").write_text("mine: 1"),
            "../photos",
            "params.yaml: edited",
        ),
        (
            lambda clone: (clone / "guideline.md").write_text("mine"),
            "../photos",
            "guideline.md: edited",
        ),
        (lambda clone: (clone / "data/demo/truth.json").unlink(), "../photos", "data is not the demo's"),
        (_keep_answers_alone, "../photos", ".labelstudio is not the demo's"),
        (lambda clone: (clone / "data/mine").mkdir(), "data/mine", "lies in data, which goes"),
    ],
    ids=["edited parameters", "own guideline", "own data", "answers of people", "images that would go"],
)
def test_what_somebody_made_is_never_lost(
    clone: Path, spoil: Callable[[Path], object], images: str, line: str
) -> None:
    spoil(clone)
    files = [path for path in clone.rglob("*") if path.is_file() and ".git" not in path.parts]
    before = {path: path.read_bytes() for path in files}
    done = own(clone, images)
    assert done.returncode == 1
    assert line in done.stderr
    assert all(path.read_bytes() == content for path, content in before.items())


def test_images_that_are_not_there_change_nothing(clone: Path) -> None:
    assert own(clone, "../missing").returncode == 1
    assert (clone / "gold").is_dir()
    assert (clone / "data/demo/truth.json").is_file()
