"""Releases as one file each: a tar, compressed by zstd."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from curate import tables
from curate.adapters.folder_hub import mark_latest, plain_name, refuse_backwards, sizes, taken
from curate.errors import HubError
from curate.file_identity import sha256_of
from curate.ports import PublishPlan, PublishReceipt
from curate.release import manifest
from curate.release.manifest import Manifest

_BLOCK = 1 << 20
SUFFIX = ".tar.zst"


class ArchiveHub:
    """Keeps every release as `<root>/<name>-v<version>.tar.zst`, the same bytes for the same release."""

    def __init__(self, root: Path) -> None:
        """`root`: the folder; it is made when needed."""
        self._root = root

    def plan(self, folder: Path) -> PublishPlan:
        """What would be packed.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: The version is there with another content, or a higher one is.
        """
        release = manifest.trusted(folder)
        target = self._target(folder, release)
        if _holds(target, folder, release):
            return PublishPlan("archive", target.as_posix(), release.version, there=True)
        return PublishPlan("archive", target.as_posix(), release.version, adds=tuple(sizes(folder, release)))

    def publish(self, folder: Path) -> PublishReceipt:
        """Pack the release aside, read every file back, and rename it into place.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: The version is there with another content, a higher one is, or what was written differs.
            StorageError: The disk is full, or the target cannot be written.
        """
        release = manifest.trusted(folder)
        target = self._target(folder, release)
        unchanged = _holds(target, folder, release)
        if not unchanged:
            with tables.replacing(target) as partial:
                _pack(
                    folder, partial, [name for name, _ in sizes(folder, release)], plain_name(folder, release)
                )
                if not _holds(partial, folder, release):
                    raise HubError(
                        f"{target} differs after it was written: check the disk, then publish again"
                    )
        mark_latest(self._root, release, target.name)
        return PublishReceipt(
            "archive", target.as_posix(), release.digest, len(release.files) + 1, unchanged=unchanged
        )

    def _target(self, folder: Path, release: Manifest) -> Path:
        target = self._root / f"{plain_name(folder, release)}{SUFFIX}"
        if not target.exists():
            present = (path.name for path in self._root.glob(f"*{SUFFIX}"))
            refuse_backwards(self._root.as_posix(), release, present, prefix=f"{release.name}-")
            return target
        known = {name: digest for name, digest in _digests(target) if name == manifest.NAME}
        if known and known[manifest.NAME] != sha256_of(folder / manifest.NAME):
            raise taken(target.as_posix(), release)
        return target


def _pack(folder: Path, target: Path, names: list[str], root: str) -> None:
    with (
        pa.OSFile(str(target), "wb") as file,
        pa.CompressedOutputStream(file, "zstd") as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in (manifest.NAME, *(name for name in names if name != manifest.NAME)):
            entry = tarfile.TarInfo(f"{root}/{name}")  # no times, no owners
            entry.size = (folder / name).stat().st_size
            with (folder / name).open("rb") as content:
                archive.addfile(entry, content)


def _digests(target: Path) -> Iterator[tuple[str, str]]:
    """The sha256 of each file in an archive, as far as it can be read."""
    try:
        with (
            pa.OSFile(str(target), "rb") as file,
            pa.CompressedInputStream(file, "zstd") as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            for entry in archive:
                content = archive.extractfile(entry)
                state = hashlib.sha256()
                while content is not None and (block := content.read(_BLOCK)):
                    state.update(block)
                yield entry.name.partition("/")[2], state.hexdigest()
    except (OSError, tarfile.TarError, pa.ArrowException):
        return  # damaged: what is missing will be noticed


def _holds(target: Path, folder: Path, release: Manifest) -> bool:
    expected = {name: digest for name, (_, digest) in release.files.items()}
    expected[manifest.NAME] = sha256_of(folder / manifest.NAME)
    return target.exists() and dict(_digests(target)) == expected
