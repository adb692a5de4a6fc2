"""decisions.csv: what people decided, one line per decision, made to be read in a diff and edited by hand.

`keep`        never dropped as a duplicate or for its quality, and first in line to be its group's keeper
`drop`        dropped, for the reason in `argument`, and takes no part in any group
`same`        with `other`: one group, whatever the pixels say; if a is b and b is c, then a is c
`different`   with `other`: never in one group
`needs-qa`    a person must look at it, and nothing of it is released before
`gold`        a person must look at it; `curate decisions gold` then makes its consensus a known answer
`relabel`     the object `annotation` has the category `argument`
`edit`        the object has the `box`, and the category `argument` where one is given
`delete`      there is no such object
`add`         there is an object of category `argument` in `box`
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final

from curate import tables
from curate.errors import InputError
from curate.records import Box

# In this order, so that a line of the first five, as the page of duplicates offers them, is a whole one.
COLUMNS: Final = ("image", "decision", "other", "by", "note", "annotation", "argument", "box", "when")
ALONE: Final = ("keep", "drop", "needs-qa", "gold")
PAIRED: Final = ("same", "different")
OF_OBJECTS: Final = ("relabel", "edit", "delete", "add")
DECISIONS: Final = (*ALONE, *PAIRED, *OF_OBJECTS)
# What each stage reads: another decision does not make it run again.
READ_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "dedupe": ("keep", "drop", "same", "different"),
    "select": ("needs-qa", "gold"),
    "agreement": ("needs-qa", *OF_OBJECTS),
    "release": ("same", "different"),
}
_OPPOSITES: Final = (frozenset({"keep", "drop"}), frozenset({"same", "different"}))
_ID: Final = re.compile(r"[0-9a-f]{8,64}")
_ARGUMENT: Final = {"drop": False, "relabel": True, "edit": False, "add": True}  # whether it is needed


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the file, as written there; texts are empty where nothing stands.

    Attributes:
        line: In the file, from 1; 0 = it stands in none.
        image: An image_id, the beginning of one, or a place, "name/path".
        decision: One of `DECISIONS`.
        other: The second image of a pair.
        by: Who, as a pseudonym.
        note: Free text.
        annotation: annotation_id of the object.
        argument: Reason or category.
        box: "x1 y1 x2 y2" in upright pixels.
        when: ISO 8601 UTC, of the database where it was made.
    """

    line: int
    image: str
    decision: str
    other: str = ""
    by: str = ""
    note: str = ""
    annotation: str = ""
    argument: str = ""
    box: str = ""
    when: str = ""

    @property
    def subject(self) -> tuple[str, ...]:
        """What it is about: an image, a pair, or an object."""
        if self.decision in PAIRED:
            return tuple(sorted((self.image, self.other)))
        return (self.image, self.annotation or self.box) if self.decision in OF_OBJECTS else (self.image,)

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for lines that say the same, whoever says it."""
        return (*self.subject, self.decision, self.argument, self.box)

    @property
    def moment(self) -> datetime | None:
        """`when` as a time, UTC where it names no zone; None where nothing stands.

        A date alone is the end of its day: as its beginning, a look that was asked for in the afternoon would
        count as older than a decision of that morning, and not be given.

        Raises:
            ValueError: It is no time of ISO 8601.
        """
        if not self.when:
            return None
        at = datetime.fromisoformat(self.when)
        with suppress(ValueError):
            at = datetime.combine(date.fromisoformat(self.when), time.max)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at

    @property
    def corners(self) -> Box:
        """The box as numbers.

        Raises:
            ValueError: There is none that can be.
        """
        x1, y1, x2, y2 = map(float, self.box.split())
        if not (x1 < x2 and y1 < y2 and all(map(math.isfinite, (x1, y1, x2, y2)))):
            raise ValueError(f"expected x1 < x2 and y1 < y2, got {self.box!r}")
        return x1, y1, x2, y2


def is_id(text: str) -> bool:
    """Whether a reference means an image_id or its beginning; others are places, "name/path"."""
    return _ID.fullmatch(text) is not None


def box_text(box: Sequence[float]) -> str:
    """A box as the file has it.

    Examples:
        >>> box_text((1.0, 2.5, 30.25, 4.125))
        '1 2.5 30.25 4.12'
    """
    return " ".join(f"{value:.2f}".rstrip("0").rstrip(".") for value in box)


def load(path: Path) -> list[Decision]:
    """Read decisions.csv.

    Raises:
        InputError: Missing, not a CSV of those columns, or a line that makes no sense; names file and line.
    """
    found, problems = read(path)
    if problems:
        raise InputError(problems[0])
    return found


def read(path: Path) -> tuple[list[Decision], list[str]]:
    """The lines that make sense, and for each other one what is wrong with it, with file and line.

    Raises:
        InputError: Missing, or not a CSV of those columns.
    """
    found, problems = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            _check_header(path, reader.fieldnames or ())
            for row in reader:
                if not any((value or "").strip() for value in row.values() if not isinstance(value, list)):
                    continue
                values = {name: str(row.get(name) or "").strip() for name in COLUMNS}
                one = Decision(line=reader.line_num, **values)
                problem = (
                    "more cells than columns: quote cells that hold a comma"
                    if None in row
                    else wrong_with(one)
                )
                if problem:
                    problems.append(f"{path}:{one.line}: {problem}")
                else:
                    found.append(one)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: correct dedupe.decisions in params.yaml") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return found, problems


def write(path: Path, decisions: Iterable[Decision]) -> None:
    """Write the file anew, sorted by what the lines are about.

    Raises:
        StorageError: It cannot be written.
    """
    rows = sorted(decisions, key=lambda one: (one.image, one.other, one.annotation, one.key, one.by))
    with tables.replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(one, name) for name in COLUMNS] for one in rows)


def conflicts(decisions: Iterable[Decision]) -> list[tuple[Decision, Decision]]:
    """Lines that contradict an earlier one, each with it.

    They are about one image, pair or object and say keep and drop, same and different, or two things that
    cannot both become of an object. Lines about an object that have different times are applied one after the
    other and contradict nothing.
    """
    known: dict[tuple[str, ...], list[Decision]] = {}
    found = []
    for one in decisions:
        earlier = known.setdefault(one.subject, [])
        against = next((other for other in earlier if _contradict(one, other)), None)
        if against is not None:
            found.append((against, one))
        earlier.append(one)
    return found


def digest(path: Path, stage: str) -> str:
    """Hex SHA-256 over what a stage reads of the file, whatever the order of its lines.

    Raises:
        InputError: As `load`.
    """
    wanted = READ_BY[stage]
    content = sorted(
        [*one.key, one.image, one.by, one.note, one.annotation, *_time(one, stage)]
        for one in load(path)
        if one.decision in wanted
    )
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def wrong_with(one: Decision) -> str | None:
    """What is wrong with a line, in words; None = it makes sense."""
    kind = one.decision
    checks = (
        (kind not in DECISIONS, f"unknown decision {kind!r}: expected one of {', '.join(DECISIONS)}"),
        (not one.image, "no image"),
        (kind in PAIRED and not one.other, f"{kind} needs another image in the column other"),
        (kind not in PAIRED and bool(one.other), f"{kind} is about one image: leave the column other empty"),
        (
            kind not in OF_OBJECTS and bool(one.annotation or one.box),
            f"{kind} is about whole images: leave the columns annotation and box empty",
        ),
        (
            kind in {"relabel", "edit", "delete"} and not one.annotation,
            f"{kind} needs the object in the column annotation",
        ),
        (
            kind not in _ARGUMENT and bool(one.argument),
            f"{kind} has no argument: leave that column empty",
        ),
        (_ARGUMENT.get(kind, False) and not one.argument, f"{kind} needs a category in the column argument"),
        (
            (kind in {"edit", "add"} or bool(one.box)) and not _is_box(one),
            f"{kind} needs a box x1 y1 x2 y2 with x1 < x2 and y1 < y2, got {one.box!r}",
        ),
        (
            kind == "needs-qa" and not _is_moment(one),
            f"when must be ISO 8601, such as 2026-11-30T12:00:00Z, got {one.when!r}",
        ),
    )
    return next((message for applies, message in checks if applies), None)


def _time(one: Decision, stage: str) -> list[str]:
    """The time of a line, where a stage asks for it: of objects in their order, of a look before or after."""
    return [one.when] if stage == "agreement" and one.when else []


def _is_moment(one: Decision) -> bool:
    try:
        _ = one.moment
    except ValueError:
        return False
    return True


def _contradict(one: Decision, other: Decision) -> bool:
    if frozenset({one.decision, other.decision}) in _OPPOSITES:
        return True
    if not {one.decision, other.decision} <= {*OF_OBJECTS} or (
        one.when and other.when and one.when != other.when
    ):
        return False
    return _effect(one) != _effect(other)


def _effect(one: Decision) -> tuple[str, str, str]:
    """What becomes of an object; the box of a line that draws none only helps to find it."""
    return one.decision, one.argument, one.box if one.decision in {"edit", "add"} else ""


def _check_header(path: Path, names: Sequence[str]) -> None:
    if missing := [name for name in ("image", "decision") if name not in names]:
        raise InputError(f"{path}:1: no column {missing[0]}: the columns are {', '.join(COLUMNS)}")
    if unknown := [name for name in names if name not in COLUMNS]:
        raise InputError(f"{path}:1: unknown column {unknown[0]!r}: the columns are {', '.join(COLUMNS)}")


def _is_box(one: Decision) -> bool:
    try:
        return bool(one.corners)
    except ValueError:
        return False
