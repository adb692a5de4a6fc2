"""Labels of a copy that was dropped, against those of the image that was kept: by hand, and by hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.agreement.duplicate_conflicts import Drawn, differences, placed

CAR = Drawn("car", (10.0, 20.0, 50.0, 60.0))
BUS = Drawn("bus", (100.0, 20.0, 150.0, 80.0))


@pytest.mark.parametrize(
    ("copied", "words"),
    [
        ([CAR, BUS], []),
        ([Drawn("bus", CAR.box), BUS], ["car at 10, 20, 50, 60 is bus on the copy"]),
        ([BUS], ["car at 10, 20, 50, 60 is missing on the copy"]),
        (
            [],
            [
                f"{what} is missing on the copy"
                for what in ("car at 10, 20, 50, 60", "bus at 100, 20, 150, 80")
            ],
        ),
        (
            [CAR, BUS, Drawn("van", (0.0, 0.0, 5.0, 5.0))],
            ["van at 0, 0, 5, 5 is on the copy only"],
        ),
        (
            [Drawn("car", (10.0, 20.0, 50.0, 36.0)), BUS],  # 640 of 1600 pixels
            ["car at 10, 20, 50, 60 lies at 10, 20, 50, 36 on the copy (IoU 0.40)"],
        ),
    ],
)
def test_each_difference_has_its_words(copied: list[Drawn], words: list[str]) -> None:
    assert differences(copied, [CAR, BUS], iou_threshold=0.5) == words


@pytest.mark.parametrize("relation", ["cropped", "rotated", "tilted", "bordered", "semantic", "decided"])
def test_a_copy_that_lies_otherwise_is_not_placed(relation: str) -> None:
    assert placed([CAR], relation, (200, 100), (200, 100)) is None


def test_a_copy_of_other_proportions_is_not_placed() -> None:
    assert placed([CAR], "same", (200, 100), (400, 200)) == [Drawn("car", (20.0, 40.0, 100.0, 120.0))]
    assert placed([CAR], "same", (200, 100), (301, 151)) is not None  # a pixel of rounding
    assert placed([CAR], "same", (200, 100), (200, 110)) is None


@st.composite
def objects(draw: st.DrawFn) -> list[Drawn]:
    found = []
    for _ in range(draw(st.integers(0, 4))):
        x, y = draw(st.integers(0, 150)), draw(st.integers(0, 60))
        width, height = draw(st.integers(1, 49)), draw(st.integers(1, 39))
        found.append(Drawn(draw(st.sampled_from(["car", "bus"])), (x, y, x + width, y + height)))
    return found


@given(
    drawn=objects(), scale=st.sampled_from([0.5, 1.0, 2.0]), relation=st.sampled_from(["same", "mirrored"])
)
def test_the_same_labels_on_a_smaller_or_mirrored_copy_contradict_nothing(
    drawn: list[Drawn], scale: float, relation: str
) -> None:
    size = (int(200 * scale), int(100 * scale))
    there = placed(drawn, relation, (200, 100), size)
    assert there is not None
    again = placed(there, relation, size, (200, 100))
    assert again is not None
    assert differences(again, drawn, iou_threshold=0.99) == []


@given(first=objects(), second=objects())
def test_sets_of_labels_agree_both_ways_or_not_at_all(first: list[Drawn], second: list[Drawn]) -> None:
    there = differences(first, second, iou_threshold=0.5)
    back = differences(second, first, iou_threshold=0.5)
    assert len(there) == len(back)
