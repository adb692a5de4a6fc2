"""Pulling: what people answered, as the server has it now, without reading again what did not change.

Every answer that is given, changed or taken back sets the time of its task on the server, so it is enough to
read tasks that changed since the last pull, with some overlap for what was written late. What is deleted
leaves no trace of that kind: therefore the server's counts of tasks and answers are compared with ours. All
that the server has is among what we know plus what changed; so equal counts mean equal contents, and only
otherwise the full index is read, to see what is gone.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from curate.adapters.labelstudio import answer_cache, answers, project, retry
from curate.adapters.labelstudio.answer_cache import Cache, DamagedError
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.fetch import Indexed, Reader, Task
from curate.ports import Progress, ProjectRef
from curate.ports.pulled import PullCounts, Snapshot
from curate.progress import track

Taken = TypeVar("Taken")
OVERLAP = timedelta(seconds=60)  # a change may be written that much later than its time says
_ROUNDS = 3  # of comparing counts, while people go on working
_PIECE = 4096  # rows handed on at once


def pull(
    client: Client,
    projects: Sequence[ProjectRef],
    wanted: Mapping[str, int],
    take: Callable[[Snapshot], Taken],
    *,
    path: Path | None = None,
    full: bool = False,
    sleep: retry.Sleep | None = None,
) -> Taken:
    """Bring the cache up to date with the server and hand over what it holds.

    Args:
        client: An administrator's connection.
        projects: The projects to read; several where each labeler has one.
        wanted: Labelers wanted by task key; other tasks are left out.
        take: Uses the snapshot; called again if the cache turns out to be damaged.
        path: The cache; None = none is kept.
        full: Read everything, whatever the cache says.
        sleep: For tests.

    Returns:
        What `take` returns.

    Raises:
        AnnotationToolError: Unreachable, refused, or a project that is not of ours.
        StorageError: The cache cannot be written.
    """
    readers = [Reader(client, one, sleep=sleep) for one in projects]
    records = [reader.record() for reader in readers]
    categories = sorted(
        {name for record in records for name in project.category_names(record["label_config"])}
    )
    numbers = [reader.project.project_id for reader in readers]
    state = answer_cache.state_of(client.connection.url, numbers, categories)
    while True:
        try:
            with answer_cache.opened(path, state=state) as cache:
                counts = _update(readers, cache, categories, full=full)
                drafts = [row for reader in readers for row in answers.drafts(reader)]
                return take(_snapshot(cache, wanted, counts, drafts, projects[0].url))
        except DamagedError:
            if full:  # an empty cache that is damaged is no accident
                raise
            full = True


def _update(readers: Sequence[Reader], cache: Cache, categories: Sequence[str], *, full: bool) -> PullCounts:
    users = {number: name for reader in readers[:1] for number, name in reader.users().items()}
    known = cache.users()
    renamed = any(users.get(number, name) != name for number, name in known.items())
    # Who left may have been renamed before: the answers tell the name, but only where they are read again.
    left = set(json.loads(cache.get("members") or "[]")) & set(known) - set(users)
    if full or renamed or left:
        cache.clear()
    cache.set("members", json.dumps(sorted(users)))
    began = any(cache.get(f"since {reader.project.project_id}") is None for reader in readers)
    fetched = removed = 0
    for reader in readers:
        more, less = _Pull(reader, cache, users, categories).run()
        fetched, removed = fetched + more, removed + less
    return PullCounts(full=began, tasks_read=fetched, tasks_gone=removed)


class _Pull:
    """Brings the cache of one project up to date."""

    def __init__(
        self, reader: Reader, cache: Cache, users: Mapping[int, str], categories: Sequence[str]
    ) -> None:
        self._reader, self._cache, self._users, self._categories = reader, cache, users, categories
        self._number = reader.project.project_id
        self._fetched = self._gone = 0

    def run(self) -> tuple[int, int]:
        """Tasks read, and tasks that are gone."""
        since = self._cache.get(f"since {self._number}") or self._read_all()
        for _ in range(_ROUNDS):
            self._read_changed(datetime.fromisoformat(since))
            since = str(self._cache.get(f"since {self._number}"))
            if self._reader.counts() == self._cache.counts(self._number):
                break
            self._compare_index()
        self._cache.save()
        return self._fetched, self._gone

    def _read_all(self) -> str:
        """Everything, from where an ended pull stood; returns the time before which nothing is missing."""
        self._reader.counts()
        name, began = f"last {self._number}", f"began {self._number}"
        if self._cache.get(began) is None:
            self._cache.set(began, self._reader.now().isoformat())
        since = str(self._cache.get(began))
        last = int(self._cache.get(name) or 0)
        total, _ = self._reader.counts()
        left = max(total - self._cache.counts(self._number)[0], 0)
        for page in track(self._reader.after(last), total=left, label="pull: answers", size=len):
            self._store(page)
            self._cache.set(name, str(page[-1]["id"]))
            self._cache.save()
        self._cache.set(name, None)
        self._cache.set(began, None)
        self._cache.set(f"since {self._number}", since)
        return since

    def _read_changed(self, since: datetime) -> None:
        self._reader.counts()
        now = self._reader.now()
        known = self._cache.index(self._number)
        changed = self._reader.index(since - OVERLAP)
        self._read([one.number for one in changed if known.get(one.number, ("", 0))[0] != one.updated_at])
        self._cache.set(f"since {self._number}", now.isoformat())

    def _compare_index(self) -> None:
        known = self._cache.index(self._number)
        there: dict[int, Indexed] = {one.number: one for one in self._reader.index()}
        gone = known.keys() - there.keys()
        self._cache.remove(self._number, gone)
        self._gone += len(gone)
        self._read([n for n, one in there.items() if known.get(n) != (one.updated_at, one.answers)])

    def _read(self, numbers: Sequence[int]) -> None:
        for page in self._reader.content(numbers):
            self._store(page)

    def _store(self, page: Iterable[Task]) -> None:
        for task in page:
            decoded = answers.decoded(task, self._users, self._categories)
            there = len(task["annotations"])
            self._cache.store(self._number, int(task["id"]), str(task["updated_at"]), there, decoded)
            self._fetched += 1


def _snapshot(
    cache: Cache,
    wanted: Mapping[str, int],
    counts: PullCounts,
    drafts: Sequence[tuple[int, dict[str, Any]]],
    url: str,
) -> Snapshot:
    cache.mark_latest()
    people: Counter[str] = Counter(key for key, _ in cache.people() if key in wanted)
    done = {key: min(people[key], needed) for key, needed in wanted.items()}
    reasons: Counter[str] = Counter()
    superseded = outside = 0
    for _, old, row in cache.answers():
        if row["task_id"] not in wanted:
            outside += 1
            continue
        superseded += old
        reasons.update(row["reasons"])
    progress = Progress(
        slots_done=sum(done.values()),
        slots_needed=sum(wanted.values()),
        tasks_done=sum(done[key] == needed for key, needed in wanted.items()),
        tasks=len(wanted),
        superseded=superseded,
    )

    def answers() -> Iterator[dict[str, Any]]:
        begun = ((number, False, row) for number, row in sorted(drafts, key=lambda one: one[1]["answer_id"]))
        for _, old, row in heapq.merge(cache.answers(), begun, key=lambda one: one[2]["answer_id"]):
            if row["task_id"] in wanted:
                kept = {name: row[name] for name in row if name != "reasons"}
                choices = [(name, values) for name, values in row["choices"]]  # as Arrow's maps want them
                yield {**kept, "choices": choices, "superseded": old}

    def annotations() -> Iterator[dict[str, Any]]:
        for _, row in cache.rows():
            if row["task_id"] in wanted:
                yield row

    counts = replace(counts, raw_regions=dict(sorted(reasons.items())), answers_outside_plan=outside)
    return Snapshot(url, progress, counts, lambda: _pieces(answers()), lambda: _pieces(annotations()))


def _pieces(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while piece := list(islice(rows, _PIECE)):
        yield piece
