"""`curate view` as a user starts it, for tests that open the app in a browser."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class App:
    """The app of a project, while it runs: its first view's address, and the process."""

    url: str
    process: subprocess.Popen[str]
    root: Path


@contextmanager
def opened(root: Path) -> Iterator[App]:
    """Start it on a free port, and end it by Ctrl-C."""
    log = root / "view.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "curate", "view", "--root", str(root), "--port", "0"],
            stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # pytest's timeout ends a wait for nothing
        found = re.search(r"http://127\.0\.0\.1:\d+/datasets/\S+", line)
        assert found, f"{line!r}, and on stderr {log.read_text()!r}"
        yield App(found[0], process, root)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(120)
