"""Every command works below the project's folder, and a stage runs by its name."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from curate import project
from curate.cli import app, options
from curate_pipelines import FIRST, STAGES, ingest, stage_entry

ROOT = Path(__file__).parents[1]


@pytest.fixture
def below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder two below a project's, where the user stands."""
    folder = tmp_path / "signs/data/raw"
    folder.mkdir(parents=True)
    (tmp_path / "signs/dvc.yaml").write_text("stages: {ingest: {cmd: curate run ingest}}\n")
    (tmp_path / "signs/params.yaml").write_text("release: {name: signs}\n")
    monkeypatch.chdir(folder)
    return folder


def commands(group: typer.Typer, name: str = "curate") -> typing.Iterator[tuple[str, typing.Any]]:
    for command in group.registered_commands:
        yield f"{name} {command.name}", command.callback
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, f"{name} {inner.name}")


COMMANDS = dict(commands(app))


def test_the_project_is_the_nearest_folder_with_stages_of_curate(below: Path) -> None:
    root = below.parents[1]
    assert project.find(below) == project.find(root) == root
    assert project.find(root.parent) is None
    (below.parent / "params.yaml").touch()
    (below.parent / "dvc.yaml").write_text("stages: {train: {cmd: python train.py}}\n")  # another program's
    assert project.find(below) == root
    (below / "params.yaml").touch()  # where a user stands among parameters, these are meant
    assert project.find(below) == below


def test_a_default_is_the_projects_and_a_typed_path_the_users(below: Path) -> None:
    done = CliRunner().invoke(app, ["params", "check"])
    assert (done.exit_code, done.output) == (0, "params.yaml: every parameter is known and in range\n")
    assert Path.cwd() == below.parents[1]


def test_a_typed_path_is_relative_to_where_the_user_stands(below: Path) -> None:
    (below / "own.yaml").write_text("release: {name: a/b}\n")
    done = CliRunner().invoke(app, ["params", "check", "own.yaml"])
    assert "data/raw/own.yaml:1: release.name = 'a/b'" in str(done.exception)


def test_outside_of_a_project_nothing_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["params", "check", "own.yaml"])
    assert str(done.exception).startswith("own.yaml does not exist")
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_path_that_a_command_takes_is_the_users(name: str) -> None:
    hints = typing.get_type_hints(COMMANDS[name], include_extras=True)
    for parameter in inspect.signature(COMMANDS[name]).parameters:
        kind, info = typing.get_args(hints[parameter])[:2]
        if Path in (kind, *typing.get_args(kind)):
            assert info.parser is options.user_path, f"{name}: {parameter}"


def test_a_stage_runs_by_its_name_and_any_other_name_is_refused(
    below: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, typing.Any]] = []
    monkeypatch.setattr(stage_entry, "run", lambda name, main: ran.append((name, main)))
    assert CliRunner().invoke(app, ["run", "ingest"]).exit_code == 0
    assert ran == [("ingest", ingest.main)]
    assert CliRunner().invoke(app, ["run", "ingest", "--verify"]).exit_code == 0
    assert ran[1][1].keywords == {"verify": True}
    for wrong in (["run", "entry"], ["run", "dedupe", "--verify"]):
        assert CliRunner().invoke(app, wrong).exit_code == 2
    assert len(ran) == 2
    assert below.parents[1] == Path.cwd()


def test_every_stage_of_dvc_yaml_can_be_run() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert {name: stage["cmd"] for name, stage in stages.items()} == {
        name: f"curate run {name}" for name in (FIRST, *STAGES)
    }
