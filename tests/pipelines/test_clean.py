"""`make clean`: what nobody can make again stays."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
# Folders below data/ of which the stages of dvc.yaml cannot make everything again, with what that is.
LASTING = {
    "ingest": "upright files and rows of raw files that are gone",
    "select": "the plan that the next one goes on from",
    "push": "what people were shown",
    "pull": "what people answered",
    "adjudication": "what a senior labeler decided",
    "publish": "what was published last",
}
LASTING_PATHS = (
    "data/raw/a.jpg",
    "data/demo/truth.json",
    "data/people.csv",
    "data/release_secret",
    "data/splits.parquet",
    "data/published/signs/1.0.0/README.md",
    "labels/answers/anna.parquet",
    "data/ingest/ledger.sqlite",
    "data/ingest/images/ab/abc.jpg",
    "data/publish/last/manifest.json",
    "data/adjudication/shown/0001.parquet",
    ".labelstudio/label_studio.sqlite3",
    ".fiftyone/db/journal",
    ".dvc/cache/files/md5/00/1",
    "dvc.lock",
)
MADE_PATHS = (
    ".cache/autolabel/a",
    ".dvc/tmp/lock",
    "data/embeddings/objects.parquet",
    "data/report/index.html",
    "data/dedupe/index/manifest.json",
    "gold/demo.json",
    "site/index.html",
)


def outputs() -> list[str]:
    """Paths of every output of dvc.yaml."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    every = [out for stage in stages for kind in ("outs", "metrics", "plots") for out in stage.get(kind, ())]
    return [out if isinstance(out, str) else next(iter(out)) for out in every]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with one file at each place where the pipeline or people leave something."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/clean.sh", tmp_path / "scripts/clean.sh")
    for name in (*outputs(), *LASTING_PATHS, *MADE_PATHS):
        path = tmp_path / name
        if not path.suffix and name in outputs():
            path /= "0001.parquet"  # the output is a folder
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one")
    return tmp_path


def clean(clone: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["bash", "scripts/clean.sh", *arguments], cwd=clone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_nobody_can_make_again_stays(clone: Path) -> None:
    told = clean(clone)
    assert [name for name in LASTING_PATHS if not (clone / name).exists()] == []
    assert [name for name in MADE_PATHS if (clone / name).exists()] == []
    lasting = {name for name in outputs() if name.startswith(tuple(f"data/{one}/" for one in LASTING))}
    lasting.add("data/splits.parquet")  # splits of images that are released already
    assert {"data/push/shown", "data/pull/answers.parquet", "data/select/plan.parquet"} <= lasting
    assert {name for name in outputs() if (clone / name).exists()} == lasting
    for name in ("data", ".labelstudio", ".fiftyone", ".dvc/cache", "dvc.lock"):
        assert f"kept {name} (make clean ALL=1 removes it" in told


def test_all_means_all(clone: Path) -> None:
    clean(clone, "1")
    left = {path.relative_to(clone).as_posix() for path in clone.rglob("*") if path.is_file()}
    assert left == {"scripts/clean.sh", "labels/answers/anna.parquet"}
