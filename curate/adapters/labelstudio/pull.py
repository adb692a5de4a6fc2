"""Pulling: what people answered, as the server has it now, without reading again what did not change.

Every answer that is given, changed or taken back sets the time of its task on the server, so it is enough to
read tasks that changed since the last pull, with some overlap for what was written late. What is deleted
leaves no trace of that kind: therefore the server's counts of tasks and answers are compared with ours. All
that the server has is among what we know plus what changed; so equal counts mean equal contents, and only
otherwise the full index is read, to see what is gone. Where that does not explain it, everything is read.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from curate.adapters.labelstudio import answer_cache, answers, label_config, people, task_pages
from curate.adapters.labelstudio.answer_cache import Cache, DamagedError
from curate.adapters.labelstudio.answers import Context
from curate.adapters.labelstudio.client import Client, redact
from curate.adapters.labelstudio.decode_regions import MovedBox
from curate.adapters.labelstudio.task_pages import Task
from curate.errors import AnnotationToolError
from curate.ports import Progress, ProjectRef
from curate.ports.pulled import PullCounts, Snapshot, WantedTask
from curate.progress import track

OVERLAP = timedelta(seconds=60)  # a change may be written that much later than its time says
_NO_LOOKS = frozenset({"unattended", "draft"})
_ROUNDS = 3  # of comparing counts, while people go on working
_PIECE = 4096  # rows handed on at once
_INDEX = "id,updated_at,total_annotations,cancelled_annotations"


@contextmanager
def pull(
    client: Client,
    projects: Sequence[ProjectRef],
    wanted: Mapping[str, WantedTask],
    *,
    path: Path | None = None,
    names: Path | None = None,
    labels: Sequence[str] | None = None,
    moved_box: MovedBox = "drop_mask",
    full: bool = False,
) -> Iterator[Snapshot]:
    """Bring the cache up to date with the server, and give what it holds for as long as the context lasts.

    Args:
        client: An administrator's connection.
        projects: The projects to read; several where each labeler has one.
        wanted: What our tables say of each task, by its key; other tasks are left out.
        path: The cache; None = none is kept.
        names: File that keeps who gave each answer; None = none is kept.
        labels: Names that the projects' labels must have; None = whatever they have.
        moved_box: See `decode_regions.read`.
        full: Read everything, whatever the cache says.

    Raises:
        AnnotationToolError: Unreachable, refused, a project that is not of ours, or one with other labels.
        StorageError: The cache cannot be written.
    """
    records = [
        client.get(f"/api/projects/{one.project_id}/", action="reading the project") for one in projects
    ]
    keys = {int(one["id"]): people.project_key(one) for one in records}
    found = _Found(client, projects, wanted, _labels(records, labels), moved_box, path, names, keys)
    with ExitStack() as stack:
        try:
            cache, counts = stack.enter_context(found.current(full=full))
        except DamagedError:
            cache, counts = stack.enter_context(found.current(full=True))
        drafts = [row for one in projects for row in answers.drafts(client, one, wanted)]
        yield _Snapshot(cache, wanted, {one.project_id: one for one in projects}, drafts).made(counts)


def _labels(records: Sequence[Mapping[str, Any]], expected: Sequence[str] | None) -> list[str]:
    """The categories that all projects know.

    Raises:
        AnnotationToolError: They are not those expected: somebody changed one on the server.
    """
    found: set[str] = set()
    for record in records:
        for control, names in label_config.labels(record["label_config"]).items():
            found.update(names)
            if expected is not None and set(names) != set(expected):
                strange = ", ".join(sorted(set(names) ^ set(expected)))
                raise AnnotationToolError(
                    f"the labels of {control!r} in project {redact(record['title'])!r} are not those of the "
                    f"taxonomy ({strange}): run `dvc repro --force push`, which puts them right"
                )
    return sorted(found)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a pull reads, and with what."""

    client: Client
    projects: Sequence[ProjectRef]
    wanted: Mapping[str, WantedTask]
    categories: Sequence[str]
    moved_box: MovedBox
    path: Path | None
    names: Path | None
    keys: Mapping[int, str]

    @contextmanager
    def current(self, *, full: bool) -> Iterator[tuple[Cache, PullCounts]]:
        """The cache, brought up to date and checked, and how.

        Raises:
            DamagedError: It cannot be read; it is gone.
        """
        url, members = self.client.connection.url, people.members(self.client)
        numbers = sorted(one.project_id for one in self.projects)
        state = [[self.keys[number] for number in numbers], self.categories, self.moved_box]
        with answer_cache.opened(self.path, state=state) as cache:
            known = {
                number: people.read_names(self.names, self.keys[number], url) | cache.names(number)
                for number in numbers
            }
            _forget_renamed(cache, members, full=full)
            everybody = {number: name for names in known.values() for number, name in names.items()}
            context = Context(members, everybody, self.wanted, self.categories, self.moved_box)
            pulls = [_Pull(self.client, one, cache, context) for one in self.projects]
            began = any(one.get("since") is None for one in pulls)
            for one in pulls:
                one.run()
                known[one.number] |= one.names | cache.names(one.number)
                people.write_names(self.names, self.keys[one.number], known[one.number])
            cache.mark_latest({one.project_id: one.labeler for one in self.projects if one.labeler})
            yield cache, PullCounts(began, sum(one.read for one in pulls), sum(one.gone for one in pulls))


