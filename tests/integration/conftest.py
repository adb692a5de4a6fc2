"""Servers of the integration tests: started once a session, on loopback, in a temporary folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from curate import schema, tables
from curate.adapters.labelstudio import connection, process, server
from curate.adapters.labelstudio.connection import Connection
from curate.ports import TaskDraft
from curate.qa import task_drafts
from curate.records import Annotation
from tests import builders

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def _no_server_of_the_user() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in (connection.URL_VARIABLE, connection.KEY_VARIABLE):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def labelstudio_program() -> Iterator[Path]:
    """The server's program in the repository's own environment, made known to `find_program`."""
    with pytest.MonkeyPatch.context() as patch:
        program = REPOSITORY / ".venv-labelstudio" / "bin" / "label-studio"
        if program.exists():
            patch.setenv(process.PROGRAM_VARIABLE, str(program))
        yield process.find_program(REPOSITORY)


@pytest.fixture(scope="session")
def labelstudio_root(labelstudio_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small project up to its plan, with its embedded server running."""
    assert labelstudio_program.exists()
    root = tmp_path_factory.mktemp("labelstudio")
    builders.small_project(root, stage="select")
    server.up(root)
    yield root
    server.down(root)


@pytest.fixture(scope="session")
def labelstudio(labelstudio_root: Path) -> Connection:
    """The administrator's connection to the session's server."""
    return connection.resolve(labelstudio_root)


@pytest.fixture(scope="session")
def labelstudio_state(labelstudio_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated `.labelstudio` folder that a test can copy, to have a server of its own in seconds."""
    state = tmp_path_factory.mktemp("state") / connection.STATE_FOLDER
    shutil.copytree(labelstudio_root / connection.STATE_FOLDER, state)
    for name in ("server.json", "lock"):
        (state / name).unlink(missing_ok=True)
    return state


@pytest.fixture
def drafts(labelstudio_root: Path, monkeypatch: pytest.MonkeyPatch) -> list[TaskDraft]:
    """Six tasks; the first two want two labelers."""
    monkeypatch.chdir(labelstudio_root)
    slots = tables.read(Path("data/select/plan.parquet"), schema.PLAN).to_pylist()
    images = tables.read(Path("data/dedupe/images.parquet"), schema.IMAGES).to_pylist()
    rows = tables.read(Path("data/autolabel/annotations.parquet"), schema.ANNOTATIONS).to_pylist()
    planned = task_drafts.planned_tasks(
        slots, {image["image_id"]: image for image in images}, map(Annotation.from_row, rows)
    )
    return [replace(task.draft, overlap=2 if number < 2 else 1) for number, task in enumerate(planned)]
