"""Figures of small pieces of work, by hand and against other people's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from curate.agreement import annotator_pairs, chance, figures, image_sums
from curate.agreement.annotator_pairs import compare
from curate.agreement.by_annotator import Answers, sort_out
from curate.agreement.clusters import cluster
from curate.agreement.consensus import Rules, consensus
from curate.agreement.figures import Key, Settings
from curate.intervals import Figure
from tests.agreement.drawings import Drawn, answers, category_votes, rows, table
from tests.builders import HEIGHT, WIDTH, image_id

A, B, C = "ann", "ben", "cem"
BOX, FAR = (20.0, 20.0, 60.0, 60.0), (90.0, 60.0, 140.0, 110.0)
TINY = (2.0, 2.0, 14.0, 14.0)
Work = dict[tuple[str, str], Drawn | None]


def measured(work: Work, *, resamples: int = 200, contours: bool = False) -> dict[Key, Figure]:
    return figures_of(answers(work), Settings(resamples=resamples, contours=contours))


def figures_of(
    found: Answers, settings: Settings, image_slices: Mapping[str, Sequence[str]] | None = None
) -> dict[Key, Figure]:
    sizes = dict.fromkeys(found.images, (WIDTH, HEIGHT))
    pairs = compare(found, found.overlapped(), sizes, iou_threshold=0.5)
    groups = cluster(found, pairs)
    tasks = dict.fromkeys(found.images, "task")
    agreed = consensus(found, pairs, groups, sizes=sizes, tasks=tasks, rules=Rules())
    return figures.measure(found, pairs, groups, sizes, settings, agreed.settled, image_slices)


def values(found: dict[Key, Figure], figure: str, by: str) -> dict[str, float | None]:
    return {name: one.value for (what, kind, name), one in found.items() if (what, kind) == (figure, by)}


def test_f1_counts_objects_of_both() -> None:
    """a: stop, park; b: stop, stop: one agrees, one is named differently: 2 x 1 / 4."""
    found = measured({("one", A): [("stop", BOX), ("park", FAR)], ("one", B): [("stop", BOX), ("stop", FAR)]})
    assert found["f1", "all", ""].value == pytest.approx(0.5)
    assert found["f1", "all", ""].n == 4
    assert values(found, "f1", "category") == {"park": pytest.approx(0.0), "stop": pytest.approx(2 / 3)}
    assert values(found, "percent_agreement", "category") == {
        "park": pytest.approx(0.0),
        "stop": pytest.approx(0.5),
    }


def test_objects_count_in_the_slice_of_their_own_size() -> None:
    """Both draw the small one; only the first draws the medium one."""
    found = measured({("one", A): [("stop", TINY), ("stop", FAR)], ("one", B): [("stop", TINY)]})
    assert values(found, "f1", "size") == {"small": pytest.approx(1.0), "medium": pytest.approx(0.0)}


def test_a_pair_has_precision_recall_and_higher_thresholds() -> None:
    half = (20.0, 20.0, 60.0, 52.0)  # IoU 0.8 with BOX
    work: Work = {("one", A): [("stop", BOX), ("stop", FAR), ("stop", TINY)], ("one", B): [("stop", half)]}
    found = measured(work)
    assert found["precision", "pair", "ann / ben"].value == pytest.approx(1 / 3)
    assert found["recall", "pair", "ann / ben"].value == pytest.approx(1.0)
    assert found["f1", "pair", "ann / ben"].value == pytest.approx(0.5)
    assert found["f1@0.75", "pair", "ann / ben"].value == pytest.approx(0.5)
    assert found["f1@0.9", "pair", "ann / ben"].value == pytest.approx(0.0)


def test_a_person_is_held_against_what_the_others_agree_on() -> None:
    """Of two objects that two others drew the third person found one, and drew one that is not there."""
    others = [("stop", BOX), ("park", FAR)]
    found = measured({("one", A): others, ("one", B): others, ("one", C): [("stop", BOX), ("stop", TINY)]})
    assert found["precision_to_others", "annotator", C].value == pytest.approx(0.5)
    assert found["recall_to_others", "annotator", C].value == pytest.approx(0.5)
    assert found["f1_to_others", "annotator", C].value == pytest.approx(0.5)
    # Against ben and cem, the sign BOX is settled; what only one of the two drew is not.
    assert found["f1_to_others", "annotator", A].value == pytest.approx(1.0)


def test_two_people_cannot_be_held_against_others() -> None:
    found = measured({("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)]})
    figure = found["f1_to_others", "all", ""]
    assert (figure.value, figure.reason) == (None, "no image was seen by three people of whom two agree")


def test_mean_iou_is_of_matched_pairs_only() -> None:
    half = (20.0, 20.0, 60.0, 52.0)
    found = measured(
        {("one", A): [("stop", BOX), ("stop", FAR)], ("one", B): [("stop", half)]}, contours=True
    )
    assert found["mean_box_iou", "all", ""].value == pytest.approx(0.8)
    assert found["mean_box_iou", "all", ""].n == 1
    mask = found["mean_mask_iou", "all", ""].value
    assert mask is not None
    assert 0.7 < mask < 0.9
    dice = found["mean_dice", "all", ""].value
    assert dice == pytest.approx(2 * mask / (1 + mask))
    assert (found["mean_hausdorff_95", "all", ""].value or 0) == pytest.approx(8.0, abs=1.0)


def test_both_empty_is_agreement_and_counts_are_compared() -> None:
    work: Work = {
        ("none", A): [], ("none", B): [],
        ("one", A): [("stop", BOX)], ("one", B): [],
        ("two", A): [("stop", BOX)], ("two", B): [("stop", FAR)],
    }  # fmt: skip
    found = measured(work)
    assert found["image_score", "all", ""].value == pytest.approx(1 / 3)
    assert found["count_agreement", "all", ""].value == pytest.approx(2 / 3)
    assert found["f1", "all", ""].value == pytest.approx(0.0)


def drawn_names(seed: int, people: int, count: int) -> tuple[Work, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    names = np.array(["park", "stop", "warn"])
    truth = names[rng.integers(0, 3, count)]
    wrong = names[rng.integers(0, 3, (count, people))]
    said = np.where(rng.random((count, people)) < 0.7, truth[:, None], wrong)
    work: Work = {
        (str(image), f"p{person}"): [(str(said[image, person]), BOX)]
        for image in range(count)
        for person in range(people)
    }
    return work, said


def test_kappa_is_that_of_scikit_learn_on_matched_pairs() -> None:
    work, said = drawn_names(4, 2, 60)
    found = measured(work)
    kappa = found["kappa", "all", ""]
    assert kappa.value == pytest.approx(cohen_kappa_score(said[:, 0], said[:, 1]))
    assert kappa.low is not None
    assert kappa.high is not None
    assert kappa.low < kappa.value < kappa.high
    assert found["kappa", "pair", "p0 / p1"].value == pytest.approx(kappa.value)
    for name, value in values(found, "kappa", "category").items():
        assert value == pytest.approx(cohen_kappa_score(said[:, 0] == name, said[:, 1] == name))
    assert found["percent_agreement", "all", ""].value == pytest.approx((said[:, 0] == said[:, 1]).mean())


def test_figures_of_units_are_those_of_the_functions() -> None:
    work, _ = drawn_names(7, 3, 40)
    found = measured(work)
    drawn = answers(work)
    sizes = {image_id(image): (WIDTH, HEIGHT) for image, _ in work}
    groups = cluster(drawn, compare(drawn, drawn.overlapped(), sizes, iou_threshold=0.5))
    votes = category_votes(drawn, groups, ["park", "stop", "warn"])
    for name, function in (
        ("alpha", chance.krippendorff_alpha),
        ("fleiss_kappa", chance.fleiss_kappa),
        ("ac1", chance.gwet_ac1),
        ("percent_agreement_units", chance.percent_agreement),
    ):
        assert found[name, "all", ""].value == pytest.approx(function(votes)), name


def test_kappa_with_missed_counts_what_one_did_not_draw() -> None:
    """One class, 90 matched, 5 + 5 missed: p_o 0.90 and kappa -0.053, where the plain kappa is undefined."""
    work: Work = {}
    for index in range(100):
        work[str(index), A] = [("stop", BOX)] if index < 95 else []
        work[str(index), B] = [("stop", BOX)] if not 90 <= index < 95 else []
    found = measured(work)
    assert found["kappa_with_missed", "all", ""].value == pytest.approx(-0.0526, abs=1e-4)
    assert found["kappa_with_missed", "all", ""].n == 100
    plain = found["kappa", "all", ""]
    assert (plain.value, plain.low, plain.high, plain.n) == (None, None, None, 90)
    assert plain.reason == "all matched objects have one category: chance alone would give full agreement"
    assert found["alpha", "all", ""].value is None
    assert found["ac1", "all", ""].value is None


def test_alpha_of_objects_is_that_of_the_krippendorff_package() -> None:
    """Far apart boxes of one size: distances are 0, 1 - IoU = 1, or 1 for a missing one: nominal data."""
    import krippendorff

    spots = [(10.0 * i, 0.0, 10.0 * i + 8, 8.0) for i in range(10)]
    work: Work = {}
    rng = np.random.default_rng(0)
    rows = []
    for image in range(30):
        spot = spots[image % 10]
        seen = rng.random(3) < 0.8
        seen[0] |= not seen.any()
        for person, there in zip((A, B, C), seen, strict=True):
            work[str(image), person] = [("stop", spot)] if there else []
        rows.append([image % 10 + 1 if there else 0 for there in seen])
    counts = np.array([[row.count(value) for value in range(11)] for row in rows])
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    assert measured(work)["alpha_objects", "all", ""].value == pytest.approx(expected, abs=1e-9)


def test_every_two_annotators_have_their_own_figures() -> None:
    work: Work = {
        ("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)],
        ("two", A): [("stop", BOX)], ("two", C): [],
    }  # fmt: skip
    found = measured(work)
    assert values(found, "f1", "pair") == {"ann / ben": pytest.approx(1), "ann / cem": pytest.approx(0)}
    assert values(found, "f1", "annotator") == {A: pytest.approx(2 / 3), B: pytest.approx(1), C: 0.0}
    assert values(found, "image_score", "annotator")[A] == pytest.approx(0.5)


@pytest.mark.parametrize("work", [{("one", A): [("stop", BOX)]}, {("one", A): [], ("one", B): []}])
def test_nothing_to_compare_is_undefined_with_a_reason_never_one(work: Work) -> None:
    for key, figure in measured(work).items():
        if key[0] not in {"image_score", "count_agreement"}:
            assert (figure.value, figure.low, figure.high) == (None, None, None), key
            assert figure.n == 0 or key[0].startswith("alpha_counts"), (
                key
            )  # two people looked, and saw nothing
            assert figure.reason, key


def test_without_resamples_or_of_one_image_there_is_a_value_and_no_interval() -> None:
    work: Work = {("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)]}
    none = measured(work, resamples=0)["f1", "all", ""]
    assert (none.value, none.low, none.high, none.reason) == (1.0, None, None, "no resamples")
    one = measured(work)["f1", "all", ""]
    assert (one.value, one.low, one.reason) == (1.0, None, "fewer than two images")


def test_renaming_people_and_categories_changes_no_figure() -> None:
    work, _ = drawn_names(9, 3, 25)
    renamed: Work = {
        (image, {"p0": "z", "p1": "y", "p2": "x"}[person]): [
            (f"new {name}", box) for name, box in drawn or ()
        ]
        for (image, person), drawn in work.items()
    }
    before, after = (
        {key: figure.value for key, figure in measured(one, resamples=0).items() if key[1] == "all"}
        for one in (work, renamed)
    )
    assert before.keys() == after.keys()
    for key, value in before.items():
        symmetric = not key[0].startswith("kappa")  # Cohen's depends on who is the first of each pair
        if symmetric:
            assert after[key] == pytest.approx(value), key


def test_a_person_is_held_against_what_all_settled_on() -> None:
    """Of two people one misses the second object: it is disputed, and says nothing of either."""
    found = measured({("one", A): [("stop", BOX), ("park", FAR)], ("one", B): [("stop", BOX)]})
    assert values(found, "f1_to_consensus", "annotator") == {A: pytest.approx(1.0), B: pytest.approx(1.0)}
    # Of three, two settle that it is there: the third missed it, and made up the small one.
    others = [("stop", BOX), ("park", FAR)]
    found = measured({("one", A): others, ("one", B): others, ("one", C): [("stop", BOX), ("stop", TINY)]})
    assert found["precision_to_consensus", "annotator", C].value == pytest.approx(0.5)
    assert found["recall_to_consensus", "annotator", C].value == pytest.approx(0.5)
    assert found["f1_to_consensus", "annotator", A].value == pytest.approx(1.0)
    assert values(found, "recall_to_consensus", "category") == {
        "park": pytest.approx(2 / 3), "stop": pytest.approx(1.0),
    }  # fmt: skip
    assert found["f1_to_consensus@0.9", "annotator", A].value == pytest.approx(1.0)


@pytest.mark.parametrize("against", ["others", "consensus"])
def test_who_drew_nothing_where_there_is_something_has_an_f1_of_0(against: str) -> None:
    """2 TP / (2 TP + FP + FN) with two objects missed: 0 / 2. Precision is 0 / 0, and undefined."""
    work: Work = {}
    for image in ("one", "two"):
        work |= {(image, A): [("stop", BOX)], (image, B): [("stop", BOX)], (image, C): []}
    found = measured(work)
    figure = found[f"f1_to_{against}", "annotator", C]
    assert (figure.value, figure.n) == (0.0, 2)
    assert found[f"recall_to_{against}", "annotator", C].value == 0.0
    precision = found[f"precision_to_{against}", "annotator", C]
    assert (precision.value, precision.reason) == (None, "nothing was drawn where there is something")


def test_disagreement_within_one_parent_counts_half() -> None:
    names = [("a", "a"), ("a", "b"), ("b", "b"), ("c", "c"), ("c", "a"), ("a", "a"), ("b", "c"), ("c", "c")]
    work: Work = {}
    for number, (first, second) in enumerate(names):
        work |= {(f"i{number}", A): [(first, BOX)], (f"i{number}", B): [(second, BOX)]}
    parents = {"a": "wide", "b": "wide", "c": None, "wide": None}
    found = figures_of(answers(work), Settings(resamples=50, parents=parents))
    confusion = np.zeros((3, 3))
    for first, second in names:
        confusion["abc".index(first), "abc".index(second)] += 1
    weights = [[0, 0.5, 1], [0.5, 0, 1], [1, 1, 0]]
    expected = chance.cohen_kappa(confusion, weights=weights)
    assert found["weighted_kappa", "all", ""].value == pytest.approx(expected)
    assert found["weighted_kappa", "pair", f"{A} / {B}"].value == pytest.approx(expected)
    plain = measured(work)["weighted_kappa", "all", ""]
    assert plain.value is None
    assert plain.reason is not None
    assert "no two categories have one parent" in plain.reason


def test_agreement_on_one_category_is_that_of_the_functions() -> None:
    """Whether an object is called so, by all who drew it."""
    names = ["aab", "abb", "ccc", "aaa", "bb", "ca", "bbb", "cc"]
    work: Work = {
        (f"i{number}", person): [(name, BOX)]
        for number, given in enumerate(names)
        for person, name in zip((A, B, C), given, strict=False)
    }
    found = measured(work)
    for one in "abc":
        votes = [[given.count(one), len(given) - given.count(one)] for given in names]
        expected = chance.krippendorff_alpha(votes), chance.gwet_ac1(votes), chance.percent_agreement(votes)
        got = [found[name, "category", one].value for name in ("alpha", "ac1", "percent_agreement_units")]
        assert got == [pytest.approx(value) for value in expected]


@pytest.mark.parametrize("level", ["ordinal", "interval", "ratio"])
def test_alpha_of_counts_is_that_of_the_function(level: chance.Level) -> None:
    counts = [(1, 1, 2), (0, 0), (3, 2, 3), (1, 1), (0, 1, 1), (2, 2), (4, 3)]
    places = [(2.0 + 20 * i, 2.0, 14.0 + 20 * i, 14.0) for i in range(4)]
    work: Work = {
        (f"i{number}", person): [("stop", box) for box in places[:drawn]]
        for number, given in enumerate(counts)
        for person, drawn in zip((A, B, C), given, strict=False)
    }
    votes = [[given.count(value) for value in range(5)] for given in counts]
    expected = chance.krippendorff_alpha_of(votes, range(5), level=level)
    found = measured(work)[f"alpha_counts_{level}", "all", ""]
    assert found.value == pytest.approx(expected)
    assert found.n == len(counts)


def test_slices_by_attribute_of_objects_and_of_images() -> None:
    """Worn signs are found by one of two; the image with them is at night."""
    drawn = rows({("one", A): [("stop", BOX), ("stop", FAR)], ("one", B): [("stop", BOX)],
                  ("two", A): [("stop", BOX)], ("two", B): [("stop", BOX)]})  # fmt: skip
    worn = [replace(row, attributes=(("worn", ("yes",)),)) if row.bbox_xyxy == FAR else row for row in drawn]
    found = sort_out(table(worn), planned={image_id("one"), image_id("two")})
    slices = {image_id("one"): ["light=night"], image_id("two"): ["light=day"]}
    measures = figures_of(found, Settings(resamples=50), slices)
    assert values(measures, "f1", "attribute") == {
        "worn=yes": pytest.approx(0.0), "light=night": pytest.approx(2 / 3), "light=day": pytest.approx(1.0),
    }  # fmt: skip
    assert measures["percent_agreement", "attribute", "light=day"].value == pytest.approx(1.0)


def test_the_standard_error_is_the_spread_over_images() -> None:
    """One object an image, found by both or by one: F1 is a mean of 0 and 1, by hand sqrt(p (1 - p) / n)."""
    work: Work = {}
    for number in range(200):
        work |= {(f"i{number}", A): [("stop", BOX)], (f"i{number}", B): [("stop", BOX)]}
        if number % 4 == 0:
            work[f"i{number}", B] = [("stop", FAR)]
    found = measured(work, resamples=2000)["recall", "pair", f"{A} / {B}"]
    assert found.value == pytest.approx(0.75)
    assert found.se == pytest.approx((0.75 * 0.25 / 199) ** 0.5, rel=0.1)


def test_many_images_in_groups_have_the_error_of_single_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    work: Work = {}
    for number in range(400):
        work |= {(f"i{number}", A): [("stop", BOX)], (f"i{number}", B): [("stop", BOX)]}
        if rng.random() < 0.3:
            work[f"i{number}", B] = []
    single = measured(work, resamples=1000)["f1", "all", ""]
    monkeypatch.setattr(image_sums, "_MAX_GROUPS", 100)
    grouped = measured(work, resamples=1000)["f1", "all", ""]
    assert grouped.value == pytest.approx(single.value)
    assert grouped.se == pytest.approx(single.se, rel=0.25)


def test_every_figure_has_its_paragraph() -> None:
    work: Work = {("one", person): [("stop", BOX)] for person in (A, B, C)}
    names = {name.partition("@")[0] for name, _, _ in measured(work)}
    page = (Path(__file__).parents[2] / "docs/agreement.md").read_text()
    paragraphs = page[page.index("## Figures") : page.index("## Gates")]
    endings = ("_interval", "_ratio", "_units", "_fleiss", "_with_missed")  # told beside the first of them
    missing = [name for name in names if f"`{name}`" not in paragraphs and not name.endswith(endings)]
    assert missing == []
    assert all(f"`{ending}`" in paragraphs for ending in endings)


def test_in_pieces_the_figures_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the first images one pair of people, of the last another: no piece has all of them."""
    work: Work = {}
    for number in range(12):
        people = (A, B) if number < 6 else (B, C)
        work |= {
            (f"i{number}", person): [("stop", BOX), ("park", FAR)][: 1 + number % 2] for person in people
        }
        work[f"i{number}", people[0]] = [("stop", BOX)]
    whole = measured(work)
    monkeypatch.setattr(annotator_pairs, "_CHUNK_PAIRS", 3)
    assert measured(work) == whole
