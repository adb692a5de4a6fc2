"""Figures of agreement by whatever they were measured by: category, size, attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from curate.report.inputs import Facts, Measure, cell
from curate.report.labels import ordered

_PEOPLE: Final = {"all", "annotator", "pair"}  # shown elsewhere
_FIGURES: Final = (
    ("f1", "F1"),
    ("mean_box_iou", "Box IoU"),
    ("mean_mask_iou", "Mask IoU"),
    ("mean_dice", "Dice"),
    ("mean_boundary_iou", "Boundary IoU"),
    ("kappa", "Kappa"),
    ("percent_agreement", "Agreement"),
)
_TITLES: Final = {"category": "By category", "size": "By object size (COCO's classes)"}
_SIZES: Final = ("small", "medium", "large")


@dataclass(frozen=True, slots=True)
class Slice:
    """One way of dividing the objects.

    Attributes:
        by: What they are divided by.
        title: In words.
        columns: Titles of the figures that are measured.
        rows: Name, and its figures.
    """

    by: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Measure, ...]], ...]


def slices(facts: Facts) -> list[Slice]:
    """Every division in the table of figures, category and size first."""
    kinds = sorted({by for _, by, _ in facts.figures} - _PEOPLE, key=lambda by: (by not in _TITLES, by))
    return [_slice(by, facts) for by in kinds]


def _slice(by: str, facts: Facts) -> Slice:
    names = {name for _, kind, name in facts.figures if kind == by}
    measured = [
        (key, title) for key, title in _FIGURES if any((key, by, name) in facts.figures for name in names)
    ]
    if by == "size":
        order: Sequence[str] = sorted(
            names, key=lambda name: (_SIZES.index(name) if name in _SIZES else 9, name)
        )
    else:
        order = ordered(names, facts)
    rows = tuple((name, tuple(facts.figure(key, by, name) for key, _ in measured)) for name in order)
    title = _TITLES.get(by, f"By {by.replace('_', ' ').replace(':', ': ')}")
    return Slice(by, title, tuple(title for _, title in measured), rows)


_BY_CHANCE: Final = (
    ("percent_agreement", "Agreement on names", "matched objects with one name"),
    ("kappa", "Kappa (Cohen)", "the same beyond chance, two people at a time"),
    ("weighted_kappa", "Weighted kappa", "names of one parent count half"),
    ("percent_agreement_units", "Agreement on names, of all who drew it", "objects that two or more drew"),
    ("alpha", "Alpha (Krippendorff)", "the same beyond chance, for any number of people"),
    ("ac1", "AC1 (Gwet)", "the same where one name prevails"),
    ("percent_agreement_fleiss", "Agreement on names, of equally many", "objects that as many drew as most"),
    ("fleiss_kappa", "Kappa (Fleiss)", "the same beyond chance"),
    ("object_agreement", "Agreement on objects", "presence, place and name at once"),
    ("alpha_objects", "Alpha of objects", "the same beyond chance"),
    ("count_agreement", "Agreement on numbers", "images with as many objects of both"),
    ("alpha_counts_ratio", "Alpha of numbers", "the same beyond chance, by ratio"),
)


@dataclass(frozen=True, slots=True)
class ByChance:
    """A figure of everything: what chance gives is taken off, or beside it the agreement before."""

    name: str
    what: str
    figure: Measure


def by_chance(facts: Facts) -> list[ByChance]:
    """Figures that were measured, each agreement before the figures beyond chance."""
    return [
        ByChance(name, what, facts.figure(key, "all", ""))
        for key, name, what in _BY_CHANCE
        if (key, "all", "") in facts.figures
    ]


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often one of two people says one thing of an object, and the other another; symmetric."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def share(self, row: int, column: int) -> float:
        """Share of the column's name in all that is said by the row's name."""
        return self.counts[row][column] / max(1, sum(self.counts[row]))


def confusion(facts: Facts) -> Confusion | None:
    """The matrix of the stage's plot; None where there is none."""
    rows = facts.plots.get("confusion", ())
    counts = {(row.get("category", ""), row.get("other", "")): int(cell(row, "count") or 0) for row in rows}
    if not counts:
        return None
    names = ordered({name for name, _ in counts} - {"missed"}, facts)
    names += ["missed"] * any(name == "missed" for name, _ in counts)
    return Confusion(tuple(names), tuple(tuple(counts.get((a, b), 0) for b in names) for a in names))
