"""A MongoDB server of the project's own, for FiftyOne: its data in the project's folder, ended with us.

It listens on a unix socket in a folder that only this user may enter, and on no port: it asks for no
password.
FiftyOne would start one itself, but on a port that every user of the machine may connect to; it joins any
that already runs for the same user, whatever project it belongs to; and it gives up with a traceback where
mongod refuses to start.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote_plus

from curate.errors import MissingExtraError, ViewError
from curate.system import has_ended, process_space

HOST = "127.0.0.1"
_START_S, _STOP_S, _POLL_S = 60.0, 20.0, 0.05
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_IN_USE = "DBPathInUse"
_SOCKET_BYTES = 107  # that the path of a socket may hold on Linux
_ROOM, _OWNER = "curate-view-", "owner"  # a socket's folder, and the file in it that says whose it is


class Mongod:
    """Process of mongod that serves one folder."""

    def __init__(self, folder: Path, *, log: Path) -> None:
        self._folder = folder.resolve()
        self._log = log.resolve()
        self._address = self._log.with_suffix(".address")
        self._process: subprocess.Popen[bytes] | None = None
        self._room: Path | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> str:
        """Start the server and wait until it answers.

        Returns:
            Its address, "mongodb://" and the percent-encoded path of the socket.

        Raises:
            ViewError: It did not start: the folder is in use or cannot be written, or mongod says otherwise.
            MissingExtraError: There is no mongod on this machine.
        """
        executable = program()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._log.unlink(missing_ok=True)
            # Not in the project, whose path may be long. Only this user may enter.
            self._room = Path(tempfile.mkdtemp(prefix=_ROOM))
            (self._room / _OWNER).write_text(f"{_inode(self._folder)} {process_space()} {os.getpid()}")
        except OSError as error:
            raise ViewError(f"cannot write {self._folder}: {error.strerror or error}") from error
        place = self._room / "mongod.sock"
        if len(os.fsencode(place)) > _SOCKET_BYTES:
            self.stop()
            raise ViewError(
                f"the path of {tempfile.gettempdir()} is too long for a socket: set a shorter TMPDIR"
            )
        arguments = [str(executable), "--dbpath", str(self._folder), "--logpath", str(self._log)]
        arguments += ["--bind_ip", str(place), "--port", "0", "--filePermissions", "0600"]
        arguments += ["--nounixsocket", "--wiredTigerCacheSizeGB", "1"]  # no second socket in /tmp
        arguments += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone: FiftyOne still writes while it closes
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads yet
        )
        try:
            self._wait(place)
        except ViewError:
            self.stop()
            raise
        self._address.write_text(f"{self._process.pid} {place}", encoding="utf-8")
        self._remove_left_over()
        return _uri(place)

    def running(self) -> str | None:
        """Address of a server that another process of ours started on the folder; None = there is none."""
        try:
            pid, _, place = self._address.read_text(encoding="utf-8").partition(" ")
            if pid != _holder(self._folder):
                return None
            _connect(Path(place))
            return _uri(Path(place))
        except (OSError, ValueError):
            return None

    def stop(self) -> None:
        """End the server and wait for it; nothing if it does not run."""
        process, self._process = self._process, None
        room, self._room = self._room, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if room is not None:
            shutil.rmtree(room, ignore_errors=True)

    def _wait(self, place: Path) -> None:
        assert self._process is not None  # noqa: S101 - for the type checker
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ViewError(self._complaint())
            try:
                return _connect(place)
            except OSError:
                time.sleep(_POLL_S)
        raise ViewError(f"FiftyOne's database did not answer within {_START_S:.0f} s: see {self._log}")

    def _remove_left_over(self) -> None:
        """Remove the folders that killed starters of this database left; the lock on it is ours by now.

        Another process may be at its start, to fail at that lock: a folder whose maker may live stays.
        """
        for room in Path(tempfile.gettempdir()).glob(f"{_ROOM}*"):
            try:
                inode, space, pid = (room / _OWNER).read_text(encoding="ascii").split()
                mine = room.stat().st_uid == os.getuid() and inode == _inode(self._folder)
                if mine and (space != process_space() or has_ended(int(pid))):
                    shutil.rmtree(room, ignore_errors=True)
            except (OSError, ValueError):
                continue  # another program's folder, or gone by now

    def _complaint(self) -> str:
        """Why mongod ended at once, in one line."""
        entries = _entries(self._log)
        if any(_IN_USE in json.dumps(entry) for entry in entries):
            holder = _holder(self._folder)
            return (
                f"{self._folder} is in use{f' by process {holder}' if holder else ''}: "
                "close the other `curate view` of this project first"
            )
        reasons = [str(entry.get("msg", "")) for entry in entries if entry.get("s") in {"E", "F"}]
        why = "; ".join(reasons[:2]) or "no reason given"
        return f"FiftyOne's database did not start ({why}): see {self._log}"


def free_port() -> int:
    """A TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def program() -> Path:
    """The server's program: FiftyOne's own, or one on PATH.

    Raises:
        MissingExtraError: There is none on this machine.
    """
    spec = importlib.util.find_spec("fiftyone")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        bundled = Path(place) / "db" / "bin" / "mongod"
        if os.access(bundled, os.X_OK):
            return bundled
    if (found := shutil.which("mongod")) is not None:
        return Path(found)
    raise MissingExtraError("mongod is not installed: run pip install 'curate-vision[fiftyone]'")


def _connect(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        probe.connect(str(place))


def _inode(folder: Path) -> str:
    """A name of a folder that no other has, also after it was moved."""
    found = folder.stat()
    return f"{found.st_dev}:{found.st_ino}"


def _uri(place: Path) -> str:
    return f"mongodb://{quote_plus(str(place))}"


def _die_with_parent() -> None:
    """Ask the kernel to end mongod when this process is killed; runs in the child, before mongod."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _entries(log: Path) -> list[dict[str, object]]:
    entries = []
    if log.exists():
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # a stack trace or a cut line between the JSON lines
            if isinstance(entry, dict):
                entries.append(entry)
    return entries


def _holder(folder: Path) -> str:
    try:
        return (folder / "mongod.lock").read_text(encoding="ascii").strip()
    except OSError:
        return ""
