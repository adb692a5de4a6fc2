"""Whether the figures of agreement are good enough for a release, by the near end of their intervals."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.agreement.plots import UNDEFINED
from curate.errors import TableError
from curate.params.requirement import Key, Requirement


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether one requirement holds.

    Attributes:
        name: Of the gate.
        requirement: In words.
        passed: Whether it holds.
        found: What there is, in words.
        help: What would make it hold; empty where it does.
        allowed: Why it may fail, where somebody said so.
    """

    name: str
    requirement: str
    passed: bool
    found: str
    help: str = ""
    allowed: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure as the stage agreement wrote it; None = undefined, for the reason."""

    value: float | None
    low: float | None
    high: float | None
    reason: str


def read_figures(path: Path) -> dict[Key, Measured]:
    """The figures of the stage agreement.

    Raises:
        TableError: Missing or damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {
                (row["figure"], row["by"], row["name"]): Measured(
                    _number(row["value"]), _number(row["low"]), _number(row["high"]), row["reason"]
                )
                for row in csv.DictReader(file)
            }
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise TableError(
            f"{path} is missing or damaged ({error!r}): run the stage agreement again"
        ) from error


def _number(text: str) -> float | None:
    return None if text == UNDEFINED else float(text)


def check(name: str, wanted: Requirement, figures: Mapping[Key, Measured], *, overlap_images: int) -> Gate:
    """Hold a requirement against the figures. What is undefined does not hold.

    Args:
        name: Of the gate.
        wanted: The requirement.
        figures: Of `read_figures`.
        overlap_images: Images that several people saw: what more of them would help is told from it.
    """
    found = figures.get(wanted.key)
    if found is None:
        return Gate(name, wanted.text, False, "no such figure", _nearest(wanted.key, figures))
    end = found.low if wanted.at_least else found.high
    if found.value is None or end is None:
        undefined = "undefined" if found.value is None else f"{found.value:.3f} without an interval"
        return Gate(
            name, wanted.text, False, f"{undefined}: {found.reason}", "let more people see the same images"
        )
    ends = f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
    if end >= wanted.bound if wanted.at_least else end <= wanted.bound:
        return Gate(name, wanted.text, True, ends)
    short = abs(wanted.bound - end)
    return Gate(
        name,
        wanted.text,
        False,
        f"{ends}: {short:.3f} {'short' if wanted.at_least else 'too much'}",
        _more(found.value, end, wanted, overlap_images),
    )


def _more(value: float, end: float, wanted: Requirement, images: int) -> str:
    """How many more overlap images bring the near end to the bound: its distance falls as 1 / sqrt(n)."""
    room = value - wanted.bound if wanted.at_least else wanted.bound - value
    if room <= 0:
        return (
            "more overlap does not help, the figure itself is beyond the bound: see data/agreement/queue.csv"
        )
    more = math.ceil(images * (((value - end) / room) ** 2 - 1))
    return f"about {more:,} more images that several people see, if they agree as on the {images:,} so far"


def _nearest(key: Key, figures: Mapping[Key, Measured]) -> str:
    names: Sequence[str] = sorted({name for _, by, name in figures if by == key[1] and name})
    if key[0] in {figure for figure, by, _ in figures if by == key[1]} and names:
        return f"known are {', '.join(names[:20])}"
    known = sorted({figure for figure, by, _ in figures if by == key[1]})
    return f"known figures by {key[1]} are {', '.join(known)}"
