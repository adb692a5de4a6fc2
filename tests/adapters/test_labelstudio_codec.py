"""Rows to regions and back: the rules in the codec's docstring, one test each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.adapters.labelstudio import codec
from curate.errors import AnnotationToolError
from curate.geometry import masks
from curate.ports import TaskDraft
from curate.records import Annotation, Box
from tests import builders

NAMES = ("stop_sign", "parking_sign")
WIDTH, HEIGHT = 160, 120
PERSON = "person@demo.invalid"


def draft(*rows: Annotation, width: int = WIDTH, height: int = HEIGHT) -> TaskDraft:
    return TaskDraft("task-1", builders.image_id("one"), "images/one.jpg", width, height, 1, rows)


def suggestion(box: Box, category: str = "stop_sign", **changes: Any) -> Annotation:
    return builders.annotation("one", category, box, origin="model", **changes)


def work(regions: list[dict[str, Any]], **changes: Any) -> codec.Work:
    values: dict[str, Any] = {
        "task_id": "task-1", "image_id": builders.image_id("one"), "width": WIDTH, "height": HEIGHT,
        "annotator_id": PERSON, "regions": regions, "skipped": False, "lead_time_s": 7.5,
        "created_at": "2026-11-20T19:53:30.260812Z",
    }  # fmt: skip
    return codec.Work(**{**values, **changes})


def rectangle(identity: str, box: Box, category: str = "stop_sign", **value: Any) -> dict[str, Any]:
    region = codec.rectangle_region(identity, box, category, WIDTH, HEIGHT)
    return {**region, "value": {**region["value"], **value}}


def brush(identity: str, box: Box, category: str = "stop_sign", **changes: Any) -> dict[str, Any]:
    region = codec.brush_region("nobody", builders.ellipse(box), category)
    return {**region, "id": identity, "parentID": "", **changes}


@st.composite
def drafts(draw: st.DrawFn) -> TaskDraft:
    width, height = draw(st.integers(2, 60)), draw(st.integers(2, 60))
    rows = []
    for number in range(draw(st.integers(0, 4))):
        edges = st.floats(0, 1, width=32)
        xs = sorted(float(np.float32(draw(edges) * width)) for _ in range(2))
        ys = sorted(float(np.float32(draw(edges) * height)) for _ in range(2))
        if xs[1] - xs[0] < 1e-3 or ys[1] - ys[0] < 1e-3:
            continue
        mask = np.random.default_rng(draw(st.integers(0, 999))).random((height, width)) < 0.4
        rle = masks.encode(mask) if draw(st.booleans()) and mask.any() else None
        box = (xs[0], ys[0], xs[1], ys[1])
        category = draw(st.sampled_from(NAMES))
        rows.append(
            replace(
                suggestion((0, 0, 1, 1), category), annotation_id=f"{number:024x}", bbox_xyxy=box, rle=rle
            )
        )
    return draft(*rows, width=width, height=height)


@given(drafts())
@settings(deadline=None)
def test_what_a_person_accepts_comes_back_bit_for_bit(task: TaskDraft) -> None:
    regions = codec.encode_task(task, NAMES)
    rows = codec.decode_work(work(regions, width=task.width, height=task.height), NAMES)
    if not task.pre_annotations:
        assert [row.outcome for row in rows] == ["empty"]
        return
    back = {row.parent_id: (row.category, row.bbox_xyxy, row.rle) for row in rows}
    assert back == {row.annotation_id: (row.category, row.bbox_xyxy, row.rle) for row in task.pre_annotations}


def test_a_row_says_who_when_and_how_long() -> None:
    (row,) = codec.decode_work(work([rectangle("abc", (10, 10, 50, 60))]), NAMES)
    assert (row.origin, row.annotator_id, row.task_id, row.lead_time_s) == ("human", PERSON, "task-1", 7.5)
    assert row.created_at == "2026-11-20T19:53:30.260812Z"
    assert row.parent_id is None
    assert row.rle is None


def test_ids_depend_on_task_person_and_region_only() -> None:
    first = codec.decode_work(work([rectangle("abc", (10, 10, 50, 60))]), NAMES)[0]
    moved = codec.decode_work(work([rectangle("abc", (20, 10, 50, 60))], created_at=None), NAMES)[0]
    other = codec.decode_work(work([rectangle("abc", (10, 10, 50, 60))], annotator_id="b@x.y"), NAMES)[0]
    assert first.annotation_id == moved.annotation_id != other.annotation_id


def test_skipped_and_empty_are_rows() -> None:
    (skipped,) = codec.decode_work(work([rectangle("abc", (10, 10, 50, 60))], skipped=True), NAMES)
    (empty,) = codec.decode_work(work([]), NAMES)
    assert (skipped.outcome, skipped.bbox_xyxy) == ("skipped", None)
    assert (empty.outcome, empty.bbox_xyxy) == ("empty", None)
    assert skipped.annotation_id != empty.annotation_id


def test_a_moved_box_keeps_its_mask_and_the_other_way_round() -> None:
    regions = codec.encode_task(draft(suggestion((20, 20, 80, 80))), NAMES)
    regions[0]["value"]["x"] += 25.0  # now from 60 to 120: the mask is mostly outside
    (row,) = codec.decode_work(work(regions), NAMES)
    assert row.bbox_xyxy == (60, 20, 120, 80)
    assert row.rle == suggestion((20, 20, 80, 80)).rle


def test_a_mask_without_its_box_is_an_object_with_its_own_box() -> None:
    source = suggestion((20, 20, 80, 80))
    _, mask = codec.encode_task(draft(source), NAMES)
    (row,) = codec.decode_work(work([mask]), NAMES)
    assert row.bbox_xyxy == (20, 20, 80, 80)
    assert row.parent_id == source.annotation_id


def test_a_box_without_its_mask_is_a_box() -> None:
    box, _ = codec.encode_task(draft(suggestion((20, 20, 80, 80))), NAMES)
    (row,) = codec.decode_work(work([box]), NAMES)
    assert row.rle is None


def test_the_rectangles_category_counts() -> None:
    box, mask = codec.encode_task(draft(suggestion((20, 20, 80, 80))), NAMES)
    box["value"]["rectanglelabels"] = ["parking_sign"]
    (row,) = codec.decode_work(work([box, mask]), NAMES)
    assert row.category == "parking_sign"
    assert row.rle is not None


@pytest.mark.parametrize("link", ["parent of mask", "parent of box", "relation", "overlap"])
def test_what_is_drawn_by_hand_is_paired(link: str) -> None:
    far = (100.0, 70.0, 140.0, 110.0)
    near = (30.0, 30.0, 72.0, 70.0)
    box, mask = rectangle("b", (30, 30, 70, 70)), brush("m", near if link == "overlap" else far)
    regions = [box, mask]
    if link == "parent of mask":
        mask["parentID"] = "b"
    elif link == "parent of box":
        box["parentID"] = "m"
    elif link == "relation":
        regions.append({"type": "relation", "from_id": "m", "to_id": "b", "direction": "right"})
    (row,) = codec.decode_work(work(regions), NAMES)
    assert row.rle == masks.encode(builders.ellipse(near if link == "overlap" else far))


def test_overlap_pairs_best_first_and_never_across_categories() -> None:
    regions = [
        rectangle("b1", (30, 30, 70, 70)),
        rectangle("b2", (32, 32, 72, 72)),
        brush("m1", (32, 32, 72, 72)),
        brush("m2", (30, 30, 70, 70), "parking_sign"),
    ]
    rows = codec.decode_work(work(regions), NAMES)
    assert sorted((row.category, row.bbox_xyxy, row.rle is not None) for row in rows) == [
        ("parking_sign", (30, 30, 70, 70), True),
        ("stop_sign", (30, 30, 70, 70), False),
        ("stop_sign", (32, 32, 72, 72), True),
    ]


def test_far_apart_they_are_two_objects() -> None:
    rows = codec.decode_work(work([rectangle("b", (0, 0, 40, 40)), brush("m", (100, 70, 140, 110))]), NAMES)
    assert len(rows) == 2


def test_a_rotated_rectangle_becomes_the_box_around_it() -> None:
    (row,) = codec.decode_work(work([rectangle("b", (60, 20, 100, 40), rotation=90)]), NAMES)
    assert row.bbox_xyxy == pytest.approx((40, 20, 60, 60))


def test_boxes_are_cut_at_the_edge_and_dots_are_no_objects() -> None:
    outside = rectangle("b", (-10, 100, 30, 150))
    dot, nothing = rectangle("d", (5, 5, 5, 5)), brush("m", (10, 10, 20, 20))
    nothing["value"]["rle"] = codec.brush.encode(np.zeros((HEIGHT, WIDTH), dtype=bool))
    (row,) = codec.decode_work(work([outside, dot, nothing]), NAMES)
    assert row.bbox_xyxy == (0, 100, 30, 120)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ({"id": "p", "type": "polygonlabels", "value": {}}, "'polygonlabels' are not in the configuration"),
        ({**rectangle("b", (1, 1, 9, 9)), "image_rotation": 90}, "the image was turned"),
        (rectangle("b", (1, 1, 9, 9), "horse"), "expected one of stop_sign, parking_sign"),
        (rectangle("b", (1, 1, 9, 9), rectanglelabels=[]), "expected one of"),
        (rectangle("twice", (1, 1, 9, 9)), "two regions have the id 'twice'"),
        ({**brush("m", (1, 1, 9, 9)), "value": {"rle": [1, 2], "brushlabels": ["stop_sign"]}}, "damaged"),
    ],
)
def test_what_no_rule_covers_is_an_error_that_names_the_task(region: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotationToolError, match=f"task-1 as {PERSON} answered it.*{message}"):
        codec.decode_work(work([rectangle("twice", (1, 1, 9, 9)), region]), NAMES)


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
        codec.encode_task(draft(row), NAMES)


def test_rounding_over_the_edge_is_forgiven() -> None:
    (region, *_) = codec.encode_task(
        draft(replace(suggestion((100, 20, 160, 80)), bbox_xyxy=(100, 20, 160.004, 80))), NAMES
    )
    assert region["value"]["x"] + region["value"]["width"] == pytest.approx(100.0, abs=1e-9)


def test_a_suggested_pair_is_one_entry_with_a_child() -> None:
    source = suggestion((20, 20, 80, 80), score=0.75)
    box, mask = codec.encode_task(draft(source), NAMES)
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
    assert codec.utc(given_time) == expected
