"""New thresholds into the text of taxonomy.yaml; comments and layout stay."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from curate.errors import ParamsError


def with_thresholds(text: str, thresholds: Mapping[str, float], path: Path) -> str:
    """The text with new thresholds; not a character but the numbers changes.

    Args:
        text: Of a taxonomy that `taxonomy.load` accepts.
        thresholds: By name of the category; others stay as they are.
        path: For messages.

    Raises:
        ParamsError: The numbers cannot be replaced one by one: an anchor is shared between categories.
    """
    edited = text
    places = sorted(_places(text), key=lambda place: place[1].start_mark.index, reverse=True)
    for name, node in places:
        if name in thresholds:
            start, end = node.start_mark.index, node.end_mark.index
            edited = f"{edited[:start]}{_number(thresholds[name])}{edited[end:]}"
    if _content(edited) != _expected(text, thresholds):
        raise ParamsError(f"{path}: the thresholds share an anchor: write each number out, then fit again")
    return edited


def _number(value: float) -> str:
    """Short where that is the same number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def unified_diff(before: str, after: str, path: Path) -> str:
    """What changes, as `diff -u` writes it; "" where nothing does."""
    a, b = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(a, b, str(path), f"{path} (fitted)"))


def _places(text: str) -> Iterator[tuple[str, yaml.Node]]:
    """Name and threshold node of every category."""
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, entries in root.value:
        if key.value == "categories":
            for entry in entries.value:
                fields = {name.value: value for name, value in entry.value}
                yield fields["name"].value, fields["threshold"]


def _content(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _expected(text: str, thresholds: Mapping[str, float]) -> Any:
    content = yaml.safe_load(text)
    entries = [
        {**entry, "threshold": thresholds.get(entry["name"], entry["threshold"])}
        for entry in content["categories"]
    ]
    return {**content, "categories": entries}
