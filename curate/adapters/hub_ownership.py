"""What of a repository on the Hub is ours to change: only what the release that stands there lists."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from curate.errors import HubError
from curate.release import manifest
from curate.release.manifest import Manifest

README: Final = "README.md"
ATTRIBUTES: Final = ".gitattributes"  # the Hub's own says what it stores as large files
_MAX_LINES = 60  # of a difference
Edited = Literal["refuse", "keep", "replace"]


@dataclass(frozen=True, slots=True)
class Local:
    """A file of the release, and the two names that the Hub may know its content by."""

    path: Path
    size: int
    sha256: str
    git_oid: str

    @classmethod
    def of(cls, path: Path) -> Local:
        """Read the file once."""
        size = path.stat().st_size
        sha256 = hashlib.sha256()
        git = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                sha256.update(block)
                git.update(block)
        return cls(path, size, sha256.hexdigest(), git.hexdigest())

    def is_at(self, entry: Any) -> bool:
        """Whether an entry of the Hub's tree has this content."""
        if entry is None:
            return False
        return bool(
            entry.lfs.sha256 == self.sha256 if entry.lfs is not None else entry.blob_id == self.git_oid
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """What a commit has to change, by name, sorted.

    Attributes:
        adds: Files that come.
        replaces: Files of the former release that get another content.
        deletes: Files of the former release that go.
        left: Files of others.
        skipped: Files of the release that do not go there: what others wrote stands in their place.
        edited: Difference of a README that somebody edited there.
    """

    adds: tuple[str, ...]
    replaces: tuple[str, ...]
    deletes: tuple[str, ...]
    left: tuple[str, ...]
    skipped: frozenset[str]
    edited: tuple[str, ...]


def changes(
    repo: str,
    local: Mapping[str, Local],
    tree: Mapping[str, Any],
    read: Callable[[str], bytes],
    *,
    edited_readme: Edited,
) -> Changes:
    """Compare the release with a tree of the Hub.

    Args:
        repo: For messages.
        local: Files of the release by name.
        tree: Entries of the Hub by path.
        read: Gives the content of a file there.
        edited_readme: What becomes of a README that somebody edited there.

    Raises:
        HubError: A file of somebody else's has the name of one of ours.
    """
    former = _former(tree, read)
    ours = set() if former is None else {*former.files, manifest.NAME}
    differing = sorted(name for name, file in local.items() if not file.is_at(tree.get(name)))
    edited = _edited(local, tree, former, read) if README in differing else ()
    skipped = {ATTRIBUTES} if ATTRIBUTES in tree else set()
    if edited and edited_readme == "keep":
        skipped.add(README)
    for name in differing:
        if name in tree and name not in ours and name not in (README, ATTRIBUTES):
            raise HubError(
                f"{repo} holds a file {name} that no release of ours lists: move it away, or "
                "publish elsewhere"
            )
    wanted = [name for name in differing if name not in skipped]
    return Changes(
        adds=tuple(name for name in wanted if name not in tree),
        replaces=tuple(name for name in wanted if name in tree),
        deletes=tuple(
            sorted(name for name in ours if name in tree and name not in local and name != ATTRIBUTES)
        ),
        left=tuple(sorted(name for name in tree if name not in ours and name not in local)),
        skipped=frozenset(skipped),
        edited=edited,
    )


def _former(tree: Mapping[str, Any], read: Callable[[str], bytes]) -> Manifest | None:
    """The release that stands there; None = there is none, or somebody broke its release.json."""
    if manifest.NAME not in tree:
        return None
    try:
        return manifest.parse(read(manifest.NAME))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _edited(
    local: Mapping[str, Local], tree: Mapping[str, Any], former: Manifest | None, read: Callable[[str], bytes]
) -> tuple[str, ...]:
    if README not in tree:
        return ()
    there = read(README)
    if former is not None and former.files.get(README, (0, ""))[1] == hashlib.sha256(there).hexdigest():
        return ()
    lines = difflib.unified_diff(
        there.decode("utf-8", "replace").splitlines(),
        local[README].path.read_text(encoding="utf-8").splitlines(),
        f"{README} there",
        f"{README} of this release",
        lineterm="",
        n=1,
    )
    return tuple(lines)[:_MAX_LINES]
