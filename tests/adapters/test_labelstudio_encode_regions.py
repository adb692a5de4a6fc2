"""Suggestions to regions, checked before they are sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from curate.adapters.labelstudio import encode_regions
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
