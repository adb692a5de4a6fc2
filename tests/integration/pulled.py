"""All rows of a small project in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curate.adapters.labelstudio import pull
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.ports import Progress, ProjectRef, TaskDraft
from curate.ports.pulled import WantedTask
from curate.records import Annotation


def wanted(drafts: Sequence[TaskDraft]) -> Mapping[str, WantedTask]:
    """What our tables say of the tasks."""
    return {
        draft.task_id: WantedTask(draft.image_id, draft.width, draft.height, draft.overlap)
        for draft in drafts
    }


def rows(
    connection: Connection, project: ProjectRef, drafts: Sequence[TaskDraft]
) -> tuple[list[Annotation], Progress]:
    """The last answer of every person to every wanted task, and how far they are; read without a cache."""
    with pull.pull(Client(connection, timeout_s=60), [project], wanted(drafts)) as snapshot:
        pieces = snapshot.annotations()
        return [Annotation.from_row(row) for piece in pieces for row in piece], snapshot.progress
