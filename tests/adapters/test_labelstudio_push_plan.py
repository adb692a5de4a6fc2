"""What a push finds to do, without a server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate.adapters.labelstudio import wanted_tasks
from curate.adapters.labelstudio.image_storage import LocalFiles
from curate.adapters.labelstudio.push_plan import (
    CLOSED,
    MARK,
    Existing,
    Offer,
    Replacement,
    batch_mark,
    compare,
    offer,
)
from curate.adapters.labelstudio.wanted_tasks import Wanted
from curate.errors import AnnotationToolError
from curate.ports import TaskDraft
from tests import builders

ROOT = Path("data/ingest/images")
NAMES = ("stop_sign", "parking_sign")


def task(name: str = "one", *, overlap: int = 1, boxes: int = 1, model: str = "m1") -> TaskDraft:
    rows = tuple(
        builders.annotation(
            name, "stop_sign", (10.0 + i, 10, 60, 60), origin="model", model_version=model, score=0.5 + i / 10
        )
        for i in range(boxes)
    )
    key = builders.image_id(name)
    return TaskDraft(f"task-{name}", key, f"{ROOT}/{key[:2]}/{key}.jpg", 160, 120, overlap, rows)


def wanted(*tasks: TaskDraft) -> list[Wanted]:
    return wanted_tasks.wanted_tasks(tasks, NAMES, LocalFiles(ROOT))


def existing(item: Wanted, number: int = 1, **changes: Any) -> Existing:
    there = Existing(number, item.task_id, item.data, item.overlap, int(item.suggested), 0)
    there = replace(there, **changes)
    if there.answers and "people" not in changes:
        there = replace(there, people=frozenset(f"person {n}" for n in range(there.answers)))
    return there if "labeled" in changes else replace(there, labeled=len(there.people) >= there.overlap)


def test_the_images_address_is_below_the_folder_that_is_served() -> None:
    key = builders.image_id("one")
    (item,) = wanted(task())
    assert item.data["image"] == f"/data/local-files/?d=images/{key[:2]}/{key}.jpg"


def test_one_model_version_for_all_and_the_min_score() -> None:
    first, second = wanted(task("one", boxes=2, model="a"), task("two", model="b"))
    assert first.prediction is not None
    assert second.prediction is not None
    assert first.prediction["model_version"] == second.prediction["model_version"] == "a+b"
    assert first.prediction["score"] == 0.5


def test_an_image_without_suggestions_gets_no_prediction() -> None:
    assert wanted(task(boxes=0))[0].prediction is None


def test_two_tasks_with_one_key_are_refused() -> None:
    with pytest.raises(AnnotationToolError, match="same key"):
        wanted(task(), task())


def test_as_wanted_is_nothing_to_do() -> None:
    items = wanted(task("one", overlap=2), task("two", boxes=0))
    difference = compare([existing(item, n) for n, item in enumerate(items)], items)
    assert difference.empty
    assert difference.unchanged == 2


@pytest.mark.parametrize(
    "change",
    [{"boxes": 2}, {"boxes": 0}, {"model": "m2"}],
    ids=["another box", "no box any more", "another model"],
)
def test_other_suggestions_are_replaced(change: dict[str, Any]) -> None:
    (old,) = wanted(task())
    items = wanted(task(**change))
    there = existing(old, 7)
    assert compare([there], items).replace == (Replacement(there, items[0], sent=False),)


@pytest.mark.parametrize("predictions", [0, 2])
def test_a_lost_or_doubled_prediction_is_replaced(predictions: int) -> None:
    items = wanted(task())
    there = existing(items[0], 7, predictions=predictions)
    assert compare([there], items).replace == (Replacement(there, items[0], sent=True),)


@pytest.mark.parametrize(
    ("removed", "answers", "done"),
    [
        ("close", 0, "close"),
        ("close", 1, "close"),
        ("delete", 0, "close"),  # first: somebody may have it open just now
        ("delete", 1, "close"),
        ("keep", 0, None),
    ],
)
def test_tasks_that_the_plan_does_not_name_any_more(removed: Any, answers: int, done: str | None) -> None:
    items = wanted(task("one"), task("two"))
    stranger = existing(wanted(task("three"))[0], 9, answers=answers)
    difference = compare([existing(items[0]), stranger], items, removed=removed)
    assert difference.create == (items[1],)
    assert {name: getattr(difference, name) for name in ("close", "delete") if getattr(difference, name)} == (
        {done: (stranger,)} if done else {}
    )
    assert difference.surplus == (1 if done is None else 0)


def test_what_is_to_go_is_deleted_only_by_a_later_push() -> None:
    (item,) = wanted(task())
    closed = existing(item, 3, data={**item.data, CLOSED: "yes"}, overlap=0)
    assert compare([closed], [], removed="delete").delete == (closed,)
    assert compare([closed], [], removed="delete", closed_before=set()).empty  # this push has closed it
    assert compare([closed], [], removed="close").empty
    answered = replace(closed, answers=1, people=frozenset("a"))
    assert compare([answered], [], removed="delete").empty


def test_a_closed_task_is_closed_once_and_opened_when_its_image_returns() -> None:
    (item,) = wanted(task())
    closed = existing(item, data={**item.data, CLOSED: "yes"}, overlap=0)
    assert compare([closed], []).empty
    assert compare([closed], []).surplus == 1
    opened = compare([closed], [item])
    assert (opened.reopen, opened.offers, opened.replace) == ((closed,), (Offer(closed, 1, False),), ())
    half = existing(item, data={**item.data, CLOSED: "yes"})  # killed before the server was told
    assert compare([half], []).close == (half,)
    assert not compare([half], [item]).empty


def test_tasks_without_a_key_of_ours_are_left_alone() -> None:
    own = Existing(1, "", {"image": "x.jpg"}, 1, 0, 0)
    assert compare([own], [], removed="delete").empty


def test_a_new_address_of_the_image_keeps_what_others_put_into_the_data() -> None:
    (item,) = wanted(task())
    elsewhere = f"s3://bucket/{item.data['image_id']}.jpg"
    there = existing(item, data={**item.data, "image": elsewhere, "note": "of the lead"})
    ((_, data),) = compare([there], [item]).update
    assert data == {**item.data, "note": "of the lead"}


@pytest.mark.parametrize("answers", [0, 2])
def test_a_task_with_another_picture_is_closed_as_it_is_and_made_anew(answers: int) -> None:
    """Put right, it would turn answers about another picture into answers about ours."""
    (item,) = wanted(task(overlap=2))
    edited = existing(item, answers=answers, data={**item.data, "image": "/another.jpg"})
    difference = compare([edited], [item])
    assert (difference.create, difference.close, difference.update) == ((item,), (edited,), ())
    assert (difference.counts().created, difference.counts().edited) == (1, 1)
    there = [closed(edited), existing(item, 2)]
    assert compare(there, [item], closed_before=set()).empty  # whoever answered the old one is asked again
    later = compare(there, [item])
    assert [copy.number for copy in later.copies] == ([] if answers else [1])
    assert later.counts().edited == 0


@pytest.mark.parametrize(
    ("form", "same"),
    [
        ("s3://bucket/{}.png", True),
        ("/data/upload/7/0a1b2c3d-{}.jpg", True),  # Label Studio puts that before the name of an upload
        ("/d/{}_blurred.jpg", False),
        ("/d/old/{}-crop.png", False),
        ("/{}/another.jpg", False),
    ],
)
def test_a_picture_is_known_by_its_whole_name(form: str, *, same: bool) -> None:
    (item,) = wanted(task())
    there = existing(item, data={**item.data, "image": form.format(item.data["image_id"])})
    counts = compare([there], [item]).counts()
    assert (counts.data_changed, counts.edited) == ((1, 0) if same else (0, 1))


@pytest.mark.parametrize("side", ["left", "right"])
def test_so_is_a_comparison_of_other_pictures(side: str) -> None:
    data = {"left": "/d/aa.png", "right": "/d/bb.png", "task_id": "c1", MARK: "none"}
    item = Wanted(data, 2, TaskDraft("c1", "", "", 1, 1, 2, ()), "", ())
    assert compare([existing(item, data=data | {side: "/d/cc.png"})], [item]).counts().edited == 1
    moved = {"left": "s3://bucket/aa.png", "right": "s3://bucket/bb.png"}
    assert compare([existing(item, data=data | moved)], [item]).counts().data_changed == 1


def test_a_batch_is_current_as_long_as_all_its_tasks_are() -> None:
    items = wanted(task("one"), task("two"), task("three"))
    mark = batch_mark(items[:2])
    there = [
        existing(item, n, data={**item.data, MARK: mark} if n < 2 else item.data)
        for n, item in enumerate(items)
    ]
    assert compare(there, items).empty
    newer = [items[0], *wanted(task("two", boxes=2)), items[2]]
    assert {one.item.task_id for one in compare(there, newer).replace} == {"task-one", "task-two"}
    assert len(compare(there[1:], items[1:]).replace) == 1  # a part of the batch proves nothing


def test_a_batch_stays_current_when_a_picture_of_it_is_edited() -> None:
    items = wanted(task("one"), task("two"), task("three"))
    there = [
        existing(item, n, data={**item.data, MARK: batch_mark(items)}, answers=n)
        for n, item in enumerate(items)
    ]
    edited = replace(there[2], data={**there[2].data, "image": "/another.jpg"})
    difference = compare([*there[:2], edited], items)
    assert (difference.create, difference.close, difference.replace) == ((items[2],), (edited,), ())
    assert compare([*there[:2], closed(edited), existing(items[2], 9)], items).empty
    copied = [*there, replace(closed(edited), number=9)]  # the key is of the batch once, not twice
    assert compare(copied, items).replace == ()


def test_a_marked_batch_stays_marked_when_other_data_changes() -> None:
    items = wanted(task("one"), task("two"))
    mark = batch_mark(items)
    there = [existing(item, n, data={**item.data, MARK: mark, "width": 1}) for n, item in enumerate(items)]
    difference = compare(there, items)
    assert difference.replace == ()
    assert {data[MARK] for _, data in difference.update} == {mark}


def test_whatever_gets_further_leaves_less_to_do() -> None:
    items = wanted(task("one"), task("two", boxes=2))
    there = existing(wanted(task("two"))[0], 7)
    added = replace(there, predictions=2)  # the new one is beside the old one, and the mark is missing
    marked = replace(added, data=items[1].data)
    made = existing(items[0], 8, overlap=3)  # but not yet with its number of labelers
    steps = [[there], [added], [marked], [marked, made], [replace(marked, predictions=1), made]]
    left = [compare(one, items).left for one in steps]
    assert left == [4, 4, 3, 2, 1]
    assert compare([existing(item, n) for n, item in enumerate(items)], items).left == 0


def test_new_tasks_are_in_the_order_of_the_queue() -> None:
    late, early = replace(task("one"), priority=5), replace(task("two"), priority=1)
    assert [item.task_id for item in compare([], wanted(late, early)).create] == ["task-two", "task-one"]


def test_examples_and_counts_tell_what_would_be_done() -> None:
    items = wanted(task("one"), task("two", overlap=2))
    difference = compare([existing(items[1], 4, overlap=1)], items)
    assert (difference.counts().created, difference.counts().overlap_changed) == (1, 1)
    kinds = dict(difference.examples())
    assert kinds["labelers"] == ("task-two (task 4): 1 -> 2",)
    assert kinds["create"][0].startswith("task-one data/ingest/images/")


def test_another_number_of_labelers() -> None:
    items = wanted(task(overlap=2))
    there = existing(items[0], overlap=1)
    assert compare([there], items).offers == (Offer(there, 2, labeled=False),)


@pytest.mark.parametrize(
    ("wanted_people", "answers", "who", "overlap", "done"),
    [
        (2, 0, "", 2, False),
        (2, 1, "a", 2, False),
        (2, 2, "ab", 2, True),
        (2, 2, "a", 3, False),  # a answered twice: the server would offer it to nobody any more
        (2, 3, "ab", 3, True),
        (1, 2, "a", 2, True),
        (1, 3, "abc", 1, True),
        (3, 3, "ab", 4, False),
    ],
)
def test_a_task_is_done_when_enough_people_answered_not_when_enough_answers_are_there(
    wanted_people: int, answers: int, who: str, overlap: int, *, done: bool
) -> None:
    items = wanted(task(overlap=wanted_people))
    there = existing(items[0], answers=answers, people=frozenset(who))
    due = offer(there, wanted_people)
    assert (due.overlap, due.labeled) == (overlap, done)


@pytest.mark.parametrize("wrong", [True, False])
def test_a_task_that_was_closed_or_opened_wrongly_is_healed(*, wrong: bool) -> None:
    (item,) = wanted(task(overlap=2))
    who = frozenset("a" if wrong else "ab")  # closed while one is missing; open while nobody is
    there = existing(item, answers=2, people=who, labeled=wrong)
    difference = compare([there], [item])
    assert [due.labeled for due in difference.offers] == [not wrong]
    assert (difference.counts().recounted, difference.counts().overlap_changed) == (1, 0)
    assert "open -> done" in difference.explain() or "done -> open" in difference.explain()
    (due,) = difference.offers
    assert compare([replace(there, overlap=due.overlap, labeled=due.labeled)], [item]).empty


def test_people_who_answered_a_copy_have_answered() -> None:
    (item,) = wanted(task(overlap=2))
    kept = existing(item, 1, answers=1, people=frozenset("a"))
    copy = existing(item, 2, answers=1, people=frozenset("b"))
    assert offer(kept, 2, [copy]) == Offer(kept, 1, labeled=True)
    again = replace(copy, people=frozenset("a"))
    assert offer(kept, 2, [again]) == Offer(kept, 2, labeled=False)


def test_in_a_labelers_own_project_only_that_person_counts() -> None:
    (item,) = wanted(task())
    strange = existing(item, answers=1, people=frozenset(["ann@x.invalid"]), labeled=True)
    (due,) = compare([strange], [item], labeler="ben@x.invalid").offers
    assert (due.overlap, due.labeled) == (2, False)  # ben is still offered it
    assert compare([strange], [item], labeler="ann@x.invalid").empty


def closed(there: Existing) -> Existing:
    return replace(there, data={**there.data, CLOSED: "yes"}, overlap=0, labeled=True)


def test_of_a_doubled_task_the_one_with_work_stays_and_the_others_go_one_push_later() -> None:
    items = wanted(task())
    copies = [existing(items[0], 1), existing(items[0], 2, answers=1), existing(items[0], 3)]
    difference = compare(copies, items)
    assert ([copy.number for copy in difference.close], difference.copies) == ([1, 3], ())
    assert difference.unchanged == 1
    later = [closed(copies[0]), copies[1], closed(copies[2])]
    assert compare(later, items, closed_before=set()).empty
    assert [copy.number for copy in compare(later, items).copies] == [1, 3]


def test_of_a_doubled_task_no_work_is_ever_removed() -> None:
    items = wanted(task())
    copies = [existing(items[0], 1, answers=1), existing(items[0], 2, answers=2)]
    difference = compare(copies, items)
    assert (difference.copies, difference.delete) == ((), ())
    assert [copy.number for copy in difference.close] == [1]
    assert compare([closed(copies[0]), copies[1]], items).copies == ()


def test_work_that_somebody_has_begun_is_not_removed_either() -> None:
    items = wanted(task())
    copies = [
        closed(existing(items[0], 1)),
        existing(items[0], 2, drafted=True),
        closed(existing(items[0], 3, drafted=True)),
    ]
    assert [copy.number for copy in compare(copies, items).copies] == [1]
    assert compare(copies[2:], [], removed="delete").delete == ()


def test_suggestions_are_checked_before_anything_is_sent() -> None:
    outside = builders.annotation("one", "stop_sign", (10, 10, 500, 60), origin="model", size=(600, 120))
    (item,) = wanted(replace(task(), pre_annotations=(outside,)))
    with pytest.raises(AnnotationToolError, match="outside the image"):
        wanted_tasks.check([item], 1)
