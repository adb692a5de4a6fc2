"""JSON files of a data set that no reader takes: damaged labels, or of a format that is not known."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from curate.check.finding import Row
from curate.errors import InputError
from curate.folder_walk import find, named
from curate.formats import json_stream
from curate.formats.dataset_info import REPORT

_COCO: Final = re.compile(r"_annotations\.coco\.json|instances.*\.json")  # names that promise COCO
_LFS: Final = b"version https://git-lfs.github.com/spec/"
_LISTS: Final = frozenset({"annotations", "images"})  # the long ones


def row(file: Path, error: InputError) -> Row | None:
    """What is wrong with a file that is no COCO; None where it is another sort of JSON.

    Args:
        file: Which.
        error: Why it is no COCO.
    """
    if _COCO.fullmatch(file.name):
        return _row(file, error)
    return unparsed(file)


def below(folder: Path, told: Collection[Path | None]) -> Iterator[tuple[str, Row]]:
    """What to say of the JSON files in and below a folder whose format nobody knows, but for hidden ones.

    Of folders that cannot be listed the walk of the images tells.

    Args:
        folder: Which.
        told: Files of which enough was said.
    """
    others = []
    found = find(folder, named("*.json"))
    for file in sorted(one for one in found if isinstance(one, Path) and one.name != REPORT):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if hidden or file in told or not file.is_file():
            continue
        if (wrong := unparsed(file)) is not None:
            yield "damaged", wrong
        else:
            others.append(file)
    if others:
        detail = f"{len(others):,} JSON files of no known format: name it with --format if they are labels"
        yield "not_read", Row(file=others[0], detail=detail)


def unparsed(file: Path) -> Row | None:
    """What is wrong with a file that is no JSON at all."""
    try:
        for _ in json_stream.entries(file, _LISTS):
            pass
    except InputError as error:
        return _row(file, error)
    return None


def _row(file: Path, error: InputError) -> Row:
    found = re.fullmatch(rf"{re.escape(str(file))}(?::(\d+))?:? *(.*)", str(error), re.DOTALL)
    line, detail = (int(found[1] or 0), found[2]) if found else (0, str(error))
    if _is_pointer(file):
        line, detail = 0, "a pointer of Git LFS in place of the file: fetch it with git lfs pull"
    return Row(file=file, line=line, detail=detail)


def _is_pointer(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_LFS)) == _LFS
    except OSError:
        return False
