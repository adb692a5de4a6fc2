"""Many items in few requests, not too many items or bytes in each; and what takes one request per item."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from curate.progress import track

Item = TypeVar("Item")
Made = TypeVar("Made")
_AT_ONCE = 2  # single changes under way: the server works on the next while we read its last answer
BYTES = 20_000_000  # of a request's body; the server refuses 250 MB


def by_count(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Slices of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def one_by_one(label: str, items: Sequence[Item], change: Callable[[Item], None]) -> None:
    """One request per item, a few at once. The first error stops the rest.

    Args:
        label: Of the progress bar; empty = none.
        items: What is to be changed.
        change: Sends the request.
    """
    if not items:
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        done = pool.map(change, items)
        try:
            for _ in track(done, total=len(items), label=label) if label else done:
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def encoded(
    items: Sequence[Item],
    form: Callable[[Item], Any],
    size: int,
    *,
    limit: int = BYTES,
    label: str,
) -> Iterator[tuple[Sequence[Item], bytes]]:
    """Items with the JSON list of their forms, ahead by one batch in a thread of its own.

    Args:
        items: What is to be sent, in order.
        form: What is sent for one item.
        size: Items per batch.
        limit: Bytes per batch; an item that is larger alone is sent alone.
        label: Of the progress bar, which counts items.

    Yields:
        The items of a batch, and the body.
    """
    made = _batches(items, form, size, limit)
    yield from track(_ahead(made), total=len(items), label=label, size=lambda batch: len(batch[0]))


def _ahead(made: Iterator[Made]) -> Iterator[Made]:
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, made, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, made, None)
            yield batch


def _batches(
    items: Sequence[Item], form: Callable[[Item], Any], size: int, limit: int
) -> Iterator[tuple[Sequence[Item], bytes]]:
    parts: list[bytes] = []
    start, length = 0, 0
    for at, item in enumerate(items):
        part = json.dumps(form(item), separators=(",", ":")).encode()
        if parts and (len(parts) >= size or length + len(part) > limit):
            yield items[start:at], b"[" + b",".join(parts) + b"]"
            start, parts, length = at, [], 0
        parts.append(part)
        length += len(part) + 1
    if parts:
        yield items[start:], b"[" + b",".join(parts) + b"]"
