"""decisions.csv: what is read, what is refused, what contradicts, and what each stage depends on."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import decision_file
from curate.decision_file import ALONE, COLUMNS, DECISIONS, PAIRED, READ_BY, Decision
from curate.errors import InputError

A, B = "a" * 64, "b" * 64
TEXTS = st.text("abcxyz ,\"'éß-_", max_size=12).map(str.strip)


@st.composite
def made(draw: st.DrawFn) -> Decision:
    kind = draw(st.sampled_from(DECISIONS))
    box = decision_file.box_text((draw(st.integers(0, 50)) / 4, 1, 60.25, draw(st.integers(2, 90))))
    of_object = kind not in (*ALONE, *PAIRED)
    return Decision(
        0,
        draw(st.sampled_from([A, B, "cam/b.jpg"])),
        kind,
        other="c" * 64 if kind in PAIRED else "",
        by=draw(st.sampled_from(["", "labeler-1"])),
        note=draw(TEXTS),
        annotation="o1" if of_object and kind != "add" else "",
        argument="sign" if kind in {"relabel", "add"} else "blurry" if kind == "drop" else "",
        box=box if kind in {"edit", "add"} else "",
        when=draw(st.sampled_from(["", "2026-11-30T10:00:00Z"])),
    )


@given(st.lists(made(), max_size=12))
def test_what_is_written_is_read_and_the_order_does_not_count(
    tmp_path_factory: pytest.TempPathFactory, lines: list[Decision]
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    decision_file.write(path, lines)
    back = [replace(one, line=0) for one in decision_file.load(path)]
    assert sorted(map(repr, back)) == sorted(map(repr, lines))
    before, digests = path.read_bytes(), [decision_file.digest(path, stage) for stage in READ_BY]
    decision_file.write(path, reversed(back))
    assert [decision_file.digest(path, stage) for stage in READ_BY] == digests
    if len({(one.key, one.by) for one in lines}) == len(lines):
        assert path.read_bytes() == before


def written(tmp_path: Path, *lines: str, header: str = ",".join(COLUMNS)) -> Path:
    path = tmp_path / "decisions.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"{A},relabel,,,,,sign,,", "relabel needs the object in the column annotation"),
        (f"{A},relabel,,,,o1,,,", "relabel needs a category in the column argument"),
        (f"{A},needs-qa,,,,,soon,,", "needs-qa has no argument: leave that column empty"),
        (f"{A},drop,,,,o1,,,", "drop is about whole images: leave the columns annotation and box empty"),
        (f"{A},edit,,,,o1,,1 2 3,", "edit needs a box x1 y1 x2 y2 with x1 < x2 and y1 < y2, got '1 2 3'"),
        (f"{A},add,,,,,sign,5 2 3 9,", "add needs a box x1 y1 x2 y2 with x1 < x2 and y1 < y2, got '5 2 3 9'"),
        (
            f"{A},add,,,,,sign,0 0 nan 9,",
            "add needs a box x1 y1 x2 y2 with x1 < x2 and y1 < y2, got '0 0 nan 9'",
        ),
        (f"{A},gold,{B},,,,,,", "gold is about one image: leave the column other empty"),
    ],
)
def test_what_makes_no_sense_is_refused_by_line(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path, f"{B},keep,,,,,,,", line)
    with pytest.raises(InputError, match=rf"decisions\.csv:3: {re.escape(said)}$"):
        decision_file.load(path)
    good, problems = decision_file.read(path)
    assert [one.image for one in good] == [B]
    assert problems == [f"{path}:3: {said}"]


def test_a_line_of_the_page_of_duplicates_is_a_whole_one(tmp_path: Path) -> None:
    (one,) = decision_file.load(written(tmp_path, f"{A},different,{B},,"))
    assert (one.decision, one.other) == ("different", B)


def test_contradictions_are_found_and_other_things_are_none() -> None:
    lines = [
        Decision(1, A, "keep"),
        Decision(2, A, "needs-qa"),
        Decision(3, A, "drop", argument="blurry"),
        Decision(4, A, "different", other=B),
        Decision(5, B, "same", other=A),
        Decision(6, A, "relabel", annotation="o1", argument="x"),
        Decision(7, A, "relabel", annotation="o1", argument="x", by="labeler-2"),
        Decision(8, A, "delete", annotation="o1"),
        Decision(9, A, "delete", annotation="o2"),
        Decision(10, A, "relabel", annotation="o3", argument="x", when="2026-11-30T10:00:00Z"),
        Decision(
            11, A, "relabel", annotation="o3", argument="y", when="2026-11-30T11:00:00Z"
        ),  # applied after it
        Decision(12, A, "delete", annotation="o3", when="2026-11-30T11:00:00Z"),
        Decision(13, A, "delete", annotation="o2", box="1 2 3 4"),  # says the same
    ]
    assert [(a.line, b.line) for a, b in decision_file.conflicts(lines)] == [(1, 3), (4, 5), (6, 8), (11, 12)]


def test_a_stage_depends_on_its_own_decisions_only(tmp_path: Path) -> None:
    path = written(tmp_path, f"{A},drop,,,,,blurry,,")
    before = {stage: decision_file.digest(path, stage) for stage in READ_BY}
    for line, stages in (
        (f"{B},relabel,,,,o1,sign,,", {"agreement"}),
        (f"{B},gold,,,,,,,", {"select"}),
        (f"{B},needs-qa,,,,,,,", {"select", "agreement"}),
        (f"{B},drop,,,,,dark,,", {"dedupe"}),
        (f"{A},different,{B},,,,,,", {"dedupe", "release"}),
    ):
        path = written(tmp_path, f"{A},drop,,,,,blurry,,", line)
        now = {stage: decision_file.digest(path, stage) for stage in READ_BY}
        assert {stage for stage in READ_BY if now[stage] != before[stage]} == stages


def test_the_time_of_a_line_counts_where_it_orders_lines(tmp_path: Path) -> None:
    for line, stages in (
        (f"{A},drop,,,,,,,", set()),
        (f"{A},delete,,,,o1,,,", {"agreement"}),
        (f"{A},needs-qa,,,,,,,", {"agreement"}),
    ):
        digests = []
        for when in ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"):
            path = written(tmp_path, line + when)
            digests.append({stage: decision_file.digest(path, stage) for stage in READ_BY})
        assert {stage for stage in READ_BY if digests[0][stage] != digests[1][stage]} == stages


def test_the_time_of_a_look_must_be_one(tmp_path: Path) -> None:
    (line,) = decision_file.load(written(tmp_path, f"{A},needs-qa,,,,,,,2026-01-01"))
    assert line.moment == datetime(2026, 1, 1, 23, 59, 59, 999999, tzinfo=UTC), "the end of the day"
    (line,) = decision_file.load(written(tmp_path, f"{A},needs-qa,,,,,,,2026-01-01T10:00:00+02:00"))
    assert line.moment == datetime(2026, 1, 1, 8, tzinfo=UTC)
    with pytest.raises(InputError, match=r":2: when must be ISO 8601, such as .*, got 'yesterday'"):
        decision_file.load(written(tmp_path, f"{A},needs-qa,,,,,,,yesterday"))
