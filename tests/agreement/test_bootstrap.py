from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from curate.agreement import bootstrap


def test_resamples_draw_as_many_images_as_there_are() -> None:
    sums = bootstrap.resampled_sums(csr_array(np.ones((7, 1))), resamples=50, seed=1)
    np.testing.assert_array_equal(sums, np.full((50, 1), 7.0))


def test_a_seed_repeats_and_another_does_not() -> None:
    values = csr_array(np.arange(20.0).reshape(10, 2))
    first = bootstrap.resampled_sums(values, resamples=30, seed=1)
    np.testing.assert_array_equal(first, bootstrap.resampled_sums(values, resamples=30, seed=1))
    assert (first != bootstrap.resampled_sums(values, resamples=30, seed=2)).any()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = csr_array(np.arange(20.0).reshape(10, 2))
    whole = bootstrap.resampled_sums(values, resamples=30, seed=1)
    monkeypatch.setattr(bootstrap, "_CHUNK_CELLS", 40)
    np.testing.assert_array_equal(whole, bootstrap.resampled_sums(values, resamples=30, seed=1))


@pytest.mark.parametrize(("images", "resamples"), [(0, 10), (3, 0)])
def test_nothing_to_resample(images: int, resamples: int) -> None:
    empty = bootstrap.resampled_sums(csr_array(np.ones((images, 4))), resamples=resamples, seed=0)
    assert empty.shape == (0, 4)
    assert bootstrap.interval(empty[:, 0]) is None


def test_the_interval_of_a_mean_is_the_one_of_theory() -> None:
    rng = np.random.default_rng(0)
    sample = rng.normal(10.0, 2.0, size=400)
    sums = bootstrap.resampled_sums(csr_array(sample[:, None]), resamples=4000, seed=0)
    ends = bootstrap.interval(sums[:, 0] / 400)
    assert ends is not None
    margin = 1.96 * sample.std() / np.sqrt(400)
    np.testing.assert_allclose(ends, [sample.mean() - margin, sample.mean() + margin], atol=0.02)


def test_intervals_cover_the_truth_about_95_times_of_100() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        sample = rng.exponential(1.0, size=60)
        sums = bootstrap.resampled_sums(csr_array(sample[:, None]), resamples=400, seed=trial)
        low, high = bootstrap.interval(sums[:, 0] / 60) or (0.0, 0.0)
        covered += low <= 1.0 <= high
    assert 0.88 <= covered / 200 <= 0.98


def test_an_interval_over_few_defined_resamples_is_none() -> None:
    values = np.linspace(0, 1, 100)
    values[:4] = np.nan
    assert bootstrap.interval(values) is not None
    values[:6] = np.nan
    assert bootstrap.interval(values) is None
