"""The rules of retries and of order, played through without any process."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.engines.schedule import Failure, Schedule, Task
from curate.errors import CurateError, InputError
from curate.ports import Casualty


def schedule(batches: list[list[Any]], *, retries: int = 2) -> Schedule:
    return Schedule(iter(batches), retries, "x")


def alone(plan: Schedule) -> Task:
    return plan.waiting.popleft()


def test_batches_are_taken_only_while_there_is_room() -> None:
    taken = []

    def batches() -> Any:
        for number in range(100):
            taken.append(number)
            yield [number]

    plan = Schedule(batches(), 2, "x")
    plan.fill(3)
    assert taken == [0, 1, 2]
    plan.done(alone(plan), [0])
    plan.fill(3)
    assert taken == [0, 1, 2]  # done, but not given back
    assert plan.give() == [0]
    plan.fill(3)
    assert taken == [0, 1, 2, 3]


def test_a_batch_is_tried_again_whole_then_item_by_item() -> None:
    plan = schedule([["a", "b", "c"]])
    plan.fill(1)
    plan.died(alone(plan), "SIGKILL")
    whole = alone(plan)
    assert whole.items == ["a", "b", "c"]
    plan.died(whole, "SIGKILL")
    a, b, c = (alone(plan) for _ in "abc")
    assert [task.items for task in (a, b, c)] == [["a"], ["b"], ["c"]]
    plan.done(c, ["C"])
    for _ in range(3):
        plan.died(b, "exit code 3")
    plan.done(a, ["A"])
    assert plan.first_is_done
    assert plan.give() == ["A", Casualty("exit code 3", 3), "C"]


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_an_item_is_given_up_after_its_retries(retries: int) -> None:
    plan = schedule([["a"]], retries=retries)
    plan.fill(1)
    deaths = 0
    while not plan.first_is_done:
        deaths += 1
        plan.died(alone(plan), "SIGKILL")
    assert deaths == retries + 1
    assert plan.give() == [Casualty("SIGKILL", retries + 1)]


def test_where_all_items_kill_the_run_ends() -> None:
    plan = schedule([[str(number)] for number in range(1000)], retries=0)
    plan.fill(1000)
    for _ in range(31):
        plan.died(alone(plan), "SIGKILL")
    with pytest.raises(CurateError, match=r"^x: 32 items in a row killed .* \(SIGKILL\) 31: use fewer"):
        plan.died(alone(plan), "SIGKILL")


def test_an_item_that_is_done_breaks_the_row() -> None:
    plan = schedule([[str(number)] for number in range(300)], retries=0)
    plan.fill(300)
    for number in range(300):
        task = alone(plan)
        if number % 30:
            plan.died(task, "SIGKILL")
        else:
            plan.done(task, [1])


def test_the_first_error_in_order_is_raised_whatever_comes_first() -> None:
    plan = schedule([["a"], ["b"], ["c"], ["d"]])
    plan.fill(4)
    a, b, c = (alone(plan) for _ in "abc")
    plan.failed(c, Failure(InputError("c is bad"), ""))
    assert not plan.waiting  # nothing after it is begun
    plan.failed(b, Failure(InputError("b is bad"), ""))
    plan.died(c, "SIGKILL")  # too late to matter
    plan.done(a, [1])
    assert plan.give() == [1]
    with pytest.raises(InputError, match="b is bad"):
        plan.give()


@given(
    sizes=st.lists(st.integers(0, 5), max_size=12),
    poison=st.sets(st.integers(0, 40), max_size=4),
    accidents=st.integers(0, 3),
    retries=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_any_order_of_events_gives_the_same_results(
    sizes: list[int], poison: set[int], accidents: int, retries: int, seed: int
) -> None:
    """Workers end in any order; some items always kill, some workers die once without a reason."""
    chance = random.Random(seed)  # noqa: S311
    numbers = iter(range(100))
    batches = [[next(numbers) for _ in range(size)] for size in sizes]
    plan = schedule(batches, retries=retries)
    given_back: list[list[Any]] = []
    busy: list[Task] = []
    tries: Counter[int] = Counter()
    while True:
        plan.fill(4)
        if not plan.unfinished:
            break
        while plan.waiting and len(busy) < 3:
            busy.append(plan.waiting.popleft())
        if plan.first_is_done:
            given_back.append(plan.give())
            continue
        task = busy.pop(chance.randrange(len(busy)))
        tries.update(task.items)
        if poison.intersection(task.items):
            plan.died(task, "SIGKILL")
        elif accidents and len(task.items) > 1:
            accidents -= 1
            plan.died(task, "SIGKILL")
        else:
            plan.done(task, [item * 2 for item in task.items])
    casualty = Casualty("SIGKILL", retries + 1)
    assert given_back == [[casualty if item in poison else item * 2 for item in batch] for batch in batches]
    assert all(count <= retries + 3 for count in tries.values())
