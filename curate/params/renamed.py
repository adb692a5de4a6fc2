"""Parameters that were renamed: for one version the old name is read, with a warning that names the line.

An entry stays until the version after the one that renamed it; CHANGELOG.md lists them all.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from curate.errors import ParamsError

# Parameters that are gone -> the value at which nothing is lost by leaving them out.
REMOVED: Final[Mapping[str, Any]] = {"dedupe.bits": 64}
# Old dotted name -> new dotted name.
RENAMED: Final[Mapping[str, str]] = {
    "autolabel.least_score": "autolabel.min_score",
    "quality.gold_least": "quality.gold_min_images",
    "vote.images": "vote.max_pairs",
    "vote.round_images": "vote.round_pairs",
    "pairs.least_rest": "pairs.min_rest",
}


class RenamedParameterWarning(FutureWarning):
    """A file still uses the old name of a parameter."""


def read_old_names(
    data: Any,
    path: Path,
    lines: Mapping[tuple[str | int, ...], int],
    renamed: Mapping[str, str] = RENAMED,
    removed: Mapping[str, Any] = REMOVED,
) -> Any:
    """The content of params.yaml under today's names.

    Args:
        data: What the file holds, as YAML gives it; not changed.
        path: The file, for messages.
        lines: Line (from 1) of every key.
        renamed: New dotted name by old dotted name.
        removed: The only value that still works by old dotted name.

    Returns:
        A copy in which each old name stands under the new one, without those that are gone.

    Raises:
        ParamsError: Both names are given, or another value of a parameter that is gone.
    """
    for old, value in removed.items():
        location = tuple(old.split("."))
        if location not in lines:
            continue
        if (given := _at(data, location)) != value:
            raise ParamsError(
                f"{path}:{lines[location]}: {old} is gone, and {given!r} with it "
                f"(it was {value!r} by default): remove the line"
            )
        data = _without(data, location)
        warnings.warn_explicit(
            f"{old} is gone: remove the line; the next version will not read it",
            RenamedParameterWarning,
            filename=str(path),
            lineno=lines[location],
        )
    for old, new in renamed.items():
        location, target = tuple(old.split(".")), tuple(new.split("."))
        if location not in lines:
            continue
        line = lines[location]
        if target in lines:
            raise ParamsError(f"{path}:{line}: {old} is the old name of {new}, which is given too: remove it")
        data = _moved(data, location, target)
        warnings.warn_explicit(
            f"{old} is now called {new}: rename it; the next version will not read the old name",
            RenamedParameterWarning,
            filename=str(path),
            lineno=line,
        )
    return data


def _moved(data: Any, location: tuple[str, ...], target: tuple[str, ...]) -> Any:
    return _with(_without(data, location), target, _at(data, location))


def _at(data: Any, location: tuple[str, ...]) -> Any:
    for name in location:
        data = data[name]
    return data


def _without(data: Mapping[str, Any], location: tuple[str, ...]) -> dict[str, Any]:
    name, *rest = location
    if not rest:
        return {key: value for key, value in data.items() if key != name}
    return {**data, name: _without(data[name], tuple(rest))}


def _with(data: Mapping[str, Any], target: tuple[str, ...], value: Any) -> dict[str, Any]:
    name, *rest = target
    inner = _with(data.get(name) or {}, tuple(rest), value) if rest else value
    return {**data, name: inner}
