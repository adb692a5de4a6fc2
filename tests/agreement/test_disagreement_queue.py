from __future__ import annotations

import pytest

from curate.agreement.annotator_pairs import compare
from curate.agreement.disagreement_queue import ordered, rarity
from curate.agreement.image_scores import ImageScore, of_images, of_pairs
from tests.agreement.drawings import answers
from tests.builders import HEIGHT, WIDTH, image_id


def test_what_costs_most_stands_first() -> None:
    reasons = {
        "low": "low_f1",
        "big": "presence",
        "empty": "category",
        "gone": "skipped",
        "bad": "unreadable",
    }
    queue = ordered(
        reasons,
        {"big": ImageScore(objects=4, same=1, matched=2, iou=1.5)},
        held_back=["big", "empty", "bad"],
        objects={"big": 5, "empty": 0, "bad": 1},
        usual=2.5,
        expected_wrong={"low": 0.3},
    )
    assert [(entry.image_id, entry.cost, entry.held_back) for entry in queue] == [
        ("big", 5, True), ("gone", 2.5, True), ("bad", 1, True), ("empty", 1, True), ("low", 0.3, False)
    ]  # fmt: skip
    assert queue[0].cells("big.jpg") == ("big", "big.jpg", "presence", 0.5, 0.75, 5, "true", "", "")


def test_rare_categories_cost_more_and_frequent_ones_not_less() -> None:
    """27 + 3 + 6 objects: 12 a category on average."""
    found = rarity(["car"] * 27 + ["tram"] * 3 + ["bus"] * 6)
    assert found == {"car": 1.0, "tram": 2.0, "bus": pytest.approx(2**0.5)}
    assert rarity([]) == {}


def test_nothing_drawn_by_all_is_full_agreement() -> None:
    box = (10.0, 10.0, 50.0, 50.0)
    work = {
        ("none", "ann"): [], ("none", "ben"): [],
        ("half", "ann"): [("stop", box)], ("half", "ben"): [],
        ("same", "ann"): [("stop", box)], ("same", "ben"): [("stop", box)],
    }  # fmt: skip
    found = answers(work)
    sizes = dict.fromkeys(found.by_image, (WIDTH, HEIGHT))
    pairs = compare(found, found.overlapped(), sizes, iou_threshold=0.5)
    scores = of_images(found, pairs)
    of_two = dict(zip(found.images, of_pairs(found, pairs).score.tolist(), strict=True))
    got = {name: (scores[image_id(name)].f1, of_two[image_id(name)]) for name in ("none", "half", "same")}
    assert got == {"none": (None, 1.0), "half": (0.0, 0.0), "same": (1.0, 1.0)}
