from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csr_array

from curate import intervals


def test_resamples_draw_as_many_images_as_there_are() -> None:
    sums = intervals.resampled_sums(csr_array(np.ones((7, 1))), resamples=50, seed=1)
    np.testing.assert_array_equal(sums, np.full((50, 1), 7.0))


def test_a_seed_repeats_and_another_does_not() -> None:
    values = csr_array(np.arange(20.0).reshape(10, 2))
    first = intervals.resampled_sums(values, resamples=30, seed=1)
    np.testing.assert_array_equal(first, intervals.resampled_sums(values, resamples=30, seed=1))
    assert (first != intervals.resampled_sums(values, resamples=30, seed=2)).any()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = csr_array(np.arange(20.0).reshape(10, 2))
    whole = intervals.resampled_sums(values, resamples=30, seed=1)
    monkeypatch.setattr(intervals, "_CHUNK_CELLS", 40)
    np.testing.assert_array_equal(whole, intervals.resampled_sums(values, resamples=30, seed=1))


@pytest.mark.parametrize(("images", "resamples"), [(0, 10), (3, 0)])
def test_nothing_to_resample(images: int, resamples: int) -> None:
    empty = intervals.resampled_sums(csr_array(np.ones((images, 4))), resamples=resamples, seed=0)
    assert empty.shape == (0, 4)
    assert intervals.t_interval(0.5, empty[:, 0], images, scale="share") is None


def test_the_interval_of_a_mean_is_students() -> None:
    """Of a small sample, where it differs from the percentiles; so small a spread knows no scale."""
    rng = np.random.default_rng(0)
    sample = rng.normal(10.0, 0.5, size=20)
    sums = intervals.resampled_sums(csr_array(sample[:, None]), resamples=8000, seed=0)
    ends = intervals.t_interval(sample.mean(), sums[:, 0] / 20, 20, scale="positive")
    margin = stats.t.ppf(0.975, 19) * sample.std(ddof=1) / np.sqrt(20)
    np.testing.assert_allclose(ends or (), [sample.mean() - margin, sample.mean() + margin], atol=0.02)


def test_independent_trials_have_wilsons_interval() -> None:
    """One trial an image: the bootstrap's spread is the binomial one, and only the quantile differs."""
    hits = np.array([1.0] * 150 + [0.0] * 50)
    sums = intervals.resampled_sums(csr_array(hits[:, None]), resamples=8000, seed=0)
    ends = intervals.t_interval(0.75, sums[:, 0] / 200, 200, scale="share")
    expected = intervals.wilson(150, 200)
    np.testing.assert_allclose(ends or (), [expected.low or 0, expected.high or 0], atol=0.005)


@pytest.mark.parametrize(
    ("value", "scale"), [(1.0, "share"), (0.0, "share"), (1.0, "signed"), (-1.0, "signed")]
)
def test_where_all_images_agree_an_image_counts_once(value: float, scale: intervals.Scale) -> None:
    ends = intervals.t_interval(value, np.full(100, value), 30, scale=scale)
    assert ends is not None
    assert ends[0] <= value <= ends[1]
    assert 0.1 < ends[1] - ends[0] < (0.5 if scale == "signed" else 0.2)
    assert value in ends


def coverage(images: int, share: float, trials: int) -> float:
    """How often the interval held the truth: 1 to 4 objects per image, harder images and easier ones."""
    held = 0
    for trial in range(trials):
        rng = np.random.default_rng([trial, images])
        objects = rng.integers(1, 5, size=images)
        right = rng.binomial(objects, rng.beta(6 * share, 6 * (1 - share), size=images))
        parts = csr_array(np.stack([right, objects], axis=1).astype(float))
        sums = intervals.resampled_sums(parts, resamples=300, seed=trial)
        value = right.sum() / objects.sum()
        low, high = intervals.t_interval(value, sums[:, 0] / sums[:, 1], images, scale="share") or (1, 0)
        held += low <= share <= high
    return held / trials


@pytest.mark.parametrize("images", [30, 100])
@pytest.mark.parametrize("share", [0.6, 0.85])
def test_intervals_hold_the_truth_as_often_as_promised(images: int, share: float) -> None:
    """Within two points of 95 in 100, but for what so many trials leave to chance."""
    trials = 600
    assert abs(coverage(images, share, trials) - 0.95) < 0.02 + 2 * np.sqrt(0.95 * 0.05 / trials)


def test_an_interval_over_few_defined_resamples_is_none() -> None:
    values = np.linspace(0, 1, 100)
    values[:4] = np.nan
    assert intervals.t_interval(0.5, values, 30, scale="share") is not None
    values[:6] = np.nan
    assert intervals.t_interval(0.5, values, 30, scale="share") is None


def test_strata_keep_their_sizes_and_vary_on_their_own() -> None:
    values = np.array([[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 15)
    strata = np.array([0] * 5 + [1] * 15)
    sums = intervals.resampled_sums(csr_array(values), resamples=40, seed=3, strata=strata)
    np.testing.assert_array_equal(sums, np.tile([5.0, 15.0], (40, 1)))
    free = intervals.resampled_sums(csr_array(values), resamples=40, seed=3)
    assert (free[:, 0] != 5).any()


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Newcombe, Two-sided confidence intervals for the single proportion (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(hits: int, trials: int, low: float, high: float) -> None:
    figure = intervals.wilson(hits, trials)
    assert figure.value == hits / trials
    assert (figure.low, figure.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    mirrored = intervals.wilson(trials - hits, trials)
    assert (mirrored.low, mirrored.high) == (
        pytest.approx(1 - high, abs=5e-5),
        pytest.approx(1 - low, abs=5e-5),
    )


def test_a_share_of_nothing_is_undefined() -> None:
    assert intervals.wilson(0, 0) == intervals.Figure(None, None, None, 0)
