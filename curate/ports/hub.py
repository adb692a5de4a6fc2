"""Where releases live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """What publishing a release would do to its target.

    Attributes:
        target: Kind of the target.
        location: Where.
        version: Of the release.
        there: The version is there already, with this content: nothing will be done.
        adds: Files that come, with their bytes.
        replaces: Files of an earlier release that get another content, with their bytes.
        deletes: Files of an earlier release that go.
        left: Files of others, which are left alone.
        edited: Differences of a README that somebody edited at the target, line by line; empty = none did.
        visibility: Who can see it there, in words, where that is a question.
    """

    target: str
    location: str
    version: str
    there: bool = False
    adds: tuple[tuple[str, int], ...] = ()
    replaces: tuple[tuple[str, int], ...] = ()
    deletes: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    visibility: str = ""

    @property
    def bytes(self) -> int:
        """Bytes to bring there, where it knows none of them yet."""
        return sum(size for _, size in (*self.adds, *self.replaces))

    def lines(self) -> Iterator[str]:
        """The plan for a person."""
        if self.there:
            yield f"{self.location} holds version {self.version} already: nothing to do"
            return
        seen = f" ({self.visibility})" if self.visibility else ""
        yield f"{self.location}{seen}: version {self.version}, {self.bytes / 1e6:,.1f} MB"
        for word, files in (("add", self.adds), ("replace", self.replaces)):
            yield from (f"  {word} {name} ({size:,} bytes)" for name, size in files)
        yield from (f"  delete {name}" for name in self.deletes)
        yield from (f"  leave alone {name}" for name in self.left)
        if self.edited:
            yield "  README.md was edited there (publish.edited_readme):"
            yield from (f"    {line}" for line in self.edited)


@dataclass(frozen=True, slots=True)
class PublishReceipt:
    """Place to which a release went. `revision` identifies its content there."""

    target: str
    location: str
    revision: str
    files: int
    unchanged: bool


class DatasetHub(Protocol):
    """A place where releases live; it is asked each time, whatever was published before."""

    def plan(self, folder: Path) -> PublishPlan:
        """What publishing this release folder would do; changes nothing.

        Raises:
            ReleaseError: The folder is not what its release.json says.
            HubError: Unreachable, refused, or the version is there with another content.
        """

    def publish(self, folder: Path) -> PublishReceipt:
        """Put the release folder there in one step, and read back what arrived; a no-op if it is there.

        Raises:
            ReleaseError: The folder is not what its release.json says.
            HubError: Unreachable, refused, the version is there with another content, or what arrived
                differs.
        """
