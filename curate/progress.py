"""Progress bars with a rate on a terminal; silence everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Item = TypeVar("Item")


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Items per second, since the bar began."""
        return Text(f"{task.speed:,.1f}/s" if task.speed else "-/s", style="dim")


def track(
    items: Iterable[Item], *, total: int | None, label: str, size: Callable[[Item], int] | None = None
) -> Iterator[Item]:
    """Pass `items` through and draw how far they are, on stderr, if that is a terminal.

    Args:
        items: Anything.
        total: Number of items, or the sum of their sizes, for the bar and the time left; None = not known.
        label: Name of the work, at the left of the bar.
        size: What an item counts; None = each counts 1.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task, 1 if size is None else size(item))
