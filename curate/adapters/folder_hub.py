"""A folder of releases: the embedded default of the stage publish."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from curate import tables
from curate.errors import HubError
from curate.ports import PublishReceipt
from curate.release import manifest
from curate.release.folder import replacing_folder

_DIGITS = 12  # of the digest in a folder's name
_MARKER = "latest.json"


class FolderHub:
    """Keeps every release as `<root>/<name>-v<version>-<12 digits of the digest>`.

    The digest stands in the name, so that an older release is never overwritten by another content;
    `latest.json` names the folder that was published last.
    """

    def __init__(self, root: Path) -> None:
        """`root`: the folder; it is made when needed."""
        self._root = root

    def publish(self, folder: Path, *, digest: str, version: str) -> PublishReceipt:
        """Copy the release aside, verify every file by sha256, and rename it into place.

        Args:
            folder: A release folder with release.json.
            digest: Of its content.
            version: Semantic version.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: What arrived differs.
            StorageError: The disk is full, or the target cannot be written.
        """
        release = manifest.trusted(folder, digest=digest, version=version)
        name = f"{release.name}-v{version}-{digest[:_DIGITS]}"
        if (
            Path(name).name != name
        ):  # params.yaml would have refused it, but the folder may come from elsewhere
            raise HubError(f"{folder / manifest.NAME} names the dataset {release.name!r}, which is a path")
        target = self._root / name
        unchanged = _is_there(target, folder, release)
        if not unchanged:
            with replacing_folder(target) as partial:
                shutil.copytree(folder, partial, dirs_exist_ok=True, copy_function=shutil.copyfile)
                wrong = manifest.damaged_files(partial, release)
                if wrong:
                    raise HubError(
                        f"{target}: {wrong[0]} differs after the copy: check the disk, then publish again"
                    )
        self._mark_latest(name, digest, version)
        return PublishReceipt(
            target="folder",
            location=target.as_posix(),
            revision=digest,
            files=len(release.files) + 1,
            unchanged=unchanged,
        )

    def _mark_latest(self, name: str, digest: str, version: str) -> None:
        with tables.replacing(self._root / _MARKER) as partial:
            document = {"folder": name, "version": version, "digest": digest}
            partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _is_there(target: Path, folder: Path, release: manifest.Manifest) -> bool:
    try:
        same = (target / manifest.NAME).read_bytes() == (folder / manifest.NAME).read_bytes()
        return same and not manifest.damaged_files(target, release)
    except OSError:  # missing or unreadable: copying it again repairs that, or says why it cannot
        return False
