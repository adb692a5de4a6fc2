"""The workflow on the code's host runs what .ci/run runs, on every Python that is claimed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def commands(job: str) -> list[str]:
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_it_runs_the_developers_own_check() -> None:
    assert commands("test") == [".ci/run"]
    own = (ROOT / ".ci/run").read_text().splitlines()
    assert own[-2:] == ["make check", "make test"]
    assert commands("pythons")[0].startswith("make check")


def test_the_pythons_that_are_claimed_are_run() -> None:
    claimed = [
        text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+", text)
    ]
    assert WORKFLOW["jobs"]["pythons"]["strategy"]["matrix"]["python"] == claimed
    assert PROJECT["requires-python"] == f">={claimed[0]},<3.{int(claimed[-1].partition('.')[2]) + 1}"
    assert re.findall(r"for version in (.*); do", (ROOT / "scripts/pythons.sh").read_text()) == [
        " ".join(claimed)
    ]


def test_every_target_of_the_makefile_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")] + sorted((ROOT / "docs").glob("*.md"))
    for page in pages:
        named = set(re.findall(r"`make ([a-z-]+)", page.read_text()))
        assert named <= targets, page


def test_the_version_stands_in_two_places_alike() -> None:
    assert f'__version__ = "{PROJECT["version"]}"' in (ROOT / "curate/__init__.py").read_text()
