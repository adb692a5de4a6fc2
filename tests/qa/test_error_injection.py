"""Errors planted in suggestions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import TableError
from curate.geometry import masks
from curate.geometry.boxes import box_iou
from curate.qa import error_injection
from curate.records import Annotation, Box, derived_id
from tests import builders

WIDTH, HEIGHT = builders.WIDTH, builders.HEIGHT
SIZE = {"width": WIDTH, "height": HEIGHT}
NAMES = tuple(builders.CATEGORIES)
IMAGE = builders.image_id("one")
SPURIOUS = error_injection.spurious_id(IMAGE)


def suggestion(box: Box, category: str = "stop_sign", score: float = 0.9) -> Annotation:
    return builders.annotation("one", category, box, origin="model", score=score, model_version="m")


@st.composite
def suggestions(draw: st.DrawFn) -> tuple[Annotation, ...]:
    rows = {}
    for _ in range(draw(st.integers(1, 4))):
        x1, y1 = draw(st.floats(0, WIDTH - 8)), draw(st.floats(0, HEIGHT - 8))
        x2, y2 = draw(st.floats(x1 + 8, WIDTH)), draw(st.floats(y1 + 8, HEIGHT))
        row = suggestion((x1, y1, x2, y2), draw(st.sampled_from(NAMES)))
        rows[row.annotation_id] = row if draw(st.booleans()) else replace(row, rle=None)
    return tuple(rows.values())


def plant(rows: tuple[Annotation, ...], kind: str, seeded_id: str | None = None) -> tuple[Annotation, ...]:
    target = SPURIOUS if kind == "spurious" else rows[0].annotation_id
    return error_injection.plant(rows, kind, seeded_id or target, names=NAMES, **SIZE)


@given(suggestions(), st.sampled_from(error_injection.KINDS))
def test_one_suggestion_is_wrong_and_the_others_are_untouched(
    rows: tuple[Annotation, ...], kind: str
) -> None:
    shown = plant(rows, kind)
    assert plant(rows[::-1], kind, SPURIOUS if kind == "spurious" else rows[0].annotation_id) == shown
    assert [row.annotation_id for row in shown] == sorted({row.annotation_id for row in shown})
    unchanged = set(rows) & set(shown)
    if kind == "missing":
        assert unchanged == set(shown) == set(rows[1:])
        return
    (wrong,) = set(shown) - set(rows)
    if kind == "spurious":
        assert unchanged == set(rows)
        assert wrong.annotation_id == SPURIOUS
    else:
        assert unchanged == set(rows[1:])
        assert wrong.annotation_id == rows[0].annotation_id
    assert (wrong.category != rows[0].category) == (kind == "category") or kind == "spurious"
    assert wrong.bbox_xyxy is not None
    x1, y1, x2, y2 = wrong.bbox_xyxy
    assert 0 <= x1 < x2 <= WIDTH
    assert 0 <= y1 < y2 <= HEIGHT
    if kind == "moved":
        assert box_iou([wrong.bbox_xyxy], [rows[0].bbox_xyxy])[0, 0] < 0.5
    if wrong.rle is not None:
        around = masks.bbox(wrong.rle, **SIZE)
        assert around is not None
        assert around[0] > x1 - 1
        assert around[1] > y1 - 1
        assert around[2] < x2 + 1
        assert around[3] < y2 + 1


@given(suggestions(), st.sampled_from(error_injection.KINDS))
def test_who_only_agrees_leaves_the_error_in(rows: tuple[Annotation, ...], kind: str) -> None:
    shown = plant(rows, kind)
    seeded = SPURIOUS if kind == "spurious" else rows[0].annotation_id
    other = [row for row in shown if row.annotation_id != seeded]
    covered = any(box_iou([row.bbox_xyxy], [rows[0].bbox_xyxy])[0, 0] >= 0.5 for row in other)
    left = error_injection.left_in(kind, seeded, before=rows, shown=shown, drawn=shown)
    wrong = [row for row in shown if row.annotation_id == seeded]
    hidden = any(
        box_iou([row.bbox_xyxy], [wrong[0].bbox_xyxy])[0, 0] == 1 for row in rows[1:] if wrong
    )  # another suggestion stands just there: nothing tells them apart
    assert left or covered or hidden


SIGN = suggestion((20.0, 20.0, 60.0, 60.0))
OTHER = suggestion((90.0, 20.0, 150.0, 90.0), "parking_sign", 0.5)


@pytest.mark.parametrize("kind", error_injection.KINDS)
def test_who_puts_it_right_has_caught_it(kind: str) -> None:
    shown = plant((SIGN, OTHER), kind)
    seeded = SPURIOUS if kind == "spurious" else SIGN.annotation_id

    def left(*drawn: Annotation) -> bool:
        return error_injection.left_in(kind, seeded, before=(SIGN, OTHER), shown=shown, drawn=drawn)

    assert not left(SIGN, OTHER)
    assert left(*shown)
    assert left() == (kind == "missing")
    near = replace(SIGN, bbox_xyxy=(22.0, 19.0, 62.0, 59.0))
    assert not left(near, OTHER)


def test_the_moved_mask_is_the_mask_moved() -> None:
    wrong = next(row for row in plant((SIGN,), "moved"))
    assert SIGN.rle is not None
    assert wrong.rle is not None
    assert wrong.bbox_xyxy is not None
    dx, dy = round(wrong.bbox_xyxy[0] - 20), round(wrong.bbox_xyxy[1] - 20)
    assert (abs(dx), abs(dy)) == (18, 12)
    before, after = masks.decode(SIGN.rle, **SIZE), masks.decode(wrong.rle, **SIZE)
    assert (after[20 + dy : 60 + dy, 20 + dx : 60 + dx] == before[20:60, 20:60]).all()
    assert after.sum() == before.sum()


def test_a_box_as_large_as_the_image_is_made_smaller() -> None:
    full = suggestion((0.0, 0.0, float(WIDTH), float(HEIGHT)))
    (wrong,) = plant((full,), "moved")
    assert box_iou([wrong.bbox_xyxy], [full.bbox_xyxy])[0, 0] == pytest.approx(0.36)
    shown = plant((full,), "spurious")
    small = next(row for row in shown if row.annotation_id == SPURIOUS)
    assert box_iou([small.bbox_xyxy], [full.bbox_xyxy])[0, 0] == pytest.approx(0.16)


def test_a_spurious_box_keeps_apart_where_there_is_room() -> None:
    for number in range(50):
        seeded = derived_id("spurious", number)
        wrong = next(row for row in plant((SIGN, OTHER), "spurious", seeded) if row.annotation_id == seeded)
        assert box_iou([wrong.bbox_xyxy], [SIGN.bbox_xyxy, OTHER.bbox_xyxy]).max() <= 0.1


def test_a_plan_of_another_model_is_refused() -> None:
    with pytest.raises(TableError, match="makes suggestion gone wrong, which is none"):
        plant((SIGN,), "moved", "gone")
    with pytest.raises(TableError, match="the taxonomy has one category"):
        error_injection.plant((SIGN,), "category", SIGN.annotation_id, names=("stop_sign",), **SIZE)
    with pytest.raises(TableError, match="an image without suggestions"):
        plant((), "spurious", "x")
