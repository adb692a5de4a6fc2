"""What is left as it was shown keeps the polygon that the page does not show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from curate.shown import record
from curate.shown.outlines import ShownOutlines
from tests import builders
from tests.shown import showing

POLYGON, OTHER = "[[20.0, 20.0, 80.0, 20.0, 20.0, 80.0]]", "[[1.0, 1.0, 9.0, 1.0, 1.0, 9.0]]"
NUDGED, MOVED = (20.004, 20.0, 80.0, 79.996), (20.5, 20.0, 80.5, 80.0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, POLYGON),
        ({"category": "parking_sign"}, POLYGON),
        ({"bbox_xyxy": NUDGED}, POLYGON),  # by percent of the image and back
        ({"bbox_xyxy": MOVED}, None),
        ({"rle": "PQ_1"}, None),  # painted since
        ({"parent_id": None}, None),
        ({"parent_id": "another"}, None),
        ({"polygon": OTHER}, OTHER),  # drawn on the page
        ({"outcome": "empty", "category": None, "bbox_xyxy": None}, None),
    ],
)
def test_the_outline_stays_where_box_and_mask_do(
    tmp_path: Path, changes: dict[str, object], expected: str | None
) -> None:
    one = replace(showing.suggestion("one", "m1"), polygon=POLYGON)
    made = [showing.planned("one", [one])]
    showing.write_planned(tmp_path, made, since=showing.at(8), confirmed=showing.at(9))
    answer = builders.annotation(
        "one", "stop_sign", showing.BOX, annotator_id="ann", rle=None, parent_id=one.annotation_id
    )
    row = {**answer.row(), **changes}
    assert ShownOutlines(record.load(tmp_path)).polygon(row) == expected
