"""Means of metrics by model and slice, with intervals; the worst results, and those that metrics dispute."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import rankdata

from curate.intervals import Figure, Scale, resampled_sums, t_interval

# Metrics whose values are shares of something; the others are positive or any.
_SCALES: Mapping[str, Scale] = {"ssim": "signed", "ms_ssim": "share", "flip": "share"}
Values = Mapping[tuple[str, str], Mapping[str, float]]  # by model and metric: values by pair
Reasons = Mapping[tuple[str, str], Mapping[str, str]]  # by model and metric: why a pair has no value
NO_RESULT = "no result"


@dataclass(frozen=True, slots=True)
class Row:
    """Figure of a model and metric.

    Attributes:
        model: Which.
        metric: Which.
        slice: Column by which pairs are split; "all" = not.
        slice_value: Its value.
        mean: Over the pairs that every model has a figure for, with its 95% interval.
        difference: Mean of the difference to the baseline on the same pairs; no value without one.
        not_measured: Results of this model without this figure.
        left_out: Pairs that are in no model's mean, since a model has no figure for them.
        why_left_out: Of which models and for which reasons, in words; empty = none is.
    """

    model: str
    metric: str
    slice: str
    slice_value: str
    mean: Figure
    difference: Figure
    not_measured: int
    left_out: int
    why_left_out: str


def mean_with_interval(
    values: Sequence[float], groups: Sequence[str], *, scale: Scale, resamples: int, seed: int
) -> Figure:
    """The mean over pairs; images, which may have several pairs, are what is resampled.

    Args:
        values: Of each pair.
        groups: The image of each pair.
        scale: What the metric can be; see `curate.intervals.t_interval`.
        resamples: Of the images; 0 = no interval.
        seed: Of the resamples.
    """
    if not values:
        return Figure(None, None, None, 0, "nothing was measured")
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.zeros((len(names), 2))
    np.add.at(sums, places, np.column_stack([values, np.ones(len(values))]))
    mean = float(sums[:, 0].sum() / sums[:, 1].sum())
    resampled = resampled_sums(csr_array(sums), resamples=resamples, seed=seed)
    means = np.clip(resampled[:, 0] / resampled[:, 1], *_bounds(scale))
    interval = t_interval(mean, means, len(names), scale=scale)
    if interval is None:
        return Figure(mean, None, None, len(values), "too few images for an interval")
    return Figure(mean, *interval, len(values))


def _bounds(scale: Scale) -> tuple[float, float]:
    return {"share": (0.0, 1.0), "signed": (-1.0, 1.0)}.get(scale, (-np.inf, np.inf))


def summarize(
    values: Values,
    pairs: Mapping[str, Mapping[str, str]],
    *,
    reasons: Reasons,
    slices: Sequence[str],
    baseline: str | None,
    resamples: int,
    seed: int,
) -> list[Row]:
    """Every model and metric, over all pairs and by each value of each slice.

    Models are compared on the same pairs: those for which every model has a figure of the metric. Else a
    model that is exact on an image, so that its PSNR is infinite, or that fails on a hard one, would be
    compared on other images than the rest. A model without a single figure of a metric takes no pair away.

    Args:
        values: What was measured; a model and metric without a figure is empty.
        pairs: Of each pair `image_id`, and the columns of `slices`.
        reasons: Why a result has no figure, in a few words that many share; what is not named has no result.
        slices: Columns.
        baseline: The model that the others are compared with; None = no one.
        resamples: Of images.
        seed: Of the resamples.
    """
    interval = functools.partial(_of_pairs, pairs, resamples=resamples, seed=seed)
    rows = []
    for (model, metric), found in sorted(values.items()):
        scale = _SCALES.get(metric, "positive")
        base = values.get((baseline or "", metric), {}) if model != baseline else {}
        rivals = {one: given for (one, other), given in values.items() if other == metric and given}
        common = set.intersection(set(found), *(set(given) for given in rivals.values()))
        for name, value, members in _parts(pairs, slices):
            here = {pair: found[pair] for pair in members if pair in common}
            apart = {pair: mine - base[pair] for pair, mine in here.items() if pair in base}
            mean, difference = interval(here, scale=scale), interval(apart, scale="real")
            missing = sum(pair not in found for pair in members)
            left_out = sum(any(pair not in given for given in rivals.values()) for pair in members)
            why = _why_left_out(metric, members, rivals, reasons)
            rows.append(Row(model, metric, name, value, mean, difference, missing, left_out, why))
    return rows


def _of_pairs(
    pairs: Mapping[str, Mapping[str, str]],
    values: Mapping[str, float],
    *,
    scale: Scale,
    resamples: int,
    seed: int,
) -> Figure:
    images = [pairs[pair]["image_id"] for pair in values]
    return mean_with_interval(list(values.values()), images, scale=scale, resamples=resamples, seed=seed)


def _why_left_out(
    metric: str, members: Sequence[str], rivals: Mapping[str, Mapping[str, float]], reasons: Reasons
) -> str:
    lacking = Counter(
        f"{one}: {reasons.get((one, metric), {}).get(pair, NO_RESULT)}"
        for one, given in rivals.items()
        for pair in members
        if pair not in given
    )
    return "; ".join(f"{number} by {reason}" for reason, number in sorted(lacking.items()))


def _parts(
    pairs: Mapping[str, Mapping[str, str]], slices: Sequence[str]
) -> Iterable[tuple[str, str, list[str]]]:
    yield "all", "all", sorted(pairs)
    for name in slices:
        for value in sorted({columns[name] for columns in pairs.values()}):
            yield name, value, sorted(pair for pair, columns in pairs.items() if columns[name] == value)


def worst(values: Mapping[str, float], *, higher_is_better: bool, max_results: int) -> list[str]:
    """Pairs by their figure, the worst first."""
    sign = 1 if higher_is_better else -1
    return sorted(values, key=lambda pair: (sign * values[pair], pair))[:max_results]


def disputed(
    by_metric: Mapping[str, Mapping[str, float]], higher_is_better: Mapping[str, bool], *, max_results: int
) -> list[tuple[str, str, str]]:
    """Results that two metrics rank most differently among all: (result, the one that likes it, the other).

    Args:
        by_metric: Values of the same results by metric; a result that one lacks is left out.
        higher_is_better: Of each metric.
        max_results: Results.
    """
    if len(by_metric) < 2:
        return []
    common = sorted(set.intersection(*(set(found) for found in by_metric.values())))
    if len(common) < 2:
        return []
    names = sorted(by_metric)
    ranks = np.array(
        [
            rankdata([by_metric[name][one] * (1 if higher_is_better[name] else -1) for one in common])
            for name in names
        ]
    )
    spread = ranks.max(axis=0) - ranks.min(axis=0)
    order = sorted(range(len(common)), key=lambda place: (-spread[place], common[place]))[:max_results]
    return [
        (common[place], names[int(ranks[:, place].argmax())], names[int(ranks[:, place].argmin())])
        for place in order
        if spread[place] > 0
    ]
