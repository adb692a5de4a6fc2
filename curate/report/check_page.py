"""The page of `curate check`: every kind that was found, with pictures; it asks for nothing elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jinja2

from curate import tables
from curate.check.finding import Checked, Finding, Row
from curate.check.json_and_junit import line
from curate.report.drawing import Album, Mark, Picture, words

_PICTURES: Final = 12  # cases of a kind with pictures
_LINES: Final = 100  # further ones as text; JSON has all
_SIDE: Final = 240  # pixels
_BYTES: Final = 5_000_000  # of all pictures
_COLORS: Final = ("#e6194b", "#4363d8")  # of the boxes of a case


@dataclass(frozen=True, slots=True)
class Case:
    """One case with the pictures of its images, as far as there are any."""

    pictures: tuple[tuple[str, Picture], ...]
    where: str
    row: Row


@dataclass(frozen=True, slots=True)
class Section:
    """A kind with its first cases."""

    finding: Finding
    cases: tuple[Case, ...]
    lines: tuple[str, ...]

    @property
    def more(self) -> int:
        """Cases that are not on the page."""
        return len(self.finding.rows) - len(self.cases) - len(self.lines)


def write(checked: Checked, out: Path) -> Path:
    """Write the page of a check's findings.

    Args:
        checked: What was found; its pictures must still be there.
        out: The page, replaced in one step.

    Raises:
        StorageError: It cannot be written.
    """
    album = Album(Path(), max_bytes=_BYTES)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    content = environment.get_template("check.html.j2").render(
        checked=checked,
        name=Path(checked.path).resolve().name,
        counts=checked.counts(),
        sections=[_section(finding, checked, album) for finding in checked.findings],
    )
    with tables.replacing(out) as partial:
        partial.write_text(content, encoding="utf-8")
    return out


def _section(finding: Finding, checked: Checked, album: Album) -> Section:
    shown = finding.rows[:_PICTURES]
    cases = tuple(_case(row, checked, album) for row in shown)
    rest = finding.rows[len(shown) : len(shown) + _LINES]
    return Section(finding, cases, tuple(line(row) for row in rest))


def _case(row: Row, checked: Checked, album: Album) -> Case:
    found = []
    for number, place in enumerate(row.images[:2]):
        path = checked.pictures.get(place)
        marks = [
            Mark(one.box, _COLORS[at % len(_COLORS)], words(one.category), below=bool(at % 2))
            for at, one in enumerate(row.marks if number == 0 else ())
        ]
        picture = album.thumbnail(str(path) if path else None, side=_SIDE, marks=marks)
        if picture is not None:
            found.append((place, picture))
    at = "" if row.file is None else f"{row.file.name}{f':{row.line}' if row.line else ''}"
    return Case(tuple(found), f"{at} {row.entry}".strip(), row)
