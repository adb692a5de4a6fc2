"""A search on threads: fold identical hashes, sort by a field, compare neighbouring buckets."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.search import bucketing, joining
from curate.dedupe.search.bucketing import Bits, Bucketed, Span, Table, Tiled
from curate.dedupe.search.joining import Field, Found
from curate.dedupe.search.search_plan import MOST_HASHES, TILE_BITS, FieldPlan, SearchPlan, TooManyPairsError
from curate.dedupe.search.simd import LANES

Result = TypeVar("Result")
PairsFound = tuple[NDArray[np.uint64], NDArray[np.uint16]]
_TILE_ROWS = 2048  # at least, on average
_JOIN_ROWS = 2048  # of a tile while its buckets are compared
_TASKS = 256  # at most, of a join; more than threads, so that uneven ones even out
_SCAN = 1 << 20  # hashes looked through at a time
_TASK_ROWS = 1024  # at least, of a task
_ROOM = 4096  # pairs, at first


@dataclass(frozen=True, slots=True)
class Distinct:
    """Hashes without repetition.

    Attributes:
        tiled: Each distinct hash once, with the row of its first occurrence.
        repeated: (R,) int64 rows of the others, ascending.
        first: (R,) int64 row of the first occurrence of each.
    """

    tiled: Tiled
    repeated: NDArray[np.int64]
    first: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.tiled.kept.sum())


class Crew:
    """Threads that take tasks in turn; results come in the order of the tasks."""

    def __init__(self, pool: ThreadPoolExecutor, threads: int) -> None:
        """Wrap a pool of so many threads."""
        self.threads = threads
        self._pool = pool

    def each(self, function: Callable[[Span], Result], spans: Iterable[Span]) -> Iterator[Result]:
        """Call a function with each span; one thread needs no pool."""
        if self.threads == 1:
            return map(function, spans)
        return self._pool.map(function, spans)


@contextmanager
def crew(threads: int) -> Iterator[Crew]:
    """Threads for the while; 0 takes all cores that this process may use."""
    count = threads or _cores()
    with ThreadPoolExecutor(count) as pool:
        yield Crew(pool, count)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spans(count: int, parts: int) -> list[Span]:
    """0 .. count in at most so many parts of nearly equal size."""
    parts = max(1, min(parts, count))
    cuts = [count * part // parts for part in range(parts + 1)]
    return list(itertools.pairwise(cuts))


def distinct(hashes: NDArray[np.uint64], permutation: NDArray[np.uint64], workers: Crew) -> Distinct:
    """Fold identical hashes; the bits of those that stay are permuted.

    Args:
        hashes: (N, W) uint64.
        permutation: (W, 8, 256), see `bit_order`.
        workers: Threads.
    """
    count, words = hashes.shape
    if count > MOST_HASHES:
        raise ValueError(f"expected at most {MOST_HASHES:,} hashes in one search, got {count:,}: use shards")
    table = _empty(count, words)
    tile_bits = max(0, min(TILE_BITS, (count // _TILE_ROWS).bit_length() - 1))
    parts = spans(count, workers.threads)

    def counted(rows: Span) -> NDArray[np.int64]:
        counts = np.zeros(1 << tile_bits, dtype=np.int64)
        bucketing.count_by_value(hashes, rows, tile_bits, counts)
        return counts

    starts, cursors = _cursors(list(workers.each(counted, parts)))
    jobs = dict(zip(parts, cursors, strict=True))
    _done(
        workers.each(
            lambda rows: bucketing.scatter_by_value(hashes, rows, permutation, jobs[rows], table), parts
        )
    )
    tiled = Tiled(table, starts, np.diff(starts))
    largest = int(tiled.kept.max(initial=0))

    def folded(tiles: Span) -> None:
        slots = np.empty(2 << max(largest - 1, 0).bit_length(), dtype=np.uint32)
        bucketing.fold_identical(tiled, tiles, slots, np.empty((2, largest), dtype=np.uint32))

    _done(workers.each(folded, spans(1 << tile_bits, workers.threads)))
    return Distinct(tiled, *_repeated(tiled))


def _repeated(tiled: Tiled) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that were folded, ascending, and what they were folded to."""
    ends = tiled.starts[1:]
    behind = [
        np.arange(low, high)
        for low, high in zip((tiled.starts[:-1] + tiled.kept).tolist(), ends.tolist(), strict=True)
        if low < high
    ]
    at = np.concatenate([np.zeros(0, dtype=np.int64), *behind])
    rows, first = tiled.table.rows[at].astype(np.int64), tiled.table.hashes[at].astype(np.int64)
    order = np.argsort(rows)
    return rows[order], first[order]


