"""The Hugging Face Hub as a place for releases: one commit, verified, then a tag."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import HubError
from curate.extras import require
from curate.ports import PublishReceipt
from curate.release import manifest

_KIND = "dataset"
_BRANCH = "main"
_BATCH = 50  # files uploaded before the commit that names them, at a time
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _STALE = 401, 403, 404, 409, 412
_LOGIN = "log in with `hf auth login`, or set HF_TOKEN to a token that may write"


@dataclass(frozen=True, slots=True)
class _Local:
    """A file of the release, and the two names that the Hub may know its content by."""

    path: Path
    sha256: str
    git_oid: str


class HuggingFaceHub:
    """Publishes to one dataset repository.

    A release is one commit on `main`, made only if nobody committed in between, and the tag `v<version>` on
    it. A version that is tagged with another content is refused: versions do not change their meaning.
    The token comes from the environment (HF_TOKEN) or from the Hub's own login, never from parameters.
    """

    def __init__(self, repo: str, *, private: bool = True, api: Any = None) -> None:
        """Connect nothing yet.

        Args:
            repo: "owner/name".
            private: Visibility of a repository that does not exist yet.
            api: A `huggingface_hub.HfApi`; by default one that reads HF_ENDPOINT and the token.

        Raises:
            MissingExtraError: `huggingface_hub` is not installed.
        """
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
        self._hub = require("huggingface_hub", extra="hub")
        self._errors = require("huggingface_hub.errors", extra="hub")
        if not sys.stderr.isatty():
            require("huggingface_hub.utils", extra="hub").disable_progress_bars()
        self._api = self._hub.HfApi() if api is None else api
        self._repo = repo
        self._private = private

    def publish(self, folder: Path, *, digest: str, version: str) -> PublishReceipt:
        """Commit the release folder, verify every file there, and tag it.

        Safe to repeat: what is there already is not uploaded again, and a kill between commit and tag is
        repaired by the next call. Files of older releases under data/ are removed in the same commit.

        Args:
            folder: A release folder with release.json.
            digest: Of its content.
            version: Semantic version; the tag is v<version>.

        Raises:
            ReleaseError: `folder` is not what its release.json says.
            HubError: Unreachable, refused, the version is taken by another content, or what arrived differs.
        """
        release = manifest.trusted(folder, digest=digest, version=version)
        local = {name: _local(folder / name) for name in (*release.files, manifest.NAME)}
        tag = f"v{version}"
        with self._translated("create or find the repository"):
            self._api.create_repo(self._repo, repo_type=_KIND, private=self._private, exist_ok=True)
        with self._translated("read the repository"):
            refs = self._api.list_repo_refs(self._repo, repo_type=_KIND)
        tagged = {ref.name: ref.target_commit for ref in refs.tags}.get(tag)
        head = {ref.name: ref.target_commit for ref in refs.branches}.get(_BRANCH)
        if tagged is not None:
            if _differences(local, self._tree(tagged)):
                raise HubError(
                    f"{self._repo} holds another content as {tag}: raise release.version in params.yaml"
                )
            return self._receipt(tagged, local, unchanged=True)
        commit = self._commit(local, head, tag)
        wrong = _differences(local, self._tree(commit))
        if wrong:
            raise HubError(f"{self._repo}: {wrong[0]} arrived damaged in {commit[:12]}: publish again")
        with self._translated(f"tag {tag}"):
            self._api.create_tag(self._repo, tag=tag, revision=commit, repo_type=_KIND, exist_ok=False)
        return self._receipt(commit, local, unchanged=False)

    def _receipt(self, commit: str, local: Mapping[str, _Local], *, unchanged: bool) -> PublishReceipt:
        return PublishReceipt(
            target="hub", location=self._repo, revision=commit, files=len(local), unchanged=unchanged
        )

    def _tree(self, revision: str | None) -> dict[str, Any]:
        """Files at a revision by path; nothing in a repository without a commit."""
        if revision is None:
            return {}
        with self._translated("list the files"):
            entries = list(
                self._api.list_repo_tree(self._repo, recursive=True, revision=revision, repo_type=_KIND)
            )
        return {entry.path: entry for entry in entries if hasattr(entry, "blob_id")}

    def _commit(self, local: Mapping[str, _Local], head: str | None, tag: str) -> str:
        """The commit that holds the release: a new one, or the head where nothing differs."""
        tree = self._tree(head)
        strangers = [path for path in tree if path.startswith("data/") and path not in local]
        additions = [
            self._hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(local[name].path))
            for name in _differences(local, tree)
        ]
        if head is not None and not additions and not strangers:
            return head
        with self._translated("upload"):
            for start in range(0, len(additions), _BATCH):
                batch = additions[start : start + _BATCH]
                self._api.preupload_lfs_files(self._repo, additions=batch, repo_type=_KIND)
            made = self._api.create_commit(
                self._repo,
                operations=[
                    *additions,
                    *(self._hub.CommitOperationDelete(path_in_repo=path) for path in strangers),
                ],
                commit_message=f"Release {tag}",
                repo_type=_KIND,
                parent_commit=head,
            )
        return str(made.oid)

    def account(self) -> str:
        """The name of whoever the token belongs to; asks the Hub.

        Raises:
            HubError: There is no token, it is not valid, or the Hub does not answer.
        """
        with self._translated("read whose the token is"):
            return str(self._api.whoami()["name"])

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except self._foreign_errors() as error:
            raise HubError(f"{self._repo}: cannot {action}: {self._reason(error)}") from error

    def _foreign_errors(self) -> tuple[type[BaseException], ...]:
        """What the library lets through: its own errors, and those of its HTTP client (two, by version)."""
        known = [self._errors.HfHubHTTPError, self._errors.LocalTokenNotFoundError]
        clients = [("httpx", "HTTPError"), ("httpx2", "HTTPError")]
        known += [
            getattr(importlib.import_module(module), name)
            for module, name in clients
            if importlib.util.find_spec(module) is not None
        ]
        # ValueError: a name or a card that the Hub's rules refuse; RuntimeError: an upload that failed
        return (*known, ConnectionError, TimeoutError, ValueError, RuntimeError)

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, RuntimeError) and error.__cause__ is not None:
            return self._reason(error.__cause__)
        response = getattr(error, "response", None)
        if isinstance(error, self._errors.LocalTokenNotFoundError):
            return _LOGIN
        if isinstance(error, self._errors.HFValidationError):
            return f"publish.repo = {self._repo!r} is not owner/name"
        if isinstance(error, ValueError) and response is None:
            return f"it is refused: {' '.join(str(error).split())}"
        if response is None:
            return f"the Hub does not answer ({type(error).__name__}): check the network and HF_ENDPOINT"
        known = {
            _UNAUTHORIZED: f"the Hub does not accept the token: {_LOGIN}",
            _FORBIDDEN: f"the token may not write there: {_LOGIN}",
            _NOT_FOUND: "it is not there, or the token may not see it: check publish.repo",
            _CONFLICT: "it is there already with another target: raise release.version in params.yaml",
            _STALE: "somebody else committed in the meantime: publish again",
        }
        status = int(response.status_code)
        return known.get(status, f"the Hub answers HTTP {status}: try again later")


def _differences(local: Mapping[str, _Local], tree: Mapping[str, Any]) -> Sequence[str]:
    """Names of files that the tree misses or holds with another content, sorted."""
    return sorted(name for name, file in local.items() if not _same(file, tree.get(name)))


def _same(file: _Local, entry: Any) -> bool:
    if entry is None:
        return False
    return bool(entry.lfs.sha256 == file.sha256 if entry.lfs is not None else entry.blob_id == file.git_oid)


def _local(path: Path) -> _Local:
    sha256 = hashlib.sha256()
    git = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            git.update(block)
    return _Local(path=path, sha256=sha256.hexdigest(), git_oid=git.hexdigest())
