from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.agreement import vote_rules
from curate.errors import RecordError

PAGE = Path(__file__).parents[2] / "docs/agreement.md"


def table_of_the_page() -> list[tuple[int, int, float, str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    (head,) = [line for line in lines if line.startswith("| who drew it")]
    shares = [float(text) for text in re.findall(r"min_votes_share: ([\d.]+)", head)]
    cells = [re.fullmatch(r"\| (\d) of (\d) \| (\w+) \| (\w+) \| (\w+) \|", line) for line in lines]
    return [
        (int(row[1]), int(row[2]), share, row[3 + place])
        for row in cells
        if row is not None
        for place, share in enumerate(shares)
    ]


def test_the_table_of_the_page_is_whole() -> None:
    assert len(table_of_the_page()) == 3 * (1 + 2 + 3 + 4 + 5)


@pytest.mark.parametrize(("drew", "looked", "share", "verdict"), table_of_the_page())
def test_presence_is_as_the_page_says(drew: int, looked: int, share: float, verdict: str) -> None:
    assert vote_rules.presence(drew, looked, min_votes_share=share) == verdict


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 1.0))
def test_there_and_not_there_mirror_each_other(counted: tuple[int, int], share: float) -> None:
    drew, looked = counted
    mirror = {"object": "absent", "absent": "object", "disputed": "disputed"}
    verdict = vote_rules.presence(drew, looked, min_votes_share=share)
    assert vote_rules.presence(looked - drew, looked, min_votes_share=share) == mirror[verdict]


@pytest.mark.parametrize(("drew", "looked", "share"), [(3, 2, 0.5), (0, 0, 0.5), (1, 2, 0.4), (1, 2, 1.1)])
def test_impossible_votes_are_refused(drew: int, looked: int, share: float) -> None:
    with pytest.raises(RecordError, match="expected"):
        vote_rules.presence(drew, looked, min_votes_share=share)


@pytest.mark.parametrize(
    ("chosen", "members", "share", "settled"),
    [(1, 1, 0.5, True), (1, 2, 0.5, False), (2, 3, 0.5, True), (1, 3, 0.5, False), (2, 4, 0.5, True),
     (2, 5, 0.5, False), (2, 3, 1.0, False), (3, 3, 1.0, True)],
)  # fmt: skip
def test_a_name_needs_two_people_and_its_share(
    chosen: int, members: int, share: float, settled: bool
) -> None:
    assert vote_rules.name_is_settled(chosen, members, min_votes_share=share) is settled


@pytest.mark.parametrize(
    ("alike", "settled"),
    [([], True), ([[1.0]], True), ([[1.0, 0.4], [0.4, 1.0]], False), ([[1.0, 0.5], [0.5, 1.0]], True),
     ([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]], True)],
)  # fmt: skip
def test_masks_show_one_thing_where_more_than_half_overlap(alike: list[list[float]], settled: bool) -> None:
    assert vote_rules.mask_is_settled(alike, iou_threshold=0.5) is settled
