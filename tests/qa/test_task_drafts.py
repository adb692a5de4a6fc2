"""From plan, images and suggestions to drafts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from curate.errors import TableError
from curate.ports import TaskDraft
from curate.qa import error_injection, task_drafts
from curate.records import derived_id
from tests import builders

IMAGES = {record.image_id: record.row() for record in (builders.image("one"), builders.image("two"))}
ROWS = [
    builders.annotation("one", "stop_sign", (10, 10, 60, 60), origin="model", score=0.9),
    builders.annotation("one", "parking_sign", (70, 10, 90, 60), origin="model", score=0.8),
    builders.annotation("elsewhere", "stop_sign", (10, 10, 60, 60), origin="model"),
]
ONE, TWO = builders.image_id("one"), builders.image_id("two")
NAMES = ("stop_sign", "parking_sign")


def drafts_of(*arguments: Any, **options: Any) -> list[TaskDraft]:
    return [task.draft for task in task_drafts.planned_tasks(*arguments, **options)]


def slots(*, overlap: int = 2, **changes: Any) -> list[dict[str, Any]]:
    """Both images, the second one first in the queue."""
    return [
        builders.plan_row(name, slot, priority=place, **changes)
        for place, name in enumerate(("two", "one"))
        for slot in range(overlap)
    ]


def test_a_draft_has_its_image_labelers_and_suggestions() -> None:
    two, one = drafts_of(slots(), IMAGES, ROWS)
    assert [one.task_id, two.task_id] == [derived_id("task", key) for key in (ONE, TWO)]
    assert (one.image_id, one.width, one.height, one.overlap) == (ONE, builders.WIDTH, builders.HEIGHT, 2)
    assert one.path == IMAGES[ONE]["path"]
    assert set(one.pre_annotations) == set(ROWS[:2])
    assert two.pre_annotations == ()


def test_the_queue_is_in_the_order_of_the_plan() -> None:
    assert [draft.priority for draft in drafts_of(slots(), IMAGES, ROWS)] == [0, 1]
    first = [{**slot, "priority": 0} for slot in slots()]
    drafts = drafts_of(first, IMAGES, ROWS)
    assert [draft.task_id for draft in drafts] == sorted(derived_id("task", key) for key in IMAGES)


def test_boxes_that_are_no_suggestions_are_not_shown() -> None:
    rejected = replace(ROWS[1], outcome="rejected", reject_reason="inside")
    drafts = drafts_of(slots(), IMAGES, [ROWS[0], rejected])
    assert [draft.pre_annotations for draft in drafts if draft.pre_annotations] == [(ROWS[0],)]


def test_the_control_arm_starts_from_nothing() -> None:
    drafts = drafts_of(slots(arm="control"), IMAGES, ROWS)
    assert [draft.pre_annotations for draft in drafts] == [(), ()]


def test_accepted_images_make_no_task() -> None:
    accepted = [
        {**slot, "arm": "accepted", "slot": 0} for slot in slots(overlap=1) if slot["image_id"] == ONE
    ]
    reviewed = [slot for slot in slots() if slot["image_id"] == TWO]
    assert [draft.image_id for draft in drafts_of(accepted + reviewed, IMAGES, ROWS)] == [TWO]


def test_a_planted_error_is_shown_in_place_of_the_suggestion() -> None:
    seeded = slots(seeded_kind="missing", seeded_id=ROWS[0].annotation_id)
    drafts = drafts_of([slot for slot in seeded if slot["image_id"] == ONE], IMAGES, ROWS)
    assert [draft.pre_annotations for draft in drafts] == [(ROWS[1],)]
    renamed = slots(seeded_kind="category", seeded_id=ROWS[0].annotation_id)
    (draft,) = drafts_of([slot for slot in renamed if slot["image_id"] == ONE], IMAGES, ROWS, names=NAMES)
    expected = error_injection.plant(
        ROWS[:2], "category", ROWS[0].annotation_id, names=NAMES, width=draft.width, height=draft.height
    )
    assert draft.pre_annotations == expected
    assert {row.category for row in draft.pre_annotations} == {"parking_sign"}


def test_labelers_of_strict_blindness_are_named() -> None:
    named = [{**slot, "labeler": f"{slot['slot']}@example.org"} for slot in slots()]
    drafts = drafts_of(named, IMAGES, ROWS)
    assert {draft.labelers for draft in drafts} == {("0@example.org", "1@example.org")}


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert drafts_of(slots()[::-1], IMAGES, ROWS[::-1]) == drafts_of(slots(), IMAGES, ROWS)


def test_a_planned_image_that_was_dropped_since_is_named() -> None:
    dropped = {**IMAGES, ONE: {**IMAGES[ONE], "drop_reason": "near_duplicate"}}
    for images in (dropped, {}):
        with pytest.raises(TableError, match="which is not kept: run `dvc repro --force select`"):
            drafts_of(slots(), images, ROWS)


def test_the_digest_changes_with_everything_that_is_pushed() -> None:
    drafts = drafts_of(slots(), IMAGES, ROWS)
    first = next(draft for draft in drafts if draft.pre_annotations)
    rest = [draft for draft in drafts if draft is not first]
    moved = replace(first.pre_annotations[0], bbox_xyxy=(11, 10, 60, 60))
    variants = [
        drafts,
        rest,
        [*rest, replace(first, overlap=1)],
        [*rest, replace(first, labelers=("ann@example.org",))],
        [*rest, replace(first, pre_annotations=first.pre_annotations[1:])],
        [*rest, replace(first, pre_annotations=(moved, *first.pre_annotations[1:]))],
    ]
    assert len({task_drafts.digest(variant) for variant in variants}) == len(variants)
    assert task_drafts.digest(drafts) == task_drafts.digest(drafts[::-1])
