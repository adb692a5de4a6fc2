"""The AnnotationTool port on Label Studio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from curate.adapters.labelstudio import answers, project, sync
from curate.adapters.labelstudio.client import Client, translated
from curate.adapters.labelstudio.connection import Connection
from curate.errors import AnnotationToolError
from curate.ports import Progress, ProjectRef, ProjectSpec, PushCounts, TaskDraft
from curate.records import Annotation


class LabelStudioTool:
    """A Label Studio server on which people annotate; see `curate.ports.AnnotationTool`."""

    def __init__(
        self,
        connection: Connection,
        *,
        images_root: Path = Path("data/ingest/images"),
        batch_size: int = 250,
        timeout_s: float = 120.0,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            connection: The server and an administrator's token.
            images_root: Folder of the upright images, relative to the project's root as in the tables.
            batch_size: Tasks an import request.
            timeout_s: Seconds a request may take.
        """
        self._client = Client(connection, timeout_s=timeout_s)
        self._images_root = images_root
        self._batch_size = batch_size

    def ensure_project(self, spec: ProjectSpec) -> ProjectRef:
        """Create the project, or adopt the one of that title."""
        return project.ensure(self._client, spec)

    def find_project(self, title: str) -> ProjectRef:
        """The project of that title."""
        found = project.find(self._client, title)
        if found is None:
            raise AnnotationToolError(
                f"{self._client.connection.url} has no project {title!r}: run `dvc repro --force push`"
            )
        return project.reference(self._client, int(found.id))

    def push_tasks(self, project: ProjectRef, tasks: Sequence[TaskDraft]) -> PushCounts:
        """Make the server hold exactly one task a key with its current suggestions."""
        wanted = sync.wanted_tasks(tasks, self._categories(project), self._images_root)
        return sync.push(self._client, project, wanted, batch_size=self._batch_size)

    def pull_annotations(
        self, project: ProjectRef, wanted: Mapping[str, int]
    ) -> tuple[list[Annotation], Progress]:
        """Every person's work on the wanted tasks, and how far they are."""
        return answers.pull(self._client, project, wanted, self._categories(project))

    def _categories(self, reference: ProjectRef) -> tuple[str, ...]:
        with translated(self._client.connection, "reading the project"):
            config = self._client.sdk.projects.get(reference.project_id).label_config
        return project.category_names(config)
