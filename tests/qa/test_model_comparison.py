"""Two detectors on known answers: figures by hand, and intervals that hold the true difference."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curate import schema
from curate.qa import model_comparison
from curate.qa.bootstrap_figures import Resampling
from curate.qa.model_comparison import ALL, Compared
from curate.records import Annotation, derived_id

NAMES = ("stop", "park")
BOX, NEAR, FAR = (0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 8.0), (50.0, 50.0, 60.0, 60.0)


def row(image: str, category: str, box: tuple[float, float, float, float], origin: str) -> Annotation:
    return Annotation(
        derived_id(origin, image, category, *box), image, origin, category=category, bbox_xyxy=box
    )


def table(rows: list[Annotation]) -> pa.Table:
    return pa.Table.from_pylist([one.row() for one in rows], schema=schema.ANNOTATIONS.arrow)


def compare(
    known: list[Annotation], before: list[Annotation], after: list[Annotation], images: list[str],
    resamples: int = 200,
) -> dict[tuple[str, str], Compared]:  # fmt: skip
    found = model_comparison.compare(
        table(known), table(before), table(after), images, NAMES,
        iou_threshold=0.5, how=Resampling(resamples),
    )  # fmt: skip
    return {(one.category, one.figure): one for one in found}


@pytest.fixture
def figures() -> dict[tuple[str, str], Compared]:
    """20 images with a stop sign each, and 4 of them a parking sign.

    Before: 10 of the stop signs are found exactly, and 5 that are none. After: all 20, at IoU 0.8.
    """
    images = [f"i{number:02d}" for number in range(20)]
    known = [row(name, "stop", BOX, "gold") for name in images]
    known += [row(name, "park", FAR, "gold") for name in images[:4]]
    before = [row(name, "stop", BOX, "model") for name in images[:10]]
    before += [row(name, "stop", FAR, "model") for name in images[10:15]]
    after = [row(name, "stop", NEAR, "model") for name in images]
    elsewhere = [row("unlooked", "stop", BOX, "model")]
    return compare(known, before + elsewhere, after, images)


@pytest.mark.parametrize(
    ("figure", "before", "after"),
    [
        ("precision", 10 / 15, 20 / 20),
        ("recall", 10 / 24, 20 / 24),
        ("f1", 20 / (15 + 24), 40 / (20 + 24)),
        ("mean_iou", 1.0, 0.8),
    ],
)
def test_figures_of_all_categories_by_hand(
    figures: dict[tuple[str, str], Compared], figure: str, before: float, after: float
) -> None:
    one = figures[ALL, figure]
    assert one.before.value == pytest.approx(before)
    assert one.after.value == pytest.approx(after)
    assert one.difference.value == pytest.approx(after - before)
    assert one.objects == 24
    assert one.difference.low is not None
    assert one.difference.high is not None
    assert one.difference.low <= after - before <= one.difference.high
    assert one.difference.n == 20


def test_by_category_and_unknown_where_too_few_images_hold_it(
    figures: dict[tuple[str, str], Compared],
) -> None:
    assert figures["stop", "recall"].before.value == pytest.approx(0.5)
    few = figures["park", "recall"]
    assert (few.objects, few.before.value, few.difference.value) == (4, None, None)
    assert few.before.reason == "fewer than 10 images"
    assert figures["park", "precision"].before.reason == "nothing to measure"


def test_the_wrong_category_is_wrong() -> None:
    images = [f"i{number:02d}" for number in range(12)]
    known = [row(name, "stop", BOX, "gold") for name in images]
    named = [row(name, "park", BOX, "model") for name in images]
    found = compare(known, named, known, images)
    assert found[ALL, "precision"].before.value == 0
    assert found[ALL, "precision"].after.value == 1


def test_equal_models_differ_by_nothing_and_that_is_not_certain() -> None:
    images = [f"i{number:02d}" for number in range(12)]
    known = [row(name, "stop", BOX, "gold") for name in images]
    found = compare(known, known[:9], known[:9], images)[ALL, "f1"].difference
    assert found.value == 0
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_the_interval_of_a_paired_difference_is_narrower_than_of_two_samples() -> None:
    """What is hard for both cancels out: both miss the same half of the images."""
    images = [f"i{number:03d}" for number in range(100)]
    known = [row(name, "stop", BOX, "gold") for name in images]
    before = known[:50]
    after = known[:50] + known[90:95]
    one = compare(known, before, after, images, 500)[ALL, "recall"]
    apart = (one.before.high or 0) - (one.before.low or 0)
    assert (one.difference.high or 0) - (one.difference.low or 0) < 0.6 * apart


def test_the_interval_holds_the_true_difference() -> None:
    """95 of 100 times, of 30 images each: recall 0.6 and 0.8 with a common part that is hard."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(120):
        images = [f"i{number:02d}" for number in range(30)]
        known = [row(name, "stop", BOX, "gold") for name in images]
        luck = rng.random(30)
        sides = [
            [one for one, chance in zip(known, luck, strict=True) if chance < part] for part in (0.6, 0.8)
        ]
        one = compare(known, sides[0], sides[1], images, 200)[ALL, "recall"].difference
        assert one.low is not None
        assert one.high is not None
        held += one.low <= 0.2 <= one.high
    assert 0.88 <= held / 120 <= 1.0


def test_no_image_is_not_zero() -> None:
    found = compare([], [], [], [])
    assert {one.difference.value for one in found.values()} == {None}
    assert {one.difference.reason for one in found.values()} == {"nothing to measure"}
