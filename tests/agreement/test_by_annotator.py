from __future__ import annotations

from dataclasses import replace

import pytest

from curate.agreement.by_annotator import sort_out
from curate.errors import TableError
from tests.agreement.drawings import answers, rows, table
from tests.builders import annotation, image_id

BOX = (10.0, 10.0, 50.0, 50.0)


def test_looking_finding_nothing_and_skipping_are_three_things() -> None:
    found = answers({("one", "ann"): [("stop", BOX)], ("one", "ben"): [], ("one", "cem"): None})
    drawn = found.by_image[image_id("one")]
    assert {person: indices.tolist() for person, indices in drawn.items()} == {"ann": [0], "ben": []}
    assert found.skipped == {image_id("one"): 1}
    assert found.overlapped() == [image_id("one")]


def test_who_skipped_and_drew_has_looked() -> None:
    skipped = annotation("one", None, None, annotator_id="ann", outcome="skipped")
    drew = annotation("one", "stop", BOX, annotator_id="ann")
    found = sort_out(table([skipped, drew]), planned={image_id("one")})
    assert found.skipped == {}
    assert list(found.by_image[image_id("one")]) == ["ann"]


def test_an_answer_that_is_unreadable_in_part_is_no_look() -> None:
    work = rows(
        {("one", "ann"): [("stop", BOX), ("stop", (60.0, 10.0, 90.0, 50.0))], ("one", "ben"): [("stop", BOX)]}
    )
    lost = annotation("one", None, None, annotator_id="ben", annotation_id="lost", outcome="unreadable")
    found = sort_out(table([*work, lost]), planned={image_id("one")})
    assert found.looks.tolist() == [1]
    assert list(found.by_image[image_id("one")]) == ["ann"]
    assert found.unreadable == {image_id("one")}


def test_rows_outside_the_plan_are_left_out_and_counted() -> None:
    work = rows({("one", "ann"): [("stop", BOX)], ("two", "ann"): [("stop", BOX), ("stop", BOX)]})
    found = sort_out(table(work), planned={image_id("one")})
    assert found.outside_plan == 2
    assert list(found.by_image) == [image_id("one")]


def test_objects_stand_in_the_order_of_content_not_of_ids() -> None:
    left, right = (1.0, 10.0, 20.0, 50.0), (30.0, 10.0, 50.0, 50.0)
    work = rows({("one", "ann"): [("stop", right), ("stop", left)]})
    found = sort_out(table(work), planned={image_id("one")})
    again = sort_out(table(work[::-1]), planned={image_id("one")})
    assert found.boxes.tolist() == [list(left), list(right)] == again.boxes.tolist()


def test_a_row_without_annotator_is_refused() -> None:
    nobody = replace(annotation("one", "stop", BOX), annotator_id=None, annotation_id="x1")
    with pytest.raises(TableError, match="annotation x1 names no annotator"):
        sort_out(table([nobody]), planned={image_id("one")})
