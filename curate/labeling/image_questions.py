"""The optional `choices` of taxonomy.yaml: questions about the whole image, such as the weather."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from curate.errors import ParamsError
from curate.ports import ImageChoice
from curate.yamlfile import Location

_FEWEST_OPTIONS = 2
_RESERVED = frozenset(
    {"image", "box", "mask", "polygon", "skip_reason", "caption"}
)  # other parts of the labelling page

_ONE = {"choices": "choice", "attributes": "attribute"}


class ChoiceEntry(BaseModel):
    """Question about whole images, as taxonomy.yaml states it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
    options: tuple[str, ...]
    multiple: bool = False


def checked(
    path: Path, entries: Sequence[ChoiceEntry], lines: Mapping[Location, int]
) -> tuple[ImageChoice, ...]:
    """Check the questions about whole images.

    Raises:
        ParamsError: With the line: a name that is taken, fewer than two options, or one given twice.
    """
    refuse_ambiguous(path, entries, lines, section="choices")
    return tuple(ImageChoice(entry.name, stripped(entry), multiple=entry.multiple) for entry in entries)


def refuse_ambiguous(
    path: Path,
    entries: Sequence[ChoiceEntry],
    lines: Mapping[Location, int],
    *,
    section: str,
    taken: Collection[str] = (),
) -> None:
    """Refuse a question of which the page could not tell what is meant.

    Args:
        path: taxonomy.yaml.
        entries: The questions.
        lines: Line of each place of the file.
        section: The key of the file that holds them.
        taken: Names of other questions.

    Raises:
        ParamsError: With the line: a name that is taken, fewer than two options, or one given twice.
    """
    seen = set(taken)
    for index, entry in enumerate(entries):
        where = f"{path}:{lines.get((section, index), 1)}: {_ONE[section]} {entry.name!r}"
        if entry.name in _RESERVED:
            raise ParamsError(f"{where} has the name of a part of the labelling page: give it another one")
        if entry.name in seen:
            raise ParamsError(f"{where} is there twice: each name must be unique")
        seen.add(entry.name)
        if len(entry.options) < _FEWEST_OPTIONS:
            raise ParamsError(f"{where} has {len(entry.options)} options: name at least {_FEWEST_OPTIONS}")
        plain = stripped(entry)
        if len(set(plain)) != len(plain) or not all(plain):
            raise ParamsError(f"{where} has an option that is empty or there twice: {', '.join(plain)}")


def stripped(entry: ChoiceEntry) -> tuple[str, ...]:
    """The options as they are shown."""
    return tuple(option.strip() for option in entry.options)
