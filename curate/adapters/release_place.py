"""A release by its place: a folder, the Hub, a published version, or a tag of the project's git."""

from __future__ import annotations

import glob
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from curate.adapters import hub_release
from curate.adapters.archive_hub import SUFFIX
from curate.errors import HubError, InputError, ReleaseError
from curate.extras import require
from curate.params import PublishParams
from curate.release import manifest

HUB: Final = "hf://"
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class FoundRelease:
    """A release on this machine.

    Attributes:
        folder: Where.
        whole: Every file of it is there, and no other; else those with its data.
    """

    folder: Path
    whole: bool = True


def find(place: str | Path, version: str | None, published: PublishParams, scratch: Path) -> FoundRelease:
    """Bring a release here, if it is not.

    Args:
        place: A release folder, a folder of published releases, or hf://owner/name[@revision].
        version: Such as 1.2.0 or v1.2.0, or a tag of git; None = what is at the place.
        published: Where versions were published: it is asked if the place does not hold the version.
        scratch: An existing folder for what must be unpacked or copied.

    Raises:
        InputError: The version is nowhere, or several data sets have it.
        HubError: The target cannot be read.
        ReleaseError: The place is no release, or a tag of git names another version than its own.
    """
    if isinstance(place, str) and place.startswith(HUB):
        number = _number(version)
        at = f"@{'v' if number else ''}{number or version}" if version and "@" not in place else ""
        return FoundRelease(hub_release.fetch(f"{place}{at}"), whole=False)
    folder = Path(place)
    if version is None:
        return FoundRelease(folder)
    number = _number(version)
    if number is not None:
        if (folder / manifest.NAME).exists() and manifest.read(folder).version == number:
            return FoundRelease(folder)
        own = manifest.read(folder).name if (folder / manifest.NAME).exists() else "*"
        found = _in_folder(folder, number, scratch) or _published(published, number, scratch, own)
        if found is not None:
            return found
    for tag in dict.fromkeys((version, version if number is None else f"v{number}")):
        if (tagged := _tagged(folder, tag, scratch)) is not None:
            _refuse_another(tagged.folder, tag, number)
            return tagged
    raise InputError(
        f"version {version} is neither in {folder}, nor where `publish` of params.yaml publishes "
        f"({published.target}), nor a tag of the project's git: `git tag` lists these"
    )


def _number(version: str | None) -> str | None:
    match = _VERSION.fullmatch(version or "")
    return match[1] if match else None


def _published(settings: PublishParams, number: str, scratch: Path, name: str) -> FoundRelease | None:
    """A version at the target of the stage publish, where others may publish too; of `name` "*" = any."""
    if settings.target in ("folder", "archive"):
        return _in_folder(settings.folder, number, scratch, name)
    if settings.target == "hub":
        return FoundRelease(hub_release.fetch(f"{HUB}{settings.repo}@v{number}"), whole=False)
    if settings.target == "s3":
        return _in_bucket(str(settings.url), number, scratch, name)
    return None


def _in_folder(root: Path, number: str, scratch: Path, name: str = "*") -> FoundRelease | None:
    """Find a version among releases `<name>-v<version>` in a folder, or archives of that name."""
    wanted = f"{name if name == '*' else glob.escape(name)}-v{number}"
    names = sorted(
        path
        for path in (*root.glob(wanted), *root.glob(f"{wanted}{SUFFIX}"))
        if path.name.endswith(SUFFIX) or (path / manifest.NAME).exists()
    )
    if len(names) > 1:
        listed = ", ".join(str(path) for path in names)
        raise InputError(f"{root} holds {len(names)} releases of version {number}: name one of {listed}")
    if not names:
        return None
    return FoundRelease(names[0] if names[0].is_dir() else _unpacked(names[0], scratch))


def _unpacked(archive: Path, scratch: Path) -> Path:
    try:
        with (
            pa.OSFile(str(archive), "rb") as file,
            pa.CompressedInputStream(file, "zstd") as stream,
            tarfile.open(fileobj=stream, mode="r|") as members,
        ):
            members.extractall(scratch, filter="data")
    except (OSError, tarfile.TarError, pa.ArrowException) as error:
        raise ReleaseError(f"{archive} cannot be unpacked: {' '.join(str(error).split())}") from error
    return scratch / archive.name.removesuffix(SUFFIX)


def _in_bucket(url: str, number: str, scratch: Path, name: str) -> FoundRelease | None:
    fsspec = require("fsspec", extra="remote")
    try:
        files, base = fsspec.core.url_to_fs(url)
        there = [one.rstrip("/") for one in files.ls(base, detail=False)] if files.exists(base) else []
        end = f"-v{number}" if name == "*" else f"/{name}-v{number}"
        found = [one for one in there if f"/{one}".endswith(end)]
        if len(found) > 1:
            raise InputError(f"{url} holds {len(found)} releases of version {number}: copy one here")
        if not found:
            return None
        folder = scratch / found[0].rpartition("/")[2]
        files.get(f"{found[0]}/", f"{folder}/", recursive=True)
    except (OSError, ValueError, ImportError) as error:
        raise HubError(f"{url}: cannot download: {' '.join(str(error).split())}") from error
    return FoundRelease(folder)


def _tagged(folder: Path, tag: str, scratch: Path) -> FoundRelease | None:
    """The folder as a tag of the project's git has it; DVC keeps what git does not."""
    if _run("git", "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}") is not None:
        return None
    target = scratch / "tagged"
    command = (sys.executable, "-m", "dvc", "get", "--quiet", "--rev", tag, "--out", str(target))
    error = _run(*command, ".", folder.as_posix())
    if error is not None:
        raise ReleaseError(f"{folder} at the tag {tag} cannot be had: {error}; `dvc pull` fetches old data")
    return FoundRelease(target)


def _refuse_another(folder: Path, tag: str, number: str | None) -> None:
    found = None if number is None else manifest.read(folder).version
    if found != number:
        raise ReleaseError(
            f"the tag {tag} names a commit whose release is version {found}: it was set by hand; "
            "`curate tag` checks what it names"
        )


def _run(*command: str) -> str | None:
    """Run a command; None if it ends well, else what it says."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else " ".join(done.stderr.split()) or "nobody says why"
