"""Stand-ins for the Protocols in curate/ports.py: in memory, deterministic, no patching."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from curate.errors import AnnotationToolError
from curate.ports import ProjectRef, ProjectSpec, PushCounts, PushPlan, RemovedTasks, TaskDraft
from curate.records import Annotation, BoolArray, Category, Detections, FloatArray, UInt8Image
from curate.shown.rows import suggestions_digest


def _versions(tasks: Sequence[TaskDraft]) -> frozenset[str | None]:
    return frozenset(row.model_version for task in tasks for row in task.pre_annotations)


@dataclass
class FakeAnnotationTool:
    """An annotation server in a dictionary; `answer` is what a person does on its page."""

    specs: dict[str, ProjectSpec] = field(default_factory=dict)
    filled: dict[int, dict[str, TaskDraft]] = field(default_factory=dict)  # by project and key
    answers: dict[tuple[str, str], tuple[Annotation, ...]] = field(default_factory=dict)

    # Model versions of the push that sent a task, by project and key.
    sent_with: dict[tuple[int, str], frozenset[str | None]] = field(default_factory=dict)
    clock: datetime = datetime(2026, 1, 5, 10, tzinfo=UTC)
    drafted: frozenset[str] = frozenset()  # keys of tasks that somebody has begun
    asked_for_work: int = 0
    dies_after: int | None = None  # tasks that a push still takes before its process ends

    def now(self) -> datetime:
        return self.clock

    def worked_on(self, title: str) -> frozenset[str]:
        del title
        self.asked_for_work += 1
        return frozenset(task for task, _ in self.answers) | self.drafted

    def showing(self, spec: ProjectSpec, tasks: Sequence[TaskDraft]) -> frozenset[str]:
        title = spec.title if spec.labeler is None else f"{spec.title} [{spec.labeler}]"
        if title not in self.specs:
            return frozenset()
        number = self.find_project(title).project_id
        there = self.filled.get(number, {})
        held = {key: suggestions_digest(task.pre_annotations) for key, task in there.items()}
        with_ = _versions(tasks)  # as on a server, where the versions of all tasks are one text
        return frozenset(
            task.task_id
            for task in tasks
            if held.get(task.task_id) == suggestions_digest(task.pre_annotations)
            and task.task_id in held
            and (not task.pre_annotations or self.sent_with[number, task.task_id] == with_)
        )

    @property
    def tasks(self) -> dict[str, TaskDraft]:
        """The tasks of all projects by their keys."""
        return {key: task for tasks in self.filled.values() for key, task in tasks.items()}

    def ensure_project(self, spec: ProjectSpec) -> ProjectRef:
        title = spec.title if spec.labeler is None else f"{spec.title} [{spec.labeler}]"
        self.specs[title] = spec
        return self.find_project(title)

    def find_project(self, title: str) -> ProjectRef:
        if title not in self.specs:
            raise AnnotationToolError(f"the fake has no project {title!r}")
        number = list(self.specs).index(title) + 1
        return ProjectRef(number, f"http://fake/projects/{number}/data")

    def projects(self, title: str) -> Mapping[str | None, ProjectRef]:
        own = {
            named: named[len(title) + 2 : -1] or None
            for named in self.specs
            if named == title or named.startswith(f"{title} [")
        }
        return {labeler: self.find_project(named) for named, labeler in own.items()}

    def strange_projects(self, title: str) -> Sequence[str]:
        return [named for named in self.specs if named.startswith(f"copy of {title}")]

    def push_tasks(
        self, project: ProjectRef, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushCounts:
        there = self.filled.setdefault(project.project_id, {})
        counts = self._counts(there, tasks, removed)
        if removed == "delete":
            there.clear()
        arrived = tasks[: self.dies_after]
        there.update({task.task_id: task for task in arrived})
        self.sent_with.update({(project.project_id, task.task_id): _versions(tasks) for task in arrived})
        if self.dies_after is not None:
            raise KeyboardInterrupt
        return counts

    def plan_push(
        self, spec: ProjectSpec, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushPlan:
        title = spec.title if spec.labeler is None else f"{spec.title} [{spec.labeler}]"
        known = title in self.specs
        there = self.filled.get(self.find_project(title).project_id, {}) if known else {}
        return PushPlan(
            title, () if known else ("create the project",), self._counts(there, tasks, removed), ()
        )

    @staticmethod
    def _counts(
        there: Mapping[str, TaskDraft], tasks: Sequence[TaskDraft], removed: RemovedTasks
    ) -> PushCounts:
        created = [task for task in tasks if task.task_id not in there]
        replaced = [task for task in tasks if there.get(task.task_id, task) != task]
        surplus = len(set(there) - {task.task_id for task in tasks})
        unchanged = len(tasks) - len(created) - len(replaced)
        gone = {"keep": (surplus, 0, 0), "close": (0, surplus, 0), "delete": (0, 0, surplus)}[removed]
        return PushCounts(len(created), unchanged, len(replaced), *gone)

    def answer(self, person: str, *rows: Annotation) -> None:
        """A person submits the rows of one task."""
        task_id = rows[0].task_id
        assert task_id is not None
        self.answers[(task_id, person)] = rows


class FakeDetector:
    """Finds one box a category in every image, at a place that follows from its pixels; counts its images.

    Args:
        log: A line an image is appended to this file, so that a test sees what a killed process had done.
        delay_s: Seconds that an image takes.
    """

    def __init__(
        self, *, version: str = "fake-detector", log: Path | None = None, delay_s: float = 0.0
    ) -> None:
        self.model_version = version
        self.seen = 0
        self._log, self._delay_s = log, delay_s

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        found = []
        for image in images:
            self.seen += 1
            time.sleep(self._delay_s)
            if self._log is not None:
                with self._log.open("a") as file:
                    file.write(f"{int(image.sum())}\n")
            x = float(image[0, 0, 0] % 32)
            boxes = [(x + 30 * i, 10.0, x + 30 * i + 20, 40.0) for i in range(len(categories))]
            found.append(
                Detections(
                    np.array(boxes, dtype=np.float32),
                    np.array([0.9 - 0.2 * i for i in range(len(categories))], dtype=np.float32),
                    tuple(category.name for category in categories),
                    tuple(category.prompts[0] for category in categories),
                )
            )
        return found


class FakeSegmenter:
    """The whole box is the mask."""

    model_version = "fake-segmenter"

    def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
        masks = np.zeros((len(boxes), *image.shape[:2]), dtype=np.bool_)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
            mask[y1:y2, x1:x2] = True
        return masks, np.ones(len(boxes), dtype=np.float32)


class FakeEmbedder:
    """The vector of an image is its mean color about gray and a constant; a black image has no direction.

    Args:
        log: A line an image is appended to this file, so that a test sees what a killed process had done.
        delay_s: Seconds that an image takes.
    """

    def __init__(
        self, *, version: str = "fake-encoder@1", log: Path | None = None, delay_s: float = 0.0
    ) -> None:
        self.model_version = version
        self.seen = 0
        self._log, self._delay_s = log, delay_s

    def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
        made = np.full((len(images), 4), np.nan, dtype=np.float32)
        for row, image in zip(made, images, strict=True):
            self.seen += 1
            time.sleep(self._delay_s)
            if self._log is not None:
                with self._log.open("a") as file:
                    file.write(f"{int(image.sum())}\n")
            if image.any():
                vector = np.array([*(image.mean(axis=(0, 1)) / 128 - 1), 0.1])
                row[:] = vector / np.linalg.norm(vector)
        return made
