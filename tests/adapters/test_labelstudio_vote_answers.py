"""Reading votes: everybody's last look at each comparison, and whatever is none is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.adapters.labelstudio import label_config, vote_answers
from curate.ports import ProjectRef
from curate.ports.comparison import GivenVote, PulledVotes
from tests.adapters.fake_labelstudio import PROJECT, FakeLabelStudio

ANN, BEN = "anna@x.invalid", "ben@x.invalid"
SHOWN = {key: (f"{key}-left", f"{key}-right") for key in ("c1", "c2", "c3")}


@pytest.fixture
def server() -> FakeLabelStudio:
    made = FakeLabelStudio()
    for key, (left, right) in SHOWN.items():
        made.tasks[made.add_task(key)]["data"] |= {"left": left, "right": right}
    return made


def chosen(side: str) -> list[dict[str, Any]]:
    region = {"id": "x", "from_name": label_config.COMPARISON, "to_name": "left,right", "type": "pairwise"}
    return [{**region, "value": {"selected": side}}]


def read(server: FakeLabelStudio, names: Path | None = None) -> PulledVotes:
    return vote_answers.read(server.client(), ProjectRef(PROJECT, "http://there"), SHOWN, names=names)


def test_sides_skips_and_what_says_nothing(server: FakeLabelStudio) -> None:
    first, second, third = server.tasks
    server.answer(first, 1, chosen("left"))
    server.answer(first, 2, chosen("right"))
    server.answer(second, 1, [], was_cancelled=True)
    server.answer(second, 2, chosen("none"))
    server.answer(third, 1, [])
    server.answer(third, 2, [*chosen("left"), *chosen("right")])
    found = read(server)
    assert found.votes == (
        GivenVote("c1", ANN, "left"), GivenVote("c1", BEN, "right"),
        GivenVote("c2", ANN, None), GivenVote("c2", BEN, None),
        GivenVote("c3", ANN, None), GivenVote("c3", BEN, None),
    )  # fmt: skip
    assert (found.skipped, found.unreadable, found.superseded) == (1, 3, 0)


def test_the_last_answer_of_a_person_counts_over_copies_of_a_task(server: FakeLabelStudio) -> None:
    first = next(iter(server.tasks))
    number = server.answer(first, 1, chosen("left"))
    copy = server.add_task("c1")
    server.tasks[copy]["data"] |= dict(zip(("left", "right"), SHOWN["c1"], strict=True))
    server.pass_time(5)
    server.answer(copy, 1, chosen("right"))
    assert read(server).votes == (GivenVote("c1", ANN, "right"),)
    assert read(server).superseded == 1
    server.pass_time(5)
    server.change(first, number, result=chosen("left"))
    assert read(server).votes == (GivenVote("c1", ANN, "left"),)


def test_what_is_no_vote_is_counted(server: FakeLabelStudio) -> None:
    first, second, _ = server.tasks
    server.answer(first, 1, chosen("left"), lead_time=None)  # made without a page
    server.answer(second, 1, chosen("left"))
    server.answer(second, 2, chosen("left"), lead_time=None)
    server.tasks[second]["data"]["left"] = "c2-left_blurred.png"
    server.answer(server.add_task("of an older plan"), 1, chosen("left"))
    server.answer(server.add_task(""), 2, chosen("left"))
    found = read(server)
    assert found.votes == ()
    assert (found.unattended, found.outside_plan) == (2, 2)
    assert found.edited == (GivenVote("c2", ANN, None),)  # nobody knows what she saw


def test_who_voted_on_other_pictures_may_vote_on_ours(server: FakeLabelStudio) -> None:
    first = next(iter(server.tasks))
    anew = server.add_task("c1")
    server.tasks[anew]["data"] |= server.tasks[first]["data"]
    server.answer(anew, 1, chosen("right"))
    server.tasks[first]["data"] = server.tasks[first]["data"] | {"right": "another picture"}
    server.pass_time(5)
    server.answer(first, 1, chosen("left"))  # later, on a page that was still open
    found = read(server)
    assert found.votes == (GivenVote("c1", ANN, "right"),)
    assert (found.edited, found.superseded) == ((GivenVote("c1", ANN, None),), 0)


def test_votes_outlive_another_storage_of_the_same_pictures(server: FakeLabelStudio) -> None:
    first, second, _ = server.tasks
    here, there = "/data/local-files/?d=ingest/vote", "s3://bucket/vote"
    server.tasks[first]["data"] |= {"left": f"{here}/aa.png", "right": f"{here}/bb.png"}
    server.tasks[second]["data"] |= {"left": f"{here}/cc.png", "right": f"{here}/other.png"}
    server.answer(first, 1, chosen("left"))
    server.answer(second, 1, chosen("left"))
    shown = {"c1": (f"{there}/aa.png", f"{there}/bb.png"), "c2": (f"{there}/cc.png", f"{there}/dd.png")}
    found = vote_answers.read(server.client(), ProjectRef(PROJECT, "http://there"), shown, names=None)
    assert found.votes == (GivenVote("c1", ANN, "left"),)
    assert found.edited == (GivenVote("c2", ANN, None),)


def test_a_vote_that_is_not_what_the_page_sends_is_unreadable(server: FakeLabelStudio) -> None:
    server.answer(next(iter(server.tasks)), 1, ["left"])  # type: ignore[list-item]
    assert read(server).unreadable == 1


def test_who_left_keeps_votes_and_name(server: FakeLabelStudio, tmp_path: Path) -> None:
    first, second, _ = server.tasks
    numbers = [server.answer(task, 2, chosen("left")) for task in (first, second)]
    names = tmp_path / "names.json"
    before = read(server, names)
    del server.users[2]
    for task, number in zip((first, second), numbers, strict=True):
        server.tasks[task]["annotations"][number]["completed_by"] = None
    assert read(server, names) == before
    nameless = read(server).votes
    assert len({vote.person for vote in nameless}) == 2  # rather two people than one
    assert all("deleted account" in vote.person for vote in nameless)