def sorted_by(source: Distinct, field: FieldPlan, workers: Crew) -> Bucketed:
    """The distinct hashes sorted by a field."""
    count, tiled = len(source), source.tiled
    high, low = _split(field, count)
    table = _empty(count, tiled.table.words)
    parts = spans(len(tiled.kept), workers.threads)

    def counted(tiles: Span) -> NDArray[np.int64]:
        counts = np.zeros(1 << high.width, dtype=np.int64)
        bucketing.count_by_bits(tiled, tiles, high, counts)
        return counts

    tiles, cursors = _cursors(list(workers.each(counted, parts)))
    jobs = dict(zip(parts, cursors, strict=True))
    _done(
        workers.each(lambda which: bucketing.scatter_by_bits(tiled, which, high, jobs[which], table), parts)
    )
    by_high = Tiled(table, tiles, np.diff(tiles))
    starts = np.empty((1 << field.width) + 1, dtype=np.uint32)
    starts[-1] = count
    largest = int(by_high.kept.max(initial=0)) if low.width else 0

    def ordered(which: Span) -> None:
        cursors = np.empty(1 << low.width, dtype=np.int64)
        bucketing.sort_tiles(by_high, which, low, starts, _empty(largest, table.words), cursors)

    _done(workers.each(ordered, spans(1 << high.width, 4 * workers.threads)))
    return Bucketed(table, starts)


