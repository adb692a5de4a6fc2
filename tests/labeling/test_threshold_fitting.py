"""`curate thresholds fit` on the tables of a project."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from curate import schema, tables
from curate.agreement import accepted_suggestions
from curate.cli import app
from curate.errors import ModelError, ParamsError, TableError
from curate.labeling import taxonomy, threshold_fitting
from curate.labeling.thresholds import Target
from curate.records import Annotation
from tests import builders

BOX, OTHER = (10.0, 10.0, 50.0, 50.0), (90.0, 10.0, 130.0, 50.0)
MODEL = {"model_version": "m1"}
COMMENTED = builders.TAXONOMY + "# the end\n"
RECORD = """\
# By `curate thresholds fit --write`: what the thresholds are known to keep. Edit nothing here.
fitted:
  precision: 0.9
  confidence: 0.95
  together: false
  model_versions:
  - m1
  thresholds:
    stop_sign: 0.46
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Stop signs: 60 right ones at 0.9, 20 wrong ones at 0.45. Parking signs: 10 right ones at 0.8."""
    model, people = [], []
    for number in range(80):
        name, score = f"image-{number}", 0.9 if number < 60 else 0.45
        model.append(
            builders.annotation(name, "stop_sign", BOX, origin="model", score=score, rle=None, **MODEL)
        )
        drawn = BOX if number < 60 else OTHER
        people.append(builders.annotation(name, "stop_sign", drawn, annotator_id="ann", rle=None))
        if number < 10:
            park = builders.annotation(
                name, "parking_sign", OTHER, origin="model", score=0.8, rle=None, **MODEL
            )
            model.append(park)
            people.append(builders.annotation(name, "parking_sign", OTHER, annotator_id="ann", rle=None))
    builders.write_annotations(tmp_path / "data/autolabel/annotations.parquet", model)
    (tmp_path / "taxonomy.yaml").write_text(COMMENTED)
    names = [f"image-{number}" for number in range(80)]
    builders.write_images(tmp_path / "data/dedupe/images.parquet", [builders.image(name) for name in names])
    tables.write_rows(
        [builders.plan_row(name) for name in names], tmp_path / "data/select/plan.parquet", schema.PLAN
    )
    builders.show(tmp_path)
    builders.write_pulled(tmp_path, people)
    return tmp_path


def command(root: Path, *options: str) -> str:
    arguments = ["thresholds", "fit", "--precision", "0.9", "--root", str(root), *options]
    return CliRunner().invoke(app, arguments, catch_exceptions=False).output


def test_the_diff_is_shown_and_nothing_is_written(root: Path) -> None:
    lines = command(root).splitlines()
    assert lines[0] == "stop_sign: 0.4 -> 0.46: 60 of 60 right in 60 images, at least 0.945"
    assert lines[1] == (
        "stop_sign: recall 0.750 -> 0.750 of 80 drawn objects; "
        "judged from 0.4 on, nothing was suggested below"
    )
    assert lines[2] == (
        "parking_sign: 0.4 stays, no threshold is shown to be precise enough "
        "(10 of 10 right in 10 images from 0.4 on); about 240 judged images would show it"
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


def test_gold_judges_todays_suggestions_from_their_lowest_score(root: Path) -> None:
    gold = [
        replace(Annotation.from_row(row), origin="gold", annotator_id=None)
        for row in tables.read(root / "data/pull/annotations.parquet", schema.ANNOTATIONS).to_pylist()
    ]
    builders.write_annotations(root / "gold.parquet", gold)
    asked = ("--answers", "gold.parquet")
    table = root / "data/autolabel/annotations.parquet"
    rows = [Annotation.from_row(row) for row in tables.read(table, schema.ANNOTATIONS).to_pylist()]
    digest = taxonomy.digest(taxonomy.load(root / "taxonomy.yaml"))
    builders.write_annotations(table, [replace(row, taxonomy_digest=digest) for row in rows])
    assert "judged from 0.4 on, nothing was suggested below" in command(root, *asked)
    builders.write_annotations(table, [replace(rows[0], taxonomy_digest="other"), *rows[1:]])
    assert "judged from 0.45 on, nothing was suggested below" in command(root, *asked)


def test_a_model_does_not_prove_itself_by_images_that_nobody_looked_at(root: Path) -> None:
    """Images that were accepted without a human stand in a consensus as the model's own suggestions."""
    suggested = tables.read(root / "data/autolabel/annotations.parquet", schema.ANNOTATIONS)
    own = accepted_suggestions.accepted(suggested, dict.fromkeys(suggested["image_id"].to_pylist(), "t"))
    seen = [
        builders.annotation(f"image-{number}", "stop_sign", BOX, origin="consensus") for number in range(3)
    ]
    looked = pa.array([row.image_id for row in seen])
    own = own.filter(pc.invert(pc.is_in(own["image_id"], value_set=looked)))
    rows = pa.Table.from_pylist([row.row() for row in seen], schema=own.schema)
    tables.write(pa.concat_tables([own, rows]), root / "consensus.parquet", schema.ANNOTATIONS)
    told = command(root, "--answers", "consensus.parquet")
    assert (
        "stop_sign: 0.4 stays, no threshold is shown to be precise enough (3 of 3 right in 3 images" in told
    )
    assert "left out: answers 77 to images that nobody looked at" in told
    tables.write(own, root / "consensus.parquet", schema.ANNOTATIONS)
    with pytest.raises(TableError, match="nobody has judged an image yet"):
        command(root, "--answers", "consensus.parquet")


