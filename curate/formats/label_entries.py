"""Entries of label files: taken as they are, or listed with what is wrong."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from curate.errors import RecordError
from curate.formats.record import Problem, Ring
from curate.records import Box

_Found = TypeVar("_Found")
_CORNERS = 3


class EntryError(Exception):
    """An entry cannot be taken.

    Attributes:
        kind: As in `Problem`.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def taken(
    parse: Callable[[], _Found],
    problems: list[Problem],
    *,
    file: Path,
    line: int = 0,
    entry: str = "",
    image: str = "",
) -> _Found | None:
    """What `parse` makes of an entry; None where it cannot, and then `problems` says why and where."""
    kind = "damaged"
    try:
        return parse()
    except EntryError as error:
        kind, detail = error.kind, str(error)
    except RecordError as error:
        detail = str(error)
    except KeyError as error:
        detail = f"has no {error.args[0]!r}" if error.args else "lacks a key"
    except (TypeError, ValueError, IndexError, AttributeError, ArithmeticError, MemoryError) as error:
        detail = f"of another form: {error}"
    except (OSError, EOFError, SyntaxError, zlib.error, Image.DecompressionBombError) as error:
        detail = f"cannot be read: {error}"  # a picture or an array within the file
    problems.append(Problem(kind, file, line, entry, image, detail))
    return None


def box(x1: Any, y1: Any, x2: Any, y2: Any) -> Box:
    """Make a box from its corners, as numbers.

    Raises:
        EntryError: Not finite, or without area.
    """
    corners = (float(x1), float(y1), float(x2), float(y2))
    if not all(map(math.isfinite, corners)):
        raise EntryError("damaged", f"a box with a corner that is no finite number: {corners}")
    if corners[2] <= corners[0] or corners[3] <= corners[1]:
        raise EntryError("empty_box", f"a box without area: {corners}")
    return corners


def box_xywh(x: Any, y: Any, width: Any, height: Any) -> Box:
    """Make a box from its corner and its size."""
    left, top = float(x), float(y)
    return box(left, top, left + float(width), top + float(height))


def ring(values: Sequence[Any]) -> Ring:
    """A ring from a flat list x1, y1, x2, y2, ...; a repeated first corner at its end is left out.

    Raises:
        EntryError: Less than three corners, an odd count, or a number that is not finite.
    """
    found = tuple(map(float, values))
    if len(found) % 2:
        raise EntryError("damaged", f"a polygon of {len(found)} numbers: half a point")
    if len(found) > 2 * _CORNERS and found[:2] == found[-2:]:
        found = found[:-2]
    if len(found) < 2 * _CORNERS:
        raise EntryError("short_polygon", f"a polygon of {len(found) // 2} points")
    if not all(map(math.isfinite, found)):
        raise EntryError("damaged", "a polygon with a coordinate that is no finite number")
    return found


def entries(value: Any) -> list[Any]:
    """A list of labels: whatever else stands in its place does not say that there are none.

    Raises:
        EntryError: It is no list.
    """
    if not isinstance(value, list):
        raise EntryError("damaged", f"expected a list of labels, got {str(value)[:40]!r}")
    return value


def class_name(number: Any, names: Sequence[str]) -> str:
    """The name of a class by its number, from 0.

    Raises:
        EntryError: None of the names' numbers; -1 often means that the class is not known.
    """
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(names):
        raise EntryError(
            "unknown_category", f"class {number!r}, where the file names {len(names)} classes, from 0"
        )
    return names[number]


def not_read(file: Path, counts: Mapping[str, int]) -> list[Problem]:
    """A problem for each thing that a file says beside its objects, and that nothing here reads.

    Args:
        file: Of labels, or the folder of them.
        counts: How many, by what they are, in the plural.
    """
    return [
        Problem("not_read", file, detail=f"{number:,} {what}, which nothing here reads")
        for what, number in sorted(counts.items())
        if number
    ]
