"""Servers of the integration tests: started once a session, on loopback, in a temporary folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.adapters.labelstudio import connection, process, server
from curate.adapters.labelstudio.connection import Connection
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
