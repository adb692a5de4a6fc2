"""Stage vote with people: in rounds, through skips and checks; what they gave outlives what is added."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate import tables
from curate.errors import WaitingForPeopleError
from curate.ports.comparison import ComparisonDraft, GivenVote
from curate.records import StageReport
from curate.restoration import table_schemas
from tests.restoration import restoration_rows
from tests.stages import comparing_people
from tests.stages.comparing_people import ComparingPeople, read, run

BRIGHT = {"bicubic": 60, "compact": 120, "large": 180}
CLEAN_GRAY, ANN, BOB, CAL = 250, "ann@x.invalid", "bob@x.invalid", "cal@x.invalid"


def shown_project(folder: Path, images: int = 12, *, bright: dict[str, int] = BRIGHT) -> None:
    """Results that people can look at: the better model's are brighter, and the clean image is the brightest.

    Blur and noise around it make the spoilt one darker: noise above white is cut.
    """
    files = comparing_people.pictures(folder / "results", {**bright, "clean": CLEAN_GRAY}, images)
    names = [f"p{n:02}" for n in range(images)]
    pairs = [restoration_rows.pair(p, image_id=f"i{p}", hr_path=str(files[p, "clean"])) for p in names]
    rows = [restoration_rows.upscaled(m, p, path=str(files[p, m])) for p in names for m in bright]
    tables.write_rows(pairs, folder / "pairs.parquet", table_schemas.IMAGE_PAIRS)
    tables.write_rows(rows, folder / "upscaled.parquet", table_schemas.UPSCALED)


def test_people_are_asked_round_by_round_until_the_order_is_settled(tmp_path: Path) -> None:
    shown_project(tmp_path)
    people, settings = ComparingPeople(), {"number": 2, "round_pairs": 3, "attention_share": 0.2}
    with pytest.raises(WaitingForPeopleError, match=r"0 of \d+ votes of round 1 of at most 4 are in at http"):
        run(tmp_path, people, **settings)
    first = list(people.offered)
    assert read(tmp_path / "votes.csv") == read(tmp_path / "ranking.csv") == []
    people.work(ANN)
    people.work(BOB, max_votes=5)
    with pytest.raises(WaitingForPeopleError, match=f"{len(first) + 5} of {2 * len(first)} votes of round 1"):
        run(tmp_path, people, **settings)
    assert people.offered == first  # nothing new before the round is done
    people.work(BOB)
    with pytest.raises(WaitingForPeopleError, match="of round 2 of at most 4"):
        run(tmp_path, people, **settings)
    assert people.offered[: len(first)] == first
    people.work(ANN)
    people.work(BOB)
    report = run(tmp_path, people, **settings)
    assert [row["model"] for row in read(tmp_path / "ranking.csv")] == ["large", "compact", "bicubic"]
    ranks = {(row["raters"], row["complete"]) for row in read(tmp_path / "ranking.csv")}
    assert ranks == {("labelstudio", "yes")}
    metrics = report.metrics
    assert (metrics["rounds"], metrics["settled"], metrics["agreement"]) == (2, True, 1.0)
    assert metrics["looks"] == metrics["looks_wanted"] == 2 * len(people.offered)
    checks = metrics["attention"]
    assert checks["passed"] == checks["asked"] > 0
    assert checks["left_out"] == []
    votes = read(tmp_path / "votes.csv")
    assert len(votes) == len(people.votes)
    assert {row["rater_id"] for row in votes} == {"labeler-1", "labeler-2"}
    assert "@" not in json.dumps(metrics) + (tmp_path / "votes.csv").read_text()
    pushes = people.pushes
    run(tmp_path, people, **settings)  # again: the server is asked, and nothing changes
    assert people.pushes == pushes + 1
    assert len(people.tasks) == len(people.offered)


def test_who_fails_the_checks_is_named_left_out_and_counted(tmp_path: Path) -> None:
    shown_project(tmp_path, 6)
    people = ComparingPeople()
    settings = {"number": 3, "round_pairs": 6, "attention_share": 0.3}
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, **settings)
    people.work(ANN)
    people.work(BOB)
    asked = people.work(CAL, wrong=True)
    report = run(tmp_path, people, **settings)
    checks = sum(row["kind"] == "attention" for row in read(tmp_path / "plan.csv"))
    assert checks > 2
    assert report.metrics["attention"]["left_out"] == ["labeler-3"]
    assert report.metrics["attention"]["by_rater"]["labeler-3"] == {"passed": 0, "asked": checks}
    assert ("left out, of raters who failed attention checks (labeler-3)", asked) in report.counts
    rows = read(tmp_path / "votes.csv")
    marks = {(row["counts"], row["reason"]) for row in rows if row["rater_id"] == "labeler-3"}
    assert marks == {("no", "the rater failed attention checks")}
    without = float(read(tmp_path / "ranking.csv")[0]["strength"])
    assert report.metrics["agreement"] == 1.0
    everybody = run(tmp_path, people, **settings, min_attention=0)
    assert everybody.metrics["attention"]["left_out"] == []
    assert float(read(tmp_path / "ranking.csv")[0]["strength"]) < without
    assert len(read(tmp_path / "votes.csv")) == len(rows)  # nobody's vote is thrown away


def test_partial_votes_are_ranked_where_that_is_wanted(tmp_path: Path) -> None:
    shown_project(tmp_path, 4)
    people, settings = ComparingPeople(), {"number": 2, "allow_partial": True}
    none = run(tmp_path, people, **settings)
    assert dict(none.counts)["still open"] == 2 * len(people.offered)
    assert read(tmp_path / "ranking.csv") == []
    people.work(ANN)
    people.work(BOB, skip=True, max_votes=2)
    report = run(tmp_path, people, **settings)
    counts = dict(report.counts)
    assert counts["still open"] == len(people.offered) - 2
    assert counts["skipped"] == 2
    assert [row["complete"] for row in read(tmp_path / "ranking.csv")] == ["no"] * 3


def test_a_skipped_check_is_asked_and_not_passed(tmp_path: Path) -> None:
    shown_project(tmp_path, 6)
    people, settings = ComparingPeople(), {"number": 2, "round_pairs": 6, "attention_share": 0.3}
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, **settings)
    people.work(ANN)
    people.work(BOB)
    checks = sum(row["kind"] == "attention" for row in read(tmp_path / "plan.csv"))
    assert checks > 2
    spoilt = {key for key, task in people.tasks.items() if is_check(task)}
    assert len(spoilt) == checks
    for key in spoilt:
        people.votes[key, BOB] = GivenVote(key, BOB, None)
    report = run(tmp_path, people, **settings)
    assert report.metrics["attention"]["by_rater"]["labeler-2"] == {"passed": 0, "asked": checks}
    assert report.metrics["attention"]["left_out"] == ["labeler-2"]
    assert dict(report.counts)["skipped"] == checks
    skips = [row for row in read(tmp_path / "votes.csv") if not row["winner"]]
    assert [(row["rater_id"], row["kind"], row["loser"], row["counts"], row["reason"]) for row in skips] == [
        ("labeler-2", "attention", "", "no", "no side is chosen")
    ] * checks


def is_check(task: ComparisonDraft) -> bool:
    """Whether one of the two is the clean image."""
    return any(np.asarray(Image.open(path)).min() > CLEAN_GRAY - 20 for path in (task.left, task.right))


def test_who_met_no_check_is_named(tmp_path: Path) -> None:
    shown_project(tmp_path, 6)
    people, settings = ComparingPeople(), {"number": 2, "attention_share": 0.3, "allow_partial": True}
    run(tmp_path, people, **settings)
    people.work(ANN)
    (vote_key, *_) = (key for key in people.offered if not is_check(people.tasks[key]))
    people.votes[vote_key, BOB] = GivenVote(vote_key, BOB, "left")
    report = run(tmp_path, people, **settings)
    assert report.metrics["attention"]["without_check"] == ["labeler-2"]
    assert ("of raters who met no attention check (labeler-2)", 1) in report.counts
    off = run(tmp_path, people, **settings | {"attention_share": 0})
    assert not any("no attention check" in name for name, _ in off.counts)  # none was wanted


def test_while_people_are_awaited_nothing_of_an_older_plan_is_left(tmp_path: Path) -> None:
    shown_project(tmp_path, 3)
    people, settings = ComparingPeople(), {"number": 1, "attention_share": 0, "repeat_share": 0}
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, **settings)
    people.work(ANN)
    run(tmp_path, people, **settings)
    shown_project(tmp_path, 3, bright={"compact": 20, "large": 180, "newer": 220})
    with pytest.raises(WaitingForPeopleError, match="0 of 9 votes"):
        run(tmp_path, people, **settings)
    assert (read(tmp_path / "votes.csv"), read(tmp_path / "ranking.csv")) == ([], [])
    people.work(ANN, max_votes=4)
    with pytest.raises(WaitingForPeopleError, match="4 of 9 votes") as waiting:
        run(tmp_path, people, **settings)
    planned = {row["comparison_id"] for row in read(tmp_path / "plan.csv")}
    assert len(read(tmp_path / "votes.csv")) == 4
    assert {row["comparison_id"] for row in read(tmp_path / "votes.csv")} < planned
    ranking = read(tmp_path / "ranking.csv")
    assert {row["complete"] for row in ranking} == {"no"}
    assert {row["model"] for row in ranking} <= {"compact", "large", "newer"}
    report = waiting.value.so_far
    assert isinstance(report, StageReport)
    assert (report.metrics["looks"], report.metrics["looks_wanted"]) == (4, 9)
    assert dict(report.counts)["votes"] == 4


def test_a_model_more_keeps_the_votes_on_the_others(tmp_path: Path) -> None:
    shown_project(tmp_path, 4)
    people, settings = ComparingPeople(), {"number": 1}
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, **settings)
    given = people.work(ANN)
    run(tmp_path, people, **settings)
    shown_project(tmp_path, 4, bright={**BRIGHT, "newer": 220})
    with pytest.raises(WaitingForPeopleError, match=f"{given} of "):
        run(tmp_path, people, **settings)


def test_votes_on_other_pictures_do_not_count_and_are_counted(tmp_path: Path) -> None:
    """A model that makes other pictures has its old votes no more; those on the others stay."""
    shown_project(tmp_path, 3)
    people, settings = ComparingPeople(), {"number": 1, "attention_share": 0, "repeat_share": 0}
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, **settings)
    people.work(ANN)
    run(tmp_path, people, **settings)
    shown_project(tmp_path, 3, bright={**BRIGHT, "compact": 20})
    with pytest.raises(WaitingForPeopleError, match="3 of 9 votes"):
        run(tmp_path, people, **settings)
    people.work(ANN)
    report = run(tmp_path, people, **settings)
    assert [row["model"] for row in read(tmp_path / "ranking.csv")] == ["large", "bicubic", "compact"]
    assert dict(report.counts)["of other pictures, not read"] == 6


def test_votes_on_edited_pictures_are_held_back_shown_and_asked_anew(tmp_path: Path) -> None:
    shown_project(tmp_path, 3)
    people, settings = ComparingPeople(), {"number": 2, "attention_share": 0, "repeat_share": 0}
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, **settings)
    people.work(ANN)
    people.work(BOB)
    before = run(tmp_path, people, **settings)
    assert "edited" not in str(before.counts)
    people.edit(people.offered[4])
    with pytest.raises(WaitingForPeopleError, match="16 of 18 votes") as waiting:
        run(tmp_path, people, **settings)
    report = waiting.value.so_far
    assert isinstance(report, StageReport)
    assert dict(report.counts)["of pictures that were edited on the server, held back"] == 2
    assert (report.metrics["edited"], dict(report.counts)["votes"]) == (2, 16)
    held = [row for row in read(tmp_path / "votes.csv") if row["counts"] == "no"]
    assert [(row["rater_id"], row["winner"], row["loser"]) for row in held] == [
        ("labeler-1", "", ""),
        ("labeler-2", "", ""),
    ]
    assert {row["reason"] for row in held} == {
        "somebody changed the pictures on the server: nobody knows what was seen"
    }
    people.work(ANN)
    people.work(BOB)
    again = run(tmp_path, people, **settings)
    assert again.metrics["strengths"] == before.metrics["strengths"]
    assert len(read(tmp_path / "votes.csv")) == 18 + 2


def test_nothing_that_people_get_tells_which_model_it_is(tmp_path: Path) -> None:
    shown_project(tmp_path, 5)
    people = ComparingPeople()
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, attention_share=0.3)
    told = repr(list(people.tasks.values())).replace(str(tmp_path), "")
    for path in (tmp_path / "pictures").iterdir():
        content = path.read_bytes()
        assert content.count(b"IDAT") >= 1
        assert not re.search(rb"tEXt|iTXt|zTXt|eXIf", content)
        told += path.name
    assert not re.search("bicubic|compact|large|clean|spoilt|vote|repeat|attention", told)
