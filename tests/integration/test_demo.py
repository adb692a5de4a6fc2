"""The whole demo, on fewer images: from a checkout to a release, and again with every stage killed midway."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import voluptuous
import yaml
from dvc.schema import COMPILED_LOCKFILE_SCHEMA

from curate import dvc_files
from curate.errors import InputError

ROOT = Path(__file__).parents[2]
SCENES = "64"
STAGES = ["ingest", "dedupe", "autolabel", "embed", "select", "push", "pull"]
STAGES += ["quality", "agreement", "release", "publish"]
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def environment(**changes: str) -> dict[str, str]:
    """Ours, without a server of somebody else's, and with the project's programs first on PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LABEL_STUDIO_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    program = ROOT / ".venv-labelstudio/bin/label-studio"
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PATH": path, "CURATE_LABEL_STUDIO_BIN": str(program), **changes}


def run(project: Path, *command: str, expect: int = 0) -> str:
    done = subprocess.run(
        command, cwd=project, env=environment(), capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == expect, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clone of what git tracks, as it stands in the working tree; its server is stopped at the end."""
    project = tmp_path_factory.mktemp("clone") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    yield project
    run(project, sys.executable, "-m", "curate", "labelstudio", "down")
    shutil.rmtree(project)


@pytest.fixture(scope="module")
def demo(checkout: Path) -> Path:
    """The project after `make demo`'s program has run through."""
    run(checkout, sys.executable, "-m", "demo.run", "--scenes", SCENES)
    return checkout


def digest(project: Path) -> str:
    return str(json.loads((project / "data/release/release.json").read_text())["digest"])


def metrics(project: Path, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((project / f"metrics/{name}.json").read_text())
    return loaded


def test_the_release_opens_with_named_categories_and_boxes(demo: Path) -> None:
    script = (
        "import json; from datasets import load_dataset; data = load_dataset('data/release')\n"
        "row = data['train'][0]\n"
        "names = data['train'].features['objects']['category'].feature.names "
        "if hasattr(data['train'].features['objects']['category'], 'feature') "
        "else data['train'].features['objects'].feature['category'].names\n"
        "print(json.dumps({'splits': sorted(data), 'names': names, 'size': row['image'].size, "
        "'boxes': [list(map(float, box)) for box in row['objects']['bbox']]}))"
    )
    text = run(demo, sys.executable, "-c", script)
    shown = json.loads(next(line for line in text.splitlines() if line.startswith('{"splits"')))
    assert shown["splits"] == ["test", "train", "validation"]
    assert shown["names"] == ["stop_sign", "warning_triangle", "parking_sign", "priority_diamond"]
    assert all(len(box) == 4 for box in shown["boxes"])


def test_the_card_says_that_the_labelers_are_simulated(demo: Path) -> None:
    assert "simulated" in (demo / "data/release/README.md").read_text().lower()


def test_the_figures_against_the_truth(demo: Path) -> None:
    figures = metrics(demo, "demo")
    assert figures["faulty_files"]["dropped"] == figures["faulty_files"]["planted"]
    assert figures["faulty_files"]["good_files_dropped"] == 0
    assert figures["near_duplicates"]["precision"] == figures["near_duplicates"]["recall"] == 1.0
    assert figures["model"]["f1"] > 0.8
    assert figures["model"]["mean_mask_iou"] > 0.8
    assert figures["consensus"]["f1"] > 0.93


def test_quality_is_measured_on_gold_and_between_the_arms(demo: Path) -> None:
    quality = metrics(demo, "quality")
    assert set(quality["gold"]["labelers"]) == {"labeler-1", "labeler-2"}
    assert all(one["answers"] == 14 for one in quality["gold"]["labelers"].values())
    assert quality["gold"]["f1"]["value"] > 0.9
    arms = quality["arms"]
    assert arms["control"]["answers"] > 0
    assert arms["suggested"]["answers"] > arms["control"]["answers"]
    everything = quality["suggestions"]["all"]
    assert min(everything[fate]["value"] for fate in ("accepted", "edited", "rejected")) > 0
    plan = pq.read_table(demo / "data/select/plan.parquet").to_pylist()
    assert quality["seeded_errors"]["all"]["n"] == sum(row["seeded_kind"] is not None for row in plan)
    assert quality["outdated"] == {"answers": 0, "unknown": 0}
    assert "simulated and their times are made up" in (demo / "data/release/README.md").read_text()


def test_what_people_disputed_was_decided_and_the_release_says_so(demo: Path) -> None:
    decided = metrics(demo, "agreement")["adjudication"]
    assert (decided["people"], decided["images"] > 0) == (1, True)
    rows = pq.read_table(demo / "data/agreement/images.parquet").to_pylist()
    assert sum(row["decided"] for row in rows) == decided["images"]
    card = " ".join((demo / "data/release/README.md").read_text().split())
    assert "1 simulated senior labeler decided" in card
    files = (demo / "data/release/data").glob("*.parquet")
    released = sum(sum(pq.read_table(path, columns=["decided"])["decided"].to_pylist()) for path in files)
    assert f"On {released} released image" in card
    assert 0 < released <= decided["images"]


def test_a_second_repro_changes_nothing(demo: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (demo / "data/release").rglob("*") if path.is_file()}
    text = run(demo, "dvc", "repro")
    for stage in STAGES:
        if stage not in ("ingest", "push", "pull", "publish"):  # they look every time
            assert f"Stage '{stage}' didn't change, skipping" in text
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_metrics_and_plots_are_shown(demo: Path) -> None:
    assert "kappa" in run(demo, "dvc", "metrics", "show")
    run(demo, "dvc", "plots", "show", "--out", "shown")
    page = (demo / "shown/index.html").read_text()
    for title in ("Candidate pairs of images", "Boxes by score", "F1 at IoU 0.5, by pair of annotators"):
        assert title in page
    shutil.rmtree(demo / "shown")


def test_killing_every_stage_midway_gives_the_same_digest(demo: Path) -> None:
    """Each stage is killed with SIGKILL ever later in its work, and run again, until it is through."""
    expected = digest(demo)
    run(demo, sys.executable, "-m", "curate", "labelstudio", "down")
    for made in (
        "data/ingest",
        "data/release",
        "data/published",
        ".cache",
        ".labelstudio",
        ".dvc/cache",
        ".dvc/tmp",
    ):
        shutil.rmtree(demo / made)
    for stage in [*STAGES[1:9], "publish", "adjudication"]:
        shutil.rmtree(demo / "data" / {"embed": "embeddings"}.get(stage, stage))
    (demo / "dvc.lock").unlink()
    run(demo, sys.executable, "-m", "curate", "labelstudio", "up")
    kills = {}
    for stage in STAGES:
        if stage == "pull":
            run(demo, sys.executable, "-m", "demo.labelers")
        kills[stage] = kill_until_done(demo, stage)
        if stage == "agreement":
            run(demo, sys.executable, "-m", "curate", "qa", "adjudicate")
            run(demo, sys.executable, "-m", "demo.senior_labeler")
            run(demo, "dvc", "repro", "agreement")
    assert digest(demo) == expected
    assert all(kills.values()), kills


def kill_until_done(project: Path, stage: str) -> int:
    """Run `dvc repro <stage>`, killed ever later, until it is through; how often it was hit."""
    lock = project / "dvc.lock"
    for kills in itertools.count():
        before = lock.read_bytes() if lock.exists() else None
        if not kill_after(project, stage, 0.4 * 3**kills):
            run(project, "dvc", "repro", stage)
            return kills
        # Files that DVC writes in place, torn by the kill; docs/start.md says what to do.
        if str(dvc_files.LOCKS) in told_of_torn_files(project):
            (project / dvc_files.LOCKS).unlink()
        if lock.exists() and is_torn(lock):
            lock.unlink() if before is None else lock.write_bytes(before)
    raise AssertionError


def told_of_torn_files(project: Path) -> str:
    try:
        dvc_files.check(project)
    except InputError as error:
        return str(error)
    return ""


def is_torn(lock: Path) -> bool:
    try:
        COMPILED_LOCKFILE_SCHEMA(yaml.safe_load(lock.read_text()))
    except (yaml.YAMLError, voluptuous.Invalid):
        return True
    return False


def kill_after(project: Path, stage: str, seconds: float) -> bool:
    """Start the stage, kill its whole process group so long after it began; False if it was done before."""
    process = subprocess.Popen(  # alone, as the stages before it that look every time would be run again
        ["dvc", "repro", "--single-item", stage], cwd=project, env=environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while process.poll() is None and not works(process.pid, stage):
            time.sleep(0.02)
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        return process.poll() is None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def works(group: int, stage: str) -> bool:
    """Whether a process of that group runs `curate run STAGE`."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[-3:-1] == [b"run", stage.encode()] and os.getpgid(int(entry.name)) == group:
                    return True
            except (FileNotFoundError, ProcessLookupError):
                continue
    return False
