"""The loop of both engines, with workers that are no processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from curate.engines import worker_loop
from curate.engines.process import Died, Outcome, Ready, Results
from curate.engines.schedule import Schedule


class OneMachineIsGone:
    """Two places, of which only the first has a machine. The worker there dies of the first 13."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[int, Outcome]] = []
        self.deaths, self.waits = 0, 0

    def places(self) -> int:
        return 2

    def start(self, place: int) -> None:
        if place == 0:
            self.outcomes.append((0, Ready()))

    def send(self, place: int, items: Sequence[Any]) -> None:
        dies = 13 in items and not self.deaths
        self.deaths += dies
        self.outcomes.append((place, Died("SIGKILL") if dies else Results(list(items))))

    def wait(self, *, block: bool) -> list[tuple[int, Outcome]]:  # noqa: ARG002 - the Protocol's
        self.waits += 1
        assert self.waits < 100, "nobody is asked any more"
        outcomes, self.outcomes = self.outcomes, []
        return outcomes

    def stop(self) -> None: ...


def test_a_place_that_never_starts_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last batch died, and as many workers as batches are on their way: one that will never come."""
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(worker_loop.time, "monotonic", lambda: float(next(clock)))
    schedule = Schedule(iter([[1], [13]]), retries=2, label="test")
    assert list(worker_loop.run(OneMachineIsGone(), schedule)) == [[1], [13]]
