"""The benchmark of the weighted choice: what it counts, and the rule for the default."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks import selection, selection_tasks
from benchmarks.selection_tasks import Digits, Scenes, Signs
from demo.signs import CATEGORIES


def rows(**more: list[float]) -> list[dict[str, Any]]:
    """Differences of each task, by strategy; the others lie around 0."""
    values = {name: [0.0, 0.0, 0.0] for name in selection.STRATEGIES} | more
    return [
        {"task": task, "strategy": name, "more": more, "low": more - 0.01, "high": more + 0.01}
        for name, of in values.items()
        for task, more in zip(selection.BUDGETS, of, strict=True)
    ]


def test_the_default_is_what_is_better_in_every_task() -> None:
    assert selection.default(rows()) is None
    assert selection.default(rows(diversity=[0.5, 0.5, 0.0])) is None
    assert selection.default(rows(diversity=[0.1, 0.1, 0.02], rarity=[0.1, 0.1, 0.05])) == "rarity"


def test_the_interval_is_students_for_all_strategies_together() -> None:
    values = np.array([0.1, 0.3, 0.2, 0.25])
    level = 1 - 0.05 / len(selection.STRATEGIES)
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert selection.interval(values) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("name", [selection.RANDOM, *selection.STRATEGIES])
def test_each_round_labels_its_budget_and_nothing_twice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Digits(0, skewed=True)
    rounds: list[list[int]] = []
    fit = task.fit

    def watched(labeled: np.ndarray) -> Any:
        rounds.append(labeled.tolist())
        return fit(labeled)

    monkeypatch.setattr(task, "fit", watched)
    weights = selection.STRATEGIES.get(name, {})
    scores = selection.curve(task, (10, 25), weights, 0, 0)
    assert [len(set(labeled)) for labeled in rounds] == [len(labeled) for labeled in rounds] == [10, 25]
    assert rounds[1][:10] == rounds[0]
    assert len(scores) == 2
    assert scores[1] > 0.1
    assert selection.curve(task, (10, 25), weights, 0, 0) == scores


class ReadOff:
    """A model whose first feature is the category, of which it is quite sure."""

    classes_ = np.arange(len(CATEGORIES) + 1)

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(np.eye(len(CATEGORIES) + 1)[features[:, 0].astype(int)] * 0.9)


def test_f1_counts_each_sign_once() -> None:
    """Two right of four suggested (one of another name, one where nothing is) and three signs: 4 / 7."""
    nothing = len(CATEGORIES)
    scenes = Scenes(
        features=np.array([[[0], [0], [1]], [[0], [2], [nothing]]], dtype=np.float32),
        boxes=np.array(
            [
                [[0, 0, 10, 10], [0, 0, 10, 6], [50, 50, 60, 60]],
                [[0, 0, 10, 10], [30, 30, 40, 40], [90, 90, 99, 99]],
            ],
            dtype=np.float32,
        ),
        vectors=np.ones((2, 1), dtype=np.float32),
        signs=[
            (np.array([0, 1]), np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]])),
            (np.array([1]), np.array([[0.0, 0, 10, 10]])),
        ],
    )
    suggested = selection_tasks._suggested(ReadOff(), scenes, rejected=False)
    assert len(suggested) == 4, "of two overlapping boxes of a category one is left"
    assert selection_tasks._f1(ReadOff(), scenes) == pytest.approx(2 * 2 / (4 + 3))


def test_a_query_is_labeled_by_the_sign_that_its_box_is_on() -> None:
    scenes = Scenes(
        features=np.zeros((2, 2, 1), dtype=np.float32),
        boxes=np.array([[[0, 0, 10, 8], [40, 40, 50, 50]]] * 2, dtype=np.float32),
        vectors=np.ones((2, 1), dtype=np.float32),
        signs=[(np.array([3]), np.array([[0.0, 0, 10, 10]])), (np.zeros(0, int), np.zeros((0, 4)))],
    )
    assert selection_tasks._labels(scenes, 0).tolist() == [3, len(CATEGORIES)]
    assert selection_tasks._labels(scenes, 1).tolist() == [len(CATEGORIES)] * 2
    assert Signs(0, scenes, scenes).objects(0) in ((3,), ())
