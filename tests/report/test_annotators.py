"""What the page says of a person rests on that person's work."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.params import Params
from curate.project_tables import ProjectTables
from curate.report.annotators import annotators
from curate.report.inputs import Facts, Measure


def advice(drawn: int, there: int, **figures: float) -> tuple[str, ...]:
    """Of the second of three people, the others of whom are perfect; 90 objects are compared in all."""
    usual = {"sensitivity": 1.0, "precision": 1.0, "reliability": 1.0, "edge_spread": 0.01}
    labelers = {"labeler-1": usual, "labeler-2": {**usual, **figures}, "labeler-3": usual}
    measured = {
        ("f1", "annotator", "labeler-2"): Measure(0.5, n=90),
        ("precision_to_consensus", "annotator", "labeler-2"): Measure(0.5, n=drawn),
        ("recall_to_consensus", "annotator", "labeler-2"): Measure(0.5, n=there),
    }
    facts = Facts(
        ProjectTables(Path(), ()),
        Params(),
        {},
        metrics={"agreement": {"labelers": labelers}},
        figures=measured,
    )
    return next(one.advice for one in annotators(facts) if one.name == "labeler-2")


@pytest.mark.parametrize(("limits", "told"), [({"gold_alert_f1": 0.7}, "0.7"), (None, "the level")])
def test_an_alert_tells_the_level_that_gave_it(limits: dict[str, float] | None, told: str) -> None:
    """Not that of params.yaml, which may be another since: its default is 0.8."""
    gold = {"labelers": {"labeler-1": {"state": "alert"}}}
    metrics = {"agreement": {"labelers": {"labeler-1": {}}}, "quality": {"gold": gold, "limits": limits}}
    facts = Facts(ProjectTables(Path(), ()), Params(), {}, metrics=metrics)
    (found,) = annotators(facts)
    assert f"gold: the whole interval of F1 is below {told}" in found.advice


@pytest.mark.parametrize(("drawn", "told"), [(9, 0), (10, 1)])
def test_fewer_than_ten_objects_of_ones_own_say_nothing_of_what_one_draws(drawn: int, told: int) -> None:
    assert len(advice(drawn, 40, precision=0.3)) == told
    assert len(advice(drawn, 40, edge_spread=0.1)) == told


@pytest.mark.parametrize(("there", "told"), [(9, 0), (10, 1)])
def test_misses_rest_on_the_objects_that_are_there(there: int, told: int) -> None:
    assert len(advice(0, there, sensitivity=0.3)) == told
