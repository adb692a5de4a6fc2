"""Calls to Kaggle through its own client: repeated where that is safe, and in one line where it refuses."""

from __future__ import annotations

import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from curate.errors import HubError
from curate.extras import require

UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_WAITS_S: Final = (1.0, 4.0, 16.0)  # before the second, third and fourth try
_BLOCK = 1 << 20
_LOGIN = "put kaggle.json into ~/.kaggle, or set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY"
_Answer = TypeVar("_Answer")


class KaggleCalls:
    """What publishing needs of Kaggle, for one data set.

    Credentials come from the environment or from ~/.kaggle, never from parameters;
    KAGGLE_API_ENVIRONMENT=TEST leads to http://localhost:7777.
    """

    def __init__(self, repo: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Connect nothing yet.

        Args:
            repo: owner/name.
            sleep: Takes seconds.

        Raises:
            MissingExtraError: `kagglesdk` is not installed.
        """
        sdk = require("kagglesdk", extra="kaggle")
        self._requests = require("requests", extra="kaggle")
        self._types = require("kagglesdk.datasets.types.dataset_api_service", extra="kaggle")
        self._blob_types = require("kagglesdk.blobs.types.blob_api_service", extra="kaggle")
        user, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
        client = sdk.KaggleClient(username=user, password=key, user_agent="curate")
        self._datasets = client.datasets.dataset_api_client
        self._blobs = client.blobs.blob_api_client
        self._repo, self._sleep = repo, sleep
        owner, _, name = repo.partition("/")
        self._place = {"ownerSlug": owner, "datasetSlug": name}

    def dataset(self) -> Any:
        """What Kaggle says of the data set; None where there is none, or none that the user may see."""
        request = self._types.ApiGetDatasetRequest.from_dict(self._place)
        try:
            return self.repeated("find the data set", lambda: self._datasets.get_dataset(request))
        except HubError as error:
            if _status(error.__cause__) in (FORBIDDEN, NOT_FOUND):
                return None
            raise

    def status(self) -> str:
        """Status of the newest version, such as READY."""
        request = self._types.ApiGetDatasetStatusRequest.from_dict(self._place)
        found = self.repeated("ask whether it is ready", lambda: self._datasets.get_dataset_status(request))
        return str(found.status.name)

    def files(self, number: int) -> list[str]:
        """Names of all files of a version, by its number at Kaggle."""
        found: list[str] = []
        page = ""
        while True:
            asked = {**self._place, "datasetVersionNumber": number, "pageToken": page, "pageSize": 200}
            request = self._types.ApiListDatasetFilesRequest.from_dict(asked)
            answer = self.repeated(
                "list the files", lambda request=request: self._datasets.list_dataset_files(request)  # type: ignore[misc]
            )  # fmt: skip
            found += [str(one.name) for one in answer.dataset_files]
            page = answer.next_page_token
            if not page:
                return found

    def digest(self, name: str, number: int) -> str:
        """The sha256 of a file of a version, read whole, in hex."""
        return self.repeated(f"read {name}", lambda: self._read(name, number, _sha256))

    def content(self, name: str, number: int) -> bytes:
        """A small file of a version."""
        return self.repeated(f"read {name}", lambda: self._read(name, number, lambda file: file.read()))

    def _read(self, name: str, number: int, use: Callable[[IO[bytes]], _Answer]) -> _Answer:
        asked = {**self._place, "datasetVersionNumber": number, "fileName": name, "raw": True}
        request = self._types.ApiDownloadDatasetRequest.from_dict(asked)
        with (
            self._datasets.download_dataset(request) as answer,
            tempfile.TemporaryFile() as file,
        ):
            for block in answer.iter_content(_BLOCK):
                file.write(block)
            file.seek(0)
            # Kaggle sends large files in an archive of that name.
            packed = answer.url.partition("?")[0].endswith(f"{Path(name).name}.zip")
            if not packed:
                return use(file)
            with zipfile.ZipFile(file) as archive, archive.open(archive.namelist()[0]) as member:
                return use(member)

    def upload(self, path: Path) -> str:
        """Bring a file there; the token by which a new version names it."""
        facts = path.stat()
        asked = {
            "type": "DATASET",
            "name": path.name,
            "contentLength": facts.st_size,
            "lastModifiedEpochSeconds": int(facts.st_mtime),
        }
        request = self._blob_types.ApiStartBlobUploadRequest.from_dict(asked)

        def send() -> str:
            begun = self._blobs.start_blob_upload(request)
            with path.open("rb") as content:
                self._requests.put(begun.create_url, data=content, timeout=600).raise_for_status()
            return str(begun.token)

        return self.repeated(f"upload {path.name}", send)

    def create(self, facts: Mapping[str, Any]) -> None:
        """Make the data set; never repeated, for an answer that is lost may have done it."""
        request = self._types.ApiCreateDatasetRequest.from_dict(facts)
        with self._translated("create the data set"):
            self._refused(self._datasets.create_dataset(request))

    def create_version(self, body: Mapping[str, Any]) -> None:
        """Make a version; never repeated."""
        request = self._types.ApiCreateDatasetVersionRequest.from_dict({**self._place, "body": body})
        with self._translated("create the version"):
            self._refused(self._datasets.create_dataset_version(request))

    def _refused(self, answer: Any) -> None:
        if answer.error:
            raise HubError(f"{self._repo}: Kaggle refuses: {' '.join(str(answer.error).split())}")

    def repeated(self, action: str, call: Callable[[], _Answer]) -> _Answer:
        """The call's answer, at the fourth try at the latest.

        Raises:
            HubError: Kaggle refuses, or does not answer.
        """
        for wait in _WAITS_S:
            try:
                with self._translated(action):
                    return call()
            except HubError as error:
                if isinstance(error.__cause__, self._requests.HTTPError) and (
                    _status(error.__cause__) not in _AGAIN
                ):
                    raise
                self._sleep(wait)
        with self._translated(action):
            return call()

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except (self._requests.RequestException, zipfile.BadZipFile) as error:
            known = {
                None: f"Kaggle does not answer ({type(error).__name__}): check the network",
                UNAUTHORIZED: f"Kaggle does not accept the key: {_LOGIN}",
                FORBIDDEN: f"the key may not do that, or there is none: {_LOGIN}",
                NOT_FOUND: "it is not there: check publish.repo",
            }
            status = _status(error)
            reason = known.get(status, f"Kaggle answers HTTP {status}: try again later")
            raise HubError(f"{self._repo}: cannot {action}: {reason}") from error


def _sha256(file: IO[bytes]) -> str:
    state = sha256()
    while block := file.read(_BLOCK):
        state.update(block)
    return state.hexdigest()


def _status(error: BaseException | None) -> int | None:
    response: Any = getattr(error, "response", None)
    return None if response is None else int(response.status_code)
