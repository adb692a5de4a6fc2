"""`curate decisions check`, as it is called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate import schema, tables
from curate.cli import app
from tests import builders
from tests.builders import image_id

HEADER = "image,decision,other,by,note,annotation,argument,box,when"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path, stage="dedupe")
    Path("params.yaml").write_text("dedupe: {decisions: decisions.csv}\n")


def check(*lines: str, arguments: tuple[str, ...] = ()) -> tuple[int, str]:
    Path("decisions.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    result = CliRunner().invoke(app, ["decisions", "check", *arguments])
    return result.exit_code, result.stdout


def test_a_good_file_is_counted() -> None:
    lines = (f"{image_id('one')},keep,,,,,,,", f"{image_id('two')[:12]},relabel,,,,o1,stop_sign,,")
    assert check(*lines) == (0, "decisions.csv: 2 decisions\n")


def test_everything_that_is_wrong_is_listed_with_its_line() -> None:
    code, said = check(
        f"{image_id('one')},keep,,,,,,,",
        f"{image_id('two')},relabel,,,,o1,tram,,",
        "bad,kep,,,,,,,",
        f"{image_id('one')},drop,,,,,dark,,",
    )
    assert code == 1
    lines = said.splitlines()
    assert lines[0] == "decisions.csv:3: the taxonomy has no category 'tram'"
    assert lines[1].startswith("decisions.csv:4: unknown decision 'kep'")
    assert lines[2:] == ["decisions.csv:5: drop contradicts keep in line 2", "decisions.csv: 3 decisions"]


def test_images_are_looked_up_once_the_lines_make_sense() -> None:
    code, said = check("unit/none.jpg,needs-qa,,,,,,,")
    assert (code, said.splitlines()[0]) == (1, "decisions.csv:2: no image comes from 'unit/none.jpg'")
    same = f"{image_id('one')},keep,,,,,,,", "unit/one.jpg,drop,,,,,,,"  # one image under two names
    assert check(*same)[1].splitlines()[0] == "decisions.csv:3: drop contradicts keep in line 2"
    same = f"{image_id('one')},relabel,,,,o1,stop_sign,,", "unit/one.jpg,delete,,,,o1,,,"
    assert check(*same)[1].splitlines()[0] == "decisions.csv:3: delete contradicts relabel in line 2"


def test_json_for_scripts() -> None:
    code, said = check(f"{image_id('one')},keep,,,,,,,", arguments=("--json",))
    assert (code, json.loads(said)) == (0, {"decisions": 1, "conflicts": 0, "problems": []})


def test_a_settled_image_that_is_called_gold_becomes_a_known_answer(tmp_path: Path) -> None:
    built = builders.small_project(tmp_path)
    Path("gold").mkdir()
    Path("params.yaml").write_text("dedupe: {decisions: decisions.csv}\nqa: {gold: gold}\n")
    lines = [f"{image_id(name)},gold,,,,,,," for name in ("one", "four", "copy")]
    Path("decisions.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    result = CliRunner().invoke(app, ["decisions", "gold"])
    assert result.stdout == "gold/decided.parquet: 2 images; 1 have no consensus of people yet\n"
    rows = tables.read(Path("gold/decided.parquet"), schema.ANNOTATIONS).to_pylist()
    assert {(row["image_id"], row["outcome"], row["origin"]) for row in rows} == {
        (image_id("one"), "object", "gold"),
        (image_id("four"), "empty", "gold"),
    }
    settled = {row.image_id: row for row in built.annotations["consensus"]}
    (one,) = [row for row in rows if row["image_id"] == image_id("one")]
    assert tuple(one["bbox_xyxy"]) == settled[image_id("one")].bbox_xyxy
    assert CliRunner().invoke(app, ["decisions", "gold"]).stdout == result.stdout  # again, the same


def test_an_image_that_nobody_looked_at_is_no_known_answer_yet(tmp_path: Path) -> None:
    """It was accepted without a human: its consensus is what the model suggested."""
    built = builders.small_project(tmp_path)
    Path("gold").mkdir()
    Path("params.yaml").write_text("dedupe: {decisions: decisions.csv}\nqa: {gold: gold}\n")
    rows = [
        replace(row, model_version="unit-1") if row.image_id == image_id("two") else row
        for row in built.annotations["consensus"]
    ]
    builders.write_annotations(Path("data/agreement/consensus.parquet"), rows)
    lines = [f"{image_id(name)},gold,,,,,,," for name in ("one", "two")]
    Path("decisions.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    result = CliRunner().invoke(app, ["decisions", "gold"])
    assert result.stdout == "gold/decided.parquet: 1 images; 1 have no consensus of people yet\n"


def test_an_image_with_a_disputed_object_is_no_known_answer_yet(tmp_path: Path) -> None:
    built = builders.small_project(tmp_path)
    Path("gold").mkdir()
    Path("params.yaml").write_text("dedupe: {decisions: decisions.csv}\nqa: {gold: gold}\n")
    rows = [
        replace(row, outcome="disputed", reject_reason="category") if row.image_id == image_id("two") else row
        for row in built.annotations["consensus"]
    ]
    (one,) = [row for row in rows if row.image_id == image_id("one")]
    rows.append(replace(one, annotation_id="of one too", outcome="disputed", reject_reason="category"))
    rows.sort(key=lambda row: row.annotation_id)
    builders.write_annotations(Path("data/agreement/consensus.parquet"), rows)
    lines = [f"{image_id(name)},gold,,,,,,," for name in ("one", "two", "four")]
    Path("decisions.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    result = CliRunner().invoke(app, ["decisions", "gold"])
    assert result.stdout == "gold/decided.parquet: 1 images; 2 have no consensus of people yet\n"
