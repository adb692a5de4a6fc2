"""Who looks at what: deterministic, and steady while the data set grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.qa import plan
from tests import builders

MANY = [builders.image_id(f"image {number}") for number in range(4000)]


def test_every_image_has_one_review_slot_and_a_share_has_more() -> None:
    slots = plan.review_plan(MANY, overlap=3, overlap_share=0.3, seed=0)
    reviews = [slot for slot in slots if slot.reason == "review"]
    assert sorted(slot.image_id for slot in reviews) == sorted(MANY)
    assert {slot.slot for slot in reviews} == {0}
    wanted = plan.labelers_wanted(slot.task_id for slot in slots)
    assert set(wanted.values()) == {1, 3}
    # 4,000 independent draws: the share's standard deviation is 0.0072, five of them are allowed.
    assert sum(number == 3 for number in wanted.values()) / len(MANY) == pytest.approx(0.3, abs=0.036)


@given(st.sets(st.integers(0, 200)), st.sets(st.integers(0, 200)), st.floats(0, 1), st.integers(0, 9))
def test_growing_changes_no_earlier_assignment(
    first: set[int], more: set[int], share: float, seed: int
) -> None:
    def slots(numbers: set[int]) -> set[plan.Slot]:
        images = [MANY[number] for number in numbers]
        return set(plan.review_plan(images, overlap=2, overlap_share=share, seed=seed))

    assert slots(first) <= slots(first | more)


def test_the_order_of_the_images_does_not_matter() -> None:
    settings = {"overlap": 2, "overlap_share": 0.5, "seed": 1}
    assert plan.review_plan(MANY[:50], **settings) == plan.review_plan(MANY[49::-1], **settings)


def test_another_seed_chooses_others() -> None:
    chosen = [{key for key in MANY if plan.in_overlap(key, seed=seed, share=0.5)} for seed in (0, 1)]
    assert len(chosen[0] ^ chosen[1]) > 1000


def test_a_larger_share_keeps_the_smaller_ones_choice() -> None:
    small = {key for key in MANY if plan.in_overlap(key, seed=0, share=0.2)}
    assert small < {key for key in MANY if plan.in_overlap(key, seed=0, share=0.4)}


@pytest.mark.parametrize(("share", "people"), [(0.0, 1), (1.0, 2)])
def test_none_and_all(share: float, people: int) -> None:
    slots = plan.review_plan(MANY[:100], overlap=2, overlap_share=share, seed=0)
    assert set(plan.labelers_wanted(slot.task_id for slot in slots).values()) == {people}
