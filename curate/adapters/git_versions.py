"""Versions of a project in git and DVC: the tag `v<version>` names a commit whose dvc.lock names the data.

The same name stands at the target of the stage publish. That all three mean the same content is checked
before a tag is made, and again whenever one is read.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from curate.errors import ReleaseError
from curate.extras import require
from curate.release import manifest
from curate.release.manifest import Manifest

RELEASE: Final = "data/release"
LAST: Final = "data/publish/last"  # the same without pictures, once it was published
RECEIPT: Final = "data/publish/receipt.json"
_TAG: Final = re.compile(r"v\d+\.\d+\.\d+")


def is_tag(name: str) -> bool:
    """Whether a text is the tag of a version, such as v1.2.0; it need not exist."""
    return _TAG.fullmatch(name) is not None


def fetch(root: Path, tag: str, folder: Path, *, pictures: bool = True) -> Manifest:
    """Bring the release of a version into a folder; the project stays as it is.

    Args:
        root: The project's folder.
        tag: Such as v1.2.0.
        folder: Must not exist, or be empty.
        pictures: False = what the stage publish keeps of the version is enough, where it is known.

    Raises:
        ReleaseError: There is no such tag, its data is neither in DVC's cache nor in a remote, or what
            arrives is not that version.
        MissingExtraError: dvc is not installed.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ReleaseError(f"{folder} is not empty: name a folder that does not exist")
    named = _at(root, tag, RELEASE)
    if not pictures and _known(root, tag) == named:
        _get(root, tag, LAST, folder)
        return named
    _get(root, tag, RELEASE, folder)
    return manifest.trusted(folder)


def check_out(root: Path, tag: str) -> Manifest:
    """Bring the whole project to a version: what git tracks, and what DVC does. Nothing unsaved is lost.

    Args:
        root: The project's folder.
        tag: Such as v1.2.0.

    Raises:
        ReleaseError: As of `fetch`; or something here is not saved in git or DVC.
        MissingExtraError: dvc is not installed.
    """
    named = _at(root, tag, RELEASE)
    _refuse_unsaved(root)
    _git(root, "checkout", "--quiet", "--detach", tag)
    done = _dvc(root, "checkout", "--quiet")
    if done.returncode:  # something is not in the cache
        done = _dvc(root, "pull", "--quiet")
    if done.returncode:
        raise ReleaseError(
            f"git is at {tag}, its data could not be brought: {_last_line(done.stderr)}; "
            "`git switch -` and `dvc checkout` lead back"
        )
    found = manifest.trusted(root / RELEASE)
    if found != named:
        raise ReleaseError(f"{RELEASE} at {tag} is version {found.version}: run dvc status")
    return named


def tag_release(root: Path) -> tuple[str, bool]:
    """Make the git tag of the release that stands here, if git, DVC and the target name the same content.

    Args:
        root: The project's folder.

    Returns:
        The tag, and whether it was there already.

    Raises:
        ReleaseError: It was not published, dvc.lock is not committed or names another release, or the tag
            stands at another commit.
        MissingExtraError: dvc is not installed.
    """
    release = manifest.trusted(root / RELEASE)
    tag = f"v{release.version}"
    _refuse_unpublished(root, release)
    changed = _changed(root)
    if changed:
        raise ReleaseError(f"{changed[0]} is not committed ({len(changed)} files): commit, then tag {tag}")
    committed = _read(root, "HEAD", f"{RELEASE}/{manifest.NAME}")
    if committed != (root / RELEASE / manifest.NAME).read_bytes():
        raise ReleaseError(
            f"dvc.lock of the last commit names another release than {RELEASE}: run `dvc repro`, commit, "
            "then tag"
        )
    head = _git(root, "rev-parse", "HEAD")
    there = _git(root, "tag", "--list", tag, "--format=%(objectname) %(*objectname)")
    if there and head not in there.split():
        raise ReleaseError(f"the tag {tag} is there already, at another commit: a version does not change")
    if not there:
        _git(
            root,
            "tag",
            "--annotate",
            tag,
            "--message",
            f"{release.name} {release.version}\n\n{release.digest}",
        )
    return tag, bool(there)


def record_publication(root: Path) -> bool:
    """Let dvc.lock know what the stage publish wrote when it was called by hand; False = it could not.

    Args:
        root: The project's folder.
    """
    return _dvc(root, "commit", "--quiet", "--force", "publish").returncode == 0


