"""Batches of requests, and patience between them."""

from __future__ import annotations

import json

import httpx
import pytest

from curate.adapters.labelstudio import batches, client, retry
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.retry import TransientError
from curate.errors import AnnotationToolError


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
    with pytest.raises(AnnotationToolError, match="planned") as given_up:
        pauses.wait(transient())
    assert not isinstance(given_up.value, TransientError)  # nobody around it waits a second time
    pauses.succeeded()
    pauses.wait(transient())
    assert slept[-1] == 0.5


def test_the_server_says_how_long_to_wait() -> None:
    slept: list[float] = []
    pauses = retry.Pauses(sleep=slept.append)
    pauses.wait(transient(30.0))
    assert slept == [30.0]
    with pytest.raises(AnnotationToolError):
        pauses.wait(transient(retry.LONGEST_ASKED_S + 1))


def test_it_gives_up_at_once_where_nothing_ever_listened() -> None:
    pauses = retry.Pauses(sleep=lambda _: pytest.fail("waited"))
    with pytest.raises(AnnotationToolError, match="planned"):
        pauses.wait(transient(unreachable=True))


def test_until_done_outlives_a_restart() -> None:
    answers = iter([transient(), transient(unreachable=True), "done"])

    def flaky() -> str:
        answer = next(answers)
        if isinstance(answer, TransientError):
            raise answer
        return answer

    slept: list[float] = []
    pauses = retry.Pauses(sleep=slept.append)
    pauses.succeeded()
    assert pauses.until_done(flaky) == "done"
    assert len(slept) == 2


class Flaky:
    """A server on which every other request fails, and one path always."""

    def __init__(self) -> None:
        self.asked = 0

    def respond(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        broken = request.url.path == "/broken" or self.asked % 2 == 0
        return httpx.Response(500 if broken else 200, json={})

    def client(self, slept: list[float]) -> client.Client:
        made = client.Client(Connection("http://127.0.0.1:1", "0" * 40, "x"), timeout_s=1, sleep=slept.append)
        made._http = httpx.Client(transport=httpx.MockTransport(self.respond))
        return made


def test_patience_counts_the_successes_in_between() -> None:
    """Of a thousand requests every other fails: that is no server that is down."""
    slept: list[float] = []
    made = Flaky().client(slept)
    for _ in range(500):
        made.get("/read", action="reading")
    assert sum(slept) > 2 * retry.PATIENCE_S
    for number in range(500):
        made.changes.until_done(lambda: made.patch(f"/change/{number}", {}, action="changing"))  # noqa: B023
    assert set(slept) == {0.5}


def test_reading_does_not_renew_the_patience_with_changes() -> None:
    """Else a server that answers and takes nothing would be asked for ever."""
    slept: list[float] = []
    made = Flaky().client(slept)

    def look_and_change() -> None:
        made.get("/read", action="reading")
        made.post("/broken", {}, action="changing")

    with pytest.raises(AnnotationToolError, match="HTTP 500"):
        made.changes.until_done(look_and_change)
    assert sum(slept) < 3 * retry.PATIENCE_S
