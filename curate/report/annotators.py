"""How each annotator works, and with whom to talk about what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from curate.report.drawing import words
from curate.report.inputs import Facts, Measure, cell, measure

_MIN_COUNT: Final = 10  # objects or answers: fewer say nothing of a person
_BEHIND: Final = 0.05  # of a share, behind the middle of all others
_CONFUSED: Final = 0.1  # share of a name that is another one to others
_WIDER: Final = 1.5  # times the others' spread of edges
_FASTER: Final = 0.5  # of the others' seconds per image
_CAUGHT: Final = 0.8  # of planted errors (docs/lead.md)
STATES: Final = {"alert": "below", "ok": "ok", "undecided": "open", "too few": "too few"}
_STATE_MEANINGS: Final = {
    "alert": "the whole interval lies below the level",
    "ok": "the whole interval lies at or above the level",
    "undecided": "the interval holds the level: more gold is needed",
    "too few": "too few gold answers",
}


@dataclass(frozen=True, slots=True)
class Annotator:
    """One person, by pseudonym.

    Attributes:
        name: The pseudonym.
        answers: Submitted answers with a known time of creation; None where the stage quality has not run.
        f1: With each other person on the same images.
        consensus: F1 against what all others of an image agree on, without this person's vote.
        box_iou: Of matched objects, as with f1.
        mask_iou: The same of masks.
        kappa: Of names.
        gold: F1 against known answers.
        state: A key of `STATES`, empty without gold.
        meaning: Of the state, in words.
        seconds: Mean seconds per image, idle answers left out.
        idle: Answers left out as idle.
        advice: What to talk about, the weightiest first; empty = nothing stands out.
        points: (F1 on gold so far, low, high) by gold answer.
    """

    name: str
    answers: int | None
    f1: Measure
    consensus: Measure
    box_iou: Measure
    mask_iou: Measure
    kappa: Measure
    gold: Measure
    state: str
    meaning: str
    seconds: float | None
    idle: int
    advice: tuple[str, ...] = ()
    points: tuple[tuple[float | None, float | None, float | None], ...] = ()


@dataclass(slots=True)
class _Time:
    answers: int = 0
    timed: int = 0
    seconds: float = 0.0
    idle: int = 0

    @property
    def mean(self) -> float | None:
        return self.seconds / self.timed if self.timed else None


def annotators(facts: Facts) -> list[Annotator]:
    """Everybody who drew or answered something, by name."""
    estimated = _part(facts.metrics.get("agreement", {}), "labelers")
    gold = _part(_part(facts.metrics.get("quality", {}), "gold"), "labelers")
    times = _times(facts)
    named = {facts.names.get(row.annotator_id or "", "") for row in facts.tables.human or ()} - {""}
    people = sorted(named | estimated.keys() | gold.keys() | times.keys(), key=_number)
    found = []
    for name in people:
        part, time = gold.get(name, {}), times.get(name)
        state = str(part.get("state") or "")
        found.append(
            Annotator(
                name=name,
                answers=None if time is None else time.answers,
                f1=facts.figure("f1", "annotator", name),
                consensus=facts.figure("f1_to_others", "annotator", name),
                box_iou=facts.figure("mean_box_iou", "annotator", name),
                mask_iou=facts.figure("mean_mask_iou", "annotator", name),
                kappa=facts.figure("kappa", "annotator", name),
                gold=measure(part, "f1"),
                state=state,
                meaning=_STATE_MEANINGS.get(state, ""),
                seconds=None if time is None else time.mean,
                idle=0 if time is None else time.idle,
                advice=tuple(_advice(name, facts, estimated, state, times)),
                points=_points(name, facts),
            )
        )
    return found


def _advice(
    name: str, facts: Facts, estimated: Mapping[str, Any], state: str, times: Mapping[str, _Time]
) -> list[str]:
    told = []
    if state == "alert":
        level = facts.limit("quality", "gold_alert_f1")
        told.append(
            f"gold: the whole interval of F1 is below {'the level' if level is None else f'{level:g}'}"
        )
    told += _left_in(name, facts)
    told += _rates(name, facts, estimated)
    told += _names(name, facts)
    others = [
        time.mean for who, time in times.items() if who != name and time.mean and time.timed >= _MIN_COUNT
    ]
    mine = times.get(name)
    if mine is not None and mine.mean and mine.timed >= _MIN_COUNT and others:
        usual = median(others)
        if mine.mean < _FASTER * usual:
            told.append(f"pace: {mine.mean:.0f} s per image, others take {usual:.0f} s: look at the answers")
    return told


def _rates(name: str, facts: Facts, estimated: Mapping[str, Any]) -> list[str]:
    """Misses, inventions and loose edges, against the middle of all others.

    Of misses it counts how many objects there were to draw, of the rest how many this person drew.
    """
    told = []
    mine = _part(estimated, name)
    drawn = facts.figure("precision_to_consensus", "annotator", name).n or 0
    there = facts.figure("recall_to_consensus", "annotator", name).n or 0
    for key, problem in (("sensitivity", "misses objects: draws"), ("precision", "draws what is not there:")):
        rest = [value for value in _others(estimated, name, key) if value is not None]
        value = _known(mine, key)
        enough = (there if key == "sensitivity" else drawn) >= _MIN_COUNT
        if enough and value is not None and rest and value < median(rest) - _BEHIND:
            what = "of those there" if key == "sensitivity" else "of it is"
            told.append(f"{problem} {100 * value:.0f} % {what}, others {100 * median(rest):.0f} %")
    spread = _known(mine, "edge_spread")
    known = [value for value in _others(estimated, name, "edge_spread") if value is not None]
    if drawn >= _MIN_COUNT and spread is not None and known and spread > _WIDER * median(known):
        told.append(f"edges lie {100 * spread:.1f} % of a side off, others' {100 * median(known):.1f} %")
    return told


def _names(name: str, facts: Facts) -> list[str]:
    """The name that this person most often gives to what all others call otherwise.

    By what three or more settled on; of two people alone neither is right, and nothing is said.
    """
    named: Counter[str] = Counter()
    other: Counter[tuple[str, str]] = Counter()
    for row in facts.tables.human or ():
        settled = facts.settled.get(row.annotation_id)
        if settled is not None and row.category and facts.names.get(row.annotator_id or "") == name:
            named[settled] += 1
            other[settled, row.category] += settled != row.category
    worst = sorted(((-count, *names) for names, count in other.items() if count))[:1]
    return [
        f"names: calls {-count} of {named[settled]} {words(settled)} {words(called)}"
        for count, settled, called in worst
        if named[settled] >= _MIN_COUNT and -count >= _CONFUSED * named[settled]
    ]


def _left_in(name: str, facts: Facts) -> list[str]:
    """Planted errors that were left in."""
    mine = [row for row in facts.seeded if facts.names.get(row.get("annotator_id", "")) == name]
    caught = sum(row.get("caught") == "true" for row in mine)
    if len(mine) >= _MIN_COUNT and caught < _CAUGHT * len(mine):
        return [f"suggestions: {len(mine) - caught} of {len(mine)} planted errors were left in"]
    return []


def _times(facts: Facts) -> dict[str, _Time]:
    found: dict[str, _Time] = {}
    for row in facts.plots.get("answer_times", ()):
        one = found.setdefault(row.get("annotator_id", ""), _Time())
        one.answers += int(cell(row, "answers") or 0)
        one.timed += int(cell(row, "timed") or 0)
        one.seconds += cell(row, "seconds") or 0.0
        one.idle += int(cell(row, "idle") or 0)
    return found


def _points(name: str, facts: Facts) -> tuple[tuple[float | None, float | None, float | None], ...]:
    rows = [row for row in facts.plots.get("quality_gold", ()) if row.get("annotator_id") == name]
    rows.sort(key=lambda row: cell(row, "number") or 0)
    return tuple((cell(row, "f1"), cell(row, "low"), cell(row, "high")) for row in rows)


def _others(estimated: Mapping[str, Any], name: str, key: str) -> Sequence[float | None]:
    return [_known(part, key) for who, part in estimated.items() if who != name]


def _known(part: Any, key: str) -> float | None:
    """A number of a metrics file; None where there is none."""
    value = part.get(key) if isinstance(part, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def _part(metrics: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = metrics.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(name: str) -> tuple[int, str]:
    """labeler-2 before labeler-10."""
    digits = name.rpartition("-")[2]
    return (int(digits), name) if digits.isdigit() else (0, name)
