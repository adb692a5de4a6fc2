"""A trainer as a command of the user's: placeholders, its output as it comes, and what became of it."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from curate.errors import InputError, ModelError, ParamsError

PLACEHOLDERS: Final = ("data", "out", "categories", "seed")
_NAMED = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")  # other braces are the trainer's
_WORD = re.compile(r"\{(\s*\w+\s*)\}")
_PROGRESS = re.compile(r"\d%\|")  # a bar of tqdm's, which is drawn once more when the program fails
_CHUNK, _TAIL = 65_536, 4_096  # bytes
_PATIENCE_S = 10.0


def words(command: str) -> list[str]:
    """The words of a command, as a shell splits them; no shell runs it.

    Raises:
        ParamsError: It is empty, a quote is open, or a word in braces is nearly one of `PLACEHOLDERS`.
    """
    try:
        parts = shlex.split(command)
    except ValueError as error:
        raise ParamsError(f"--with {command!r} cannot be read: {error}") from error
    if not parts:
        raise ParamsError("--with is empty: name the command that trains")
    for name in (name for part in parts for name in _WORD.findall(part) if name not in PLACEHOLDERS):
        if near := difflib.get_close_matches(name.strip().lower(), PLACEHOLDERS, n=1):
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            meant = f"did you mean {{{near[0]}}}? (there are {known})"
            raise ParamsError(f"--with has the unknown placeholder {{{name}}}, {meant}")
    return parts


def filled(parts: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """The words with their placeholders replaced."""
    return [_NAMED.sub(lambda found: str(values[found[1]]), part) for part in parts]


def run(
    parts: Sequence[str], values: Mapping[str, object], log: Path, *, echo: Callable[[bytes], None]
) -> None:
    """Run the command to its end; it ends with us, whatever ends us in order.

    Args:
        parts: Its words.
        values: Of `PLACEHOLDERS`; the environment has them as CURATE_DATA and so on.
        log: Gets a copy of all output.
        echo: Takes output as it comes.

    Raises:
        InputError: There is no such program.
        ModelError: It failed, with the last line that it said.
    """
    command = filled(parts, values)
    environment = {f"CURATE_{name.upper()}": str(value) for name, value in values.items()}
    with ExitStack() as stack:
        file = stack.enter_context(log.open("wb", buffering=0))  # to be looked at meanwhile
        try:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            )
        except OSError as error:
            raise InputError(f"the trainer {command[0]} cannot be started: {error.strerror}") from error
        try:
            stack.enter_context(_ended_in_order())
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            _copy(process.stdout, file, echo)
            code = process.wait()
        finally:
            _end(process)
    if code:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        raise ModelError(f"the trainer {how}: {_last_line(log) or 'it said nothing'}; nothing of it is kept")


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM ends us as Ctrl-C does: the trainer goes too, and what it left."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _copy(output: IO[bytes], log: IO[bytes], echo: Callable[[bytes], None]) -> None:
    """Copy output as it comes, progress bars too: nothing waits for the end of a line."""
    while chunk := os.read(output.fileno(), _CHUNK):
        log.write(chunk)
        echo(chunk)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        text = file.read().decode("utf-8", errors="replace")
    lines = [line.strip() for line in re.split(r"[\r\n]", text) if line.strip()]
    told = [line for line in lines if not _PROGRESS.search(line)] or lines
    return told[-1] if told else ""
