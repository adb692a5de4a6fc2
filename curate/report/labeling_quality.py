"""The part of the page on how well and how fast people label: metrics/quality.json and its plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curate.report.inputs import Facts, Measure, measure

_ARMS = ("suggested", "control")
_FIGURES = (
    ("f1_gold", "F1 against known answers"),
    ("iou_gold", "box IoU against known answers"),
    ("f1_between", "F1 between two labelers of an image"),
    ("iou_between", "box IoU between two labelers of an image"),
    ("f1_model", "F1 against the model's proposals, shown or not"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of both arms."""

    name: str
    suggested: Measure
    control: Measure


@dataclass(frozen=True, slots=True)
class Fate:
    """Suggestions of one category."""

    category: str
    suggestions: int
    accepted: Measure
    edited: Measure
    rejected: Measure
    box_iou: Measure
    added: int


@dataclass(frozen=True, slots=True)
class Quality:
    """Everything that the section shows.

    Attributes:
        tiles: Name, what it means, the figure, why there is none, and whether it is a percentage.
        seconds: Seconds per image and per object, by arm.
        arms: Quality by arm.
        kinds: Planted errors caught by kind.
        fates: Of suggestions by category, all first.
        outdated: Answers under an older guideline or taxonomy.
        not_joined: Answers of which it is not known what was shown; they are in no figure.
    """

    tiles: tuple[tuple[str, str, Measure, str | None], ...]
    seconds: tuple[Row, ...]
    arms: tuple[Row, ...]
    kinds: tuple[tuple[str, Measure], ...]
    fates: tuple[Fate, ...]
    outdated: int
    not_joined: int


def section(facts: Facts) -> Quality | None:
    """What the stage quality measured; None where it has not run."""
    metrics = facts.metrics.get("quality")
    if not metrics:
        return None
    time, arms = _part(metrics, "time"), _part(metrics, "arms")
    seeded, suggestions = _part(metrics, "seeded_errors"), _part(metrics, "suggestions")
    everything = _part(suggestions, "all")
    told = (
        ("Time saved", "by suggestions, against images without", time, "saved"),
        ("Gold", "F1 of all labelers against known answers", _part(metrics, "gold"), "f1"),
        ("Caught", "planted errors that labelers put right", seeded, "all"),
        ("Accepted", "suggestions left as they were", everything, "accepted"),
    )
    return Quality(
        tiles=tuple((name, what, measure(part, key), _why(part, key)) for name, what, part, key in told),
        seconds=tuple(
            Row(name, *(measure(_part(time, arm), key) for arm in _ARMS))
            for key, name in (("image_s", "seconds per image"), ("object_s", "seconds per object"))
        ),
        arms=tuple(Row(name, *(measure(_part(arms, arm), key) for arm in _ARMS)) for key, name in _FIGURES),
        kinds=tuple((kind, measure(seeded, kind)) for kind in seeded if kind != "all"),
        fates=tuple(_fate(name, part) for name, part in suggestions.items()),
        outdated=int(_part(metrics, "outdated").get("answers", 0)),
        not_joined=int(_part(metrics, "not_joined").get("all", 0)),
    )


def _fate(name: str, part: Mapping[str, Any]) -> Fate:
    return Fate(
        category=name,
        suggestions=int(part.get("suggestions", 0)),
        accepted=measure(part, "accepted"),
        edited=measure(part, "edited"),
        rejected=measure(part, "rejected"),
        box_iou=measure(part, "box_iou"),
        added=int(part.get("added", 0)),
    )


def _part(metrics: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = metrics.get(name)
    return found if isinstance(found, Mapping) else {}


def _why(part: Mapping[str, Any], key: str) -> str | None:
    """Why a figure is undefined, or has no interval."""
    reason = _part(part, key).get("reason")
    return None if reason is None else str(reason)
