"""Locks, shared blocks, cores and memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from curate import system
from curate.errors import StorageError


def test_a_second_process_is_kept_out_or_waits(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import sys, time; from pathlib import Path; from curate import system\n"
        "with system.locked(Path(sys.argv[1])): print('in', flush=True); sys.stdin.readline()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == "in\n"
    with pytest.raises(StorageError, match=rf"another process writes to {tmp_path}"), system.locked(path):
        pass
    waited: list[float] = []

    def wait() -> None:
        began = time.monotonic()
        with system.locked(path, wait=True):
            waited.append(time.monotonic() - began)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.3)
    assert not waited
    other.communicate("go\n")
    thread.join(timeout=60)
    assert waited


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import os, sys; from pathlib import Path; from curate import system\n"
        "with system.locked(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -9
    with system.locked(path):
        pass


def test_memory_is_that_of_the_container_where_it_is_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = system.memory_bytes()
    assert whole > 1 << 28
    for text, expected in (("1048576\n", 1 << 20), ("max\n", None), ("99999999999999999\n", None)):
        (tmp_path / "limit").write_text(text)
        monkeypatch.setattr(system, "_MEMORY_LIMITS", (str(tmp_path / "limit"), "/nowhere"))
        assert system.memory_bytes() == expected or (expected is None and system.memory_bytes() >= whole)


def test_there_is_a_core() -> None:
    assert system.cores() >= 1


def test_nobody_else_asks_the_operating_system() -> None:
    root = Path(system.__file__).parent
    asked = ("fcntl", "os.sysconf", "sched_getaffinity", "os.cpu_count")
    others = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if path.name != "system.py" and any(name in path.read_text(encoding="utf-8") for name in asked)
    ]
    assert others == []
