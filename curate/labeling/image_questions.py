"""The optional `choices` of taxonomy.yaml: questions about the whole image, such as the weather."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from curate.errors import ParamsError
from curate.ports import ImageChoice
from curate.yamlfile import Location

_FEWEST_OPTIONS = 2
_RESERVED = frozenset({"image", "box", "mask", "polygon", "skip_reason"})  # other parts of the labelling page


class ChoiceEntry(BaseModel):
    """One question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
    options: tuple[str, ...]
    multiple: bool = False


def checked(
    path: Path, entries: Sequence[ChoiceEntry], lines: Mapping[Location, int]
) -> tuple[ImageChoice, ...]:
    """The questions.

    Raises:
        ParamsError: With the line: a name that is taken, fewer than two options, or one given twice.
    """
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        where = f"{path}:{lines.get(('choices', index), 1)}: choice {entry.name!r}"
        if entry.name in _RESERVED:
            raise ParamsError(f"{where} has the name of a part of the labelling page: give it another one")
        if entry.name in seen:
            raise ParamsError(f"{where} is there twice: each name must be unique")
        seen.add(entry.name)
        if len(entry.options) < _FEWEST_OPTIONS:
            raise ParamsError(f"{where} has {len(entry.options)} options: name at least {_FEWEST_OPTIONS}")
        plain = [option.strip() for option in entry.options]
        if len(set(plain)) != len(plain) or not all(plain):
            raise ParamsError(f"{where} has an option that is empty or there twice: {', '.join(plain)}")
    return tuple(
        ImageChoice(entry.name, tuple(option.strip() for option in entry.options), multiple=entry.multiple)
        for entry in entries
    )
