from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from curate.agreement import figures
from curate.agreement.clusters import cluster
from curate.agreement.figures import Tally
from curate.agreement.pairs import compare
from tests.agreement.drawings import Drawn, answers
from tests.builders import HEIGHT, WIDTH, image_id

A, B, C = "ann", "ben", "cem"
BOX, FAR = (20.0, 20.0, 60.0, 60.0), (90.0, 60.0, 140.0, 110.0)


def tallied(work: dict[tuple[str, str], Drawn | None], *, resamples: int = 200) -> Tally:
    found = answers(work)
    sizes = {image_id(image): (WIDTH, HEIGHT) for image, _ in work}
    pairs = compare(found, found.overlapped(), sizes, iou_threshold=0.5)
    clusters = cluster(found, pairs)
    return figures.tally(found, pairs, clusters, resamples=resamples, seed=0)


def test_f1_counts_objects_of_both() -> None:
    """a: stop, park; b: stop, stop: one agrees, one is named differently: 2 x 1 / 4."""
    tally = tallied({("one", A): [("stop", BOX), ("park", FAR)], ("one", B): [("stop", BOX), ("stop", FAR)]})
    assert figures.f1(tally, 0).value == pytest.approx(0.5)
    assert figures.f1(tally, 0).n == 4
    by_name = {name: figures.f1(tally, 1 + i).value for i, name in enumerate(tally.categories)}
    assert by_name == {"park": pytest.approx(0.0), "stop": pytest.approx(2 / 3)}


def test_mean_iou_is_of_matched_pairs_only() -> None:
    half = (20.0, 20.0, 60.0, 52.0)  # IoU 0.8 with BOX
    tally = tallied({("one", A): [("stop", BOX), ("stop", FAR)], ("one", B): [("stop", half)]})
    assert figures.mean_box_iou(tally, 0).value == pytest.approx(0.8)
    assert figures.mean_box_iou(tally, 0).n == 1
    assert figures.f1(tally, 0).value == pytest.approx(2 / 3)
    mask = figures.mean_mask_iou(tally, 0).value
    assert mask is not None
    assert 0.7 < mask < 0.9


def test_kappa_is_that_of_scikit_learn_on_matched_pairs() -> None:
    rng = np.random.default_rng(4)
    names = np.array(["park", "stop", "warn"])
    first = names[rng.integers(0, 3, 60)]
    second = np.where(rng.random(60) < 0.7, first, names[rng.integers(0, 3, 60)])
    work: dict[tuple[str, str], Drawn | None] = {}
    for index, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        work |= {(str(index), A): [(a, BOX)], (str(index), B): [(b, BOX)]}
    tally = tallied(work)
    kappa = figures.kappa(tally, 0)
    assert kappa.value == pytest.approx(cohen_kappa_score(first, second))
    assert kappa.low is not None
    assert kappa.high is not None
    assert kappa.low < kappa.value < kappa.high
    stop = figures.category_kappa(tally, tally.categories.index("stop"))
    assert stop.value == pytest.approx(cohen_kappa_score(first == "stop", second == "stop"))
    assert figures.kappa(tally, 2, 1 + len(tally.categories)).value == pytest.approx(kappa.value)


def test_kappa_with_missed_counts_what_one_did_not_draw() -> None:
    """One class, 90 matched, 5 + 5 missed: p_o 0.90 and kappa -0.053, where the plain kappa is undefined."""
    work: dict[tuple[str, str], Drawn | None] = {}
    for index in range(100):
        work[str(index), A] = [("stop", BOX)] if index < 95 else []
        work[str(index), B] = [("stop", BOX)] if not 90 <= index < 95 else []
    tally = tallied(work)
    assert figures.kappa(tally, 1).value == pytest.approx(-0.0526, abs=1e-4)
    assert figures.kappa(tally, 1).n == 100
    plain = figures.kappa(tally, 0)
    assert (plain.value, plain.low, plain.high, plain.n) == (None, None, None, 90)
    assert figures.alpha(tally).value is None


def test_alpha_uses_all_annotators_of_an_object() -> None:
    work: dict[tuple[str, str], Drawn | None] = {
        ("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)], ("one", C): [("park", BOX)],
        ("two", A): [("park", BOX)], ("two", B): [("park", BOX)],
    }  # fmt: skip
    # units (stop, stop, park) and (park, park): D_o = (4 / 2 + 0) / 5, D_e = 2 * 2 * 3 / (5 * 4)
    alpha = figures.alpha(tallied(work))
    assert alpha.value == pytest.approx(1 - (4 / 2 / 5) / (12 / 20))
    assert alpha.n == 5


def test_every_two_annotators_have_their_own_figures() -> None:
    work: dict[tuple[str, str], Drawn | None] = {
        ("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)],
        ("two", A): [("stop", BOX)], ("two", C): [],
    }  # fmt: skip
    tally = tallied(work)
    assert tally.annotators == [(A, B), (A, C)]
    first = 1 + len(tally.categories)
    assert [figures.f1(tally, first + index).value for index in range(2)] == [
        pytest.approx(1),
        pytest.approx(0),
    ]


@pytest.mark.parametrize("work", [{("one", A): [("stop", BOX)]}, {("one", A): [], ("one", B): []}])
def test_nothing_to_compare_is_undefined_never_one(work: dict[tuple[str, str], Drawn | None]) -> None:
    tally = tallied(work)
    for figure in (
        figures.f1(tally, 0), figures.mean_box_iou(tally, 0), figures.mean_mask_iou(tally, 0),
        figures.kappa(tally, 0), figures.kappa(tally, 1), figures.alpha(tally),
    ):  # fmt: skip
        assert (figure.value, figure.low, figure.high, figure.n) == (None, None, None, 0)


def test_without_resamples_there_is_a_value_and_no_interval() -> None:
    work: dict[tuple[str, str], Drawn | None] = {("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)]}
    f1 = figures.f1(tallied(work, resamples=0), 0)
    assert (f1.value, f1.low, f1.high) == (1.0, None, None)
