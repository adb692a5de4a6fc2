"""Standard errors against published ones, and against the jackknife."""

from __future__ import annotations

import numpy as np
import pytest

from curate.agreement import chance
from curate.agreement.chance import fleiss_kappa_error, gwet_ac1_error, krippendorff_alpha_error

# Krippendorff (2011): 12 units, 4 observers, 5 values; 0 = missing.
UNITS = ("1101", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "0555", "0011", "0030")
VOTES = np.array([[unit.count(value) for value in "12345"] for unit in UNITS])


def test_ac1_has_the_error_that_gwet_publishes() -> None:
    """Gwet's package irrCAC, data set cac.raw4raters: AC1 0.77544, standard error 0.14295."""
    assert chance.gwet_ac1(VOTES) == pytest.approx(0.77544, abs=1e-5)
    assert gwet_ac1_error(VOTES) == pytest.approx(0.14295, abs=1e-5)


def test_the_errors_are_near_those_of_the_jackknife() -> None:
    rng = np.random.default_rng(0)
    votes = rng.multinomial(4, [0.7, 0.2, 0.1], 150) + 4 * np.eye(3, dtype=int)[rng.integers(3, size=150)]
    for error, statistic in (
        (gwet_ac1_error, chance.gwet_ac1), (fleiss_kappa_error, chance.fleiss_kappa),
        (krippendorff_alpha_error, chance.krippendorff_alpha),
    ):  # fmt: skip
        assert error(votes) == pytest.approx(chance.standard_error(votes, statistic), rel=0.02)


def test_alphas_error_is_near_gwets() -> None:
    """irrCAC: alpha 0.74342, standard error 0.14557, by another approximation."""
    assert chance.krippendorff_alpha(VOTES) == pytest.approx(0.74342, abs=1e-5)
    assert krippendorff_alpha_error(VOTES) == pytest.approx(0.14557, rel=0.1)


def test_it_is_the_spread_over_samples() -> None:
    """Fleiss' kappa of many samples of 100 units: the mean of the errors is the spread of the kappas."""
    rng = np.random.default_rng(1)
    kappas, errors = [], []
    for _ in range(300):
        right = rng.integers(3, size=100)
        said = np.where(rng.random((100, 3)) < 0.8, right[:, None], rng.integers(3, size=(100, 3)))
        votes = np.stack([(said == k).sum(axis=1) for k in range(3)], axis=1)
        kappas.append(chance.fleiss_kappa(votes))
        errors.append(fleiss_kappa_error(votes))
    assert np.mean(np.array(errors, dtype=float)) == pytest.approx(
        np.std(np.array(kappas, dtype=float)), rel=0.1
    )


@pytest.mark.parametrize("error", [gwet_ac1_error, fleiss_kappa_error, krippendorff_alpha_error])
def test_where_there_is_no_figure_there_is_no_error(error) -> None:  # type: ignore[no-untyped-def]
    assert error([]) is None
    assert error([[2, 0], [2, 0]]) in (None, pytest.approx(0.0))
    assert error([[1, 1]]) is None
