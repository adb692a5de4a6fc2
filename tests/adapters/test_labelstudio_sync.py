"""What a push finds to do, without a server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate.adapters.labelstudio import sync
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


def wanted(*tasks: TaskDraft) -> list[sync.Wanted]:
    return sync.wanted_tasks(tasks, NAMES, ROOT)


def existing(item: sync.Wanted, number: int = 1, **changes: Any) -> sync.Existing:
    there = sync.Existing(number, item.task_id, item.data, item.overlap, int(item.prediction is not None), 0)
    return replace(there, **changes)


def test_the_images_address_is_below_the_folder_that_is_served() -> None:
    key = builders.image_id("one")
    (item,) = wanted(task())
    assert item.data["image"] == f"/data/local-files/?d=images/{key[:2]}/{key}.jpg"


def test_one_model_version_for_all_and_the_least_score() -> None:
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
    difference = sync.compare([existing(item, n) for n, item in enumerate(items)], items)
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
    assert sync.compare([existing(old, 7)], items).replace == ((7, items[0]),)


@pytest.mark.parametrize("predictions", [0, 2])
def test_a_lost_or_doubled_prediction_is_replaced(predictions: int) -> None:
    items = wanted(task())
    assert sync.compare([existing(items[0], 7, predictions=predictions)], items).replace == ((7, items[0]),)


def test_missing_and_surplus_tasks() -> None:
    items = wanted(task("one"), task("two"))
    stranger = existing(wanted(task("three"))[0], 9)
    difference = sync.compare([existing(items[0]), stranger], items)
    assert difference.create == (items[1],)
    assert (difference.surplus, difference.remove) == (1, ())


def test_another_number_of_labelers() -> None:
    items = wanted(task(overlap=2))
    there = existing(items[0], overlap=1)
    assert sync.compare([there], items).overlap == ((there, 2),)


def test_of_a_doubled_task_the_one_with_work_stays() -> None:
    items = wanted(task())
    copies = [existing(items[0], 1), existing(items[0], 2, answers=1), existing(items[0], 3)]
    difference = sync.compare(copies, items)
    assert difference.remove == (1, 3)
    assert difference.unchanged == 1


def test_of_a_doubled_task_no_work_is_ever_removed() -> None:
    items = wanted(task())
    copies = [existing(items[0], 1, answers=1), existing(items[0], 2, answers=2)]
    assert sync.compare(copies, items).empty
