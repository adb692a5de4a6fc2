"""FiftyOne's database: one a folder, on a socket, gone with its starter."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote_plus

import psutil
import pytest

from curate.adapters import mongod
from curate.errors import MissingExtraError, ViewError


def test_mongod_serves_one_folder_once_and_ends(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "db"
    first, second = (mongod.Mongod(folder, log=tmp_path / f"{n}.log") for n in (1, 2))
    address = first.start()
    try:
        place = Path(unquote_plus(address.removeprefix("mongodb://")))
        assert place.is_socket()
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
        assert first.running() == address
        assert first.pid is not None
        listening = psutil.Process(first.pid).net_connections("inet")
        assert listening == [], "no port is open"
        with pytest.raises(
            ViewError, match=f"is in use by process {first.pid}: close the other `curate view`"
        ):
            second.start()
    finally:
        first.stop()
    assert not place.parent.exists()
    assert (first.pid, first.running()) == (None, None)
    second.start()
    second.stop()


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("")
    with pytest.raises(ViewError, match="cannot write"):
        mongod.Mongod(tmp_path / "db", log=tmp_path / "log").start()


def test_without_mongod_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongod.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"curate-vision\[fiftyone\]"):
        mongod.Mongod(tmp_path / "db", log=tmp_path / "log").start()


def test_a_folder_whose_path_is_too_long_for_a_socket_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with pytest.raises(ViewError, match="too long for a socket: set a shorter TMPDIR"):
        mongod.Mongod(tmp_path / "db", log=tmp_path / "log").start()
    assert list(long.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's")
def test_mongod_ends_when_its_starter_is_killed_and_the_next_start_removes_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    rooms = Path(tempfile.mkdtemp(prefix="rooms-"))  # short: the path of a socket may hold 107 bytes
    request.addfinalizer(lambda: shutil.rmtree(rooms))
    monkeypatch.setenv("TMPDIR", str(rooms))
    monkeypatch.setattr(tempfile, "tempdir", None)  # asked for again
    code = (
        "import os, signal, sys; from pathlib import Path; from curate.adapters.mongod import Mongod\n"
        "root = Path(sys.argv[1]); m = Mongod(root / 'db', log=root / 'log')\n"
        "m.start(); print(m.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    pids = []
    for name in ("mine", "other"):
        output = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / name)],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert output.stdout, output.stderr
        pids.append(int(output.stdout))
    made = {(room / "owner").read_text().split()[0]: room for room in rooms.iterdir()}
    left, others = (made[mongod._inode(tmp_path / name / "db")] for name in ("mine", "other"))
    starting = rooms / f"{mongod._ROOM}starting"  # of a process that lives
    shutil.copytree(left, starting, ignore=shutil.ignore_patterns("*.sock"))
    inode, space, _ = (left / "owner").read_text().split()
    (starting / "owner").write_text(f"{inode} {space} {os.getpid()}")
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}/exe").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    again = mongod.Mongod(tmp_path / "mine/db", log=tmp_path / "again.log")
    place = Path(unquote_plus(again.start().removeprefix("mongodb://")))  # the folder is free again
    try:
        assert set(rooms.iterdir()) == {others, starting, place.parent}
        assert again.running() is not None
    finally:
        again.stop()
    assert set(rooms.iterdir()) == {others, starting}
