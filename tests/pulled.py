"""A server on which people have answered, in memory: the AnnotationReader port for tests of stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from curate.errors import AnnotationToolError
from curate.ports import Progress
from curate.ports.pulled import PullCounts, Snapshot, WantedTask
from curate.records import Annotation, derived_id


@dataclass
class FakeAnnotationReader:
    """Answers by task and person; `answer` is what a person does on the server's page."""

    title: str = "unit"
    answers: dict[tuple[str, str], tuple[Annotation, ...]] = field(default_factory=dict)
    others: list[dict[str, Any]] = field(default_factory=list)  # more rows of `answers`: drafts, old ones
    raw: dict[str, int] = field(default_factory=dict)
    model_version: str | None = None
    counted: dict[str, Any] = field(default_factory=dict)  # more of `PullCounts`
    labels: Sequence[str] | None = None  # asked for by the last pull

    def answer(self, person: str, *rows: Annotation) -> None:
        """A person submits the rows of one task."""
        task_id = rows[0].task_id
        assert task_id is not None
        self.answers[(task_id, person)] = rows

    @contextmanager
    def pull(
        self,
        title: str,
        wanted: Mapping[str, WantedTask],
        *,
        labels: Sequence[str] | None = None,
        full: bool = False,
    ) -> Iterator[Snapshot]:
        if title != self.title:
            raise AnnotationToolError(f"the fake has no project {title!r}")
        self.labels = labels
        people = {key: sum(task == key for task, _ in self.answers) for key in wanted}
        done = {key: min(people[key], task.labelers) for key, task in wanted.items()}
        finished = sum(done[key] == task.labelers for key, task in wanted.items())
        needed = sum(task.labelers for task in wanted.values())
        progress = Progress(sum(done.values()), needed, finished, len(wanted))
        given = [row for (task, _), rows in self.answers.items() if task in wanted for row in rows]
        answers = [
            answer_row(*rows, model_version=self.model_version)
            for (task, _), rows in self.answers.items()
            if task in wanted
        ]
        counts = PullCounts(full, len(wanted), 0, **{"raw_regions": self.raw, **self.counted})
        yield Snapshot(
            "http://fake/projects/1/data",
            progress,
            counts,
            _pieces([*answers, *self.others], "answer_id"),
            _pieces([row.row() for row in given], "annotation_id"),
        )


def answer_row(*rows: Annotation, outcome: str = "submitted", **changes: Any) -> dict[str, Any]:
    """The row of `answers` of a person's rows on one task."""
    first = rows[0]
    return {
        "answer_id": derived_id("answer", str(first.task_id), str(first.annotator_id), outcome),
        "task_id": first.task_id,
        "image_id": first.image_id,
        "annotator_id": first.annotator_id,
        "outcome": first.outcome if first.outcome in {"skipped", "unreadable"} else outcome,
        "superseded": False,
        "objects": sum(row.outcome == "object" for row in rows),
        "created_at": first.created_at,
        "updated_at": first.updated_at,
        "lead_time_s": first.lead_time_s,
        "model_version": None,
        "choices": [],
        "comment": None,
        "raw": None,
        "taxonomy_digest": first.taxonomy_digest,
        "guideline_digest": first.guideline_digest,
        **changes,
    }


def _pieces(rows: Sequence[dict[str, Any]], key: str) -> Callable[[], Iterator[list[dict[str, Any]]]]:
    ordered = sorted(rows, key=lambda row: str(row[key]))
    return lambda: iter([ordered[start : start + 5] for start in range(0, len(ordered), 5)])
