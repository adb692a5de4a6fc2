"""What a terminal and a script need: completion, JSON, and help that says what a command touches."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.cli import app
from tests.test_cli_project import COMMANDS

ROOT = Path(__file__).parents[1]


def completed(*words: str) -> list[str]:
    """What the completion for bash offers for the last word; as its script calls it."""
    environment = {
        **os.environ,
        "_CURATE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("curate")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()


def test_commands_options_and_stages_are_completed() -> None:
    assert {"run", "report", "doctor"} <= set(completed("curate", ""))
    assert completed("curate", "do") == ["doctor"]
    assert completed("curate", "run", "agr") == ["agreement"]
    assert completed("curate", "init", "--tem") == ["--template"]
    assert "detection" in completed("curate", "init", "x", "--template", "")


def test_the_script_of_the_completion_is_that_of_the_shell() -> None:
    curate = Path(sys.executable).with_name("curate")
    shell = ["bash", "-c", f"{curate} --show-completion; true"]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert "_CURATE_COMPLETE=complete_bash" in done.stdout, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_says_what_the_command_reads_and_writes(name: str) -> None:
    text = inspect.getdoc(COMMANDS[name]) or ""
    first, _, rest = text.partition("\n\n")
    assert first.endswith(".")
    assert re.search(r"\bReads\b|\breads\b|asks", rest), text
    assert re.search(r"\b[Ww]rites\b", rest), text


def test_a_script_reads_what_is_known_of_the_categories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "taxonomy.yaml", "old.yaml")
    Path("new.yaml").write_text(Path("old.yaml").read_text().replace("threshold: 0.26", "threshold: 0.3"))
    checked = json.loads(CliRunner().invoke(app, ["taxonomy", "check", "old.yaml", "--json"]).output)
    assert checked["categories"][0] == "stop_sign"
    assert (len(checked["digest"]), checked["notes"]) == (12, [])
    (change,) = json.loads(
        CliRunner().invoke(app, ["taxonomy", "diff", "old.yaml", "new.yaml", "--json"]).output
    )["changes"]
    assert (change["name"], change["kind"], change["before"], change["after"]) == (
        "warning_triangle",
        "threshold",
        "0.26",
        "0.3",
    )


def test_a_script_reads_whether_the_server_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["labelstudio", "status", "--json"])
    assert (done.exit_code, json.loads(done.output)) == (1, {"running": False, "url": None, "pid": None})
