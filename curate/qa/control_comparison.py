"""What suggestions are worth: answers that began from them against answers that began from nothing.

The control arm is a random sample of the images, so a difference between the arms is the suggestions' doing,
but for chance. Chance is reduced in two ways, and neither can bend the result:

- By labeler: each labeler's answers of one arm are held against the same labeler's of the other, and the
  differences are averaged with the labelers' numbers of answers. Labelers of one arm only are left out.
- By objects per image: within labelers, time is regressed on the number of objects that the model proposes
  for the image, in each arm by itself, and both lines are read at the same number. The model looked at the
  images of the control arm too, so this number is the same whether it was shown or not. (The objects that
  people drew would not do: suggestions change how many are drawn.)

Answers with a planted error and gold answers are left out of the times: both were made to be slower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from curate.geometry.grouped_matching import match_groups
from curate.intervals import Figure, Sums
from curate.qa import bootstrap_figures
from curate.qa.bootstrap_figures import Resampling, quotient
from curate.qa.joined_answers import Drawn, Flags, Looks

Values = NDArray[np.float64]
SUGGESTED, CONTROL = 0, 1
_SUMS = 5  # of an arm and labeler: answers, seconds, covariate, its square, its product with seconds


@dataclass(frozen=True, slots=True)
class Saved:
    """Time saved by suggestions.

    Attributes:
        share: 1 - seconds with suggestions / seconds without, adjusted; negative where they cost time.
        unadjusted: The same from plain means.
        seconds: Adjusted seconds per image, with suggestions and without.
        labelers: Labelers with answers in both arms.
    """

    share: Figure
    unadjusted: Figure
    seconds: tuple[Figure, Figure]
    labelers: int


def saved(
    seconds: Values,
    *,
    proposed: Values,
    control: Flags,
    person: NDArray[np.int64],
    image: NDArray[np.int64],
    how: Resampling,
) -> Saved:
    """Share of the time that suggestions save.

    The estimate is the combined regression estimate in strata: in arm a and labeler l the mean time m(a, l)
    becomes m(a, l) + b(a) (x(l) - x(a, l)), where b(a) is the slope within labelers, x(a, l) the mean number
    of proposals of that arm's images, and x(l) that of both arms. Labelers are weighted by their answers.

    Args:
        seconds: (N,) without idle answers; no NaN.
        proposed: (N,) objects that the model proposes for the image, shown or not.
        control: (N,) whether nothing was shown.
        person: (N,) codes.
        image: (N,) codes; all answers of an image are in one arm. Images are resampled, each arm by itself.
        how: Of the intervals.

    Source:
        Cochran, Sampling Techniques (3rd ed. 1977), section 7.10 (combined regression estimate); Lin,
        Agnostic notes on regression adjustments to experimental data (Annals of Applied Statistics 7, 2013):
        with a slope of its own in each arm the adjustment is harmless whatever the true relation. Intervals:
        `curate.intervals.t_interval` of the ratio of both times on a logarithmic scale, images resampled by
        arm, with the degrees of freedom of the smaller arm.
    """
    both = np.intersect1d(person[control], person[~control])
    rows = np.isin(person, both)
    few = min(len(np.unique(image[rows & control])), len(np.unique(image[rows & ~control])))
    if few < bootstrap_figures.MIN_IMAGES:
        why = f"an arm has {few} images by labelers of both arms: {bootstrap_figures.MIN_IMAGES} are needed"
        none = Figure(None, None, None, few, why)
        return Saved(none, none, (none, none), len(both))
    arm = control[rows].astype(np.int64)
    labeler = np.searchsorted(both, person[rows])
    t, x = seconds[rows], proposed[rows]
    values = np.stack([np.ones_like(t), t, x, x * x, x * t], axis=1)
    columns = ((labeler * 2 + arm) * _SUMS)[:, None] + np.arange(_SUMS)
    rows_of = np.repeat(np.arange(len(t)), _SUMS)
    cells = coo_array((values.ravel(), (rows_of, columns.ravel())), shape=(len(t), len(both) * 2 * _SUMS))
    sums = bootstrap_figures.resampled(cells, image[rows], how, strata=arm)

    def figure(pick: int) -> Figure:
        return sums.figure(lambda drawn: _adjusted(drawn, len(both))[pick], scale="positive", images=few)

    return Saved(_rest(figure(0)), _rest(figure(1)), (figure(2), figure(3)), len(both))


def _rest(ratio: Figure) -> Figure:
    """1 - a ratio of times: the share saved."""
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return Figure(None if ratio.value is None else 1 - ratio.value, None, None, ratio.n, ratio.reason)
    return Figure(1 - ratio.value, 1 - ratio.high, 1 - ratio.low, ratio.n, ratio.reason)


def _adjusted(sums: Sums, labelers: int) -> tuple[Values, Values, Values, Values]:
    """Time with suggestions by time without, the same unadjusted, and both times; from sums (..., F)."""
    cells = sums.reshape(*sums.shape[:-1], labelers, 2, _SUMS)
    n, t, x, xx, xt = (cells[..., index] for index in range(_SUMS))  # (..., labelers, 2)
    there = (n > 0).all(axis=-1, keepdims=True)  # a resample may lose a labeler's only control image
    n, t, x, xx, xt = (np.where(there, values, 0.0) for values in (n, t, x, xx, xt))
    mean_t, mean_x = _divided(t, n), _divided(x, n)
    within_xx = (xx - n * mean_x**2).sum(axis=-2, keepdims=True)
    within_xt = (xt - n * mean_x * mean_t).sum(axis=-2, keepdims=True)
    slope = _divided(within_xt, np.where(within_xx > 1e-9, within_xx, 0.0))
    answers = n.sum(axis=-1)
    target = _divided(x.sum(axis=-1), answers)[..., None]
    weight = _divided(answers, answers.sum(axis=-1, keepdims=True))
    adjusted = (weight[..., None] * (mean_t + slope * (target - mean_x))).sum(axis=-2)
    plain = _divided(t.sum(axis=-2), n.sum(axis=-2))
    empty = answers.sum(axis=-1) == 0
    with_, without = (np.where(empty, np.nan, adjusted[..., arm]) for arm in (SUGGESTED, CONTROL))
    return quotient(with_, without), quotient(plain[..., SUGGESTED], plain[..., CONTROL]), with_, without


def _divided(top: Values, bottom: Values) -> Values:
    """Quotient, 0 where there is nothing to divide by."""
    above, below = np.broadcast_arrays(top, bottom)
    return np.asarray(np.divide(above, below, out=np.zeros(above.shape), where=below != 0))


def between_labelers(
    looks: Looks, drawn: Drawn, arm: int, *, rows: Flags, how: Resampling, iou_threshold: float
) -> tuple[Figure, Figure]:
    """F1 and mean box IoU of each two labelers of an image, in one arm.

    Args:
        looks: All answers.
        drawn: Their objects.
        arm: `SUGGESTED` or `CONTROL`.
        rows: (N,) looks that take part.
        how: Of the intervals.
        iou_threshold: Least IoU of a match.
    """
    first, second = _pairs(looks.image, np.flatnonzero(rows & (looks.control == (arm == CONTROL))))
    if not len(first):
        none = Figure(None, None, None, 0, "no image of this arm was seen by two labelers")
        return none, none
    a, b = (_taken(drawn, side) for side in (first, second))
    found = match_groups(a.objects, b.objects, drawn.categories, iou_threshold=iou_threshold)
    pair = a.objects.group[found.a]
    same = a.objects.categories[found.a] == b.objects.categories[found.b]

    def count(groups: NDArray[np.int64], weights: Values | None = None) -> Values:
        return np.bincount(groups, weights=weights, minlength=len(first)).astype(np.float64)

    image = looks.image[first]
    return (
        bootstrap_figures.f1(count(pair[same]), count(a.objects.group) + count(b.objects.group), image, how),
        bootstrap_figures.ratio(count(pair, found.iou), count(pair), image, how),
    )


def _pairs(image: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every two of the rows that share an image."""
    ordered = rows[np.argsort(image[rows], kind="stable")]
    starts = np.searchsorted(image[ordered], image[ordered], side="left")
    earlier = np.arange(len(ordered)) - starts  # partners before each row
    second = np.repeat(np.arange(len(ordered)), earlier)
    first = (
        np.repeat(starts, earlier) + np.arange(len(second)) - np.repeat(np.cumsum(earlier) - earlier, earlier)
    )
    return ordered[first], ordered[second]


def _taken(drawn: Drawn, looks: NDArray[np.int64]) -> Drawn:
    """The objects of some looks; their group is the place in `looks`."""
    borders = drawn.objects.borders(int(looks.max(initial=-1)) + 2)
    sizes = borders[looks + 1] - borders[looks]
    group = np.repeat(np.arange(len(looks)), sizes)
    within = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = borders[looks][group] + within
    objects = type(drawn.objects)(
        group.astype(np.int64), drawn.objects.boxes[rows], drawn.objects.categories[rows]
    )
    return Drawn(objects, drawn.table, drawn.categories)
