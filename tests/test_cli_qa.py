"""`curate qa push | invite`: what is printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.cli import app, qa_push
from curate.errors import AnnotationToolError, InputError
from curate.ports import PushCounts, PushPlan
from tests import builders


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
