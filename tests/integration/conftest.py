"""Servers of the integration tests: started once a session, on loopback, in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate import schema, tables
from curate.adapters.labelstudio import connection, process
from curate.adapters.labelstudio.connection import Connection
from curate.ports import TaskDraft
from curate.qa import task_drafts
from curate.records import Annotation
from tests.integration import labelstudio_servers
from tests.integration.labelstudio_servers import Servers

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `postgresql` run on PostgreSQL too (`soak=True`: there in `make soak` only)."""
    if "labelstudio_root" not in metafunc.fixturenames:
        return
    wanted: list[Any] = [labelstudio_servers.SQLITE]
    if (marker := metafunc.definition.get_closest_marker("postgresql")) is not None:
        marks = [pytest.mark.soak] if marker.kwargs.get("soak") else []
        wanted.append(pytest.param(labelstudio_servers.POSTGRESQL, marks=marks))
    metafunc.parametrize("labelstudio_root", wanted, indirect=True, scope="session")


@pytest.fixture(scope="session")
def servers(labelstudio_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The session's servers and PostgreSQL, started when they are first asked for."""
    assert labelstudio_program.exists()
    started = Servers(tmp_path_factory.mktemp("labelstudio"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def labelstudio_root(servers: Servers, request: pytest.FixtureRequest) -> Path:
    """A small project up to its plan, with its embedded server running."""
    return servers.root(request.param)


@pytest.fixture(scope="session")
def labelstudio(labelstudio_root: Path) -> Connection:
    """The administrator's connection to the session's server."""
    return connection.resolve(labelstudio_root)


@pytest.fixture(scope="session")
def labelstudio_state(servers: Servers) -> Path:
    """A migrated `.labelstudio` folder that a test can copy, to have a server of its own in seconds."""
    return servers.state()


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
