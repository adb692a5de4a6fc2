"""The port ComparisonTool on Label Studio: a project of the tag Pairwise.

Pushing is that of every project (`push`): the server is the only memory, and a key has one task.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curate.adapters.labelstudio import image_storage, people, project, project_mark, push, vote_answers
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.image_storage import Storage
from curate.adapters.labelstudio.push_plan import MARK
from curate.adapters.labelstudio.wanted_tasks import NO_SUGGESTIONS, Wanted
from curate.params import LabelStudioParams
from curate.ports import ProjectSpec, PushCounts, TaskDraft
from curate.ports.comparison import ComparisonDraft, PulledVotes


class LabelStudioComparisons:
    """A Label Studio server on which people vote; see `curate.ports.comparison.ComparisonTool`."""

    def __init__(
        self,
        connection: Connection,
        *,
        pictures: Storage,
        images_root: Path,
        batch_size: int = 250,
        timeout_s: float = 120.0,
        names: Path | None = None,
        pipeline_file: Path | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            connection: The server and an administrator's token.
            pictures: Where the page gets the pictures from.
            images_root: Folder of the pictures, relative to the project's root.
            batch_size: Tasks per import request.
            timeout_s: Seconds a request may take.
            names: File that keeps who gave each answer; None = none.
            pipeline_file: File that says who we are on the server; None = projects are known by title.
        """
        self._client = Client(connection, timeout_s=timeout_s)
        self._storage, self._images_root = pictures, images_root
        self._batch_size, self._names, self._pipeline_file = batch_size, names, pipeline_file

    def push(
        self, title: str, tasks: Sequence[ComparisonDraft], *, question: str, instructions: str
    ) -> PushCounts:
        """See `ComparisonTool`."""
        spec = ProjectSpec(
            title,
            (),
            instructions,
            max((task.raters for task in tasks), default=1),
            self._images_root,
            task_ids=frozenset(task.task_id for task in tasks),
            question=question,
        )
        there = project.ensure(self._client, spec, self._storage, pipeline_file=self._pipeline_file)
        if self._storage.needs_images and tasks:
            self._storage.prepare({path for task in tasks for path in (task.left, task.right)})
            self._client.changes.until_done(lambda: self._storage.connect(self._client, there.project_id))
        known = people.known_names(self._client, there.project_id, self._names)
        wanted = [self._wanted(task) for task in tasks]
        return push.push(self._client, there, wanted, batch_size=self._batch_size, known=known)

    def pull(self, title: str, tasks: Sequence[ComparisonDraft]) -> PulledVotes | None:
        """See `ComparisonTool`."""
        pipeline = project_mark.read_pipeline_id(self._pipeline_file)
        there = project.projects(self._client, title, pipeline).get(None)
        if there is None:
            return None
        shown = {task.task_id: self._addresses(task) for task in tasks}
        return vote_answers.read(self._client, there, shown, names=self._names)

    def _addresses(self, task: ComparisonDraft) -> tuple[str, str]:
        """Addresses of the left and the right picture, as they stand in a task's data."""
        return self._storage.address(task.left), self._storage.address(task.right)

    def _wanted(self, task: ComparisonDraft) -> Wanted:
        """A task as the server takes it: two addresses and our key, nothing that tells who made what."""
        left, right = self._addresses(task)
        data = {"left": left, "right": right, "task_id": task.task_id, MARK: NO_SUGGESTIONS}
        draft = TaskDraft(task.task_id, "", "", 1, 1, task.raters, ())  # suggests nothing
        return Wanted(data, task.raters, draft, "", ())


def from_settings(
    settings: LabelStudioParams, connection: Connection, images_root: Path
) -> LabelStudioComparisons:
    """The tool as params.yaml describes it, on that server, with its pictures in that folder."""
    return LabelStudioComparisons(
        connection,
        pictures=image_storage.from_parameter(settings.storage, images_root),
        images_root=images_root,
        batch_size=settings.batch_size,
        timeout_s=settings.timeout_s,
        names=people.NAMES,
        pipeline_file=project_mark.PIPELINE_FILE,
    )
