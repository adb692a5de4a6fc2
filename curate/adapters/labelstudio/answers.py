"""All rows of one project in memory, without a cache; `pulling` for more than a few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curate.adapters.labelstudio import pulling
from curate.adapters.labelstudio.client import Client
from curate.ports import Progress, ProjectRef
from curate.ports.pulled import Snapshot
from curate.records import Annotation


def pull(
    client: Client, project: ProjectRef, wanted: Mapping[str, int], categories: Sequence[str]
) -> tuple[list[Annotation], Progress]:
    """The last answer of every person to every wanted task, and how far they are."""
    del categories

    def take(snapshot: Snapshot) -> tuple[list[Annotation], Progress]:
        return [
            Annotation.from_row(row) for piece in snapshot.annotations() for row in piece
        ], snapshot.progress

    return pulling.pull(client, [project], wanted, take)
