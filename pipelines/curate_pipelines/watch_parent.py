"""A stage that DVC started ends with it.

Who kills `dvc repro` alone (a scheduler, a CI's time limit) leaves its stage behind, which would go on
writing while the next `dvc repro` runs the same stage again.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

_LOOK_S = 0.5
_SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish"}
_BY_DVC = "DVC_STAGE"  # set by DVC for every command that it runs


def end_with_dvc(name: str) -> None:
    """Watch the programs that started this one, if DVC is among them, and end when one of them is gone.

    Workers of the stage end with it.

    Args:
        name: The stage's, for the line that is printed then.
    """
    if _BY_DVC in os.environ:
        threading.Thread(target=_watch, args=(name, _starters()), daemon=True).start()


def _watch(name: str, starters: tuple[int, ...]) -> None:
    while _starters() == starters:
        time.sleep(_LOOK_S)
    print(f"{name}: dvc ended before its stage, which ends too: run `dvc repro` again", file=sys.stderr)  # noqa: T201
    os.kill(os.getpid(), signal.SIGTERM)


def _starters() -> tuple[int, ...]:
    """The parent; and where that is a shell which DVC runs the command in, the shell's parent.

    Not further: who started DVC may leave, as a terminal does after `nohup dvc repro &`.
    """
    parent = os.getppid()
    try:
        name, _, rest = Path(f"/proc/{parent}/stat").read_text(encoding="utf-8").rpartition(")")
    except OSError:  # gone, or a system without /proc
        return (parent,)
    shell = name.partition("(")[2] in _SHELLS
    return (parent, int(rest.split()[1])) if shell else (parent,)
