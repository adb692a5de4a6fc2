"""Labelers scored against known answers.

The known answers are never shown, and no server knows them as ground truth: a gold task looks like any other,
and what people answer to it is an ordinary answer. The known answers themselves are read when the plan is
made (which images are gold) and here. They enter neither the consensus nor the release: what is released for
a gold image is what people drew.

State of a labeler, by the 95% interval of F1 on gold: "alert" where the whole interval lies below the level,
"ok" where it lies at or above it, "undecided" where it holds the level, "too few" below a least number of
gold images. Naming somebody needs the upper end below the level: a labeler whose true F1 is at the level is
then named by chance in about one of forty rounds, however few gold tasks were answered. With the lower end
almost every new labeler would be named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from curate.geometry.grouped_matching import match_groups
from curate.intervals import Figure
from curate.qa import bootstrap_figures
from curate.qa.bootstrap_figures import Resampling
from curate.qa.joined_answers import Drawn, Looks

Values = NDArray[np.float64]
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Scores:
    """How each look compares with other objects of its image: counts (N,) by look.

    Attributes:
        drawn: Objects of the labeler.
        known: Objects compared with.
        matched: One-to-one matches, whatever the category.
        same: Matches of one category.
        iou: Sum of the box IoU of all matches.
    """

    drawn: Values
    known: Values
    matched: Values
    same: Values
    iou: Values


@dataclass(frozen=True, slots=True)
class Labeler:
    """One labeler's figures on gold; `answers` is the number of gold answers."""

    person: str
    answers: int
    f1: Figure
    mean_iou: Figure
    category_accuracy: Figure
    state: str


@dataclass(frozen=True, slots=True)
class Run:
    """The running chart, one row per answer, by labeler and time; arrays (M,).

    Attributes:
        look: Row of `Looks`.
        number: 1, 2, ... of the labeler's gold answers, by the time of their creation.
        f1: Over all answers of the labeler so far; NaN while there is nothing to compare.
        low: Lower end of its 95% interval; NaN below two answers.
        high: Upper end.
        recent: F1 over the last answers of the window.
    """

    look: NDArray[np.int64]
    number: NDArray[np.int64]
    f1: Values
    low: Values
    high: Values
    recent: Values


def score(looks: int, drawn: Drawn, known: Drawn, *, iou_threshold: float) -> Scores:
    """Compare each look's objects with others on its image, one to one at the threshold."""
    found = match_groups(drawn.objects, known.objects, drawn.categories, iou_threshold=iou_threshold)
    look = drawn.objects.group[found.a]
    same = drawn.objects.categories[found.a] == known.objects.categories[found.b]

    def count(groups: NDArray[np.int64], weights: Values | None = None) -> Values:
        return np.bincount(groups, weights=weights, minlength=looks).astype(np.float64)

    return Scores(
        drawn=count(drawn.objects.group),
        known=count(known.objects.group),
        matched=count(look),
        same=count(look[same]),
        iou=count(look, found.iou),
    )


def by_labeler(
    looks: Looks, scores: Scores, *, level: float, min_images: int, how: Resampling
) -> list[Labeler]:
    """Every labeler with a gold answer, by name.

    Args:
        looks: All answers.
        scores: Against the known answers.
        level: F1 of the alert.
        min_images: Gold images below which nothing is concluded.
        how: Of the intervals.
    """
    result = []
    for code, person in enumerate(looks.people):
        rows = np.flatnonzero(looks.gold & (looks.person == code))
        if not len(rows):
            continue
        measured = figures(scores, looks.image, rows, how)
        named = state(measured["f1"], level=level, min_images=min_images)
        result.append(Labeler(person=person, answers=len(rows), state=named, **measured))
    return result


def figures(
    scores: Scores, image: NDArray[np.int64], rows: NDArray[np.int64], how: Resampling
) -> dict[str, Figure]:
    """F1, mean box IoU of matches, and share of matches with the right category, over some looks.

    Args:
        scores: Of all looks.
        image: (N,) code of each look's image.
        rows: Looks to take.
        how: Of the intervals.
    """
    objects = scores.drawn[rows] + scores.known[rows]
    return {
        "f1": bootstrap_figures.f1(scores.same[rows], objects, image[rows], how),
        "mean_iou": bootstrap_figures.ratio(scores.iou[rows], scores.matched[rows], image[rows], how),
        "category_accuracy": bootstrap_figures.ratio(
            scores.same[rows], scores.matched[rows], image[rows], how
        ),
    }


def state(f1: Figure, *, level: float, min_images: int) -> str:
    """What an interval says about the level; see the module's text."""
    if f1.n < min_images or f1.low is None or f1.high is None:
        return "too few"
    if f1.high < level:
        return "alert"
    return "ok" if f1.low >= level else "undecided"


def running(looks: Looks, scores: Scores, *, window: int) -> Run:
    """The running chart of every labeler.

    The interval is that of `curate.intervals.t_interval`, with the standard error of a ratio of two totals
    over images in place of a bootstrap's: so it can be had for every point of a chart in one pass.

    Source:
        Cochran, Sampling Techniques (3rd ed. 1977), section 6.4: variance of a ratio of two totals,
        n / (n - 1) * sum (y_i - r x_i)^2 / (sum x_i)^2.
    """
    when = looks.table["created_at"].fill_null("").to_pylist()
    rows = np.flatnonzero(looks.gold)
    rows = np.array(
        sorted(rows.tolist(), key=lambda row: (looks.person[row], when[row], row)), dtype=np.int64
    )
    person = looks.person[rows]
    start = np.searchsorted(person, person)  # first row of the labeler; people are in order
    number = np.arange(len(rows)) - start + 1
    top, bottom = 2 * scores.same[rows], scores.drawn[rows] + scores.known[rows]

    def total(values: Values, since: NDArray[np.int64]) -> Values:
        running_sum = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(running_sum[1:] - running_sum[since])

    y, x = total(top, start), total(bottom, start)
    f1 = np.divide(y, x, out=np.full(len(rows), np.nan), where=x > 0)
    squares = total(top * top, start) - 2 * f1 * total(top * bottom, start) + f1**2 * total(bottom**2, start)
    several = np.maximum(number - 1, 1)
    spread = np.sqrt(np.maximum(squares, 0.0) * number / several) / np.where(x > 0, x, np.nan)
    inside = (spread > 0) & (f1 > 0) & (f1 < 1)
    trials = np.where(inside, f1 * (1 - f1) / np.where(inside, spread, 1.0) ** 2, number)
    q = np.where(number > 1, stdtrit(several, (1 + _LEVEL) / 2), np.nan)
    middle = (f1 + q * q / (2 * trials)) / (1 + q * q / trials)
    half = q * np.sqrt(f1 * (1 - f1) / trials + (q / (2 * trials)) ** 2) / (1 + q * q / trials)
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    since = np.maximum(start, np.arange(len(rows)) - window + 1)
    recent_x = total(bottom, since)
    recent = np.divide(total(top, since), recent_x, out=np.full(len(rows), np.nan), where=recent_x > 0)
    return Run(rows, number, f1, low, high, recent)
