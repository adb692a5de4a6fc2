"""What a person drew, read: the rules in the docstring of `decode_regions`, one test each."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.adapters.labelstudio import decode_regions, encode_regions, polygons
from curate.geometry import brush_rle as brush_module
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


def work(regions: list[dict[str, Any]], **changes: Any) -> decode_regions.Work:
    values: dict[str, Any] = {
        "task_id": "task-1", "image_id": builders.image_id("one"), "width": WIDTH, "height": HEIGHT,
        "annotator_id": PERSON, "regions": regions, "skipped": False, "lead_time_s": 7.5,
        "created_at": "2026-11-20T19:53:30.260812Z",
    }  # fmt: skip
    return decode_regions.Work(**{**values, **changes})


def rectangle(identity: str, box: Box, category: str = "stop_sign", **value: Any) -> dict[str, Any]:
    region = encode_regions.rectangle_region(identity, box, category, WIDTH, HEIGHT)
    return {**region, "value": {**region["value"], **value}}


def decode(answer: decode_regions.Work) -> list[Annotation]:
    return list(decode_regions.read(answer, NAMES).rows)


def brush(identity: str, box: Box, category: str = "stop_sign", **changes: Any) -> dict[str, Any]:
    region = encode_regions.brush_region("nobody", builders.ellipse(box), category)
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


def said(identity: str, name: str, *chosen: str) -> dict[str, Any]:
    """As the page writes it: with the place of the object that it is said of."""
    place = {"x": 1.0, "y": 1.0, "width": 9.0, "height": 9.0, "rotation": 0}
    return about_the_image("choices", name, identity, **place, choices=list(chosen))


def test_choices_about_an_object_are_its_attributes() -> None:
    found = decode_regions.read(
        work(
            [
                rectangle("first", (20, 20, 60, 60)), said("first", "worn", "dirty", "bent"),
                said("first", "occluded", "no"), rectangle("second", (80, 20, 99, 60)),
                about_the_image("choices", "weather", choices=["rain"]),
            ]
        ),
        NAMES,
    )  # fmt: skip
    assert {row.bbox_xyxy[0]: row.attributes for row in found.rows if row.bbox_xyxy} == {
        20: (("occluded", ("no",)), ("worn", ("dirty", "bent"))), 80: (),
    }  # fmt: skip
    assert found.choices == {"weather": ("rain",)}
    assert not found.kept_raw


def test_an_attribute_of_the_mask_counts_where_the_outline_has_none() -> None:
    box, mask = encode_regions.encode_task(draft(suggestion((20, 20, 80, 80))), NAMES)
    of_both = [said(box["id"], "worn", "no"), said(mask["id"], "worn", "yes"), said(mask["id"], "lit", "yes")]
    found = decode_regions.read(work([box, mask, *of_both]), NAMES)
    assert found.rows[0].attributes == (("lit", ("yes",)), ("worn", ("no",)))
    assert found.corrected == {"attribute of a mask or hole that its outline has otherwise": 1}


def test_attributes_that_are_shown_come_back() -> None:
    row = replace(suggestion((20, 20, 80, 80)), attributes=(("worn", ("dirty", "bent")),))
    (back,) = decode(work(encode_regions.encode_task(draft(row), NAMES)))
    assert back.attributes == row.attributes


@given(drafts())
@settings(deadline=None)
def test_what_a_person_accepts_comes_back_bit_for_bit(task: TaskDraft) -> None:
    regions = encode_regions.encode_task(task, NAMES)
    rows = decode(work(regions, width=task.width, height=task.height))
    if not task.pre_annotations:
        assert [row.outcome for row in rows] == ["empty"]
        return
    back = {row.parent_id: (row.category, row.bbox_xyxy, row.rle) for row in rows}
    assert back == {row.annotation_id: (row.category, row.bbox_xyxy, row.rle) for row in task.pre_annotations}


def test_a_row_says_who_when_and_how_long() -> None:
    (row,) = decode(work([rectangle("abc", (10, 10, 50, 60))]))
    assert (row.origin, row.annotator_id, row.task_id, row.lead_time_s) == ("human", PERSON, "task-1", 7.5)
    assert row.created_at == "2026-11-20T19:53:30.260812Z"
    assert row.parent_id is None
    assert row.rle is None


def test_ids_depend_on_task_person_and_region_only() -> None:
    first = decode(work([rectangle("abc", (10, 10, 50, 60))]))[0]
    moved = decode(work([rectangle("abc", (20, 10, 50, 60))], created_at=None))[0]
    other = decode(work([rectangle("abc", (10, 10, 50, 60))], annotator_id="b@x.y"))[0]
    assert first.annotation_id == moved.annotation_id != other.annotation_id


def test_skipped_and_empty_are_rows() -> None:
    (skipped,) = decode(work([rectangle("abc", (10, 10, 50, 60))], skipped=True))
    (empty,) = decode(work([]))
    assert (skipped.outcome, skipped.bbox_xyxy) == ("skipped", None)
    assert (empty.outcome, empty.bbox_xyxy) == ("empty", None)
    assert skipped.annotation_id != empty.annotation_id


def moved(origin: str, mask_origin: str, by: float = 25.0) -> decode_regions.Work:
    """A suggestion whose box was pushed aside."""
    regions = encode_regions.encode_task(draft(suggestion((20, 20, 80, 80))), NAMES)
    regions[0]["value"]["x"] += by  # at 25 from 60 to 120: the mask is mostly outside
    return work([{**regions[0], "origin": origin}, {**regions[1], "origin": mask_origin}])


def test_a_box_that_moved_while_its_mask_did_not_loses_the_mask_or_is_held_back() -> None:
    found = decode_regions.read(moved("prediction-changed", "prediction"), NAMES)
    (row,) = found.rows
    assert (row.bbox_xyxy, row.rle, row.outcome) == ((60, 20, 120, 80), None, "object")
    assert found.corrected == {decode_regions.MASK_DROPPED: 1}
    held = decode_regions.read(moved("prediction-changed", "prediction"), NAMES, moved_box="queue")
    assert [one.outcome for one in held.rows] == ["unreadable"]
    assert held.unreadable == {decode_regions.MOVED_BOX: 1}


@pytest.mark.parametrize(
    "answer",
    [
        moved("prediction-changed", "prediction-changed"),  # both were put there
        moved("prediction", "prediction"),  # the model's own
        moved("prediction-changed", "prediction", by=3.0),  # an edge was corrected
        moved("", ""),  # the server does not say who changed what
    ],
    ids=["both", "nobody", "a little", "unknown"],
)
def test_a_mask_that_belongs_to_its_box_stays(answer: decode_regions.Work) -> None:
    found = decode_regions.read(answer, NAMES)
    assert found.rows[0].rle == suggestion((20, 20, 80, 80)).rle
    assert not found.corrected


def test_strokes_under_one_box_are_one_mask() -> None:
    left, right = (20.0, 20.0, 40.0, 80.0), (60.0, 20.0, 80.0, 80.0)
    regions = [
        rectangle("b", (20, 20, 80, 80)),
        brush("m1", left, parentID="b"),
        brush("m2", right, parentID="b"),
    ]
    (row,) = decode(work(regions))
    assert row.rle == masks.encode(builders.ellipse(left) | builders.ellipse(right))


def test_strokes_that_the_page_split_off_a_suggested_mask_stay_with_it() -> None:
    regions = encode_regions.encode_task(draft(suggestion((20, 20, 80, 80))), NAMES)
    more = (90.0, 20.0, 100.0, 40.0)
    (row,) = decode(work([*regions, brush("m2", more, parentID=regions[0]["id"])]))
    assert row.rle == masks.encode(builders.ellipse((20, 20, 80, 80)) | builders.ellipse(more))


def test_identical_objects_are_one_and_counted() -> None:
    source = suggestion((20, 20, 80, 80))
    regions = encode_regions.encode_task(draft(source), NAMES)
    copies = [{**region, "id": region["id"].replace("curate-", "a-copy-")} for region in regions]
    copies[1]["parentID"] = copies[0]["id"]
    found = decode_regions.read(work([*copies, *regions, *[rectangle("x", (20, 20, 80, 81))]]), NAMES)
    assert [row.parent_id for row in found.rows if row.rle is not None] == [source.annotation_id]
    assert len(found.rows) == 2
    assert found.corrected == {decode_regions.IDENTICAL: 1}


def test_what_is_said_of_an_identical_object_is_said_of_the_kept_one() -> None:
    box = (20.0, 20.0, 80.0, 80.0)
    regions = [
        rectangle("a", box),
        rectangle("b", box),
        said("a", "lit", "no"),
        said("b", "worn", "bent", "dirty"),
    ]
    found = decode_regions.read(work(regions), NAMES)
    assert [row.attributes for row in found.rows] == [(("lit", ("no",)), ("worn", ("bent", "dirty")))]
    assert found.corrected == {decode_regions.IDENTICAL: 1}
    otherwise = decode_regions.read(work([*regions, said("b", "lit", "yes")]), NAMES)
    assert otherwise.rows == found.rows
    assert otherwise.corrected == {
        decode_regions.IDENTICAL: 1, "attribute of an identical object that the kept one has otherwise": 1
    }  # fmt: skip


def test_a_mask_without_its_box_is_an_object_with_its_own_box() -> None:
    source = suggestion((20, 20, 80, 80))
    _, mask = encode_regions.encode_task(draft(source), NAMES)
    (row,) = decode(work([mask]))
    assert row.bbox_xyxy == (20, 20, 80, 80)
    assert row.parent_id == source.annotation_id


def test_a_box_without_its_mask_is_a_box() -> None:
    box, _ = encode_regions.encode_task(draft(suggestion((20, 20, 80, 80))), NAMES)
    (row,) = decode(work([box]))
    assert row.rle is None


def test_the_rectangles_category_counts() -> None:
    box, mask = encode_regions.encode_task(draft(suggestion((20, 20, 80, 80))), NAMES)
    box["value"]["rectanglelabels"] = ["parking_sign"]
    (row,) = decode(work([box, mask]))
    assert row.category == "parking_sign"
    assert row.rle is not None


@pytest.mark.parametrize("link", ["parent of mask", "parent of box", "relation", "overlap"])
def test_what_is_drawn_by_hand_is_paired(link: str) -> None:
    far = (100.0, 70.0, 140.0, 110.0)
    near = (30.0, 30.0, 72.0, 70.0)
    where = far if link.startswith("parent") else near
    other = "parking_sign" if link == "relation" else "stop_sign"
    box, mask = rectangle("b", (30, 30, 70, 70)), brush("m", where, other)
    regions = [box, mask]
    if link == "parent of mask":
        mask["parentID"] = "b"
    elif link == "parent of box":
        box["parentID"] = "m"
    elif link == "relation":
        regions.append({"type": "relation", "from_id": "m", "to_id": "b", "direction": "right"})
    (row,) = decode(work(regions))
    assert (row.category, row.rle) == ("stop_sign", masks.encode(builders.ellipse(where)))


def test_a_relation_between_two_objects_pairs_nothing() -> None:
    """A person on a bicycle: the rider's box and the bicycle's mask."""
    regions = [
        rectangle("rider", (30, 30, 70, 70)),
        brush("bicycle", (40, 60, 110, 110), "parking_sign"),
        {"type": "relation", "from_id": "rider", "to_id": "bicycle", "direction": "right"},
    ]
    rows = decode(work(regions))
    assert sorted((row.category, row.rle is not None) for row in rows) == [
        ("parking_sign", True),
        ("stop_sign", False),
    ]


def test_overlap_pairs_best_first_and_never_across_categories() -> None:
    regions = [
        rectangle("b1", (30, 30, 70, 70)),
        rectangle("b2", (32, 32, 72, 72)),
        brush("m1", (32, 32, 72, 72)),
        brush("m2", (30, 30, 70, 70), "parking_sign"),
    ]
    rows = decode(work(regions))
    assert sorted((row.category, row.bbox_xyxy, row.rle is not None) for row in rows) == [
        ("parking_sign", (30, 30, 70, 70), True),
        ("stop_sign", (30, 30, 70, 70), False),
        ("stop_sign", (32, 32, 72, 72), True),
    ]


def test_far_apart_they_are_two_objects() -> None:
    rows = decode(work([rectangle("b", (0, 0, 40, 40)), brush("m", (100, 70, 140, 110))]))
    assert len(rows) == 2


def test_a_rotated_rectangle_is_a_polygon_of_four_corners() -> None:
    region = rectangle("b", (60, 20, 100, 40), rotation=90)
    found = decode_regions.read(work([region]), NAMES)
    (row,) = found.rows
    assert row.bbox_xyxy == pytest.approx((40, 20, 60, 60))
    assert row.polygon is not None
    assert json.loads(row.polygon)[0] == pytest.approx([60, 20, 60, 60, 40, 60, 40, 20])
    assert row.rle is None
    assert (found.raw, found.unreadable) == ((), {})


def test_a_rotated_rectangle_at_the_edge_is_cut_there() -> None:
    (row,) = decode(work([rectangle("b", (10, 20, 50, 40), rotation=90)]))  # from x = -10 to 10
    assert row.bbox_xyxy == pytest.approx((0, 20, 10, 60))
    ring = np.array(json.loads(row.polygon or "")[0]).reshape(-1, 2)
    assert {tuple(corner) for corner in ring.round(3)} == {(10, 20), (10, 60), (0, 60), (0, 20)}


def test_a_turn_of_any_angle_keeps_the_rectangles_sides() -> None:
    (row,) = decode(work([rectangle("b", (60, 40, 100, 60), rotation=30)]))
    assert row.polygon is not None
    corners = np.array(json.loads(row.polygon)[0]).reshape(4, 2)
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    assert sides == pytest.approx([40, 20, 40, 20], abs=0.01)
    assert corners[0] == pytest.approx((60, 40))


def test_boxes_are_cut_at_the_edge() -> None:
    (row,) = decode(work([rectangle("b", (-10, 100, 30, 150))]))
    assert row.bbox_xyxy == (0, 100, 30, 120)


def polygon(identity: str, points: list[tuple[float, float]], category: str = "stop_sign") -> dict[str, Any]:
    """A polygon as the page sends it: corners in percent."""
    value = {
        "points": [[x / WIDTH * 100, y / HEIGHT * 100] for x, y in points],
        "closed": True,
        "polygonlabels": [category],
    }
    region = encode_regions.rectangle_region(identity, (0, 0, 1, 1), category, WIDTH, HEIGHT)
    return {**region, "type": "polygonlabels", "from_name": "polygon", "value": value}


def test_a_polygon_stays_a_polygon_with_its_raster() -> None:
    points = [(20.0, 20.0), (100.5, 30.25), (60.0, 90.0)]
    (row,) = decode(work([polygon("p", points)]))
    assert (row.category, row.bbox_xyxy) == ("stop_sign", (20, 20, 100.5, 90))
    assert json.loads(row.polygon or "") == [[20.0, 20.0, 100.5, 30.25, 60.0, 90.0]]
    area = masks.area(row.rle or "", width=WIDTH, height=HEIGHT)
    assert area == pytest.approx(2612.5, rel=0.02)  # half of |(80.5, 10.25) x (40, 70)|
    mask = masks.decode(row.rle or "", width=WIDTH, height=HEIGHT)
    assert mask[45, 60]
    assert not mask[80, 30]


def test_a_polygon_that_leaves_the_image_is_cut_and_not_squeezed() -> None:
    points = [(-40.0, 20.0), (80.0, -20.0), (80.0, 140.0)]
    (row,) = decode(work([polygon("p", points)]))
    ring = np.array(json.loads(row.polygon or "")[0]).reshape(-1, 2)
    assert ring.min() == 0
    assert ring.max() == HEIGHT
    slope = (-20 - 20) / (80 - -40)  # of the upper side, which now begins on the left edge
    assert any(corner == pytest.approx((0, 20 + slope * 40), abs=0.01) for corner in ring)
    mask = masks.decode(row.rle or "", width=WIDTH, height=HEIGHT)
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    whole = inside(points, xs, ys)
    assert (mask != whole).mean() < 0.01


def inside(points: Sequence[tuple[float, float]], xs: Any, ys: Any) -> Any:
    """By the crossing number, for each place; an independent reference."""
    crossed = np.zeros(xs.shape, dtype=bool)
    for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
        if y1 != y2:
            crossed ^= ((ys < y1) != (ys < y2)) & (xs < x1 + (ys - y1) / (y2 - y1) * (x2 - x1))
    return crossed


@given(st.lists(st.tuples(st.integers(-80, 240), st.integers(-60, 180)), min_size=3, max_size=8))
@settings(deadline=None)
def test_any_polygon_cut_at_the_edge_covers_what_it_covered(points: list[tuple[int, int]]) -> None:
    ring = polygons.clip(tuple(points), width=WIDTH, height=HEIGHT)
    ys, xs = np.mgrid[0:HEIGHT:4, 0:WIDTH:4] + 0.5
    ys, xs = ys + np.sqrt(2) / 7, xs + np.sqrt(3) / 11  # on no line between corners of whole numbers
    assert ((inside(ring, xs, ys) if ring else False) == inside(points, xs, ys)).all()
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in ring)


OUTER, INNER = (
    [(20.0, 20.0), (100.0, 20.0), (100.0, 100.0), (20.0, 100.0)],
    [(40.0, 40.0), (60.0, 40.0), (60.0, 60.0)],
)


def test_a_polygon_put_under_the_one_around_it_is_a_hole() -> None:
    hole = {**polygon("h", INNER), "parentID": "p"}
    (row,) = decode(work([polygon("p", OUTER), hole]))
    assert len(json.loads(row.polygon or "")) == 2
    mask = masks.decode(row.rle or "", width=WIDTH, height=HEIGHT)
    assert mask[30, 30]
    assert not mask[45, 55]


def square(identity: str, edge: float, parent: str = "") -> dict[str, Any]:
    """A square in the middle of the image, `edge` pixels from its upper and lower side."""
    x1, y1, x2, y2 = edge + 20, edge, WIDTH - 20 - edge, HEIGHT - edge
    region = polygon(identity, [(x1, y1), (x2, y1), (x2, y2), (x1, y2)])
    return {**region, "parentID": parent} if parent else region


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_an_island_in_a_hole_is_an_object_of_its_own_and_may_have_a_hole(order: Sequence[int]) -> None:
    nested = [square("a", 10), square("b", 20, "a"), square("c", 30, "b"), square("d", 40, "c")]
    rows = decode(work([nested[place] for place in order]))
    outer, inner = sorted(rows, key=lambda row: row.bbox_xyxy or ())
    for row, (edge, hole) in ((outer, (10, 20)), (inner, (30, 40))):
        expected = np.zeros((HEIGHT, WIDTH), dtype=bool)
        expected[edge : HEIGHT - edge, edge + 20 : WIDTH - 20 - edge] = True
        expected[hole : HEIGHT - hole, hole + 20 : WIDTH - 20 - hole] = False
        assert len(json.loads(row.polygon or "")) == 2
        assert (masks.decode(row.rle or "", width=WIDTH, height=HEIGHT) != expected).mean() < 0.02


def test_polygons_under_each_other_or_under_themselves_are_no_holes() -> None:
    both = [square("a", 10, "b"), {**square("b", 10, "a")}]
    found = decode_regions.read(work(both), NAMES)
    assert (len(found.rows), found.corrected) == (1, {"identical object": 1})
    (row,) = decode(work([square("a", 10, "a")]))
    assert row.rle is not None


def test_a_polygon_of_which_holes_leave_nothing_is_unreadable() -> None:
    left = [(20.0, 20.0), (62.0, 20.0), (62.0, 100.0), (20.0, 100.0)]
    right = [(58.0, 20.0), (100.0, 20.0), (100.0, 100.0), (58.0, 100.0)]
    holes = [{**polygon(key, side), "parentID": "p"} for key, side in (("l", left), ("r", right))]
    found = decode_regions.read(work([polygon("p", OUTER), *holes]), NAMES)
    assert found.unreadable == {"polygon of which its holes leave nothing": 1}
    assert [row.outcome for row in found.rows] == ["unreadable"]


def test_what_is_said_of_a_hole_is_said_of_its_object() -> None:
    hole = {**polygon("h", INNER), "parentID": "p"}
    (row,) = decode(work([polygon("p", OUTER), hole, said("h", "lit", "yes")]))
    assert row.attributes == (("lit", ("yes",)),)


def test_nothing_else_is_a_hole() -> None:
    alone = decode(work([polygon("p", OUTER), polygon("h", INNER)]))
    other = decode(work([polygon("p", OUTER), {**polygon("h", INNER, "parking_sign"), "parentID": "p"}]))
    across = [(90.0, 40.0), (120.0, 40.0), (100.0, 60.0)]
    outside = decode(work([polygon("p", OUTER), {**polygon("h", across), "parentID": "p"}]))
    assert [len(rows) for rows in (alone, other, outside)] == [2, 2, 2]


CORNERS = st.tuples(st.floats(0, WIDTH, width=32), st.floats(0, HEIGHT, width=32))


@given(st.lists(CORNERS, min_size=3, max_size=12))
@settings(deadline=None)
def test_any_polygon_keeps_its_corners(points: list[tuple[float, float]]) -> None:
    (row,) = decode(work([polygon("p", points)]))
    if row.outcome == "unreadable":  # without area
        assert min(np.ptp(np.array(points), axis=0)) < 1e-4
        return
    assert np.array(json.loads(row.polygon or "")[0]).reshape(-1, 2) == pytest.approx(
        np.array(points), abs=6e-4
    )
    if row.rle is not None:
        found = masks.bbox(row.rle, width=WIDTH, height=HEIGHT)
        assert found is not None
        assert row.bbox_xyxy is not None
        x1, y1, x2, y2 = np.array(found) - np.array(row.bbox_xyxy)  # whole pixels, of slivers not all
        assert min(x1, y1, -x2, -y2) >= -1


def test_a_brush_linked_to_a_polygon_is_its_mask() -> None:
    ellipse = (100.0, 70.0, 140.0, 110.0)
    (row,) = decode(work([polygon("p", [(1, 1), (50, 1), (20, 50)]), brush("m", ellipse, parentID="p")]))
    assert row.rle == masks.encode(builders.ellipse(ellipse))
    assert row.polygon is not None


def about_the_image(kind: str, control: str, identity: str = "whole", **value: Any) -> dict[str, Any]:
    return {"id": identity, "type": kind, "from_name": control, "to_name": "image", "value": value}


def test_choices_and_texts_about_the_image_belong_to_the_answer() -> None:
    found = decode_regions.read(
        work(
            [
                about_the_image("choices", "weather", choices=["rain", "fog"]),
                about_the_image("textarea", "remark", text=["blurred", "far away"]),
                {**rectangle("b", (10, 10, 50, 60)), "meta": {"text": ["is it a sign?"]}},
            ]
        ),
        NAMES,
    )
    assert found.choices == {"weather": ("rain", "fog")}
    assert found.comment == "remark: blurred\nremark: far away\nis it a sign?"
    assert found.raw == ()
    assert [row.outcome for row in found.rows] == ["object"]


def test_a_skip_keeps_its_reason_and_what_was_drawn_before() -> None:
    untouched = {**rectangle("curate-1", (10, 10, 50, 60)), "origin": "prediction"}
    drawn = {**rectangle("mine", (10, 10, 50, 60)), "origin": "manual"}
    reason = about_the_image("textarea", "reason", text="too dark")
    found = decode_regions.read(work([untouched, drawn, reason], skipped=True), NAMES)
    assert [row.outcome for row in found.rows] == ["skipped"]
    assert found.comment == "reason: too dark"
    assert found.raw == (drawn,)
    assert found.kept_raw == {"drawn, then skipped": 1}


def empty_brush() -> dict[str, Any]:
    nothing = brush("m", (10, 10, 20, 20))
    nothing["value"]["rle"] = brush_module.encode(np.zeros((HEIGHT, WIDTH), dtype=bool))
    return nothing


UNREADABLE: dict[str, dict[str, Any]] = {
    "region of type ellipselabels": {"id": "e", "type": "ellipselabels", "value": {"radiusX": 4}},
    "region of type ellipse": {"id": "e", "type": "ellipse", "value": {"x": 1, "radiusX": 4}},
    "region of type keypointlabels": {"id": "k", "type": "keypointlabels", "value": {"x": 4, "y": 4}},
    "image turned while labeling": {**rectangle("b", (1, 1, 9, 9)), "image_rotation": 90},
    "unknown category horse": rectangle("b", (1, 1, 9, 9), "horse"),
    "no category": rectangle("b", (1, 1, 9, 9), rectanglelabels=[]),
    "2 categories": rectangle("b", (1, 1, 9, 9), rectanglelabels=list(NAMES)),
    "region id twice": rectangle("first", (1, 1, 9, 9)),
    "damaged mask": {**brush("m", (1, 1, 9, 9)), "value": {"rle": [1, 2], "brushlabels": ["stop_sign"]}},
    "empty mask": empty_brush(),
    "polygon of fewer than three corners": polygon("p", [(1, 1), (9, 9)]),
    "incomplete polygonlabels": {**polygon("p", []), "value": {"polygonlabels": ["stop_sign"]}},
    "incomplete rectanglelabels": {"id": "n", "type": "rectanglelabels"},
    "no area": rectangle("d", (5, 5, 5, 5)),
    "outside the image": rectangle("o", (-30, 5, -10, 25)),
    "not a number": rectangle("nan", (5, 5, 15, 15), x=float("nan")),
    "drawn on an image of 320 x 240": {
        **rectangle("b", (1, 1, 9, 9)), "original_width": 320, "original_height": 240,
    },
}  # fmt: skip


@pytest.mark.parametrize("reason", UNREADABLE)
@pytest.mark.parametrize("alone", [True, False])
def test_an_answer_with_a_region_that_cannot_be_read_is_unreadable(reason: str, *, alone: bool) -> None:
    """Alone it would be taken for "nothing there", beside another for an object that was not seen."""
    first = rectangle("first", (20, 20, 60, 60))
    regions = [UNREADABLE[reason]] if alone and reason != "region id twice" else [first, UNREADABLE[reason]]
    found = decode_regions.read(work(regions), NAMES)
    assert [row.outcome for row in found.rows] == ["unreadable"]
    assert found.unreadable == Counter({reason: 1})
    assert found.raw == tuple(regions)
    assert not found.kept_raw


def test_a_region_drawn_before_a_label_was_chosen_is_unreadable() -> None:
    """The page then leaves "labels" out of its type."""
    region = rectangle("b", (1, 1, 9, 9))
    del region["value"]["rectanglelabels"]
    found = decode_regions.read(work([{**region, "type": "rectangle"}]), NAMES)
    assert found.unreadable == {"no category": 1}


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (about_the_image("rating", "sure", "first", rating=2, x=20), "rating of a region"),
        (about_the_image("rating", "stars", rating=4), "control of type rating"),
    ],
)
def test_what_is_not_drawn_and_no_rule_reads_is_kept_raw_and_counted(
    region: dict[str, Any], reason: str
) -> None:
    found = decode_regions.read(work([rectangle("first", (20, 20, 60, 60)), region]), NAMES)
    assert [row.bbox_xyxy for row in found.rows] == [(20, 20, 60, 60)]
    assert found.raw == (region,)
    assert found.kept_raw == Counter({reason: 1})


def test_rows_carry_what_was_shown_and_when_it_was_changed() -> None:
    (row,) = decode(work([], updated_at="2026-11-21T00:00:00Z", taxonomy_digest="t", guideline_digest="g"))
    assert (row.updated_at, row.taxonomy_digest, row.guideline_digest) == (
        "2026-11-21T00:00:00.000000Z", "t", "g",
    )  # fmt: skip
