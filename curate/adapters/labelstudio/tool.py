"""The ports AnnotationTool and AnnotationReader on Label Studio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from curate.adapters.labelstudio import (
    image_storage,
    people,
    project,
    project_mark,
    pull,
    push,
    suggestions,
    task_pages,
    wanted_tasks,
)
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.decode_regions import MovedBox
from curate.adapters.labelstudio.image_storage import LocalFiles, Storage
from curate.adapters.labelstudio.push_plan import compare
from curate.errors import AnnotationToolError
from curate.params import LabelStudioParams
from curate.ports import ProjectRef, ProjectSpec, PushCounts, PushPlan, RemovedTasks, TaskDraft
from curate.ports.pulled import Snapshot, WantedTask

IMAGES_ROOT = Path("data/ingest/images")  # relative to the project's root, as in the tables
CACHE = Path("data/pull/cache.sqlite")  # of a project; it may be removed at any time
ADJUDICATION_CACHE = Path("data/adjudication/cache.sqlite")  # the same of decisions
_HERE = Path()


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
        names: Path | None = None,
        pipeline_file: Path | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            connection: The server and an administrator's token.
            images_root: Folder of the upright images, relative to the project's root as in the tables.
            images: Where the labelling page gets them from; None = the server serves `images_root`.
            batch_size: Tasks per import request.
            timeout_s: Seconds a request may take.
            names: File that says who gave each answer, which pull writes.
            pipeline_file: File that says who we are on the server; None = projects are known by title.
        """
        self._client = Client(connection, timeout_s=timeout_s)
        self._storage = images or LocalFiles(images_root)
        self._batch_size, self._names = batch_size, names
        self._pipeline_file = pipeline_file

    def now(self) -> datetime:
        """Time of the server's clock."""
        self._client.get("/api/version", action="asking for the server's time")
        return task_pages.server_time(self._client).astimezone(UTC)

    def worked_on(self, title: str) -> frozenset[str]:
        """Keys of the tasks that hold work of people."""
        projects = self.projects(title).values()
        return frozenset(key for there in projects for key in push.worked_on(self._client, there))

    def showing(self, spec: ProjectSpec, tasks: Sequence[TaskDraft]) -> frozenset[str]:
        """Keys of the tasks that the project shows just as they are drafted."""
        there = self.projects(spec.title).get(spec.labeler)
        if there is None or not tasks:
            return frozenset()
        names = tuple(category.name for category in spec.categories)
        wanted = wanted_tasks.wanted_tasks(tasks, names, self._storage)
        difference = push.look(self._client, there, wanted, removed="keep", known=self._known(there))
        shown = suggestions.shown_version(self._client, there)
        other = {item.task_id for item in difference.sent}
        other |= {item.task_id for item in wanted if item.suggested and item.model_version != shown}
        return frozenset(task.task_id for task in tasks if task.task_id not in other)

    def ensure_project(self, spec: ProjectSpec) -> ProjectRef:
        """Create the project, or adopt the one of that title."""
        return project.ensure(self._client, spec, self._storage, pipeline_file=self._pipeline_file)

    def find_project(self, title: str) -> ProjectRef:
        """The project of that title."""
        found = project.find(self._client, title, self._pipeline())
        if found is None:
            raise AnnotationToolError(
                f"{self._client.connection.url} has no project {title!r}: run `dvc repro --force push`"
            )
        return project.reference(self._client, int(found["id"]))

    def projects(self, title: str) -> Mapping[str | None, ProjectRef]:
        """The project of that title (None) and those of single labelers."""
        return project.projects(self._client, title, self._pipeline())

    def strange_projects(self, title: str) -> Sequence[str]:
        """A line for each project that looks like ours and is not, or is ours and was renamed."""
        found = project_mark.listed(self._client)
        ours = project_mark.ours(found, title, self._pipeline())
        return project_mark.strangers(found, title, list(ours.values()))

    def _pipeline(self) -> str | None:
        return project_mark.read_pipeline_id(self._pipeline_file)

    def push_tasks(
        self, project: ProjectRef, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushCounts:
        """Make the server hold exactly one task per key with its current suggestions."""
        wanted = wanted_tasks.wanted_tasks(tasks, self._categories(project), self._storage)
        if self._storage.needs_images and tasks:
            self._storage.prepare([task.path for task in tasks])
            self._client.changes.until_done(lambda: self._storage.connect(self._client, project.project_id))
        return push.push(
            self._client,
            project,
            wanted,
            batch_size=self._batch_size,
            removed=removed,
            known=self._known(project),
        )

    def plan_push(
        self, spec: ProjectSpec, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushPlan:
        """What `ensure_project` and `push_tasks` would do."""
        existing, settings = project.plan(self._client, spec, self._pipeline())
        names = tuple(category.name for category in spec.categories)
        wanted = wanted_tasks.wanted_tasks(tasks, names, self._storage)
        if existing is None:
            difference = compare([], wanted)
        else:
            there = project.reference(self._client, int(existing["id"]), spec.labeler)
            difference = push.look(self._client, there, wanted, removed=removed, known=self._known(there))
        wanted_tasks.check(difference.sent, len(difference.sent))
        lines = ("create the project",) if existing is None else tuple(f"change {name}" for name in settings)
        title = project.title_for(spec.title, spec.labeler)
        return PushPlan(title, lines, difference.counts(), difference.examples())

    def _known(self, reference: ProjectRef) -> dict[int, str]:
        return people.known_names(self._client, reference.project_id, self._names)

    def _categories(self, reference: ProjectRef) -> tuple[str, ...]:
        found = project.get(self._client, reference.project_id)
        return project.category_names(found["label_config"])


def from_settings(settings: LabelStudioParams, connection: Connection) -> LabelStudioTool:
    """The tool as params.yaml describes it, on that server."""
    return LabelStudioTool(
        connection,
        images_root=IMAGES_ROOT,
        images=image_storage.from_parameter(settings.storage, IMAGES_ROOT),
        batch_size=settings.batch_size,
        timeout_s=settings.timeout_s,
        names=people.NAMES,
        pipeline_file=project_mark.PIPELINE_FILE,
    )


class LabelStudioReader:
    """A Label Studio server, read; see `curate.ports.pulled.AnnotationReader`."""

    def __init__(
        self,
        connection: Connection,
        *,
        cache: Path | None = None,
        names: Path | None = None,
        pipeline_file: Path | None = None,
        timeout_s: float = 120.0,
        moved_box: MovedBox = "drop_mask",
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            connection: The server and an administrator's token.
            cache: File that keeps what was read, so that the next time only changes are; None = none.
            names: File that keeps who gave each answer; None = none.
            pipeline_file: File that says who we are on the server; None = projects are known by title.
            timeout_s: Seconds a request may take.
            moved_box: What becomes of a suggested mask whose box was moved away from it.
        """
        self._client = Client(connection, timeout_s=timeout_s)
        self._cache, self._names, self._moved_box = cache, names, moved_box
        self._pipeline_file = pipeline_file

    def pull(
        self,
        title: str,
        wanted: Mapping[str, WantedTask],
        *,
        labels: Sequence[str] | None = None,
        full: bool = False,
    ) -> AbstractContextManager[Snapshot]:
        """What people did, for as long as the context lasts."""
        found = project.projects(self._client, title, project_mark.read_pipeline_id(self._pipeline_file))
        if not found:
            raise AnnotationToolError(
                f"{self._client.connection.url} has no project {title!r}: run `dvc repro --force push`, "
                "or `curate qa adjudicate` for that of the adjudication"
            )
        projects = [found[labeler] for labeler in sorted(found, key=lambda name: (name is not None, name))]
        return pull.pull(
            self._client,
            projects,
            wanted,
            path=self._cache,
            names=self._names,
            labels=labels,
            moved_box=self._moved_box,
            full=full,
        )


def reader_from_settings(
    settings: LabelStudioParams, connection: Connection, *, root: Path = _HERE, cache: Path = CACHE
) -> LabelStudioReader:
    """The reader as params.yaml describes it, on that server, with its files below `root`."""
    return LabelStudioReader(
        connection,
        cache=root / cache,
        names=root / people.NAMES,
        pipeline_file=root / project_mark.PIPELINE_FILE,
        timeout_s=settings.timeout_s,
        moved_box=settings.moved_box,
    )
