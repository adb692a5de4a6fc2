"""From plan, images and suggestions to drafts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from curate.errors import TableError
from curate.qa import plan, tasks
from tests import builders

IMAGES = {record.image_id: record.row() for record in (builders.image("one"), builders.image("two"))}
ROWS = [
    builders.annotation("one", "stop_sign", (10, 10, 60, 60), origin="model", score=0.9),
    builders.annotation("one", "parking_sign", (70, 10, 90, 60), origin="model", score=0.8),
    builders.annotation("elsewhere", "stop_sign", (10, 10, 60, 60), origin="model"),
]


def slots(*, overlap: int = 2) -> list[dict[str, Any]]:
    planned = plan.review_plan(IMAGES, overlap=overlap, overlap_share=1.0, seed=0)
    return [slot.row() for slot in planned]


def test_a_draft_has_its_image_labelers_and_suggestions() -> None:
    drafts = tasks.draft_tasks(slots(), IMAGES, ROWS)
    assert [draft.task_id for draft in drafts] == sorted(plan.task_key(key) for key in IMAGES)
    one = next(draft for draft in drafts if draft.image_id == builders.image_id("one"))
    assert (one.width, one.height, one.overlap) == (builders.WIDTH, builders.HEIGHT, 2)
    assert one.path == IMAGES[one.image_id]["path"]
    assert set(one.pre_annotations) == set(ROWS[:2])
    two = next(draft for draft in drafts if draft is not one)
    assert two.pre_annotations == ()


def test_rejected_boxes_are_no_suggestions() -> None:
    rejected = replace(ROWS[1], outcome="rejected", reject_reason="inside")
    drafts = tasks.draft_tasks(slots(), IMAGES, [ROWS[0], rejected])
    assert [draft.pre_annotations for draft in drafts if draft.pre_annotations] == [(ROWS[0],)]


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert tasks.draft_tasks(slots()[::-1], IMAGES, ROWS[::-1]) == tasks.draft_tasks(slots(), IMAGES, ROWS)


def test_a_planned_image_that_was_dropped_since_is_named() -> None:
    key = builders.image_id("one")
    dropped = {**IMAGES, key: {**IMAGES[key], "drop_reason": "near_duplicate"}}
    for images in (dropped, {}):
        with pytest.raises(TableError, match="which is not kept: run `dvc repro --force select`"):
            tasks.draft_tasks(slots(), images, ROWS)


def test_the_digest_changes_with_everything_that_is_pushed() -> None:
    drafts = tasks.draft_tasks(slots(), IMAGES, ROWS)
    first = next(draft for draft in drafts if draft.pre_annotations)
    rest = [draft for draft in drafts if draft is not first]
    moved = replace(first.pre_annotations[0], bbox_xyxy=(11, 10, 60, 60))
    variants = [
        drafts,
        rest,
        [*rest, replace(first, overlap=1)],
        [*rest, replace(first, pre_annotations=first.pre_annotations[1:])],
        [*rest, replace(first, pre_annotations=(moved, *first.pre_annotations[1:]))],
    ]
    assert len({tasks.digest(variant) for variant in variants}) == len(variants)
    assert tasks.digest(drafts) == tasks.digest(drafts[::-1])