def _at(root: Path, tag: str, folder: str) -> Manifest:
    """What a tag names, held against its name.

    Raises:
        ReleaseError: There is no such tag, or its data is another version.
    """
    if not is_tag(tag):
        raise ReleaseError(f"{tag!r} is no version: expected a tag such as v1.2.0")
    known = _git(root, "tag", "--list", "v*", "--sort=-version:refname").split()
    if tag not in known:
        listed = ", ".join(known[:5]) or "none (`curate tag` makes one)"
        raise ReleaseError(f"there is no tag {tag}; there are {listed}")
    try:
        found = manifest.parse(_read(root, tag, f"{folder}/{manifest.NAME}"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(f"{folder}/{manifest.NAME} at {tag} is damaged: {error}") from error
    if f"v{found.version}" != tag:
        raise ReleaseError(
            f"the tag {tag} names a commit whose dvc.lock holds version {found.version}: it was set by hand; "
            "`curate tag` checks what it names"
        )
    return found


def _known(root: Path, tag: str) -> Manifest | None:
    """What the stage publish kept at a tag; None = nothing."""
    try:
        return _at(root, tag, LAST)
    except ReleaseError:
        return None


def _refuse_unpublished(root: Path, release: Manifest) -> None:
    try:
        receipt = json.loads((root / RECEIPT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        receipt = {}
    if receipt.get("state") != "published" or (receipt.get("version"), receipt.get("digest")) != (
        release.version,
        release.digest,
    ):
        raise ReleaseError(
            f"{RELEASE} (v{release.version}) was not published: run `curate publish`, then tag"
        )


def _refuse_unsaved(root: Path) -> None:
    changed = _changed(root)
    if changed:
        raise ReleaseError(f"{changed[0]} has changes that are not committed ({len(changed)} files)")
    done = _dvc(root, "data", "status", "--json")
    if done.returncode:
        raise ReleaseError(f"dvc data status: {_last_line(done.stderr)}")
    uncommitted = json.loads(done.stdout or "{}").get("uncommitted", {})
    lost = [name for kind in ("modified", "added") for name in uncommitted.get(kind, ())]
    if lost:
        raise ReleaseError(
            f"{lost[0]} is not as dvc.lock says ({len(lost)} outputs), a checkout would lose it: run "
            "`dvc repro` or `dvc commit`, and commit dvc.lock"
        )


def _changed(root: Path) -> list[str]:
    """Files that git tracks and that differ from the last commit."""
    return _git(root, "diff", "--name-only", "--relative", "HEAD", "--", ".").splitlines()


def _files(root: Path, revision: str) -> Any:
    """The project's files at a revision; read from DVC's cache, or from a remote."""
    return require("dvc.api", extra="pipeline").DVCFileSystem(str(root), rev=revision)


def _read(root: Path, revision: str, name: str) -> bytes:
    try:
        return bytes(_files(root, revision).read_bytes(name))
    except _absences() as error:
        raise _absent(revision, name, error) from error


def _get(root: Path, revision: str, name: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        try:
            folder.rmdir()  # into a folder that is there, even an empty one, DVC copies one level deeper
        except OSError as error:
            raise ReleaseError(
                f"{folder} cannot be replaced ({error.strerror}): name a folder that does not exist"
            ) from error
    try:
        _files(root, revision).get(name, str(folder), recursive=True)
    except _absences() as error:
        raise _absent(revision, name, error) from error


def _absences() -> tuple[type[BaseException], ...]:
    """What DVC raises where data is not there."""
    index = require("dvc_data.index", extra="pipeline")
    return (require("dvc.exceptions", extra="pipeline").DvcException, index.DataIndexDirError, OSError)


def _absent(revision: str, name: str, error: BaseException) -> ReleaseError:
    return ReleaseError(
        f"{name} at {revision} is neither in DVC's cache nor in a remote ({' '.join(str(error).split())}): "
        "`dvc push` where it was made, and `dvc remote add --local` here if that commit names no remote"
    )


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ReleaseError("git is not installed") from error
    if done.returncode:
        raise ReleaseError(f"git {arguments[0]}: {_last_line(done.stderr)}")
    return done.stdout.strip()


def _dvc(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    require("dvc.api", extra="pipeline")
    program = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(program, cwd=root, capture_output=True, text=True, check=False)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next(
        (line for line in lines if line.startswith(("ERROR", "fatal", "error"))), lines[-1] if lines else "?"
    )
