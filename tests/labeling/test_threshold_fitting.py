"""`curate thresholds fit` on the tables of a project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate import schema, tables
from curate.cli import app
from curate.errors import ParamsError, TableError
from curate.labeling import taxonomy, threshold_fitting
from curate.labeling.thresholds import Target
from curate.records import Annotation
from tests import builders

BOX, OTHER = (10.0, 10.0, 50.0, 50.0), (90.0, 10.0, 130.0, 50.0)
COMMENTED = builders.TAXONOMY + "# the end\n"
RECORD = """\
# By `curate thresholds fit --write`: what the thresholds are known to keep. Edit nothing here.
fitted:
  precision: 0.9
  confidence: 0.95
  together: false
  model_versions: []
  thresholds:
    stop_sign: 0.46
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Stop signs: 60 right ones at 0.9, 20 wrong ones at 0.45. Parking signs: 10 right ones at 0.8."""
    model, people = [], []
    for number in range(80):
        name, score = f"image-{number}", 0.9 if number < 60 else 0.45
        model.append(builders.annotation(name, "stop_sign", BOX, origin="model", score=score, rle=None))
        drawn = BOX if number < 60 else OTHER
        people.append(builders.annotation(name, "stop_sign", drawn, annotator_id="ann", rle=None))
        if number < 10:
            park = builders.annotation(name, "parking_sign", OTHER, origin="model", score=0.8, rle=None)
            model.append(park)
            people.append(builders.annotation(name, "parking_sign", OTHER, annotator_id="ann", rle=None))
    builders.write_annotations(tmp_path / "data/autolabel/annotations.parquet", model)
    builders.write_annotations(tmp_path / "data/pull/annotations.parquet", people)
    (tmp_path / "taxonomy.yaml").write_text(COMMENTED)
    return tmp_path


def command(root: Path, *options: str) -> str:
    arguments = ["thresholds", "fit", "--precision", "0.9", "--root", str(root), *options]
    return CliRunner().invoke(app, arguments, catch_exceptions=False).output


def test_the_diff_is_shown_and_nothing_is_written(root: Path) -> None:
    lines = command(root).splitlines()
    assert lines[0] == "stop_sign: 0.4 -> 0.46: 60 of 60 right in 60 images, at least 0.945"
    assert lines[1] == (
        "stop_sign: recall 0.750 -> 0.750 of 80 drawn objects; "
        "judged from 0.45 on, nothing was suggested below"
    )
    assert lines[2] == (
        "parking_sign: 0.4 stays, no threshold is shown to be precise enough "
        "(10 of 10 right in 10 images from 0.8 on); about 240 judged images would show it"
    )
    assert lines[3].startswith("promised: precision 0.9 with confidence 0.95 for each category")
    line = '  - {id: 0, name: stop_sign, prompts: [stop sign], threshold: 0.4, color: "#e6194b"}'
    changed = [line for line in lines if line[0] in "+-" and line[1] != line[0]]
    assert changed[:2] == [f"-{line}", f"+{line.replace('0.4', '0.46')}"]
    assert "".join(text[1:] + "\n" for text in changed[2:]) == RECORD
    assert lines[-1] == "nothing was written: --write does it"
    assert (root / "taxonomy.yaml").read_text() == COMMENTED


def test_written_it_keeps_comments_and_is_the_last_word(root: Path) -> None:
    assert "taxonomy.yaml is written; next: dvc repro" in command(root, "--write")
    assert (root / "taxonomy.yaml").read_text() == COMMENTED.replace("0.4", "0.46", 1) + RECORD
    kept = taxonomy.promise(root / "taxonomy.yaml")
    assert kept is not None
    assert (kept.precision, kept.confidence, kept.thresholds) == (0.9, 0.95, {"stop_sign": 0.46})
    assert [category.threshold for category in taxonomy.load(root / "taxonomy.yaml")] == [0.46, 0.4]
    assert command(root, "--write").splitlines()[-1].endswith("taxonomy.yaml stays as it is")


def test_a_fit_that_shows_nothing_takes_the_record_away(root: Path) -> None:
    command(root, "--write")
    gold = [builders.annotation(f"image-{n}", None, None, origin="gold") for n in range(60)]
    builders.write_annotations(root / "gold.parquet", gold)
    command(root, "--write", "--answers", "gold.parquet")
    assert (root / "taxonomy.yaml").read_text().rstrip() == COMMENTED.replace("0.4", "0.46", 1).rstrip()
    assert taxonomy.promise(root / "taxonomy.yaml") is None


def test_suggestions_of_this_very_taxonomy_were_made_from_its_thresholds(root: Path) -> None:
    table = root / "data/autolabel/annotations.parquet"
    rows = [Annotation.from_row(row) for row in tables.read(table, schema.ANNOTATIONS).to_pylist()]
    digest = taxonomy.digest(taxonomy.load(root / "taxonomy.yaml"))
    builders.write_annotations(table, [replace(row, taxonomy_digest=digest) for row in rows])
    assert "judged from 0.4 on, nothing was suggested below" in command(root)
    builders.write_annotations(table, [replace(rows[0], taxonomy_digest="other"), *rows[1:]])
    assert "judged from 0.45 on, nothing was suggested below" in command(root)


def test_another_table_may_be_the_truth(root: Path) -> None:
    gold = [builders.annotation(f"image-{n}", None, None, origin="gold") for n in range(60)]
    builders.write_annotations(root / "gold.parquet", gold)
    assert "stop_sign: 0.4 stays, no threshold is shown" in command(root, "--answers", "gold.parquet")


@pytest.mark.parametrize("precision", [0.0, 1.0, 95.0])
def test_shares_lie_between_0_and_1(root: Path, precision: float) -> None:
    table = root / "data/pull/annotations.parquet"
    with pytest.raises(ParamsError, match=r"--precision = .* must lie between 0 and 1"):
        threshold_fitting.run(table, table, root / "t", target=Target(precision, 0.9), iou_threshold=0.5)


def test_a_table_without_scores_has_nothing_to_fit(root: Path) -> None:
    table = root / "data/pull/annotations.parquet"
    with pytest.raises(TableError, match="holds no suggestion with a score"):
        threshold_fitting.run(
            table, table, root / "taxonomy.yaml", target=Target(0.9, 0.9), iou_threshold=0.5
        )
