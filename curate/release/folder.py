"""Folders that appear whole, and the list of files in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curate.tables import storage_error


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder next to `path`; on success it takes the place of `path`.

    An error or a kill leaves the old folder or the new one, never a mixture. Renaming a folder over a full
    one is not possible, so the old one steps aside first; the next call repairs a kill in that instant.

    Raises:
        StorageError: The disk is full, or the parent cannot be written.
    """
    partial, aside = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if aside.exists() and not path.exists():
            aside.rename(path)
        for leftover in (partial, aside):
            _remove(leftover)
        partial.mkdir()
        yield partial
        for file in files_in(partial):
            _sync(partial / file)
        if path.exists():
            path.rename(aside)
        partial.rename(path)
        _remove(aside)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def files_in(folder: Path) -> list[str]:
    """Every file below a folder, as sorted posix paths relative to it."""
    return sorted(
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder)
        for name in names
    )


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
