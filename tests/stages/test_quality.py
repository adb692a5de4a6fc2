"""The stage on a small project: every output, honest where there is little, the same bytes twice."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate import schema, tables
from curate.errors import InputError, TableError
from curate.params.quality import QualityParams
from curate.qa import error_injection, task_drafts
from curate.records import Annotation, StageReport
from curate.shown import record
from curate.stages import quality
from curate.stages.answer_join import AnswerJoin
from tests import builders
from tests.qa import answering
from tests.qa.answering import BOX, PEOPLE
from tests.shown import showing

NAMES = [f"image {number:02d}" for number in range(60)]
GOLD, CONTROL, SEEDED = NAMES[:12], NAMES[12:24], NAMES[24:28]
OTHER = (100.0, 20.0, 150.0, 90.0)


def project(
    root: Path, *, kind: str = "moved", plain: bool = False, names: tuple[str, ...] = answering.CATEGORIES
) -> tuple[quality.Inputs, quality.Outputs]:
    """Ann draws all right; Bob draws gold wrong and accepts planted errors; control takes twice as long.

    Args:
        root: Folder of the project.
        kind: Of the planted errors.
        plain: The plan has neither gold, nor control images, nor planted errors.
        names: Categories when errors were planted.
    """
    plan, answers, drawn = [], [], []
    suggestions = [answering.suggestion(name) for name in NAMES]
    for number, (name, suggestion) in enumerate(zip(NAMES, suggestions, strict=True)):
        row: dict[str, Any] = {"reason": "gold"} if name in GOLD else {}
        if name in CONTROL:
            row = {"reason": "control", "arm": "control"}
        if name in SEEDED:
            row = {"seeded_kind": kind, "seeded_id": suggestion.annotation_id}
        plan.append(answering.plan(name, **({} if plain else row)))
        for at, person in enumerate(PEOPLE):
            seconds = (40.0 if name in CONTROL else 20.0) + number % 5 + at
            when = f"2026-01-05T10:{number:02d}:0{at}.000000Z"
            old = {"guideline_digest": "g0"} if number == 50 else {}
            answers.append(answering.answer(name, person, lead_time_s=seconds, created_at=when, **old))
            drawn.append(left(name, suggestion, person))
    folder = root / "data"
    root.mkdir(exist_ok=True)
    (root / "taxonomy.yaml").write_text(builders.TAXONOMY)
    builders.write_images(folder / "images.parquet", [builders.image(name) for name in NAMES])
    builders.write_annotations(folder / "annotations.parquet", drawn)
    tables.write_rows(plan, folder / "plan.parquet", schema.PLAN)
    show(folder, plan, suggestions, "2026-01-05T08:00:00.000000Z", names=names)
    write_answers(folder, answers)
    builders.write_annotations(
        folder / "gold.parquet", [answering.known(name, "stop_sign", BOX) for name in GOLD]
    )
    (folder / "receipt.json").write_text(json.dumps({"guideline": "g1", "taxonomy": "t1"}))
    return quality.Inputs(
        images=folder / "images.parquet",
        shown=folder / "shown",
        plan=folder / "plan.parquet",
        annotations=folder / "annotations.parquet",
        answers=folder / "answers.parquet",
        receipt=folder / "receipt.json",
        taxonomy=root / "taxonomy.yaml",
        gold=folder / "gold.parquet",
    ), quality.Outputs(root / "quality", root / "plots")


def show(
    folder: Path,
    plan: list[dict[str, Any]],
    suggestions: list[Annotation],
    since: str,
    *,
    names: Sequence[str] = answering.CATEGORIES,
    **digests: str,
) -> None:
    """Record a push of that plan with those suggestions."""
    images = {builders.image_id(name): builders.image(name).row() for name in NAMES}
    planned = task_drafts.planned_tasks(plan, images, suggestions, names=names)
    showing.write_planned(folder / "shown", planned, since=since, confirmed=since, **digests)


def write_answers(folder: Path, answers: list[dict[str, Any]]) -> None:
    """Write the answers as the stage pull does, joined to the record."""
    join = AnswerJoin(record.load(folder / "shown"))
    for row in tables.read(folder / "annotations.parquet", schema.ANNOTATIONS).to_pylist():
        join.annotation(row)
    digests = ("guideline_digest", "taxonomy_digest")
    rows = [{**join.answer(row), **{name: row[name] for name in digests}} for row in answers]
    tables.write_rows(rows, folder / "answers.parquet", schema.ANSWERS)


def left(name: str, suggestion: Annotation, person: str) -> Annotation:
    parent = None if name in CONTROL else suggestion.annotation_id
    if person == PEOPLE[0]:
        return answering.drew(name, "stop_sign", BOX, person, parent_id=parent)
    if name in GOLD:
        return answering.drew(name, "stop_sign", OTHER, person)
    if name in SEEDED:
        size = {"width": builders.WIDTH, "height": builders.HEIGHT}
        (shown,) = error_injection.plant(
            [suggestion], "moved", suggestion.annotation_id, names=["stop_sign"], **size
        )
        return answering.drew(name, "stop_sign", shown.bbox_xyxy or BOX, person, parent_id=parent)
    return answering.drew(name, "stop_sign", BOX, person, parent_id=parent)


def run(root: Path, **params: Any) -> tuple[StageReport, quality.Outputs]:
    inputs, outputs = project(root)
    return quality.run(QualityParams(bootstrap=200, **params), inputs=inputs, outputs=outputs), outputs


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_figures_are_those_that_were_made(tmp_path: Path) -> None:
    report, outputs = run(tmp_path)
    assert report.line() == (
        "quality: 120 answers, 0 skipped, 24 on gold, 1 labelers below the gold level, "
        "8 planted errors seen, 4 caught, 2 under an older guideline or taxonomy"
    )
    metrics = report.metrics
    states = {name: one["state"] for name, one in metrics["gold"]["labelers"].items()}
    assert states == {"labeler-1": "undecided", "labeler-2": "alert"}
    assert metrics["gold"]["f1"]["value"] == 0.5
    saved = metrics["time"]["saved"]
    assert saved["value"] == pytest.approx(1 - 22.5 / 42.5, abs=0.02)
    assert saved["low"] < saved["value"] < saved["high"]
    assert (metrics["arms"]["control"]["answers"], metrics["arms"]["suggested"]["answers"]) == (24, 64)
    assert metrics["arms"]["control"]["f1_between"]["value"] == 1.0
    assert metrics["arms"]["control"]["f1_gold"]["reason"] == "no gold image was answered in this arm"
    assert metrics["seeded_errors"]["moved"]["value"] == metrics["seeded_errors"]["all"]["value"] == 0.5
    everything = metrics["suggestions"]["all"]
    assert everything["suggestions"] == 88  # 60 images less control and planted ones, two labelers each
    assert everything["accepted"]["value"] == pytest.approx(76 / 88)  # Bob rejects those of gold
    assert everything["added"] == 12
    assert metrics["outdated"] == {"answers": 2, "unknown": 0}
    assert metrics["limits"] == {"gold_alert_f1": 0.8}
    assert {row["image_id"] for row in rows(outputs.folder / "outdated.csv")} == {
        builders.image_id(NAMES[50])
    }
    assert [row["caught"] for row in rows(outputs.folder / "seeded_errors.csv")].count("true") == 4
    chart = rows(outputs.plots / "quality_gold.csv")
    assert {row["annotator_id"] for row in chart} == {"labeler-1", "labeler-2"}
    shared = [path.read_text() for path in outputs.plots.iterdir()] + [json.dumps(metrics)]
    assert not any(person in text for person in PEOPLE for text in shared), "addresses stay in data/"
    assert [row["number"] for row in chart] == [str(n) for n in range(1, 13)] * 2
    times = pq.read_table(outputs.folder / "times.parquet")
    assert times.num_rows == 120
    assert sum(times["compared"].to_pylist()) == 88


def test_every_figure_has_its_n_and_an_interval_or_a_reason(tmp_path: Path) -> None:
    found = 0

    def visit(value: Any, place: str) -> None:
        nonlocal found
        if isinstance(value, dict) and "value" in value:
            found += 1
            assert isinstance(value["n"], int), place
            if value["value"] is not None and value["low"] is None:
                assert value["reason"], place
            if value["value"] is None and value["n"] > 0:
                assert value["reason"], place
        elif isinstance(value, dict):
            for name, inner in value.items():
                visit(inner, f"{place}.{name}")

    visit(run(tmp_path)[0].metrics, "metrics")
    assert found > 40


def test_twice_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        _, outputs = run(tmp_path / name)
        files = sorted([*outputs.folder.iterdir(), *outputs.plots.iterdir()])
        written.append({path.name: path.read_bytes() for path in files})
    assert written[0] == written[1]
    assert len(written[0]) == 9


def test_an_answer_that_becomes_known_afterwards_scores_nobody(tmp_path: Path) -> None:
    """Decisions of the adjudication, say: exactly the hard images, and work that is done."""
    inputs, outputs = project(tmp_path)
    before = quality.run(QualityParams(bootstrap=50), inputs=inputs, outputs=outputs)
    assert inputs.gold is not None
    wrong = [answering.known(name, "parking_sign", OTHER) for name in (*NAMES[30:40], *SEEDED, *CONTROL)]
    known = [answering.known(name, "stop_sign", BOX) for name in GOLD]
    builders.write_annotations(inputs.gold, known + wrong)
    after = quality.run(QualityParams(bootstrap=50), inputs=inputs, outputs=outputs)
    assert after.metrics["gold"] == before.metrics["gold"]
    assert after.metrics["gold_known_later"] == 20
    assert "24 on gold, 20 on images that were no gold then, not scored, 1 labelers below" in after.line()


def test_nobody_has_answered(tmp_path: Path) -> None:
    inputs, outputs = project(tmp_path)
    tables.write_rows([], inputs.answers, schema.ANSWERS)
    builders.write_annotations(inputs.annotations, [])
    report = quality.run(QualityParams(), inputs=inputs, outputs=outputs)
    assert report.counts[0] == ("answers", 0)
    assert report.metrics["time"]["saved"]["value"] is None
    assert report.metrics["gold"]["labelers"] == {}
    assert rows(outputs.plots / "quality_gold.csv") == []


def test_without_gold_control_or_planted_errors(tmp_path: Path) -> None:
    inputs, outputs = project(tmp_path, plain=True)
    without = quality.Inputs(
        **{name: getattr(inputs, name) for name in quality.Inputs.__slots__ if name != "gold"}, gold=None
    )
    metrics = quality.run(QualityParams(bootstrap=50), inputs=without, outputs=outputs).metrics
    assert metrics["gold"]["f1"]["value"] is None
    assert "10 are needed" in metrics["time"]["saved"]["reason"]
    assert metrics["seeded_errors"]["all"] == {"value": None, "low": None, "high": None, "n": 0}


def test_images_that_were_picked_are_not_compared_with_random_ones(tmp_path: Path) -> None:
    """Nobody looks at the last image: the others were picked, and only the audit sample stands for all."""
    inputs, outputs = project(tmp_path)
    plan = tables.read(inputs.plan, schema.PLAN).to_pylist()
    audit = {answering.task(name) for name in NAMES[30:50]}
    changed = [
        {**row, "reason": "audit" if row["task_id"] in audit else "uncertain"}
        if row["reason"] == "review"
        else row
        for row in plan
        if row["task_id"] != answering.task(NAMES[-1])
    ]
    tables.write_rows(changed, inputs.plan, schema.PLAN)
    metrics = quality.run(QualityParams(bootstrap=0), inputs=inputs, outputs=outputs).metrics
    assert metrics["arms"]["suggested"]["answers"] == 40
    assert metrics["arms"]["control"]["answers"] == 24


@pytest.mark.parametrize("content", [None, "", "[]"])
def test_a_damaged_receipt_is_one_line(tmp_path: Path, content: str | None) -> None:
    inputs, outputs = project(tmp_path)
    inputs.receipt.unlink()
    if content is not None:
        inputs.receipt.write_text(content)
    with pytest.raises(TableError, match="dvc repro --force push"):
        quality.run(QualityParams(), inputs=inputs, outputs=outputs)


def test_gold_of_an_unknown_image_names_the_file(tmp_path: Path) -> None:
    inputs, outputs = project(tmp_path)
    assert inputs.gold is not None
    builders.write_annotations(inputs.gold, [answering.known("elsewhere", "stop_sign", BOX)])
    with pytest.raises(InputError, match=r"gold\.parquet: row 0"):
        quality.run(QualityParams(), inputs=inputs, outputs=outputs)


@pytest.mark.parametrize(
    "taxonomy",
    [
        pytest.param("a_first_one stop_sign parking_sign", id="a category that no row has yet"),
        pytest.param("stop_sign", id="a category that only rows have"),
        pytest.param("halt parking_sign", id="a renamed category"),
        pytest.param("a_first_one", id="none that rows have"),
    ],
)
def test_categories_come_and_go(tmp_path: Path, taxonomy: str) -> None:
    """A planted error was named by the taxonomy of its day; rows keep what they were drawn with."""
    planted = ("a_first_one", "stop_sign") if "a_first_one" in taxonomy else answering.CATEGORIES
    inputs, outputs = project(tmp_path, kind="category", names=planted)
    inputs.taxonomy.write_text(
        "categories:\n"
        + "".join(
            f"  - {{id: {number}, name: {name}, prompts: [{name}], threshold: 0.4, color: '#e6194b'}}\n"
            for number, name in enumerate(taxonomy.split())
        )
    )
    gold = {"gold": None} if "stop_sign" not in taxonomy else {}
    kept = {name: getattr(inputs, name) for name in quality.Inputs.__slots__}
    report = quality.run(
        QualityParams(bootstrap=0), inputs=quality.Inputs(**{**kept, **gold}), outputs=outputs
    )
    assert report.metrics["seeded_errors"]["category"]["n"] == 8
    assert report.metrics["suggestions"]["all"]["suggestions"] == 88
