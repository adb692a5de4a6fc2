"""Stand-ins for the Protocols in curate/ports.py: in memory, deterministic, no patching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from curate.errors import AnnotationToolError
from curate.ports import Progress, ProjectRef, ProjectSpec, PushCounts, TaskDraft
from curate.records import Annotation


@dataclass
class FakeAnnotationTool:
    """An annotation server in a dictionary; `answer` is what a person does on its page."""

    specs: dict[str, ProjectSpec] = field(default_factory=dict)
    tasks: dict[str, TaskDraft] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[Annotation, ...]] = field(default_factory=dict)

    def ensure_project(self, spec: ProjectSpec) -> ProjectRef:
        self.specs[spec.title] = spec
        return self.find_project(spec.title)

    def find_project(self, title: str) -> ProjectRef:
        if title not in self.specs:
            raise AnnotationToolError(f"the fake has no project {title!r}")
        return ProjectRef(1, "http://fake/projects/1/data")

    def push_tasks(self, project: ProjectRef, tasks: Sequence[TaskDraft]) -> PushCounts:
        assert project.project_id == 1
        created = [task for task in tasks if task.task_id not in self.tasks]
        replaced = [task for task in tasks if self.tasks.get(task.task_id, task) != task]
        surplus = set(self.tasks) - {task.task_id for task in tasks}
        self.tasks.update({task.task_id: task for task in tasks})
        unchanged = len(tasks) - len(created) - len(replaced)
        return PushCounts(len(created), unchanged, len(replaced), len(surplus))

    def pull_annotations(
        self, project: ProjectRef, wanted: Mapping[str, int]
    ) -> tuple[list[Annotation], Progress]:
        assert project.project_id == 1
        people = {key: sum(task == key for task, _ in self.answers) for key in wanted}
        done = {key: min(people[key], number) for key, number in wanted.items()}
        rows = [row for (task, _), given in self.answers.items() if task in wanted for row in given]
        finished = sum(done[key] == number for key, number in wanted.items())
        return rows, Progress(sum(done.values()), sum(wanted.values()), finished, len(wanted))

    def answer(self, person: str, *rows: Annotation) -> None:
        """A person submits the rows of one task."""
        task_id = rows[0].task_id
        assert task_id is not None
        self.answers[(task_id, person)] = rows
