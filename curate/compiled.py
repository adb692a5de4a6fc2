"""The one door to numba: functions become machine code, which is kept for the very code that it was made of.

numba keys what it keeps by the file of the function alone. A constant or a callee in another file may change
and the old machine code goes on, without a word. Here the folder is named by the digest of the function's
module and of all that it imports (`curate.fingerprint`). Imports numba, which takes half a second.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, overload

import numba
from numba import types
from numba.core import config
from numba.misc.appdirs import AppDirs

from curate import fingerprint

__all__ = ["compiled", "helper", "types"]

Function = TypeVar("Function", bound=Callable[..., Any])
_UNUSED_DAYS: Final = 30  # after which the machine code of other versions goes
_lock = threading.Lock()


@overload
def compiled(function: Function, /) -> Function: ...
@overload
def compiled(*signatures: Any, **options: Any) -> Callable[[Function], Function]: ...
def compiled(*arguments: Any, **options: Any) -> Any:
    """Compile a function without the interpreter's lock, and keep its machine code between processes.

    Args:
        *arguments: The function; or numba signatures, which are compiled at once.
        **options: Of `numba.njit`, such as `fastmath`, `parallel` or `error_model`.

    Example:
        >>> @compiled
        ... def twice(x):
        ...     return 2 * x
        >>> twice(21)
        42
    """
    if len(arguments) == 1 and callable(arguments[0]) and hasattr(arguments[0], "__code__"):
        return _decorated(arguments[0], None, options)
    signatures = list(arguments) or None
    return lambda function: _decorated(function, signatures, options)


def helper(**options: Any) -> Callable[[Function], Function]:
    """Compile what only compiled functions call, whose machine code holds it: nothing of its own is kept."""
    decorate: Callable[[Function], Function] = numba.njit(nogil=True, **options)
    return decorate


def _decorated(function: Function, signatures: list[Any] | None, options: dict[str, Any]) -> Function:
    folder = _folder(function.__module__)
    with _lock:  # numba reads the setting while it decorates
        before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
        try:
            decorate = numba.njit(signatures, nogil=True, cache=folder is not None, **options)
            result: Function = decorate(function)
        finally:
            config.CACHE_DIR = before
    return result


@functools.cache
def _folder(module: str) -> Path | None:
    """Where the machine code of a module lies; None where nothing is kept: foreign code, no disk."""
    if module.partition(".")[0] not in fingerprint.ROOTS:
        return None
    base = Path(config.CACHE_DIR or AppDirs("curate", appauthor=False).user_cache_dir) / "compiled"
    folder = base / f"{module}-{fingerprint.digest(module)[:16]}"
    try:
        if not folder.exists():
            _forget_unused(base)
            folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
    except OSError:
        return None
    return folder


def _forget_unused(base: Path) -> None:
    oldest = time.time() - _UNUSED_DAYS * 86400
    for folder in base.glob("*-*"):
        with contextlib.suppress(OSError):  # another process may be at it
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder)
