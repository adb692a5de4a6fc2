"""An engine that runs batches in this process, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from curate.ports import Casualty


class Here:
    """Runs batches one after the other; the item numbered `dies` is lost."""

    def __init__(self, dies: int = -1) -> None:
        self.items = 0
        self._dies = dies

    def map_batches(
        self,
        setup: Callable[[], Callable[[Sequence[Any]], Sequence[Any]]],
        batches: Iterable[Sequence[Any]],
        *,
        label: str,
        total: int | None = None,
    ) -> Iterator[list[Any]]:
        assert label
        work = setup()
        for batch in batches:
            self.items += len(batch)
            yield [Casualty("SIGKILL", 3)] if self.items == self._dies else list(work(batch))
        assert total == self.items
