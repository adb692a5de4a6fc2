"""Kaggle as a place for releases: one version each, read back whole."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.adapters.folder_hub import refuse_backwards, taken
from curate.adapters.kaggle_calls import KaggleCalls
from curate.adapters.upload_progress import to_stderr
from curate.errors import HubError
from curate.file_identity import sha256_of
from curate.ports import PublishPlan, PublishReceipt
from curate.release import kaggle, manifest
from curate.release.manifest import Manifest

_FIRST = 1  # the number of a data set's first version
_NOTES = re.compile(r"v(\d+\.\d+\.\d+)\b")  # how our notes of a version begin
_READY, _FAILED = "READY", frozenset({"FAILED", "DELETED"})
_ASK_EVERY_S, _WAIT_S = 5.0, 1800.0  # while Kaggle takes a version in


@dataclass(frozen=True, slots=True)
class _State:
    """The data set as it was looked at.

    Attributes:
        there: Whether there is one.
        numbers: Kaggle's number of each of our versions; of several the last.
        current: Number of the newest version.
        license: In Kaggle's words.
    """

    there: bool
    numbers: dict[str, int]
    current: int = 0
    license: str = ""


class KaggleHub:
    """Publishes to one data set on Kaggle.

    A release is one version there, whose notes begin with v<version>. Versions at Kaggle do not change; one
    of ours that is there with another content is refused, and so is a data set that is no release of ours,
    because a version replaces all files.
    """

    def __init__(
        self,
        repo: str,
        *,
        private: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = to_stderr,
    ) -> None:
        """Connect nothing yet.

        Args:
            repo: owner/name, the name of 6 to 50 small letters, digits and "-".
            private: Visibility of a data set that does not exist yet; True = one that is public is refused.
            sleep: Waits so many seconds before Kaggle is asked again.
            say: Takes a line for the user.

        Raises:
            InputError: `repo` is no name that Kaggle takes.
            MissingExtraError: `kagglesdk` is not installed.
        """
        self._repo, self._private, self._sleep = kaggle.checked(repo), private, sleep
        self._say, self._calls = say, KaggleCalls(repo, sleep=sleep)

    def plan(self, folder: Path) -> PublishPlan:
        """What the new version would change; asks Kaggle and changes nothing.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: Unreachable, refused, or the version is there with another content.
        """
        release = manifest.trusted(folder)
        state, before = self._look(folder, release)
        if release.version in state.numbers:
            return PublishPlan("kaggle", self._repo, release.version, there=True)
        sizes = [(name, (folder / name).stat().st_size) for name in kaggle.names(release)]
        return PublishPlan(
            "kaggle",
            self._repo,
            release.version,
            adds=tuple(one for one in sizes if one[0] not in before),
            replaces=tuple(one for one in sizes if one[0] in before),
            deletes=tuple(sorted(before - {name for name, _ in sizes})),
        )

    def publish(self, folder: Path) -> PublishReceipt:
        """Upload the release as one version, wait until Kaggle has taken it in, and read every file back.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: Unreachable, refused, the version is there with another content, a higher one is, the
                data set is somebody else's, or what arrived differs.
        """
        release = manifest.trusted(folder)
        state, _ = self._look(folder, release)
        number = state.numbers.get(release.version)
        unchanged = number is not None
        if number is None:
            number = self._create(folder, release, state)
            wrong = self._wrong(folder, release, number)
            if wrong:
                raise HubError(f"{self._repo}: {wrong} arrived damaged in version {number}: publish again")
        count = len(kaggle.names(release))
        return PublishReceipt("kaggle", self._repo, release.digest, count, unchanged=unchanged)

    def _look(self, folder: Path, release: Manifest) -> tuple[_State, set[str]]:
        """The data set, with our version in it only if it is there whole; and files of its newest version."""
        found = self._calls.dataset()
        if found is None:
            return _State(there=False, numbers={}), set()
        if self._private and not found.is_private:
            raise HubError(
                f"{self._repo} is public, and publish.private is true: set it to false, or make the data set "
                "private there"
            )
        state = _state(found)
        before = set(self._calls.files(state.current))
        if manifest.NAME not in before:
            raise HubError(f"{self._repo} holds no release of ours, and a version replaces all files: set "
                           "publish.repo to another name")  # fmt: skip
        self._add_first(state)
        number = state.numbers.get(release.version)
        if number is None:
            refuse_backwards(self._repo, release, [f"v{version}" for version in state.numbers])
            return state, before
        if self._calls.digest(manifest.NAME, number) != sha256_of(folder / manifest.NAME):
            raise taken(self._repo, release)
        if self._wrong(folder, release, number):
            del state.numbers[release.version]  # another version of Kaggle's mends it
        return state, before

    def _add_first(self, state: _State) -> None:
        """Version 1 has no notes of ours; its release.json says which it is."""
        if _FIRST in state.numbers.values() or manifest.NAME not in self._calls.files(_FIRST):
            return
        try:
            version = manifest.parse(self._calls.content(manifest.NAME, _FIRST)).version
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # damaged: it is none of ours
        state.numbers.setdefault(version, _FIRST)

    def _create(self, folder: Path, release: Manifest, before: _State) -> int:
        about = kaggle.metadata(folder, release, self._repo)
        license = about["licenses"][0]["name"]
        if before.there and not kaggle.same_license(license, before.license):
            self._say(
                f"{self._repo}: Kaggle shows the license {before.license!r}, the release has {license!r}; a "
                "version does not change it: compare the two, and change it there if it is another"
            )
        content = self._upload(folder, kaggle.names(release))
        if before.there:
            notes = f"v{release.version} {release.digest}"
            self._calls.create_version(
                {"versionNotes": notes, "description": about["description"], **content}
            )
        else:
            owner, _, slug = self._repo.partition("/")
            facts = {
                "ownerSlug": owner,
                "slug": slug,
                "title": about["title"],
                "licenseName": license,
                "isPrivate": self._private,
                "description": about["description"],
            }
            self._calls.create({**facts, **content})
        return self._ready(before.current)

    def _upload(self, folder: Path, names: list[str]) -> dict[str, Any]:
        """Bring all files there; a tree of folders with their tokens."""
        root: dict[str, Any] = {"files": [], "directories": []}
        for name in names:
            at = root
            for part in name.split("/")[:-1]:
                inner = next((one for one in at["directories"] if one["name"] == part), None)
                if inner is None:
                    inner = {"name": part, "files": [], "directories": []}
                    at["directories"].append(inner)
                at = inner
            at["files"].append({"token": self._calls.upload(folder / name)})
        return root

    def _ready(self, before: int) -> int:
        """Wait until a version after `before` can be read; its number."""
        waited = 0.0
        while True:
            status, found = self._calls.status(), self._calls.dataset()
            if status in _FAILED:
                raise HubError(
                    f"{self._repo}: Kaggle could not take the version in ({status}): publish again"
                )
            current = 0 if found is None else _state(found).current
            if status == _READY and current > before:
                return current
            if waited >= _WAIT_S:
                raise HubError(
                    f"{self._repo}: Kaggle has not taken the version in after {_WAIT_S / 60:.0f} minutes "
                    f"({status}): publish again later, which reads it back"
                )
            self._sleep(_ASK_EVERY_S)
            waited += _ASK_EVERY_S

    def _wrong(self, folder: Path, release: Manifest, number: int) -> str:
        """The first file that a version lacks, or has otherwise; empty if there is none."""
        there = set(self._calls.files(number))
        for name in kaggle.names(release):
            expected = release.files[name][1] if name in release.files else sha256_of(folder / name)
            if name not in there or self._calls.digest(name, number) != expected:
                return name
        return ""


def _state(found: Any) -> _State:
    numbers: dict[str, int] = {}
    for one in sorted(found.versions or (), key=lambda one: int(one.version_number)):
        if match := _NOTES.match(one.version_notes or ""):
            numbers[match[1]] = int(one.version_number)
    return _State(
        there=True,
        numbers=numbers,
        current=int(found.current_version_number),
        license=str(found.license_name),
    )
