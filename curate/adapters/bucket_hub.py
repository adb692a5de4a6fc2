"""Releases in a bucket: s3://, or whatever else fsspec knows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.adapters.folder_hub import plain_name, refuse_backwards, sizes, taken
from curate.errors import HubError
from curate.extras import require
from curate.ports import PublishPlan, PublishReceipt
from curate.release import manifest
from curate.release.manifest import Manifest

_BLOCK = 1 << 20


class BucketHub:
    """Keeps every release under `<url>/<name>-v<version>/`; its release.json is written last.

    A release without release.json never came to its end: it is completed. One with another release.json is
    refused.
    """

    def __init__(self, url: str) -> None:
        """Connect nothing yet.

        Args:
            url: Such as s3://bucket/prefix; credentials come from where the protocol's library looks for
                them.

        Raises:
            MissingExtraError: `fsspec` is not installed.
        """
        self._fsspec = require("fsspec", extra="remote")
        self._url = url.rstrip("/")

    def plan(self, folder: Path) -> PublishPlan:
        """What would be uploaded.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: Unreachable, the version is there with another content, or a higher one is.
        """
        release = manifest.trusted(folder)
        with self._translated("read the bucket"):
            files, root = self._open(folder, release)
            missing = self._missing(files, root, folder, release)
        location = f"{self._url}/{plain_name(folder, release)}"
        return PublishPlan("s3", location, release.version, there=not missing, adds=tuple(missing))

    def publish(self, folder: Path) -> PublishReceipt:
        """Upload what is missing, read every file back, then write release.json.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: Unreachable, the version is there with another content, a higher one is, or what arrived
                differs.
        """
        release = manifest.trusted(folder)
        with self._translated("upload"):
            files, root = self._open(folder, release)
            missing = self._missing(files, root, folder, release)
            for name, _ in missing:
                files.put_file(str(folder / name), f"{root}/{name}")
            wrong = self._missing(files, root, folder, release)
        if wrong:
            raise HubError(f"{self._url}: {wrong[0][0]} arrived damaged: publish again")
        location = f"{self._url}/{plain_name(folder, release)}"
        return PublishReceipt("s3", location, release.digest, len(release.files) + 1, unchanged=not missing)

    def _open(self, folder: Path, release: Manifest) -> tuple[Any, str]:
        """The file system, and the release's folder in it."""
        files, base = self._fsspec.core.url_to_fs(self._url, use_listings_cache=False)
        root = f"{base}/{plain_name(folder, release)}"
        marker = f"{root}/{manifest.NAME}"
        if files.exists(marker):
            if files.cat_file(marker) != (folder / manifest.NAME).read_bytes():
                raise taken(f"{self._url}/{plain_name(folder, release)}", release)
        elif files.exists(base):
            names = [name.rstrip("/").rpartition("/")[2] for name in files.ls(base, detail=False)]
            own = [name for name in names if name.startswith(f"{release.name}-v")]
            finished = [name for name in own if files.exists(f"{base}/{name}/{manifest.NAME}")]
            refuse_backwards(self._url, release, finished, prefix=f"{release.name}-")
        return files, root

    def _missing(self, files: Any, root: str, folder: Path, release: Manifest) -> list[tuple[str, int]]:
        """Files that are not there as they should be, read back whole; release.json last."""
        missing = []
        for name, size in sizes(folder, release):
            expected = release.files[name][1] if name in release.files else None
            path = f"{root}/{name}"
            arrived = files.exists(path) and files.size(path) == size
            if not arrived or (expected is not None and _sha256(files, path) != expected):
                missing.append((name, size))
        return missing

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, ImportError) as error:
            raise HubError(f"{self._url}: cannot {action}: {' '.join(str(error).split())}") from error


def _sha256(files: Any, path: str) -> str:
    state = hashlib.sha256()
    with files.open(path, "rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()
