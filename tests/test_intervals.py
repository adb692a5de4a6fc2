from __future__ import annotations

import numpy as np
import pytest
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
    assert intervals.interval(empty[:, 0]) is None


def test_the_interval_of_a_mean_is_the_one_of_theory() -> None:
    rng = np.random.default_rng(0)
    sample = rng.normal(10.0, 2.0, size=400)
    sums = intervals.resampled_sums(csr_array(sample[:, None]), resamples=4000, seed=0)
    ends = intervals.interval(sums[:, 0] / 400)
    assert ends is not None
    margin = 1.96 * sample.std() / np.sqrt(400)
    np.testing.assert_allclose(ends, [sample.mean() - margin, sample.mean() + margin], atol=0.02)


def test_intervals_cover_the_truth_about_95_times_of_100() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        sample = rng.exponential(1.0, size=60)
        sums = intervals.resampled_sums(csr_array(sample[:, None]), resamples=400, seed=trial)
        low, high = intervals.interval(sums[:, 0] / 60) or (0.0, 0.0)
        covered += low <= 1.0 <= high
    assert 0.88 <= covered / 200 <= 0.98


def test_an_interval_over_few_defined_resamples_is_none() -> None:
    values = np.linspace(0, 1, 100)
    values[:4] = np.nan
    assert intervals.interval(values) is not None
    values[:6] = np.nan
    assert intervals.interval(values) is None


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
