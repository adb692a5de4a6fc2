"""Run something in a process of its own and say what it cost: wall time, processor time, peak memory."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.result import ROOT

_TAIL = 600  # characters of a failed program's last words
_EVERY_S = 0.05
# The system walks all pages of a process to tell its size, and keeps it from getting new ones meanwhile: tens
# of milliseconds where it has gigabytes. So long, in times of a look, nobody looks again.
_REST = 50


class FailedRunError(Exception):
    """The program did not end well; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program and all its children took.

    Attributes:
        wall_s: From start to exit, interpreter and imports included.
        cpu_s: User and system, over all cores.
        peak_bytes: Largest sum over its processes at one moment, pages that several share counted once
            (PSS), looked at every 0.05 s, less often where a look takes over a millisecond.
        peak_own_bytes: The same without pages of mapped files, which the system may drop at will.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    peak_own_bytes: int


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 1800,
    memory: bool = True,
    cwd: Path = ROOT,
) -> Cost:
    """Run a command and measure what it costs.

    Args:
        command: Program and arguments.
        env: Added to this process's environment.
        timeout_s: After that it is killed with its children.
        memory: False = do not look at its processes, which costs a percent or two of a core.
        cwd: Where it starts.

    Raises:
        FailedRunError: It failed, could not be started, or took too long.
    """
    with tempfile.TemporaryFile() as words:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        try:
            process = subprocess.Popen(
                command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                stdout=words, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise FailedRunError(f"{command[0]} cannot be started: {error}") from error
        watch = _Watch(process.pid)
        if memory:
            watch.start()
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            _kill_tree(process)
            raise FailedRunError(f"stopped after {timeout_s:.0f} s") from error
        finally:
            watch.done.set()
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if memory:
            watch.join()
        if code != 0:
            words.seek(0)
            text = words.read().decode(errors="replace").strip()[-_TAIL:]
            raise FailedRunError(f"exit code {code}: {text}")
    cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    # Processes whose parent did not wait for them are missing from the first, short ones from the second.
    return Cost(wall, max(cpu, sum(watch.seconds.values())), watch.peak, watch.peak_own)


def call(function: Callable[..., Any], /, *, memory: bool = True, **arguments: Any) -> tuple[Cost, Any]:
    """Call an importable function in a fresh interpreter; arguments and answer travel as JSON.

    Returns:
        What it cost, and its answer.

    Raises:
        FailedRunError: It raised; the message holds the end of its traceback.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        name = f"{_module(function)}:{function.__qualname__}"
        command = [sys.executable, "-m", "benchmarks.process_cost", name, json.dumps(arguments, default=str)]
        cost = run([*command, str(answer)], memory=memory)
        return cost, json.loads(answer.read_text(encoding="utf-8"))


def _module(function: Callable[..., Any]) -> str:
    """The importable name, also where the module is being run as a program."""
    if function.__module__ != "__main__":
        return function.__module__
    spec = sys.modules["__main__"].__spec__
    if spec is None:
        raise FailedRunError("run the benchmark with python -m benchmarks.<name>")
    return spec.name


class _Watch(threading.Thread):
    """Looks at the memory of a process and its children until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.done = threading.Event()
        self.peak = 0
        self.peak_own = 0
        self.seconds: dict[int, float] = {}  # of the processor, when each process was last seen

    def run(self) -> None:
        rest_until = 0.0
        while not self.done.wait(_EVERY_S):
            pids = _tree(self.pid)
            self.seconds |= {pid: seconds for pid in pids if (seconds := _seconds(pid)) is not None}
            began = time.perf_counter()
            if began < rest_until:
                continue
            sizes = [_sizes(pid) for pid in pids]
            ended = time.perf_counter()
            rest_until = ended + _REST * (ended - began)
            self.peak = max(self.peak, sum(size[0] for size in sizes))
            self.peak_own = max(self.peak_own, sum(size[1] for size in sizes))


def _sizes(pid: int) -> tuple[int, int]:
    """Bytes of a process: its share of all pages, and of those that no file backs; zeros once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0, 0
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss")}
    return sizes.get("Pss", 0), sizes.get("Pss_Anon", 0) + sizes.get("Pss_Shmem", 0)


def _seconds(pid: int) -> float | None:
    """Processor time of a process without its children; None once it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> list[int]:
    """A process and all below it, as far as they still live."""
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (thread / "children").read_text(encoding="ascii").split()]
        except OSError:  # gone meanwhile
            continue
    return found


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    for pid in reversed(_tree(process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def main() -> None:
    """`python -m benchmarks.process_cost MODULE:FUNCTION ARGUMENTS_JSON ANSWER_FILE`."""
    name, arguments, answer = sys.argv[1:]
    module, _, function = name.partition(":")
    result = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    Path(answer).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
