"""Batches of requests, and patience between them."""

from __future__ import annotations

import json

import pytest

from curate.adapters.labelstudio import batches, retry
from curate.adapters.labelstudio.client import TransientError


@pytest.mark.parametrize(
    ("size", "limit", "sizes"),
    [(3, 10**6, [3, 3, 1]), (100, 10**6, [7]), (100, 22, [2, 2, 2, 1]), (100, 1, [1] * 7)],
    ids=["by number", "all", "by bytes", "each is too large"],
)
def test_batches_hold_everything_in_order(size: int, limit: int, sizes: list[int]) -> None:
    items = [f"item {number}" for number in range(7)]
    made = list(batches.encoded(items, lambda item: item, size, limit=limit, label="test"))
    assert [len(part) for part, _ in made] == sizes
    assert [item for _, body in made for item in json.loads(body)] == items
    assert [item for part, _ in made for item in part] == items


def test_nothing_makes_no_request() -> None:
    assert list(batches.encoded([], str, 3, label="test")) == []


def test_an_error_of_an_item_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(batches.encoded([1, 0], lambda item: 1 // item, 1, label="test"))


def transient(retry_after_s: float | None = None, *, unreachable: bool = False) -> TransientError:
    error = TransientError("planned")
    error.retry_after_s, error.unreachable = retry_after_s, unreachable
    return error


def test_pauses_grow_until_patience_is_over_and_begin_anew_after_a_success() -> None:
    slept: list[float] = []
    pauses = retry.Pauses(patience_s=3.0, sleep=slept.append)
    for _ in range(3):
        pauses.wait(transient())
    assert slept == [0.5, 1.0, 2.0]
    with pytest.raises(TransientError):
        pauses.wait(transient())
    pauses.succeeded()
    pauses.wait(transient())
    assert slept[-1] == 0.5


def test_the_server_says_how_long_to_wait() -> None:
    slept: list[float] = []
    pauses = retry.Pauses(sleep=slept.append)
    pauses.wait(transient(30.0))
    assert slept == [30.0]
    with pytest.raises(TransientError):
        pauses.wait(transient(retry.LONGEST_ASKED_S + 1))


def test_until_done_gives_up_at_once_where_nothing_listens() -> None:
    def dead() -> None:
        raise transient(unreachable=True)

    with pytest.raises(TransientError):
        retry.until_done(dead, sleep=lambda _: pytest.fail("waited"))


def test_until_done_outlives_a_restart() -> None:
    answers = iter([transient(), transient(unreachable=True), "done"])

    def flaky() -> str:
        answer = next(answers)
        if isinstance(answer, TransientError):
            raise answer
        return answer

    slept: list[float] = []
    assert retry.until_done(flaky, sleep=slept.append) == "done"
    assert len(slept) == 2
