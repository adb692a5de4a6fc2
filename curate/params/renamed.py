"""Parameters that were renamed: for one version the old name is read, with a warning that names the line.

An entry stays until the version after the one that renamed it; CHANGELOG.md lists them all.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from curate.errors import ParamsError

RENAMED: Final[Mapping[str, str]] = {}  # old dotted name -> new dotted name


class RenamedParameterWarning(FutureWarning):
    """A file still uses the old name of a parameter."""


def read_old_names(
    data: Any,
    path: Path,
    lines: Mapping[tuple[str | int, ...], int],
    renamed: Mapping[str, str] = RENAMED,
) -> Any:
    """The content of params.yaml under today's names.

    Args:
        data: What the file holds, as YAML gives it; not changed.
        path: The file, for messages.
        lines: Line (from 1) of every key.
        renamed: New dotted name by old dotted name.

    Returns:
        A copy in which each old name stands under the new one.

    Raises:
        ParamsError: Both names are given.
    """
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
    value = data
    for name in location:
        value = value[name]
    return _with(_without(data, location), target, value)


def _without(data: Mapping[str, Any], location: tuple[str, ...]) -> dict[str, Any]:
    name, *rest = location
    if not rest:
        return {key: value for key, value in data.items() if key != name}
    return {**data, name: _without(data[name], tuple(rest))}


def _with(data: Mapping[str, Any], target: tuple[str, ...], value: Any) -> dict[str, Any]:
    name, *rest = target
    inner = _with(data.get(name) or {}, tuple(rest), value) if rest else value
    return {**data, name: inner}
