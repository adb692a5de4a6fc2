"""The AnnotationTool port on Label Studio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from curate.adapters.labelstudio import image_storage, project, push, retry, wanted_tasks
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.image_storage import LocalFiles, Storage
from curate.adapters.labelstudio.push_plan import compare
from curate.errors import AnnotationToolError
from curate.params import LabelStudioParams
from curate.ports import ProjectRef, ProjectSpec, PushCounts, PushPlan, RemovedTasks, TaskDraft

IMAGES_ROOT = Path("data/ingest/images")  # relative to the project's root, as in the tables


class LabelStudioTool:
    """A Label Studio server on which people annotate; see `curate.ports.AnnotationTool`."""

    def __init__(
        self,
        connection: Connection,
        *,
        images_root: Path = IMAGES_ROOT,
        images: Storage | None = None,
        batch_size: int = 250,
        timeout_s: float = 120.0,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            connection: The server and an administrator's token.
            images_root: Folder of the upright images, relative to the project's root as in the tables.
            images: Where the labelling page gets them from; None = the server serves `images_root`.
            batch_size: Tasks an import request.
            timeout_s: Seconds a request may take.
        """
        self._client = Client(connection, timeout_s=timeout_s)
        self._storage = images or LocalFiles(images_root)
        self._batch_size = batch_size

    def now(self) -> datetime:
        """The server's time."""
        retry.until_done(lambda: self._client.get("/api/version", action="asking for the server's time"))
        if self._client.server_time is None:
            raise AnnotationToolError(
                f"{self._client.connection.url} does not tell its time (no Date header): "
                "does a proxy remove it?"
            )
        return self._client.server_time.astimezone(UTC)

    def showing(self, spec: ProjectSpec, tasks: Sequence[TaskDraft]) -> frozenset[str]:
        """Those of some tasks that the project shows just as drafted."""
        there = self.projects(spec.title).get(spec.labeler)
        if there is None or not tasks:
            return frozenset()
        names = tuple(category.name for category in spec.categories)
        wanted = wanted_tasks.wanted_tasks(tasks, names, self._storage)
        difference = retry.until_done(lambda: push.look(self._client, there, wanted, removed="keep"))
        other = {item.task_id for item in difference.sent}
        return frozenset(task.task_id for task in tasks if task.task_id not in other)

    def ensure_project(self, spec: ProjectSpec) -> ProjectRef:
        """Create the project, or adopt the one of that title."""
        return project.ensure(self._client, spec, self._storage)

    def find_project(self, title: str) -> ProjectRef:
        """The project of that title."""
        found = project.find(self._client, title)
        if found is None:
            raise AnnotationToolError(
                f"{self._client.connection.url} has no project {title!r}: run `dvc repro --force push`"
            )
        return project.reference(self._client, int(found["id"]))

    def projects(self, title: str) -> Mapping[str | None, ProjectRef]:
        """The project of that title (None) and those of single labelers."""
        return retry.until_done(lambda: project.projects(self._client, title))

    def push_tasks(
        self, project: ProjectRef, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushCounts:
        """Make the server hold exactly one task a key with its current suggestions."""
        wanted = wanted_tasks.wanted_tasks(tasks, self._categories(project), self._storage)
        if self._storage.needs_images and tasks:
            self._storage.prepare([task.path for task in tasks])
            retry.until_done(lambda: self._storage.connect(self._client, project.project_id))
        return push.push(self._client, project, wanted, batch_size=self._batch_size, removed=removed)

    def plan_push(
        self, spec: ProjectSpec, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushPlan:
        """What `ensure_project` and `push_tasks` would do."""
        existing, settings = project.plan(self._client, spec)
        names = tuple(category.name for category in spec.categories)
        wanted = wanted_tasks.wanted_tasks(tasks, names, self._storage)
        if existing is None:
            difference = compare([], wanted)
        else:
            there = project.reference(self._client, int(existing["id"]), spec.labeler)
            difference = push.look(self._client, there, wanted, removed=removed)
        wanted_tasks.check(difference.sent, len(difference.sent))
        lines = ("create the project",) if existing is None else tuple(f"change {name}" for name in settings)
        title = project.title_for(spec.title, spec.labeler)
        return PushPlan(title, lines, difference.counts(), difference.examples())

    def _categories(self, reference: ProjectRef) -> tuple[str, ...]:
        found = retry.until_done(lambda: project.get(self._client, reference.project_id))
        return project.category_names(found["label_config"])


def from_settings(settings: LabelStudioParams, connection: Connection) -> LabelStudioTool:
    """The tool as params.yaml describes it, on that server."""
    return LabelStudioTool(
        connection,
        images_root=IMAGES_ROOT,
        images=image_storage.from_parameter(settings.storage, IMAGES_ROOT),
        batch_size=settings.batch_size,
        timeout_s=settings.timeout_s,
    )
