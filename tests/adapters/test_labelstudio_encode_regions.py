"""Suggestions to regions, checked before they are sent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate.adapters.labelstudio import decode_regions, encode_regions, wanted_tasks
from curate.adapters.labelstudio.image_storage import LocalFiles
from curate.errors import AnnotationToolError
from curate.ports import TaskDraft
from curate.records import Annotation, Box
from tests import builders

NAMES = ("stop_sign", "parking_sign")
WIDTH, HEIGHT = 160, 120


def draft(*rows: Annotation) -> TaskDraft:
    return TaskDraft("task-1", builders.image_id("one"), "images/one.jpg", WIDTH, HEIGHT, 1, rows)


def suggestion(box: Box, category: str = "stop_sign", **changes: Any) -> Annotation:
    return builders.annotation("one", category, box, origin="model", **changes)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (suggestion((100, 20, 170, 80)), "outside the image of 160 x 120"),
        (suggestion((160.0, 20, 160.005, 80)), "no area"),
        (suggestion((1, 1, 9, 9), "horse"), "'horse', which taxonomy.yaml does not name"),
        (suggestion((1, 1, 9, 9), size=(80, 60)), "expected 160 x 120"),
    ],
)
def test_a_suggestion_is_checked_before_it_is_sent(row: Annotation, message: str) -> None:
    with pytest.raises(AnnotationToolError, match=message):
        encode_regions.encode_task(draft(row), NAMES)


def test_rounding_over_the_edge_is_forgiven() -> None:
    (region, *_) = encode_regions.encode_task(
        draft(replace(suggestion((100, 20, 160, 80)), bbox_xyxy=(100, 20, 160.004, 80))), NAMES
    )
    assert region["value"]["x"] + region["value"]["width"] == pytest.approx(100.0, abs=1e-9)


def test_a_suggested_pair_is_one_entry_with_a_child() -> None:
    source = suggestion((20, 20, 80, 80), score=0.75)
    box, mask = encode_regions.encode_task(draft(source), NAMES)
    assert box["id"] == f"curate-{source.annotation_id}"
    assert (mask["id"], mask["parentID"]) == (f"{box['id']}-mask", box["id"])
    assert box["score"] == 0.75


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        (None, None),
        ("2026-11-20T19:53:30Z", "2026-11-20T19:53:30.000000Z"),
        ("2026-11-20T20:53:30.5+01:00", "2026-11-20T19:53:30.500000Z"),
    ],
)
def test_times_are_written_in_one_way(given_time: str | None, expected: str | None) -> None:
    assert encode_regions.utc(given_time) == expected


def test_a_caption_stands_with_the_box_and_its_mask_and_is_no_answer() -> None:
    source = suggestion((20, 20, 80, 80))
    task = replace(draft(source), captions=((source.annotation_id, "labeler-1"),))
    box, mask, *captions = encode_regions.encode_task(task, NAMES)
    assert [(one["id"], one["from_name"], one["value"]) for one in captions] == [
        (region["id"], "caption", {"text": ["labeler-1"]}) for region in (box, mask)
    ]
    work = decode_regions.Work("t", "i", WIDTH, HEIGHT, "ann", [box, mask, *captions], False, 1.0, None)
    read = decode_regions.read(work, NAMES)
    assert [(row.parent_id, row.rle) for row in read.rows] == [(source.annotation_id, source.rle)]
    assert (read.comment, read.raw, dict(read.kept_raw)) == (None, (), {})


def test_another_caption_is_another_suggestion_and_none_changes_nothing() -> None:
    """Tasks of earlier versions keep their digests: nothing of them is sent anew."""
    task = draft(suggestion((20, 20, 80, 80)))
    first, second = (((task.pre_annotations[0].annotation_id, who),) for who in ("labeler-1", "labeler-2"))
    marks = [
        wanted_tasks.wanted_tasks([one], NAMES, LocalFiles(Path("images")))[0].data
        for one in (task, replace(task, captions=first), replace(task, captions=second, note="why"))
    ]
    assert len({data["suggestions"] for data in marks}) == 3
    assert [data.get("note") for data in marks] == [None, None, "why"]


def test_another_attribute_is_another_suggestion_and_none_changes_nothing() -> None:
    """A withdrawn value may not stay on the page: who leaves the object as it is would answer it."""
    task = draft(suggestion((20, 20, 80, 80)))

    def mark(*attributes: tuple[str, tuple[str, ...]]) -> str:
        rows = tuple(replace(row, attributes=attributes) for row in task.pre_annotations)
        one = replace(task, pre_annotations=rows)
        return str(wanted_tasks.wanted_tasks([one], NAMES, LocalFiles(Path("images")))[0].data["suggestions"])

    assert len({mark(), mark(("worn", ("yes",))), mark(("worn", ("no",)))}) == 3
    row = task.pre_annotations[0]
    former = [[row.annotation_id, row.category, row.bbox_xyxy, row.score, row.rle]]
    content = json.dumps([wanted_tasks._FORM, row.model_version or "unknown", former])
    assert mark() == hashlib.sha256(content.encode()).hexdigest()[:16]
