"""`curate qa push | invite | adjudicate`: what is printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate import schema, tables
from curate.cli import app, qa_push
from curate.errors import AnnotationToolError, InputError
from curate.params import AgreementParams
from curate.ports import PushCounts, PushPlan
from curate.stages import agreement
from tests import builders
from tests.stages.test_adjudication_decisions import decided, decision
from tests.stages.test_agreement import INPUTS, OUTPUTS, PORTS


def test_a_dry_run_tells_kinds_numbers_and_examples() -> None:
    counts = PushCounts(1_200, 3, 0, 0, closed=2)
    plan = PushPlan("signs", ("change label_config",), counts, (("close", ("key (task 4)",)),))
    assert qa_push.plan_lines(plan) == [
        "project 'signs'",
        "  change label_config",
        "   1,200 to create",
        "       2 to close (nobody is offered them any more; task and work stay)",
        "       3 unchanged",
        "  close, such as:",
        "    key (task 4)",
        "nothing was changed",
    ]


def test_nobody_to_invite_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    done = CliRunner().invoke(app, ["qa", "invite", "--root", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert "--link" in str(done.exception)


def test_a_dry_run_without_a_server_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builders.small_project(tmp_path, stage="select")
    (tmp_path / "params.yaml").write_text("labelstudio: {project: unit}\n", encoding="utf-8")
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    done = CliRunner().invoke(app, ["qa", "push", "--dry-run", "--root", str(tmp_path)])
    assert isinstance(done.exception, AnnotationToolError)
    assert "cannot be reached" in str(done.exception)


def test_an_adjudication_without_a_server_is_one_line(tmp_path: Path) -> None:
    builders.small_project(tmp_path, stage="pull")
    (tmp_path / "params.yaml").write_text("labelstudio: {enabled: false}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["qa", "adjudicate", "--root", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert "there is no server to push to" in str(done.exception)


def test_decisions_become_gold_by_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path, stage="pull")
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    decided(decision("six", "parking_sign"))
    Path("own").mkdir()
    Path("params.yaml").write_text("qa: {gold: own}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["qa", "adjudicate", "--gold"])
    assert done.output == "own/adjudicated.parquet: 1 images\n"
    (row,) = tables.read(Path("own/adjudicated.parquet"), schema.ANNOTATIONS).to_pylist()
    assert (row["category"], row["origin"]) == ("parking_sign", "gold")
