"""The card states what was measured, and says so where nothing was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from curate.release import card_labeling
from curate.release.card import render
from tests.release.test_card import FACTS


def figure(value: float | None, low: float | None = None, high: float | None = None, **more: Any) -> Any:
    return {"value": value, "low": low, "high": high, "n": 321, **more}


MEASURED = {
    "gold": {"f1": figure(0.9123, 0.85, 0.95)},
    "seeded_errors": {"all": figure(0.8, 0.7, 0.87)},
    "time": {"saved": figure(0.314, 0.22, 0.4)},
}


def test_every_figure_stands_with_its_interval_and_n() -> None:
    text = card_labeling.section(MEASURED, simulated=False)
    assert "F1 0.912 (95% interval 0.850 to 0.950) on 321 images" in text
    assert "Of 321 looks at proposals that were made wrong on purpose, 80% (95% interval 70% to 87%)" in text
    assert "Time saved by the proposals: 31% (95% interval 22% to 40%), from 321 images" in text
    assert "simulated" not in text


def test_time_saved_is_not_claimed_without_a_control_arm() -> None:
    none = {
        "time": {"saved": {"value": None, "low": None, "high": None, "n": 0, "reason": "an arm has 0 images"}}
    }
    text = card_labeling.section({**MEASURED, **none}, simulated=False)
    assert "Whether the proposals saved time is not known (an arm has 0 images)." in text
    assert "Time saved" not in text


def test_time_saved_is_not_claimed_without_an_interval() -> None:
    text = card_labeling.section({"time": {"saved": figure(0.9)}}, simulated=False)
    assert "90%" not in text
    assert "No labeler was scored" in text
    assert "No errors were planted" in text


def test_answers_that_are_in_no_figure_are_counted() -> None:
    lost = {"not_joined": {"all": 1_234, "no record of what was shown": 1_234}}
    assert "1,234 answers are in none of these figures" in card_labeling.section(
        {**MEASURED, **lost}, simulated=False
    )
    assert "none of these figures" not in card_labeling.section(
        {**MEASURED, "not_joined": {"all": 0}}, simulated=False
    )


def test_simulated_figures_are_called_so() -> None:
    assert "simulated and their times are made up" in card_labeling.section(MEASURED, simulated=True)


def test_it_stands_in_the_card_where_the_stage_has_run() -> None:
    assert "## How well people labelled" in render(replace(FACTS, quality=MEASURED))
    assert "How well people labelled" not in render(FACTS)
