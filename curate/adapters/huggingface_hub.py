"""The Hugging Face Hub as a place for releases: one commit, verified, then a tag."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.adapters.folder_hub import refuse_backwards, taken
from curate.adapters.hub_calls import Calls, StaleError
from curate.adapters.hub_ownership import ATTRIBUTES, Changes, Edited, Local, changes
from curate.adapters.upload_progress import SAY_EVERY_S, UploadProgress, to_stderr
from curate.errors import HubError
from curate.extras import require
from curate.ports import PublishPlan, PublishReceipt
from curate.release import manifest
from curate.release.manifest import Manifest

_KIND = "dataset"
_BRANCH = "main"
_BATCH = 50  # files uploaded before the commit that names them, at a time
_BATCH_BYTES = 500_000_000
Gated = Literal["auto", "manual"]


@dataclass(frozen=True, slots=True)
class _State:
    """The repository as it was looked at; `head` is None where it has no commit, or is not there."""

    head: str | None
    tags: Mapping[str, str]
    tree: Mapping[str, Any]


class HuggingFaceHub:
    """Publishes to one dataset repository.

    A release is one commit on `main`, made only if nobody committed in between, and the tag `v<version>` on
    it. A version that is tagged with another content is refused: versions do not change their meaning. Files
    that no release of ours lists are left alone.
    The token comes from the environment (HF_TOKEN) or from the Hub's own login, never from parameters.
    """

    def __init__(
        self,
        repo: str,
        *,
        private: bool = True,
        gated: Gated | None = None,
        edited_readme: Edited = "refuse",
        api: Any = None,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = to_stderr,
        say_every_s: float = SAY_EVERY_S,
    ) -> None:
        """Connect nothing yet.

        Args:
            repo: "owner/name".
            private: Visibility of a repository that does not exist yet; True = one that is public is refused.
            gated: Who may read a new repository, None = whoever sees it; one that is open to more is refused.
            edited_readme: What becomes of a README that somebody edited on the Hub.
            api: A `huggingface_hub.HfApi`; by default one that reads HF_ENDPOINT and the token.
            sleep: Waits so many seconds before a call is made again.
            say: Takes a line for the user.
            say_every_s: Seconds between two lines on how far an upload is, where there is no terminal.

        Raises:
            MissingExtraError: `huggingface_hub` is not installed.
        """
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
        self._hub = require("huggingface_hub", extra="hub")
        self._errors = require("huggingface_hub.errors", extra="hub")
        self._bars = sys.stderr.isatty()
        if not self._bars:
            require("huggingface_hub.utils", extra="hub").disable_progress_bars()
        self._api = self._hub.HfApi() if api is None else api
        self._calls = Calls(repo, sleep=sleep)
        self._repo, self._private, self._gated, self._edited_readme = repo, private, gated, edited_readme
        self._say, self._say_every_s = say, say_every_s

    def plan(self, folder: Path) -> PublishPlan:
        """What would be committed; a repository that is not there would be made.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: Unreachable, refused, or the version is there with another content.
        """
        manifest.read(folder)
        visibility = self._may_write()
        release = manifest.trusted(folder)
        state = _State(None, {}, {}) if visibility is None else self._look()
        local = _read(folder, release)
        if self._tagged(release, local, state):
            return PublishPlan("hub", self._repo, release.version, there=True)
        new = f"a new repository, {'private' if self._private else 'public'}"
        found = self._changes(local, state)
        return PublishPlan(
            "hub",
            self._repo,
            release.version,
            adds=tuple((name, local[name].size) for name in found.adds),
            replaces=tuple((name, local[name].size) for name in found.replaces),
            deletes=found.deletes,
            left=found.left,
            edited=found.edited,
            visibility=visibility or (f"{new}, gated" if self._gated else new),
        )

    def publish(self, folder: Path) -> PublishReceipt:
        """Commit the release folder, verify every file there, tag it, and read it back at the tag.

        Safe to repeat: what is there already is not uploaded again, and a kill between commit and tag is
        repaired by the next call. Files of the former release that this one lacks go in the same commit. If
        somebody commits in between, all is planned once more.

        Args:
            folder: A release folder with release.json.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: Unreachable, refused, the version is taken by another content, a higher one is there,
                somebody edited the README, or what arrived differs.
        """
        manifest.read(folder)
        if self._may_write() is None:
            self._create()
        release = manifest.trusted(folder)
        local = _read(folder, release)
        try:
            return self._publish(folder, release, local)
        except StaleError:
            self._say(f"{self._repo}: somebody else committed in the meantime: planned again")
            return self._publish(folder, release, local)

    def account(self) -> str:
        """The name of whoever the token belongs to; asks the Hub.

        Raises:
            HubError: There is no token, it is not valid, or the Hub does not answer.
        """
        return self._calls.make("read whose the token is", lambda: str(self._api.whoami()["name"]))

    def _may_write(self) -> str | None:
        """Before anything is hashed: the name is right, and the token may write there, or make it.

        Returns:
            Who can see the repository, in words; None = there is none yet.
        """
        try:
            info = self._calls.make(
                "find the repository", lambda: self._api.repo_info(self._repo, repo_type=_KIND)
            )
        except HubError as error:
            cause = error.__cause__
            if isinstance(cause, self._errors.GatedRepoError):
                raise
            if not isinstance(cause, self._errors.RepositoryNotFoundError):
                raise
            self._may_create()
            return None
        if self._private and not info.private:
            raise HubError(
                f"{self._repo} is public, and publish.private is true: set it to false, or make the "
                "repository private there"
            )
        if self._gated and info.gated not in (self._gated, "manual"):  # it may be what a half-made try left
            now = f"gated as {info.gated}" if info.gated else "not gated"
            raise HubError(
                f"{self._repo} is {now}, and publish.gated is {self._gated}: gate it there so, or change that"
            )
        self._authorized()
        return f"{'private' if info.private else 'public'}{', gated' if info.gated else ''}"

    def _authorized(self) -> None:
        self._calls.make("write there", lambda: self._api.auth_check(self._repo, repo_type=_KIND, write=True))

    def _may_create(self) -> None:
        who = self._calls.make("read whose the token is", self._api.whoami)
        owner = self._repo.partition("/")[0]
        roles = {one["name"]: one.get("roleInOrg") for one in who.get("orgs", ())}
        if owner != who["name"] and roles.get(owner, "read") == "read":
            why = "may only read there" if owner in roles else "is not of that organization"
            raise HubError(f"{self._repo}: cannot create it: the token is {who['name']}'s, who {why}")

    def _create(self) -> None:
        self._calls.make(
            "create the repository",
            lambda: self._api.create_repo(self._repo, repo_type=_KIND, private=self._private, exist_ok=True),
        )
        if self._gated:  # before anything is there to be read
            self._calls.make(
                "make it gated",
                lambda: self._api.update_repo_settings(self._repo, repo_type=_KIND, gated=self._gated),
            )
        self._authorized()

    def _publish(self, folder: Path, release: Manifest, local: Mapping[str, Local]) -> PublishReceipt:
        state = self._look()
        tag = f"v{release.version}"
        if self._tagged(release, local, state):
            return self._receipt(state.tags[tag], local, unchanged=True)
        found = self._changes(local, state)
        if found.edited and self._edited_readme == "refuse":
            listed = "\n".join(f"  {line}" for line in found.edited)
            raise HubError(
                f"{self._repo}: README.md was edited there; set publish.edited_readme to keep or "
                f"replace:\n{listed}"
            )
        commit = self._commit(local, found, state.head, tag)
        self._compare(local, found.skipped, commit)
        self._tag(tag, commit)
        self._compare(local, found.skipped, tag)
        if self._file(manifest.NAME, tag) != (folder / manifest.NAME).read_bytes():
            raise HubError(f"{self._repo}: {manifest.NAME} reads differently at {tag}: publish again")
        return self._receipt(commit, local, unchanged=False)

    def _tag(self, tag: str, commit: str) -> None:
        """Name the commit; a tag that is there already must name it too, for an answer may have been lost."""
        try:
            self._calls.make(
                f"tag {tag}",
                lambda: self._api.create_tag(
                    self._repo, tag=tag, revision=commit, repo_type=_KIND, exist_ok=False
                ),
            )
        except HubError:
            if self._look().tags.get(tag) != commit:
                raise

    def _receipt(self, commit: str, local: Mapping[str, Local], *, unchanged: bool) -> PublishReceipt:
        return PublishReceipt("hub", self._repo, commit, len(local), unchanged=unchanged)

    def _look(self) -> _State:
        refs = self._calls.make(
            "read the repository", lambda: self._api.list_repo_refs(self._repo, repo_type=_KIND)
        )
        head = {ref.name: ref.target_commit for ref in refs.branches}.get(_BRANCH)
        tags = {ref.name: ref.target_commit for ref in refs.tags}
        return _State(head, tags, {} if head is None else self._tree(head))

    def _tree(self, revision: str) -> dict[str, Any]:
        """Files at a revision by path."""
        entries = self._calls.make(
            "list the files",
            lambda: list(
                self._api.list_repo_tree(self._repo, recursive=True, revision=revision, repo_type=_KIND)
            ),
        )
        return {entry.path: entry for entry in entries if hasattr(entry, "blob_id")}

    def _tagged(self, release: Manifest, local: Mapping[str, Local], state: _State) -> bool:
        """Whether the version is there; refuses another content, and a version that goes backwards."""
        commit = state.tags.get(f"v{release.version}")
        if commit is None:
            refuse_backwards(self._repo, release, state.tags)
            return False
        tree = self._tree(commit)
        kept = {ATTRIBUTES} | ({"README.md"} if self._edited_readme == "keep" else set())
        if any(not file.is_at(tree.get(name)) for name, file in local.items() if name not in kept):
            raise taken(self._repo, release)
        return True

    def _changes(self, local: Mapping[str, Local], state: _State) -> Changes:
        return changes(
            self._repo,
            local,
            state.tree,
            lambda name: self._file(name, str(state.head)),
            edited_readme=self._edited_readme,
        )

    def _file(self, name: str, revision: str) -> bytes:
        def read() -> bytes:
            path = self._api.hf_hub_download(
                self._repo, name, repo_type=_KIND, revision=revision, force_download=True
            )
            return Path(path).read_bytes()

        return self._calls.make(f"read {name}", read)

    def _compare(self, local: Mapping[str, Local], skipped: frozenset[str], revision: str) -> None:
        tree = self._tree(revision)
        wrong = sorted(
            name for name, file in local.items() if name not in skipped and not file.is_at(tree.get(name))
        )
        if wrong:
            raise HubError(f"{self._repo}: {wrong[0]} arrived damaged in {revision[:12]}: publish again")

    def _commit(self, local: Mapping[str, Local], found: Changes, head: str | None, tag: str) -> str:
        """The commit that holds the release: a new one, or the head where nothing differs."""
        names = (*found.adds, *found.replaces)
        if head is not None and not names and not found.deletes:
            return head
        additions = self._upload(local, names)
        made = self._calls.make(
            "upload",
            lambda: self._api.create_commit(
                self._repo,
                operations=[
                    *additions.values(),
                    *(self._hub.CommitOperationDelete(path_in_repo=name) for name in found.deletes),
                ],
                commit_message=f"Release {tag}",
                repo_type=_KIND,
                parent_commit=head,
            ),
        )
        return str(made.oid)

    def _upload(self, local: Mapping[str, Local], names: Sequence[str]) -> dict[str, Any]:
        """Bring the large files there; what arrived in an earlier try is not sent again."""
        total = sum(local[name].size for name in names)
        say: Callable[[str], None] = (lambda _: None) if self._bars else self._say
        with UploadProgress(self._repo, total, say=say, every_s=self._say_every_s) as progress:
            operation = self._hub.CommitOperationAdd
            additions = {name: progress.addition(operation, name, str(local[name].path)) for name in names}
            for batch in _batches(local, list(additions)):
                operations = [additions[name] for name in batch]
                self._calls.make(
                    "upload",
                    lambda operations=operations: self._api.preupload_lfs_files(  # type: ignore[misc]
                        self._repo, additions=operations, repo_type=_KIND, free_memory=False
                    ),
                )
                progress.arrived(sum(local[name].size for name in batch))
        return additions


def _read(folder: Path, release: Manifest) -> dict[str, Local]:
    return {name: Local.of(folder / name) for name in (*release.files, manifest.NAME)}


def _batches(local: Mapping[str, Local], names: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for name in names:
        batch.append(name)
        if len(batch) == _BATCH or sum(local[one].size for one in batch) >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch
