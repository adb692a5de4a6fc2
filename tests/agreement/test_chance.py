"""Known answers from the papers, and the same figures from other people's code."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from curate.agreement import chance, chance_sums
from curate.errors import RecordError

COHEN_1960 = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
# Krippendorff 2011, section C: four observers, twelve units, values 1..5, 0 = missing
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]  # fmt: skip
# Fleiss 1971, table 1: 30 patients, 6 psychiatrists, 5 diagnoses
FLEISS = [
    [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0], [2, 0, 4, 0, 0],
    [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6], [1, 0, 0, 5, 0], [1, 1, 0, 4, 0],
    [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1], [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0],
    [0, 2, 0, 4, 0], [1, 0, 2, 0, 3], [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0],
    [1, 0, 0, 4, 1], [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
]  # fmt: skip


@pytest.mark.parametrize(
    ("confusion", "kappa"),
    [
        (COHEN_1960, 0.4915),  # Cohen 1960, table 1
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.1304),
        ([[25, 35], [5, 35]], 0.2593),
        ([[5, 0], [0, 5]], 1.0),
        ([[0, 5], [5, 0]], -1.0),
    ],
)
def test_cohen_of_known_tables(confusion: list[list[int]], kappa: float) -> None:
    assert chance.cohen_kappa(confusion) == pytest.approx(kappa, abs=5e-5)


def test_weighted_cohen_of_a_known_table() -> None:
    weights = [[0, 1, 3], [1, 0, 6], [3, 6, 0]]
    assert chance.cohen_kappa(COHEN_1960, weights=weights) == pytest.approx(0.3478, abs=5e-5)


@pytest.mark.parametrize("confusion", [np.zeros((0, 0)), [[0, 0], [0, 0]], [[7]], [[7, 0], [0, 0]]])
def test_cohen_is_undefined_without_pairs_or_with_one_category(confusion: list[list[int]]) -> None:
    assert chance.cohen_kappa(confusion) is None


@pytest.mark.parametrize("confusion", [[[1, 2]], [1, 2]])
def test_cohen_wants_a_square(confusion: object) -> None:
    with pytest.raises(RecordError, match="expected a confusion matrix"):
        chance.cohen_kappa(confusion)  # type: ignore[arg-type]


def test_cohen_wants_weights_of_the_same_shape() -> None:
    with pytest.raises(RecordError, match=r"expected weights \(3, 3\), got \(2, 2\)"):
        chance.cohen_kappa(COHEN_1960, weights=[[0, 1], [1, 0]])


def test_missed_as_a_category_is_pessimistic() -> None:
    """One class, 90 matched, 5 + 5 missed: the empty both-missed cell makes kappa negative."""
    assert chance.cohen_kappa([[90, 5], [5, 0]]) == pytest.approx(-0.053, abs=5e-4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_cohen_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    confusion = np.zeros((4, 4))
    np.add.at(confusion, (first, second), 1)
    found = chance.cohen_kappa(confusion)
    if len({*first, *second}) == 1:
        assert found is None
    else:
        assert found == pytest.approx(cohen_kappa_score(first, second))
    from_sums = chance_sums.kappa_from_sums(np.trace(confusion), confusion.sum(axis=1), confusion.sum(axis=0))
    np.testing.assert_allclose(from_sums, np.nan if found is None else found, atol=1e-12)


def test_fleiss_of_a_known_table() -> None:
    assert chance.fleiss_kappa(FLEISS) == pytest.approx(0.4302445, abs=5e-8)


@pytest.mark.parametrize("votes", [np.zeros((0, 3)), [[1, 0], [0, 1]], [[3, 0], [3, 0]]])
def test_fleiss_is_undefined_without_votes_or_with_one_category(votes: object) -> None:
    assert chance.fleiss_kappa(votes) is None  # type: ignore[arg-type]


def test_fleiss_refuses_units_of_different_sizes() -> None:
    with pytest.raises(RecordError, match="same number of annotators"):
        chance.fleiss_kappa([[2, 1], [1, 1]])


def votes_of(observers: list[list[int]]) -> np.ndarray:  # type: ignore[type-arg]
    """Observers by units, 0 = missing, to units by categories 1..5."""
    values = np.array(observers)
    return np.stack([(values == category).sum(axis=0) for category in range(1, 6)], axis=1)


def test_alpha_of_a_known_table() -> None:
    assert chance.krippendorff_alpha(votes_of(KRIPPENDORFF)) == pytest.approx(0.7434, abs=5e-5)


@pytest.mark.parametrize("votes", [np.zeros((0, 2)), [[1, 0], [0, 1]], [[2, 0], [3, 0]]])
def test_alpha_is_undefined_without_pairs_or_with_one_category(votes: object) -> None:
    assert chance.krippendorff_alpha(votes) is None  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=2, max_size=12))
def test_alpha_is_that_of_the_krippendorff_package(units: list[list[int]]) -> None:
    votes = votes_of(np.array(units).T.tolist())
    assume(len(set(np.nonzero(chance_sums.pairable(votes))[1])) > 1)
    expected = krippendorff.alpha(value_counts=votes, level_of_measurement="nominal")
    assert chance.krippendorff_alpha(votes) == pytest.approx(expected)


LEVELS = {"nominal": 0.7434, "ordinal": 0.8154, "interval": 0.8491, "ratio": 0.7974}


@pytest.mark.parametrize(("level", "expected"), LEVELS.items())
def test_alpha_of_each_level_of_a_known_table(level: chance.Level, expected: float) -> None:
    """Krippendorff 2011, section E."""
    found = chance.krippendorff_alpha_of(votes_of(KRIPPENDORFF), [1, 2, 3, 4, 5], level=level)
    assert found == pytest.approx(expected, abs=5e-5)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=2, max_size=12),
    st.sampled_from(sorted(LEVELS)),
)
def test_alpha_of_each_level_is_that_of_the_krippendorff_package(
    units: list[list[int]], level: chance.Level
) -> None:
    votes = votes_of(np.array(units).T.tolist())
    assume(len(set(np.nonzero(chance_sums.pairable(votes))[1])) > 1)
    expected = krippendorff.alpha(
        value_counts=votes, value_domain=[1, 2, 3, 4, 5], level_of_measurement=level
    )
    assert chance.krippendorff_alpha_of(votes, [1, 2, 3, 4, 5], level=level) == pytest.approx(expected)


def test_ac1_of_a_known_table() -> None:
    """Krippendorff's table as irrCAC (Gwet's package) has it: percent agreement 0.8182, AC1 0.7754."""
    votes = votes_of(KRIPPENDORFF)
    assert chance.percent_agreement(votes) == pytest.approx(0.8182, abs=5e-5)
    assert chance.gwet_ac1(votes) == pytest.approx(0.7754, abs=5e-5)


def test_ac1_stays_high_where_one_category_prevails_and_kappa_falls() -> None:
    """Feinstein and Cicchetti's paradox: 90% agreement, and kappa below 0."""
    pairs = [[2, 0]] * 90 + [[1, 1]] * 10
    assert chance.percent_agreement(pairs) == pytest.approx(0.9)
    assert (chance.fleiss_kappa(pairs) or 0) < 0
    assert (chance.gwet_ac1(pairs) or 0) > 0.88


@pytest.mark.parametrize("votes", [np.zeros((0, 2)), [[1, 0], [0, 1]], [[2], [2]]])
def test_ac1_is_undefined_without_pairs_or_with_one_category(votes: object) -> None:
    assert chance.gwet_ac1(votes) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("table", [COHEN_1960, [[20, 5], [10, 15]], [[45, 15], [25, 15]]])
def test_the_error_of_kappa_is_that_of_statsmodels(table: list[list[int]]) -> None:
    assert chance.cohen_kappa_error(table) == pytest.approx(cohens_kappa(table).std_kappa)


def test_fleiss_is_that_of_statsmodels() -> None:
    assert chance.fleiss_kappa(FLEISS) == pytest.approx(statsmodels_fleiss(np.array(FLEISS)))


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    """For percent agreement, a mean over units, leaving one out gives s / sqrt(n) exactly."""
    units = np.array([[2, 0], [1, 1], [0, 2], [2, 0], [1, 1], [2, 0]])
    agreed = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    expected = np.std(agreed, ddof=1) / np.sqrt(len(agreed))
    assert chance.standard_error(units, chance.percent_agreement) == pytest.approx(expected)
    assert chance.standard_error(units[:1], chance.percent_agreement) is None
