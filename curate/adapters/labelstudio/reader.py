"""The AnnotationReader port on Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from curate.adapters.labelstudio import project, pull, retry
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.errors import AnnotationToolError
from curate.ports.pulled import Snapshot

Taken = TypeVar("Taken")
CACHE = Path("data/pull/cache.sqlite")  # of a project; it may be removed at any time


class LabelStudioReader:
    """A Label Studio server, read; see `curate.ports.pulled.AnnotationReader`."""

    def __init__(
        self, connection: Connection, *, cache: Path | None = None, timeout_s: float = 120.0
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            connection: The server and an administrator's token.
            cache: File that keeps what was read, so that the next time only changes are; None = none.
            timeout_s: Seconds a request may take.
        """
        self._client = Client(connection, timeout_s=timeout_s)
        self._cache = cache

    def pull(
        self, title: str, wanted: Mapping[str, int], take: Callable[[Snapshot], Taken], *, full: bool = False
    ) -> Taken:
        """Read what people did, and hand it to `take`."""
        found = retry.until_done(lambda: project.projects(self._client, title))
        if not found:
            raise AnnotationToolError(
                f"{self._client.connection.url} has no project {title!r}: run `dvc repro --force push`"
            )
        projects = [found[labeler] for labeler in sorted(found, key=lambda name: (name is not None, name))]
        return pull.pull(self._client, projects, wanted, take, path=self._cache, full=full)
