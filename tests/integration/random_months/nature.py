"""What is on the pictures, and what models say of them: both follow from names alone.

A picture is 160 by 120 pixels in four cells; each cell holds at most one object, so objects never touch
and it is never in doubt which of them a box means. A model finds most objects exactly, shifts some, misnames
some, misses some, and sees a few that are not there.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass

from tests import builders

WIDTH, HEIGHT = builders.WIDTH, builders.HEIGHT
CATEGORIES = tuple(builders.CATEGORIES)
Box = tuple[float, float, float, float]
_CELLS = ((0, 0), (80, 0), (0, 60), (80, 60))


@dataclass(frozen=True, slots=True)
class Object:
    """Something with a name at a place; `rle` is its mask as COCO counts, if it has one."""

    category: str
    box: Box
    rle: str | None = None

    @property
    def outline(self) -> tuple[str, Box]:
        """Name and place, to a thousandth of a pixel."""
        x1, y1, x2, y2 = (round(edge, 3) + 0.0 for edge in self.box)
        return self.category, (x1, y1, x2, y2)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a model says: an object, how sure it is, and the row's id in our tables."""

    thing: Object
    score: float
    identity: str


def dice(*words: object) -> random.Random:
    """Chance that is the same whenever the same words are said."""
    return random.Random(repr(words))  # noqa: S311 - to be repeated, not to be secret


def truth(name: str) -> tuple[Object, ...]:
    """What really is on the picture: no to four objects."""
    chance = dice("truth", name)
    return tuple(
        Object(chance.choice(CATEGORIES), _place(chance, cell)) for cell in _CELLS if chance.random() < 0.5
    )


def suggestions(name: str, model: str, threshold: float) -> tuple[Suggestion, ...]:
    """What the model proposes from that score on; half of it with a mask."""
    found = []
    for number, cell in enumerate(_CELLS):
        chance = dice("model", name, model, number)
        there = [thing for thing in truth(name) if _cell_of(thing.box) == cell]
        proposed = _seen(chance, there[0]) if there else _imagined(chance, cell)
        score = round(chance.uniform(0.35, 0.95), 3)
        if proposed is not None and score >= threshold:
            mask = builders.rle(builders.ellipse(proposed.box)) if chance.random() < 0.5 else None
            identity = hashlib.sha256(repr((name, model, number)).encode()).hexdigest()[:16]
            found.append(Suggestion(Object(proposed.category, proposed.box, mask), score, identity))
    return tuple(found)


def outlines(things: Iterable[Object]) -> frozenset[tuple[str, Box]]:
    """The objects without their masks, as a set."""
    return frozenset(thing.outline for thing in things)


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    sizes = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(sizes) - shared)


def _seen(chance: random.Random, thing: Object) -> Object | None:
    """A true object as the model has it; None where it is missed."""
    kind = chance.choices(("exact", "shifted", "misnamed", "missed"), (6, 2, 1, 1))[0]
    if kind == "missed":
        return None
    if kind == "misnamed":
        return Object(next(name for name in CATEGORIES if name != thing.category), thing.box)
    if kind == "shifted":
        x1, y1, x2, y2 = thing.box
        return Object(thing.category, (x1 + 4, y1 + 3, x2 + 4, y2 + 3))
    return thing


def _imagined(chance: random.Random, cell: tuple[int, int]) -> Object | None:
    return Object(chance.choice(CATEGORIES), _place(chance, cell)) if chance.random() < 0.2 else None


def _place(chance: random.Random, cell: tuple[int, int]) -> Box:
    x, y = cell[0] + chance.randint(4, 14), cell[1] + chance.randint(4, 9)
    return (float(x), float(y), float(x + chance.randint(36, 58)), float(y + chance.randint(28, 44)))


def _cell_of(box: Box) -> tuple[int, int]:
    return next(cell for cell in reversed(_CELLS) if box[0] >= cell[0] and box[1] >= cell[1])
