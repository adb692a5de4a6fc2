"""Where a function of batches runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Casualty:
    """Stands in the place of an item's result: the item killed its worker process each time it was tried.

    Attributes:
        how: Such as "SIGKILL" or "exit code 3".
        tries: How often it was tried on its own.
    """

    how: str
    tries: int


class Engine(Protocol):
    """Runs one function over many items in batches, on cores or on a cluster."""

    def map_batches(
        self,
        setup: Callable[[], Callable[[Sequence[Item]], Sequence[Result]]],
        batches: Iterable[Sequence[Item]],
        *,
        label: str,
        total: int | None = None,
    ) -> Iterator[list[Result | Casualty]]:
        """One list per batch, in the order of the batches; one result per item, in the order of the items.

        Batches are taken from their iterator only as fast as results are consumed, so neither side piles up.
        Workers take whole batches; one that is done takes the next. A batch whose worker dies is tried again
        on another, then item by item, so that only the item that kills its worker is lost.

        Args:
            setup: Called once in each worker; returns the function of a batch. Picklable (importable by
                name, or a `functools.partial` of such).
            batches: Picklable items; the text of one names it in messages.
            label: Of the progress bar and of messages.
            total: Items, for the progress bar.

        Raises:
            CurateError: No worker can be started, or the cluster cannot be reached.
            Exception: What `setup` or its function raises is raised here.
        """
