from __future__ import annotations

from dataclasses import replace

import pytest

from curate.agreement import bad_rows
from curate.agreement.bad_rows import Known, Policy
from curate.errors import TableError
from curate.geometry import masks
from curate.records import Annotation
from tests.agreement.drawings import table
from tests.builders import HEIGHT, WIDTH, annotation, ellipse, image_id

BOX = (10.0, 10.0, 50.0, 50.0)
OUT = (140.0, 90.0, 170.0, 110.0)
KNOWN = Known(
    {image_id("one"): (WIDTH, HEIGHT), image_id("gone"): None}, {"stop"}, {image_id("one"): "planned"}
)


def drawn(**changes: object) -> Annotation:
    values = {"annotator_id": "ann", "annotation_id": "row", "task_id": "planned", "rle": None, **changes}
    return annotation(str(values.pop("on", "one")), "stop", values.pop("box", BOX), **values)  # type: ignore[arg-type]


SMALL = masks.encode(ellipse((2.0, 2.0, 8.0, 8.0), size=(10, 10)))
NOTHING = masks.encode(ellipse((300.0, 300.0, 310.0, 310.0)))
CASES = [
    pytest.param(drawn(on="other"), "unknown_image", "left_out", "left_out", id="unknown image"),
    pytest.param(
        drawn(box=(170.0, 10.0, 180.0, 20.0)), "no_area", "unreadable", "left_out", id="wholly outside"
    ),
    pytest.param(drawn(rle=NOTHING), "no_area", "unreadable", "left_out", id="an empty mask"),
    pytest.param(drawn(rle=SMALL), "mask_size", "unreadable", "left_out", id="a mask of another size"),
    pytest.param(drawn(rle="~!"), "mask_size", "unreadable", "left_out", id="a damaged mask"),
    pytest.param(
        replace(drawn(), category="halt"), "unknown_category", "kept", "left_out", id="unknown category"
    ),
    pytest.param(drawn(box=OUT), "outside", "clipped", "clipped", id="over the border"),
]


@pytest.mark.parametrize(("row", "problem", "clip", "skip"), CASES)
def test_a_bad_row_is_listed_and_handled_as_told(row: Annotation, problem: str, clip: str, skip: str) -> None:
    good = drawn(annotation_id="good")
    policies: list[tuple[Policy, str]] = [("clip", clip), ("skip", skip)]
    for policy, action in policies:
        kept, found = bad_rows.sort_out(table([row, good]), KNOWN, policy=policy)
        assert [(bad.annotation_id, bad.problem, bad.action) for bad in found] == [("row", problem, action)]
        left = {one["annotation_id"]: one for one in kept.to_pylist()}
        assert ("row" in left) == (action != "left_out")
        assert left["good"] == good.row() | {"bbox_xyxy": list(BOX)}
        if action == "unreadable":
            assert (left["row"]["outcome"], left["row"]["bbox_xyxy"]) == ("unreadable", None)
        if action == "clipped":
            assert left["row"]["bbox_xyxy"] == [140.0, 90.0, WIDTH, 110.0]
    with pytest.raises(TableError, match=rf"1 {problem} \(row\)"):
        bad_rows.sort_out(table([row]), KNOWN, policy="refuse")


def test_good_rows_and_images_that_were_never_readable_are_left_alone() -> None:
    rows = table([drawn(), drawn(on="gone", annotation_id="on gone")])
    kept, found = bad_rows.sort_out(rows, KNOWN, policy="refuse")
    assert (kept, found) == (rows, [])


@pytest.mark.parametrize(
    ("tasks", "times", "counts"),
    [
        (
            ("planned", "old"),
            ("2026-01-01", "2026-02-01"),
            "planned",
        ),  # the planned task, though answered earlier
        (("old", "older"), ("2026-02-01", "2026-01-01"), "old"),
    ],
)
def test_of_two_answers_of_one_person_one_counts(
    tasks: tuple[str, str], times: tuple[str, str], counts: str
) -> None:
    rows = [
        drawn(annotation_id=task, task_id=task, created_at=when)
        for task, when in zip(tasks, times, strict=True)
    ]
    kept, found = bad_rows.sort_out(table(rows), KNOWN, policy="clip")
    assert kept["annotation_id"].to_pylist() == [counts]
    assert [(bad.problem, bad.action) for bad in found] == [("annotator_twice", "left_out")]


def test_a_refusal_tells_all_kinds_and_the_first_of_each() -> None:
    rows = [drawn(annotation_id=f"box{i}", box=OUT) for i in range(7)] + [
        drawn(on="other", annotation_id="far")
    ]
    with pytest.raises(
        TableError, match=r"7 outside \(box0, box1, box2, box3, box4, \.\.\.\); 1 unknown_image"
    ):
        bad_rows.sort_out(table(rows), KNOWN, policy="refuse")