def _split(field: FieldPlan, count: int) -> tuple[Bits, Bits]:
    """High bits, which choose the tile, and low bits within a tile."""
    tile_bits = min(field.width, TILE_BITS, max(0, (count // _TILE_ROWS).bit_length() - 1))
    low = field.width - tile_bits
    return Bits(field.word, field.shift + low, tile_bits), Bits(field.word, field.shift, low)


def top_bits(field: FieldPlan, count: int) -> Bits:
    """The highest bits of a field."""
    return Bits(field.word, field.shift + field.width - count, count)


def rows_with(
    hashes: NDArray[np.uint64], permutation: NDArray[np.uint64], bits: Bits, value: int, workers: Crew
) -> NDArray[np.int64]:
    """Rows of the hashes whose permuted bits have a value, ascending."""

    def chosen(rows: Span) -> NDArray[np.int64]:
        into = np.empty(rows[1] - rows[0], dtype=np.uint32)
        count = bucketing.rows_with(hashes, rows, permutation, bits, value, into)
        return into[:count].astype(np.int64)

    return np.concatenate(list(workers.each(chosen, spans(len(hashes), 1 + len(hashes) // _SCAN))))


def found_by(
    number: int,
    queries: Bucketed | None,
    base: Bucketed,
    chosen: SearchPlan,
    workers: Crew,
    *,
    most_pairs: int,
    differing_top: tuple[int, int] = (0, 0),
) -> PairsFound:
    """Pairs that field `number` finds and no earlier one.

    Args:
        number: Of the field in the plan.
        queries: Sorted by that field; None = pairs within `base`, each once, in either order of its rows.
        base: Distinct hashes sorted by that field.
        chosen: The plan.
        workers: Threads.
        most_pairs: Refuse more.
        differing_top: How many of the field's highest bits are the same for all queries and for all of the
            base, and in which of them the two differ.

    Returns:
        (P,) uint64 row in `queries` << 32 | row in `base`, (P,) uint16 distances.

    Raises:
        TooManyPairsError: More than `most_pairs`.
    """
    a = base if queries is None else queries
    field = _field(chosen, number, len(base.table.rows), differing_top)
    rows = len(a.table.rows)

    def task(some: Span, found: Found) -> None:
        joining.join(a, some, base, queries is None, field, chosen.max_hamming, found)

    parts = spans(rows, min(_TASKS, 1 + rows // _TASK_ROWS))
    return collected(task, parts, workers, chosen, most_pairs=most_pairs)


def collected(
    task: Callable[[Span, Found], None],
    parts: Iterable[Span],
    workers: Crew,
    chosen: SearchPlan,
    *,
    most_pairs: int,
) -> PairsFound:
    """All pairs that a compiled loop finds in the parts of a table.

    Args:
        task: Calls the loop; called again with more room where there was too little.
        parts: Of the table.
        workers: Threads.
        chosen: The plan.
        most_pairs: Refuse more.

    Returns:
        (P,) uint64 keys and (P,) uint16 distances, as in `Found`.

    Raises:
        TooManyPairsError: More than `most_pairs`.
    """

    def part(some: Span) -> PairsFound:
        room = _ROOM
        while True:
            found = Found(
                np.empty(room, np.uint64), np.empty(room, np.uint16), np.zeros(1, np.int64), most_pairs
            )
            task(some, found)
            total = int(found.total[0])
            if total > most_pairs:
                raise TooManyPairsError(chosen.too_many(most_pairs))
            if total <= room:
                return found.pairs[:total].copy(), found.hamming[:total].copy()
            room = total

    total = 0
    columns: list[PairsFound] = [(np.zeros(0, np.uint64), np.zeros(0, np.uint16))]
    for pairs in workers.each(part, parts):
        total += len(pairs[0])
        if total > most_pairs:
            raise TooManyPairsError(chosen.too_many(most_pairs))
        columns.append(pairs)
    keys, hamming = (np.concatenate(column) for column in zip(*columns, strict=True))
    return keys, hamming


def _field(chosen: SearchPlan, number: int, count: int, differing_top: tuple[int, int]) -> Field:
    """What the compiled loop wants to know of a field; two of its tiles are to fit the first cache."""
    field = chosen.fields[number]
    top, differing = differing_top
    high_bits = min(field.width, max(top, (count // _JOIN_ROWS).bit_length() - 1))
    low_bits = field.width - high_bits
    high = masks(high_bits, field.radius)
    low = masks(low_bits, field.radius)
    weights = np.bitwise_count(low)
    return Field(
        Bits(field.word, field.shift, field.width),
        field.radius,
        low_bits,
        high[high >> (high_bits - top) == differing],
        low,
        np.searchsorted(weights, np.arange(field.radius + 1), side="right").astype(np.int64),
        np.array(
            [(f.word, f.shift, f.width, f.radius) for f in chosen.fields[:number]], dtype=np.int64
        ).reshape(-1, 4),
    )


def masks(width: int, radius: int) -> NDArray[np.int64]:
    """All values of `width` bits with at most `radius` set, those of fewer bits first."""
    chosen = [
        sum(1 << bit for bit in bits)
        for size in range(min(width, radius) + 1)
        for bits in itertools.combinations(range(width), size)
    ]
    return np.array(chosen, dtype=np.int64)


def _empty(count: int, words: int) -> Table:
    return Table(
        np.empty((count + LANES) * words, dtype=np.uint64),
        count + LANES,
        words,
        np.empty(count, dtype=np.uint32),
    )


def _cursors(counts: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bounds of the tiles, and where each part begins to write in each tile: parts follow each other."""
    table = np.stack(counts)  # (parts, tiles)
    starts = np.concatenate([[0], np.cumsum(table.sum(axis=0))]).astype(np.int64)
    return starts, starts[:-1] + np.cumsum(table, axis=0) - table


def _done(results: Iterable[object]) -> None:
    for _ in results:
        pass