def changed(root: Path, threshold: float, version: str, *, more: int = 0) -> None:
    """Another threshold or model after everybody has answered; then people answer `more` new images."""
    text = COMMENTED.replace("threshold: 0.4", f"threshold: {threshold}")
    (root / "taxonomy.yaml").write_text(text)
    table = root / "data/autolabel/annotations.parquet"
    rows = [Annotation.from_row(row) for row in tables.read(table, schema.ANNOTATIONS).to_pylist()]
    rows = [
        replace(row, model_version=version, annotation_id=f"{row.annotation_id[:20]}{version:>4}")
        for row in rows
        if row.score is not None and row.score >= threshold
    ]
    new = [f"new-{number}" for number in range(more)]
    for number, name in enumerate(new):
        score = 0.9 if number % 2 else 0.35
        if score >= threshold:
            made = builders.annotation(name, "stop_sign", BOX, origin="model", score=score, rle=None)
            rows.append(replace(made, model_version=version))
    builders.write_annotations(table, rows)
    names = [f"image-{number}" for number in range(80)] + new
    builders.write_images(root / "data/dedupe/images.parquet", [builders.image(name) for name in names])
    plan = [builders.plan_row(name) for name in names]
    tables.write_rows(plan, root / "data/select/plan.parquet", schema.PLAN)
    builders.show(root, since="2026-02-01T08:00:00.000000Z", until="2026-02-01T08:01:00.000000Z")
    people = [
        replace(Annotation.from_row(row), created_at=EARLY, updated_at=EARLY, lead_time_s=5.0)
        for row in tables.read(root / "data/pull/annotations.parquet", schema.ANNOTATIONS).to_pylist()
    ]
    for name in new:
        drawn = builders.annotation(name, "stop_sign", BOX, annotator_id="ann", rle=None)
        people.append(replace(drawn, created_at=LATE, updated_at=LATE, lead_time_s=5.0))
    builders.write_pulled(root, people)


EARLY, LATE = "2026-01-10T08:00:00.000000Z", "2026-02-10T08:00:00.000000Z"
FITTED = "stop_sign: 0.4 -> 0.46: 60 of 60 right in 60 images"


def test_answers_do_not_judge_suggestions_of_a_later_model(root: Path) -> None:
    changed(root, 0.4, "m2")
    with pytest.raises(TableError, match="no answer judges a suggestion of today's model"):
        command(root)
    changed(root, 0.4, "m2", more=3)
    assert "left out: answers 80 to suggestions of another model" in command(root)


def test_raised_thresholds_forget_nothing_that_was_judged(root: Path) -> None:
    """Suggestions of 0.45 were shown and judged; today's table has them no more."""
    changed(root, 0.8, "m1")
    assert "stop_sign: 0.8 -> 0.46: 60 of 60 right in 60 images" in command(root)


def test_lowered_thresholds_are_judged_by_answers_that_were_shown_so_much(root: Path) -> None:
    changed(root, 0.3, "m1", more=40)
    lines = command(root)
    # The 40 new images alone: 20 suggestions at 0.9 and 20 at 0.35, all right.
    assert "stop_sign: 0.3 -> 0.3: 40 of 40 right in 40 images" in lines
    assert "judged from 0.3 on" in lines


