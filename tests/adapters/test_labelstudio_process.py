"""Only the very process that was started is recognized, and stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from curate.adapters.labelstudio import process, server
from curate.errors import AnnotationToolError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(SLEEP)
    yield child
    child.kill()
    child.wait()


def started(tmp_path: Path, *command: str) -> process.Running:
    return process.start(list(command) or SLEEP, environment={}, folder=tmp_path, log=tmp_path / "log")


def test_start_stop_and_recognise(tmp_path: Path) -> None:
    running = started(tmp_path)
    assert process.alive(running)
    assert os.getsid(running.pid) == running.pid  # a session of its own: it outlives ours
    assert process.stop(running)
    assert not process.alive(running)
    assert not process.stop(running)


def test_a_number_that_was_given_to_another_process_is_left_alone(
    tmp_path: Path, bystander: subprocess.Popen[bytes]
) -> None:
    record = tmp_path / ".labelstudio" / "server.json"
    process.write(record, process.Running(bystander.pid, psutil.Process(bystander.pid).create_time() - 3600))
    assert not server.status(tmp_path).running
    assert not server.down(tmp_path)
    assert bystander.poll() is None
    assert not record.exists()


def test_a_program_that_ends_at_once_is_not_alive(tmp_path: Path) -> None:
    running = started(tmp_path, sys.executable, "-c", "print('bye')")
    psutil.Process(running.pid).wait(10)
    assert not process.alive(running)
    assert process.listening_port(running) is None
    assert (tmp_path / "log").read_text() == "bye\n"


def test_nothing_of_our_environment_that_the_server_might_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOST", "DEBUG", "PASSWORD", "LABEL_STUDIO_HOST", "HTTP_PROXY"):
        monkeypatch.setenv(name, "x")
    names = ["HOST", "DEBUG", "PASSWORD", "LABEL_STUDIO_HOST", "HTTP_PROXY", "OURS"]
    code = f"import os; print(sorted(set(os.environ) & set({names})))"
    running = process.start(
        [sys.executable, "-c", code], environment={"OURS": "1"}, folder=tmp_path, log=tmp_path / "log"
    )
    psutil.Process(running.pid).wait(10)
    assert (tmp_path / "log").read_text() == "['OURS']\n"


def test_the_port_that_a_process_itself_listens_on(tmp_path: Path) -> None:
    code = (
        "import socket, time; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); time.sleep(60)"
    )
    running = started(tmp_path, sys.executable, "-c", code)
    try:
        deadline = time.monotonic() + 20
        while (port := process.listening_port(running)) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert port == int((tmp_path / "log").read_text())
    finally:
        process.stop(running)


def test_a_busy_port_is_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        assert process.free_port(busy) != busy
    assert process.free_port(busy) == busy


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": 1}', '{"pid": 1, "started": 2, "x": 3}'])
def test_a_damaged_record_is_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.json").write_text(content)
    assert process.read(tmp_path / "server.json") is None


def test_records_are_written_and_read(tmp_path: Path) -> None:
    running = process.Running(12, 1763666013.27)
    process.write(tmp_path / "server.json", running)
    assert process.read(tmp_path / "server.json") == running
    assert not process.alive(replace(running, pid=2**22 + 1))


def test_where_the_program_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(process.PROGRAM_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(AnnotationToolError, match="not installed"):
        process.find_program(tmp_path)
    on_path, local, named = (
        tmp_path / name for name in ("empty/label-studio", ".venv-labelstudio/bin/label-studio", "own")
    )
    for program in (on_path, local, named):
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        if program is named:
            monkeypatch.setenv(process.PROGRAM_VARIABLE, str(named))
        assert process.find_program(tmp_path) == program
    named.chmod(0o644)
    with pytest.raises(AnnotationToolError, match="which is no program"):
        process.find_program(tmp_path)


def test_a_server_that_ends_while_it_starts_names_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "label-studio"
    program.write_text("#!/bin/sh\necho no database\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv(process.PROGRAM_VARIABLE, str(program))
    with pytest.raises(AnnotationToolError, match=r"ended while it started: see the end of .*server\.log"):
        server.up(tmp_path)
    assert (tmp_path / ".labelstudio/server.log").read_text() == "no database\n"


def test_a_server_that_never_answers_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "label-studio"
    program.write_text(f"#!{sys.executable}\nimport time; time.sleep(60)\n")
    program.chmod(0o755)
    monkeypatch.setenv(process.PROGRAM_VARIABLE, str(program))
    with pytest.raises(AnnotationToolError, match="was not ready after 1 s and was stopped"):
        server.up(tmp_path, timeout_s=1.0)
    assert not server.status(tmp_path).running


def test_who_has_no_server_program_is_told_the_release_that_the_tests_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(process.PROGRAM_VARIABLE, raising=False)
    with pytest.raises(AnnotationToolError, match=f"uv tool install {process.RELEASE}"):
        process.find_program(tmp_path)
    root = Path(__file__).parents[2]
    assert f"\n{process.RELEASE} " in (root / "requirements-labelstudio.lock").read_text()
    assert f"'{process.RELEASE}'" in (root / "scripts/lock.sh").read_text()
    for page in ("README.md", "docs/own-data.md"):
        assert f"uv tool install {process.RELEASE} " in (root / page).read_text()
