"""A folder of releases: the embedded default of the stage publish."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from curate import tables
from curate.errors import HubError
from curate.ports import PublishPlan, PublishReceipt
from curate.release import manifest, versions
from curate.release.folder import replacing_folder
from curate.release.manifest import Manifest

_MARKER = "latest.json"  # after the name of the data set: several may share a folder


class FolderHub:
    """Keeps every release as `<root>/<name>-v<version>`; `<name>-latest.json` names the highest version.

    A version is never overwritten by another content.
    """

    def __init__(self, root: Path) -> None:
        """`root`: the folder; it is made when needed."""
        self._root = root

    def plan(self, folder: Path) -> PublishPlan:
        """What would be copied.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: The version is there with another content, or a higher one is.
        """
        release = manifest.trusted(folder)
        target = self._target(folder, release)
        if _is_there(target, folder, release):
            return PublishPlan("folder", target.as_posix(), release.version, there=True)
        return PublishPlan("folder", target.as_posix(), release.version, adds=tuple(sizes(folder, release)))

    def publish(self, folder: Path) -> PublishReceipt:
        """Copy the release aside, verify every file by sha256, and rename it into place.

        Args:
            folder: A release folder with release.json.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: The version is there with another content, a higher one is, or what arrived differs.
            StorageError: The disk is full, or the target cannot be written.
        """
        release = manifest.trusted(folder)
        target = self._target(folder, release)
        unchanged = _is_there(target, folder, release)
        if not unchanged:
            with replacing_folder(target) as partial:
                shutil.copytree(folder, partial, dirs_exist_ok=True, copy_function=shutil.copyfile)
                wrong = manifest.damaged_files(partial, release)
                if wrong:
                    raise HubError(
                        f"{target}: {wrong[0]} differs after the copy: check the disk, then publish again"
                    )
        mark_latest(self._root, release, target.name)
        return PublishReceipt(
            "folder", target.as_posix(), release.digest, len(release.files) + 1, unchanged=unchanged
        )

    def _target(self, folder: Path, release: Manifest) -> Path:
        target = self._root / plain_name(folder, release)
        own = (folder / manifest.NAME).read_bytes()
        if (target / manifest.NAME).exists() and (target / manifest.NAME).read_bytes() != own:
            raise taken(target.as_posix(), release)
        if not target.exists():
            present = (path.name for path in self._root.glob("*"))
            refuse_backwards(self._root.as_posix(), release, present, prefix=f"{release.name}-")
        return target


def plain_name(folder: Path, release: Manifest) -> str:
    """`<name>-v<version>`, which is no path.

    Raises:
        HubError: The name of the data set is a path.
    """
    name = f"{release.name}-v{release.version}"
    if Path(name).name != name:  # params.yaml would have refused it, but the folder may come from elsewhere
        raise HubError(f"{folder / manifest.NAME} names the dataset {release.name!r}, which is a path")
    return name


def taken(location: str, release: Manifest) -> HubError:
    """The error of a version that is there with another content."""
    return HubError(
        f"{location} holds another content as v{release.version}: a version does not change; set "
        "release.version: auto, or raise it"
    )


def refuse_backwards(location: str, release: Manifest, present: Iterable[str], *, prefix: str = "") -> None:
    """Refuse a version below one that is there.

    Args:
        location: For the message.
        release: The new one.
        present: Names or tags: what the prefix, a version and perhaps `.tar.zst` are all of; others do not
            count, such as those of a data set `signs-v2` beside `signs`.
        prefix: Of the names of this data set.

    Raises:
        HubError: A higher version is there.
    """
    form = re.compile(rf"{re.escape(prefix)}v(\d+\.\d+\.\d+)(?:\.tar\.zst)?")
    found = [form.fullmatch(name) for name in present]
    higher = [
        match[1] for match in found if match and versions.parts(match[1]) > versions.parts(release.version)
    ]
    if higher:
        highest = max(higher, key=versions.parts)
        raise HubError(
            f"{location} holds v{highest} already, and v{release.version} would go backwards: set "
            "release.version: auto, or raise it"
        )


def sizes(folder: Path, release: Manifest) -> list[tuple[str, int]]:
    """Every file of a release with its bytes, release.json last."""
    listed = [(name, size) for name, (size, _) in sorted(release.files.items())]
    return [*listed, (manifest.NAME, (folder / manifest.NAME).stat().st_size)]


def mark_latest(root: Path, release: Manifest, name: str) -> None:
    """Write `<name>-latest.json`, unless it names a higher version.

    An earlier version of curate wrote `latest.json`, which would name its last release for good: it goes,
    where it is about this data set.

    Raises:
        StorageError: The file cannot be written.
    """
    old = root / _MARKER
    with suppress(OSError, ValueError, KeyError, TypeError):
        named = json.loads(old.read_bytes())["name"]
        if re.fullmatch(rf"{re.escape(release.name)}-v[\d.]+(\.tar\.zst)?", named):
            old.unlink()
    path = root / f"{release.name}-{_MARKER}"
    try:
        if versions.parts(json.loads(path.read_text(encoding="utf-8"))["version"]) > versions.parts(
            release.version
        ):
            return
    except (OSError, ValueError, KeyError, TypeError):
        pass  # missing or damaged: it is written anew
    with tables.replacing(path) as partial:
        document = {"name": name, "version": release.version, "digest": release.digest}
        partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _is_there(target: Path, folder: Path, release: Manifest) -> bool:
    try:
        same = (target / manifest.NAME).read_bytes() == (folder / manifest.NAME).read_bytes()
        return same and not manifest.damaged_files(target, release)
    except OSError:  # missing or unreadable: copying it again repairs that, or says why it cannot
        return False