def _forget_renamed(cache: Cache, members: Mapping[int, str], *, full: bool) -> None:
    """Empty the cache where a name in it may be another one now."""
    known = list(cache.people())
    renamed = any(members.get(user, name) != name for user, name in known)
    # Who left may have been renamed before: the answers tell the name, but only where they are read again.
    left = set(json.loads(cache.get("members") or "[]")) - set(members)
    if full or renamed or any(user in left for user, _ in known):
        cache.clear()
    cache.set("members", json.dumps(sorted(members)))


class _Pull:
    """Brings the cache of one project up to date; counts the tasks read, and those that are gone."""

    def __init__(self, client: Client, project: ProjectRef, cache: Cache, context: Context) -> None:
        self._client, self._project, self._cache, self._context = client, project, cache, context
        self.number = project.project_id
        self.read = self.gone = 0
        self.names: dict[int, str] = {}  # who gave an answer that was read, also outside the plan

    def get(self, name: str) -> str | None:
        """What the cache keeps of this project's pulls."""
        return self._cache.get(f"{name} {self.number}")

    def run(self) -> None:
        """Read what is new."""
        if self.get("since") is None:
            self._read_all()
        for _ in range(_ROUNDS):
            self._read_changed()
            if task_pages.counts(self._client, self._project) == self._cache.counts(self.number):
                break
            self._compare_index()
        else:  # the server notes no times and counts any more (see `push.index`), or people are quicker
            self._read_all()
        wanted = self._context.wanted
        unlike = [
            number
            for number, key, _, there, read_as, _ in self._cache.tasks(self.number)
            if there and key in wanted and read_as != wanted[key].identity
        ]  # new in the plan
        self._read(unlike)
        self._cache.save()

    def _set(self, name: str, value: str | None) -> None:
        self._cache.set(f"{name} {self.number}", value)

    def _read_all(self) -> None:
        """Everything, from where an ended pull stood."""
        total, _ = task_pages.counts(self._client, self._project)
        if self.get("began") is None:
            self._set("began", task_pages.server_time(self._client).isoformat())
        last = int(self.get("last") or 0)
        left = max(total - self._cache.counts(self.number)[0], 0)
        pages = task_pages.matching(
            self._client, self._project, include=answers.FIELDS, content=True, after=last
        )
        for page in track(pages, total=left, label="pull: answers", size=len):
            self._store(page)
            self._set("last", str(page[-1]["id"]))
            self._cache.save()
        self._set("since", self.get("began"))
        self._set("last", None)
        self._set("began", None)

    def _read_changed(self) -> None:
        since = datetime.fromisoformat(str(self.get("since")))
        task_pages.counts(self._client, self._project)  # what is late by that answer's time is read next time
        now = task_pages.server_time(self._client)
        known = {number: at for number, _, at, *_ in self._cache.tasks(self.number)}
        changed = task_pages.changed_since(since - OVERLAP)
        pages = task_pages.matching(self._client, self._project, changed, include=_INDEX)
        self._read(
            [int(t["id"]) for page in pages for t in page if known.get(int(t["id"])) != t["updated_at"]]
        )
        self._set("since", now.isoformat())

    def _compare_index(self) -> None:
        known = {number: (at, there) for number, _, at, there, *_ in self._cache.tasks(self.number)}
        there = {
            int(task["id"]): (
                str(task["updated_at"]),
                int(task["total_annotations"]) + int(task["cancelled_annotations"]),
            )
            for page in task_pages.matching(self._client, self._project, include=_INDEX)
            for task in page
        }
        gone = known.keys() - there.keys()
        self._cache.remove(self.number, gone)
        self.gone += len(gone)
        self._read([number for number, updated in there.items() if known.get(number) != updated])

    def _read(self, numbers: Sequence[int]) -> None:
        for page in task_pages.chosen(self._client, self._project, numbers, include=answers.FIELDS):
            self._store(page)

    def _store(self, page: Sequence[Task]) -> None:
        self._cache.store(self.number, [answers.cached_task(task, self._context) for task in page])
        for task in page:
            self.names |= people.accounts(answers.task_key(task), task["annotations"], self._context.members)
        self.read += len(page)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What the cache holds, as tables."""

    cache: Cache
    wanted: Mapping[str, WantedTask]
    projects: Mapping[int, ProjectRef]
    drafts: Sequence[tuple[int, dict[str, Any]]]

    def made(self, counts: PullCounts) -> Snapshot:
        """The snapshot, with everything counted."""
        kept_raw, unreadable, corrected = Counter[str](), Counter[str](), Counter[str]()
        unattended, of_others = Counter[str](), Counter[str]()
        superseded = outside = n_unreadable = nameless = 0
        for number, old, row in self._given():
            if row["task_id"] not in self.wanted:
                outside += 1
                continue
            if self._of_another(number, row):
                of_others[row["annotator_id"]] += 1
                continue
            superseded += old
            unattended[row["annotator_id"]] += row["outcome"] == "unattended"
            nameless += people.is_nameless(row["annotator_id"])
            if old or row["outcome"] in _NO_LOOKS:
                continue
            kept_raw.update(row["counted"]["kept_raw"])
            corrected.update(row["counted"]["corrected"])
            if row["outcome"] == "unreadable":
                n_unreadable += 1
                unreadable.update(row["counted"]["unreadable"])
        tasks = [task for number in self.projects for task in self.cache.tasks(number)]
        outside += sum(
            there for _, key, _, there, read_as, _ in tasks if key not in self.wanted and not read_as
        )
        return Snapshot(
            url=next(iter(self.projects.values())).url,
            progress=self._progress(superseded),
            counts=replace(
                counts,
                raw_regions=dict(sorted(kept_raw.items())),
                answers_outside_plan=outside,
                n_unreadable=n_unreadable,
                unreadable=dict(sorted(unreadable.items())),
                corrected=dict(sorted(corrected.items())),
                unattended={name: n for name, n in sorted(unattended.items()) if n},
                in_projects_of_others=dict(sorted(of_others.items())),
                nameless=nameless,
                foreign_tasks=sum(not key for _, key, *_ in tasks),
                edited_tasks=sum(edited for *_, edited in tasks),
            ),
            answers=lambda: _pieces(self._answers()),
            annotations=lambda: _pieces(self._annotations()),
        )

    def _progress(self, superseded: int) -> Progress:
        """Where a project is one labeler's, only that person's looks count in it."""
        looks = {
            (key, name)
            for number, key, name in self.cache.looks()
            if key in self.wanted and people.may_answer(self.projects[number].labeler, name)
        }
        lookers = Counter(key for key, _ in looks)
        done = {key: min(lookers[key], task.labelers) for key, task in self.wanted.items()}
        return Progress(
            slots_done=sum(done.values()),
            slots_needed=sum(task.labelers for task in self.wanted.values()),
            tasks_done=sum(done[key] == task.labelers for key, task in self.wanted.items()),
            tasks=len(self.wanted),
            superseded=superseded,
        )

    def _given(self) -> Iterator[tuple[int, bool, dict[str, Any]]]:
        """Answers in the order of their numbers, with what people have begun among them."""
        begun = ((n, False, row) for n, row in sorted(self.drafts, key=lambda one: one[1]["answer_id"]))
        return heapq.merge(self.cache.answers(), begun, key=lambda one: one[2]["answer_id"])

    def _of_another(self, number: int, row: Mapping[str, Any]) -> bool:
        """Whether somebody gave this answer in a colleague's own project, and on the page."""
        own = people.may_answer(self.projects[number].labeler, row["annotator_id"])
        return not own and row["outcome"] != "unattended"

    def _answers(self) -> Iterator[dict[str, Any]]:
        for number, old, row in self._given():
            if row["task_id"] in self.wanted and not self._of_another(number, row):
                kept = {name: row[name] for name in row if name != "counted"}
                choices = [(name, values) for name, values in row["choices"]]  # as Arrow's maps want them
                yield {**kept, "choices": choices, "superseded": old}

    def _annotations(self) -> Iterator[dict[str, Any]]:
        for _, row in self.cache.rows():
            if row["task_id"] in self.wanted:
                yield {**row, "attributes": [(name, values) for name, values in row["attributes"]]}


def _pieces(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while piece := list(islice(rows, _PIECE)):
        yield piece
