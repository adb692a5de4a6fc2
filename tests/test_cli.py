from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.cli import app

HEAVY = (
    "torch",
    "transformers",
    "segment_anything",
    "groundingdino",
    "label_studio_sdk",
    "datasets",
    "fiftyone",
    "ray",
    "dvc",
    "rich.markdown",
)
BLOCKER = (
    "import importlib.abc, sys\n"
    "class Block(importlib.abc.MetaPathFinder):\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    f"        if name in {HEAVY!r}:\n"
    "            raise ImportError(name + ' was imported')\n"
    "sys.meta_path.insert(0, Block())\n"
)


@pytest.mark.parametrize(
    "body",
    [
        "import curate",
        "sys.argv = ['curate', '--help']\nfrom curate.cli import main\nmain()",
        "import curate.stages.ingest, curate.stages.dedupe, curate.stages.select, curate.stages.agreement",
    ],
)
def test_no_heavy_library_is_loaded(body: str) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKER + body], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_names_every_command() -> None:
    text = CliRunner().invoke(app, ["--help"]).output
    for command in ("view", "report", "dedupe", "labelstudio", "models", "taxonomy", "thresholds", "params"):
        assert command in text


def test_an_error_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "curate", "params", "check", str(tmp_path / "none.yaml")]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "does not exist" in done.stderr
