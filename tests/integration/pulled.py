"""All rows of a small project in memory."""

from __future__ import annotations

from collections.abc import Mapping

from curate.adapters.labelstudio import pull
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.ports import Progress, ProjectRef
from curate.ports.pulled import Snapshot
from curate.records import Annotation


def rows(
    connection: Connection, project: ProjectRef, wanted: Mapping[str, int]
) -> tuple[list[Annotation], Progress]:
    """The last answer of every person to every wanted task, and how far they are; read without a cache."""

    def take(snapshot: Snapshot) -> tuple[list[Annotation], Progress]:
        pieces = snapshot.annotations()
        return [Annotation.from_row(row) for piece in pieces for row in piece], snapshot.progress

    return pull.pull(Client(connection, timeout_s=60), [project], wanted, take)
