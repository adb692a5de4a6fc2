"""rules.yaml: counted, applied, taken back; what a person said stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate import decision_file
from curate.cli import app
from curate.decision_file import Decision
from curate.errors import ParamsError
from curate.stages import decision_rules
from curate.table_expression import ExpressionError
from tests import builders
from tests.builders import image_id

FILE = Path("decisions.csv")
RULES = """
rules:
  - name: blurred
    when: quality.blur > 0.6 and source == "unit"
    then: drop:blurry
  - name: dark
    when: brightness < 40
    then: needs-qa
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = replace(builders.image("one"), quality=(("blur", 0.8),), brightness=20.0)
    two = replace(builders.image("two"), quality=(("blur", 0.7),))
    three = replace(builders.image("three"), quality=())
    images = sorted((one, two, three), key=lambda image: image.image_id)
    builders.write_images(tmp_path / "data/ingest/images.parquet", images)
    Path("params.yaml").write_text("dedupe: {decisions: decisions.csv}\n")
    Path("rules.yaml").write_text(RULES)


def rules(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["decisions", "rules", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def lines() -> set[tuple[str, str, str, str, str]]:
    return {(one.image, one.decision, one.argument, one.by, one.note) for one in decision_file.load(FILE)}


def test_rules_are_counted_and_nothing_is_written_before_they_are_applied() -> None:
    said = rules().splitlines()
    assert said[0].split() == [
        "2",
        "drop:blurry",
        "blurred:",
        "quality.blur",
        ">",
        "0.6",
        "and",
        "source",
        "==",
        '"unit"',
    ]
    assert said[1].split() == ["1", "needs-qa", "dark:", "brightness", "<", "40"]
    assert not FILE.exists()


def test_applied_lines_name_their_rule_and_go_when_it_speaks_of_them_no_more() -> None:
    assert rules("--apply").splitlines()[-1] == (
        "decisions.csv: 3 lines added, 0 removed, 0 left out as a person says otherwise"
    )
    blurred = {(image_id(name), "drop", "blurry", "rule", "blurred") for name in ("one", "two")}
    assert lines() == blurred | {(image_id("one"), "needs-qa", "", "rule", "dark")}
    before = FILE.read_bytes()
    assert "0 lines added, 0 removed" in rules("--apply")
    assert FILE.read_bytes() == before
    Path("rules.yaml").write_text(RULES.replace("> 0.6", "> 0.75"))
    assert "0 lines added, 1 removed" in rules("--apply")
    assert (image_id("two"), "drop", "blurry", "rule", "blurred") not in lines()


def test_what_a_person_says_is_not_contradicted() -> None:
    decision_file.write(FILE, [Decision(0, image_id("one"), "keep", by="labeler-1")])
    assert "2 lines added, 0 removed, 1 left out as a person says otherwise" in rules("--apply")
    assert {line[1] for line in lines() if line[0] == image_id("one")} == {"keep", "needs-qa"}
    assert decision_file.conflicts(decision_file.load(FILE)) == []


@pytest.mark.parametrize("name", [image_id("one")[:12], "unit/one.jpg"])
def test_what_a_person_says_counts_however_the_image_is_named(name: str) -> None:
    decision_file.write(FILE, [Decision(0, name, "keep", by="labeler-1")])
    assert "2 lines added, 0 removed, 1 left out as a person says otherwise" in rules("--apply")
    assert {line[:2] for line in lines()} == {
        (name, "keep"),
        (image_id("one"), "needs-qa"),
        (image_id("two"), "drop"),
    }


@pytest.mark.parametrize("column", ["dup_relation", "drop_reason", "phash"])
def test_a_column_that_dedupe_fills_is_refused(column: str) -> None:
    Path("rules.yaml").write_text(f"rules: [{{name: a, when: {column} != None, then: keep}}]")
    with pytest.raises(ExpressionError, match=f"{column} is not known before dedupe"):
        decision_rules.find(decision_rules.load(Path("rules.yaml")), Path("data/ingest/images.parquet"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{name: a, when: 'blur >', then: keep}]", "cannot be read"),
        ("rules: [{name: a, when: 'open(1)', then: delete}]", "expected keep, drop"),
        ("rules: [{name: a, when: 'x < 1', then: 'keep:now'}]", "expected keep, drop"),
        ("rules: [{name: a, when: 'x < 1', then: keep}, {name: a, when: 'x < 1', then: keep}]", "two rules"),
        ("rules: [{name: a, if: 'x < 1', then: keep}]", "if"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(text: str, said: str) -> None:
    Path("rules.yaml").write_text(text)
    with pytest.raises(ParamsError, match=said):
        decision_rules.load(Path("rules.yaml"))
