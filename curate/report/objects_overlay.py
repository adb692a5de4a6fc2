"""Objects over a picture as SVG: boxes and outlines of masks, a color and a dash per person, no text.

The picture stays as it is, so that nothing is covered; what each object is called stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.errors import RecordError
from curate.geometry import outlines
from curate.records import Annotation, Box

# Colors that people with any kind of color blindness tell apart, without black. Yellow is last, since it is
# hardly seen on white.
# Source: Okabe and Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/
OKABE_ITO: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
DASHES: Final = ("", "7 3", "2 3", "9 3 2 3")  # of lines: a second sign beside the color
_DETAIL: Final = 500  # an outline is as fine as in a picture of so many pixels


@dataclass(frozen=True, slots=True)
class Shape:
    """Object that one person drew.

    Attributes:
        who: Name of the person.
        name: What the object is called, in words.
        box: SVG path of the box, in pixels of the image.
        mask: SVG path of the mask's outlines; empty = none.
    """

    who: str
    name: str
    box: str
    mask: str


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody's objects are drawn: color "#rrggbb", and dashes (empty = a whole line)."""

    color: str
    dash: str


def looks(people: Sequence[str], categories: Iterable[str]) -> dict[str, Look]:
    """A color and a dash for each person, as far from the colors of the categories as the palette allows.

    Args:
        people: Names, in order.
        categories: "#rrggbb" of each category.
    """
    taken = [_rgb(color) for color in categories]
    near = {color: min((_apart(_rgb(color), one) for one in taken), default=0.0) for color in OKABE_ITO}
    order = sorted(OKABE_ITO, key=lambda color: (color == OKABE_ITO[-1], -near[color]))
    return {
        person: Look(order[at % len(order)], DASHES[at % len(DASHES)]) for at, person in enumerate(people)
    }


def shape(row: Annotation, who: str, name: str, *, size: tuple[int, int]) -> Shape | None:
    """An object as paths; None for a row without a box. A damaged mask is left out."""
    if row.bbox_xyxy is None:
        return None
    mask = ""
    if row.rle is not None:
        tolerance = max(size) / _DETAIL
        try:
            rings = [ring for part in outlines.trace(row.rle, width=size[0], height=size[1]) for ring in part]
        except RecordError:
            rings = []
        mask = "".join(_path(_simplified(np.array(ring).reshape(-1, 2), tolerance)) for ring in rings)
    return Shape(who, name, _box(row.bbox_xyxy), mask)


def _box(box: Box) -> str:
    x1, y1, x2, y2 = (round(value) for value in box)
    return f"M{x1} {y1}H{x2}V{y2}H{x1}Z"


def _path(corners: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in corners.tolist()) + "Z" if len(corners) > 2 else ""


def _simplified(corners: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """A closed ring with fewer corners, nowhere farther off than the tolerance.

    Source:
        Ramer (1972); Douglas and Peucker (1973). The ring is cut at the two corners farthest apart.
    """
    far = int(np.argmax(((corners - corners[0]) ** 2).sum(axis=1)))
    ring = np.concatenate([corners, corners[:1]])
    keep = np.zeros(len(ring), dtype=bool)
    keep[[0, far, -1]] = True
    waiting = [(0, far), (far, len(ring) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        (ax, ay), (bx, by) = ring[first], ring[last]
        length = float(np.hypot(bx - ax, by - ay)) or 1.0
        inner = ring[first + 1 : last]
        off = np.abs((bx - ax) * (inner[:, 1] - ay) - (by - ay) * (inner[:, 0] - ax)) / length
        at = int(off.argmax())
        if off[at] > tolerance:
            middle = first + 1 + at
            keep[middle] = True
            waiting += [(first, middle), (middle, last)]
    return np.asarray(ring[keep][:-1])


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def _apart(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)


def counted(shapes: Sequence[Shape], people: Iterable[str]) -> Mapping[str, str]:
    """What each person drew, in words, such as "2 stop sign, 1 parking sign"."""
    drawn = {}
    for person in people:
        names = [one.name for one in shapes if one.who == person]
        drawn[person] = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
    return drawn