def test_an_answer_that_began_from_a_planted_error_judges_nothing(root: Path) -> None:
    path = root / "data/select/plan.parquet"
    plan = tables.read(path, schema.PLAN).to_pylist()
    model = tables.read(root / "data/autolabel/annotations.parquet", schema.ANNOTATIONS).to_pylist()
    ids = {row["image_id"]: row["annotation_id"] for row in model if row["category"] == "stop_sign"}
    for row in plan[:5]:
        row.update(seeded_kind="moved", seeded_id=ids[row["image_id"]])
    tables.write_rows(plan, path, schema.PLAN)
    shutil.rmtree(root / "data/push/shown")
    builders.show(root)
    people = tables.read(root / "data/pull/annotations.parquet", schema.ANNOTATIONS).to_pylist()
    builders.write_pulled(root, [Annotation.from_row(row) for row in people])
    assert "left out: answers 5 with a planted error" in command(root)


def test_another_table_may_be_the_truth(root: Path) -> None:
    gold = [builders.annotation(f"image-{n}", None, None, origin="gold") for n in range(60)]
    builders.write_annotations(root / "gold.parquet", gold)
    assert "stop_sign: 0.4 stays, no threshold is shown" in command(root, "--answers", "gold.parquet")


@pytest.mark.parametrize("precision", [0.0, 1.0, 95.0])
def test_shares_lie_between_0_and_1(root: Path, precision: float) -> None:
    table = root / "data/pull/annotations.parquet"
    with pytest.raises(ParamsError, match=r"--precision = .* must lie between 0 and 1"):
        threshold_fitting.run(
            table,
            table,
            root / "t",
            target=Target(precision, 0.9),
            iou_threshold=0.5,
            shown=root,
            pulled=table,
        )


@pytest.mark.parametrize("confidence", ["0.5", "0.3"])
def test_a_confidence_is_more_than_a_coins(root: Path, confidence: str) -> None:
    with pytest.raises(ParamsError, match=r"--confidence = 0\.. is refused: it must lie between 0\.5 and 1"):
        command(root, "--confidence", confidence)
    assert "stop_sign" in command(root, "--confidence", "0.51")


def test_a_table_without_scores_has_nothing_to_fit(root: Path) -> None:
    table = root / "data/pull/annotations.parquet"
    with pytest.raises(TableError, match="holds no suggestion with a score"):
        threshold_fitting.run(
            table,
            table,
            root / "taxonomy.yaml",
            target=Target(0.9, 0.9),
            iou_threshold=0.5,
            shown=root,
            pulled=table,
        )


def test_images_that_the_detector_was_trained_on_judge_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a detector is right more often than it will ever be again."""
    from tests.stages.test_compare_models import trained

    folder = root / "models/own"
    folder.mkdir(parents=True)
    (folder / "training.json").write_text(trained().model_dump_json())
    lines = [f"{builders.image_id(f'image-{n}')},{'train' if n < 40 else 'validation'}" for n in range(50)]
    (folder / "trained_on.csv").write_text("\n".join(["image_id,split", *lines]) + "\n")
    (root / "params.yaml").write_text("autolabel:\n  detector:\n    model: models/own\n")
    text = command(root)
    monkeypatch.setenv("HOME", str(root))
    (root / "params.yaml").write_text("autolabel:\n  detector:\n    model: ~/models/own\n")
    assert command(root) == text
    assert "(20 of 40 right in 40 images from 0.4 on)" in text
    assert "left out: answers 40 to images that the detector was trained on" in text
    gold = [builders.annotation(f"image-{n}", None, None, origin="gold") for n in range(80)]
    builders.write_annotations(root / "gold.parquet", gold)
    assert "40 to images that the detector was trained on" in command(root, "--answers", "gold.parquet")
    scene = builders.image_id("image-0")
    records = [builders.image(f"image-{n}", dup_group=scene if n in {0, 70} else None) for n in range(80)]
    builders.write_images(root / "data/dedupe/images.parquet", records)
    text = command(root)
    assert "(20 of 39 right in 39 images from 0.4 on)" in text
    assert "1 to images of a scene that the detector was trained on" in text
    (folder / "trained_on.csv").unlink()
    with pytest.raises(ModelError, match=r"trained_on\.csv is missing or damaged"):
        command(root)
