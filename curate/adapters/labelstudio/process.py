"""The server as a process of this machine: found, started, recognized again, stopped.

A process is ours only if its number and its time of start are those we wrote down: numbers are reused.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import tables
from curate.errors import AnnotationToolError
from curate.extras import require

PROGRAM_VARIABLE = "CURATE_LABEL_STUDIO_BIN"
RELEASE = "label-studio==1.23.2"  # what the tests run on; scripts/lock.sh has the same
LOOPBACK = "127.0.0.1"
_SAME_START_S = 1.0  # a recorded time of start and a read one differ by rounding only
_TERMINATE_S, _KILL_S = 15.0, 10.0
# What a program needs of our environment. Everything else stays behind: the server reads bare names such as
# HOST, DEBUG, USERNAME or PASSWORD.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
_detached: list[subprocess.Popen[bytes]] = []  # kept, so that their end of life is not reported as a leak


@dataclass(frozen=True, slots=True)
class Running:
    """A process: its number, and its time of start in seconds since the epoch."""

    pid: int
    started: float


def find_program(root: Path) -> Path:
    """The `label-studio` program: CURATE_LABEL_STUDIO_BIN, else `.venv-labelstudio` of `root`, else PATH.

    Raises:
        AnnotationToolError: There is none.
    """
    named = os.environ.get(PROGRAM_VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise AnnotationToolError(f"{PROGRAM_VARIABLE} names {named}, which is no program")
        return Path(named).absolute()
    local = root / ".venv-labelstudio" / "bin" / "label-studio"
    if local.exists():
        return local.absolute()
    found = shutil.which("label-studio")
    if found is None:
        raise AnnotationToolError(
            "the label-studio program is not installed: its packages contradict ours, so run "
            f"`uv tool install {RELEASE}` (or `pipx install`), or name the program in {PROGRAM_VARIABLE}"
        )
    return Path(found).absolute()


def start(command: list[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> Running:
    """Start a program in a session of its own, so that it outlives us; its output is added to `log`."""
    inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**inherited, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _detached.append(process)
    psutil = _psutil()
    try:
        return Running(process.pid, float(psutil.Process(process.pid).create_time()))
    except psutil.NoSuchProcess:
        return Running(process.pid, 0.0)  # ended at once; `alive` will say so


def wait(running: Running, timeout_s: float) -> int | None:
    """Wait for the end of a program that this process started, and stop it if it takes longer.

    Returns:
        Its exit code; None if it had to be stopped.
    """
    (child,) = (one for one in _detached if one.pid == running.pid)
    try:
        return child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        stop(running)


def alive(running: Running | None) -> bool:
    """True if that very process still runs."""
    return running is not None and _process(running) is not None


def listening_port(running: Running) -> int | None:
    """The port that the process itself listens on; None if it does not (yet)."""
    psutil = _psutil()
    process = _process(running)
    if process is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        for connection in process.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN:
                return int(connection.laddr.port)
    return None


def stop(running: Running) -> bool:
    """End that very process and wait until it is gone; False if it was gone already."""
    psutil = _psutil()
    process = _process(running)
    if process is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        children = process.children(recursive=True)
        process.terminate()
        try:
            process.wait(_TERMINATE_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_KILL_S)
        for child in children:  # workers end with their master, unless it had to be killed
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    return True


def free_port(wanted: int | None) -> int:
    """`wanted` if nothing has it on loopback, else any free port."""
    for port in (wanted or 0, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else a recent stop blocks the port
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, port))
                return int(probe.getsockname()[1])
    raise AnnotationToolError(f"no free port on {LOOPBACK}")


def read(path: Path) -> Running | None:
    """The process written down in `path`; None if there is none, or the file is damaged."""
    try:
        return Running(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(path: Path, running: Running) -> None:
    """Write down a process."""
    with tables.replacing(path) as partial:
        partial.write_text(
            json.dumps({"pid": running.pid, "started": running.started}) + "\n", encoding="utf-8"
        )


def _process(running: Running) -> Any:
    psutil = _psutil()
    try:
        process = psutil.Process(running.pid)
        same = abs(process.create_time() - running.started) < _SAME_START_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _psutil() -> Any:
    return require("psutil", extra="labelstudio")
