"""The programs that a server is: one process on SQLite, or a master with several workers on PostgreSQL."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curate import system
from curate.adapters.labelstudio import process
from curate.errors import AnnotationToolError

_THREADS = 4  # of a worker: while one waits for the database, another serves an image
_MAX_WORKERS = 8  # that are started unasked
_STOP_S = 10  # a worker may finish its requests that long; shorter than `process.stop` waits
_ANSWER_S = 600  # a worker that is silent for so long is replaced; a large import takes minutes
_SETTINGS_MODULE = "core.settings.label_studio"


@dataclass(frozen=True, slots=True)
class Launch:
    """A command, and what its environment needs beside the server's settings."""

    command: list[str]
    environment: dict[str, str]


def usual_workers() -> int:
    """Workers where nobody said how many: one more than there are cores."""
    return min(_MAX_WORKERS, system.cores() + 1)


def single(program: Path, port: int) -> Launch:
    """The server that Label Studio itself starts: one process, which also prepares its database."""
    where = ["--internal-host", process.LOOPBACK, "--port", str(port)]
    return Launch([str(program), "start", "--no-browser", *where], {})


def several(program: Path, port: int, workers: int) -> Launch:
    """Gunicorn with several workers, on a database that is prepared (`prepare`).

    Raises:
        AnnotationToolError: Gunicorn is not installed beside the server.
    """
    folder = program.resolve().parent
    gunicorn = folder / "gunicorn"
    if not gunicorn.exists():
        raise AnnotationToolError(f"{folder} has no gunicorn, which several workers need: run `make install`")
    found = subprocess.run(
        [str(folder / "python"), "-c", "import label_studio as l; print(l.__path__[0])"],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise AnnotationToolError(f"{folder / 'python'} cannot import label_studio: run `make install`")
    settings = {
        "bind": f"{process.LOOPBACK}:{port}",
        "workers": str(workers),
        "threads": str(_THREADS),
        "timeout": str(_ANSWER_S),
        "graceful-timeout": str(_STOP_S),
        "pythonpath": found.stdout.strip(),
        "log-level": "warning",
    }
    options = [text for name, value in settings.items() for text in (f"--{name}", value)]
    command = [str(gunicorn), *options, "--no-control-socket", "core.wsgi:application"]
    return Launch(command, {"DJANGO_SETTINGS_MODULE": _SETTINGS_MODULE})


def prepare(
    program: Path, *, environment: Mapping[str, str], folder: Path, log: Path, timeout_s: float
) -> None:
    """Bring the database up to date and make the administrator; what is printed is added to `log`.

    Raises:
        AnnotationToolError: The database cannot be used, or it takes too long; names the log.
    """
    command = [str(program), "init", "--quiet"]
    running = process.start(command, environment=environment, folder=folder, log=log)
    code = process.wait(running, timeout_s)
    if code is None:
        raise AnnotationToolError(
            f"Label Studio's database was not ready after {timeout_s:.0f} s: see the end of {log}"
        )
    if code:
        raise AnnotationToolError(f"Label Studio's database cannot be prepared: see the end of {log}")
