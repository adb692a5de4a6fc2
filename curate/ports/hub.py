"""Where releases live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PublishReceipt:
    """Where a release went. `revision` identifies its content there."""

    target: str
    location: str
    revision: str
    files: int
    unchanged: bool


class DatasetHub(Protocol):
    """A place where releases live."""

    def publish(self, folder: Path, *, digest: str, version: str) -> PublishReceipt:
        """Put the release folder there in one step, verify what arrived; a no-op if `digest` is there.

        Raises:
            HubError: Unreachable, refused, or what arrived differs.
        """
