"""Where the labelling page gets the images from: files that the server serves, or a bucket of the user.

A bucket's images are uploaded here, with the user's own credentials, and shown through an import storage of
Label Studio, which answers a labeler's browser with a presigned address. Credentials come from the
environment alone: the variables that the bucket's own tools read. Label Studio keeps a copy of them, because
it signs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from curate.adapters.labelstudio.client import Client, translated
from curate.errors import AnnotationToolError, ParamsError
from curate.extras import require

TITLE = "curate images"
LOCAL = "local"
_PRESIGN_MINUTES = 60
_EXTRA = {"s3": "s3fs", "gs": "gcsfs", "azure-blob": "adlfs"}


class Storage(Protocol):
    """Images as Label Studio finds them."""

    @property
    def needs_images(self) -> bool:
        """Whether it can be connected only after an image was copied."""

    def address(self, path: str) -> str:
        """What stands in a task's data for the image at `path`."""

    def prepare(self, paths: Iterable[str]) -> int:
        """Make the images reachable; the number that had to be copied."""

    def connect(self, client: Client, project_id: int) -> None:
        """Let the project's members see them; safe to repeat."""


@dataclass(frozen=True)
class LocalFiles:
    """Files below the document root of the server.

    Attributes:
        images_root: Folder of the upright images; the server serves it under its own name.
    """

    images_root: Path
    needs_images: bool = False

    def address(self, path: str) -> str:
        """The path below the server's document root."""
        below = Path(path).relative_to(self.images_root).as_posix()
        return f"/data/local-files/?d={self.images_root.name}/{below}"

    def prepare(self, paths: Iterable[str]) -> int:
        """Nothing to do: the server reads the files themselves."""
        del paths
        return 0

    def connect(self, client: Client, project_id: int) -> None:
        """Let the server serve the images to members of the project, and no other folder.

        Raises:
            AnnotationToolError: The server does not serve the folder.
        """
        folder = self.images_root.resolve()
        with translated(client.connection, "listing the folders that are served"):
            storages = client.sdk.import_storage.local.list(project=project_id)
            if any(storage.path == str(folder) for storage in storages):
                return
        try:
            with translated(client.connection, f"letting the server serve {self.images_root}"):
                client.sdk.import_storage.local.create(
                    project=project_id, path=str(folder), use_blob_urls=True, title=TITLE
                )
        except AnnotationToolError as error:
            if _is_transient(error):
                raise
            raise type(error)(
                f"{error}; a server of your own needs LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the folder above {self.images_root}"
            ) from None


@dataclass(frozen=True)
class Bucket:
    """A prefix of the user's bucket.

    Attributes:
        scheme: s3 | gs | azure-blob.
        bucket: Name of the bucket or container.
        prefix: Key prefix without slashes at its ends.
        images_root: Folder of the upright images.
        environment: Where credentials and addresses stand.
    """

    scheme: str
    bucket: str
    prefix: str
    images_root: Path
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    needs_images: bool = True

    def key(self, path: str) -> str:
        """Key of the object in the bucket."""
        below = Path(path).relative_to(self.images_root).as_posix()
        return f"{self.prefix}/{below}" if self.prefix else below

    def address(self, path: str) -> str:
        """The object's URL, which Label Studio resolves when the page asks for it."""
        return f"{self.scheme}://{self.bucket}/{self.key(path)}"

    def prepare(self, paths: Iterable[str]) -> int:
        """Upload what is missing or has another size.

        An upright file is named by the digest of its source: one of the same name has other bytes only where
        ingest encoded it anew in another way, and then, but for a rare chance, another size.

        Raises:
            AnnotationToolError: The bucket cannot be listed or written.
        """
        there = f"{self.bucket}/{self.prefix}".rstrip("/")
        filesystem = self._filesystem()
        try:
            known = {
                str(entry["name"]): int(entry["size"] or 0)
                for entry in filesystem.find(there, detail=True).values()
            }
            missing = [
                (path, f"{self.bucket}/{self.key(path)}")
                for path in paths
                if known.get(f"{self.bucket}/{self.key(path)}") != Path(path).stat().st_size
            ]
            if missing:
                filesystem.put([path for path, _ in missing], [name for _, name in missing])
        except (OSError, ValueError, RuntimeError) as error:
            raise AnnotationToolError(
                f"images cannot be uploaded to {self.scheme}://{there} ({type(error).__name__}: {error}): "
                f"check labelstudio.storage and the credentials in the environment"
            ) from None
        return len(missing)

    def connect(self, client: Client, project_id: int) -> None:
        """Create the import storage that signs addresses, once.

        Raises:
            AnnotationToolError: Refused by Label Studio, or by the bucket with these credentials.
        """
        service = getattr(
            client.sdk.import_storage, {"gs": "gcs", "azure-blob": "azure"}.get(self.scheme, "s3")
        )
        with translated(client.connection, f"listing the storages of {self.scheme}"):
            for storage in service.list(project=project_id):
                place = getattr(storage, "bucket", None) or getattr(storage, "container", None)
                if (place, storage.prefix or "") == (self.bucket, self.prefix):
                    return
        try:
            with translated(client.connection, f"connecting {self.scheme}://{self.bucket}"):
                service.create(**self.request(project_id))
        except AnnotationToolError as error:
            if "reserved network address" not in str(error):
                raise
            raise AnnotationToolError(
                f"{error}; start Label Studio with LABEL_STUDIO_SSRF_PROTECTION_ENABLED=false in its "
                "environment, if everybody who can reach it may use this network through it"
            ) from None

    def request(self, project_id: int) -> dict[str, Any]:
        """What the server's storage is created with. Holds secrets: never log it.

        Raises:
            ParamsError: A variable of the environment is not set.
        """
        common = {
            "project": project_id,
            "title": TITLE,
            "prefix": self.prefix or None,
            "use_blob_urls": True,
            "presign": True,
            "presign_ttl": _PRESIGN_MINUTES,
        }
        if self.scheme == "gs":
            credentials = Path(self._needed("GOOGLE_APPLICATION_CREDENTIALS"))
            try:
                text = credentials.read_text(encoding="utf-8")
            except OSError as error:
                raise ParamsError(f"GOOGLE_APPLICATION_CREDENTIALS names {credentials}: {error}") from None
            return {**common, "bucket": self.bucket, "google_application_credentials": text}
        if self.scheme == "azure-blob":
            return {
                **common,
                "container": self.bucket,
                "account_name": self._needed("AZURE_STORAGE_ACCOUNT_NAME"),
                "account_key": self._needed("AZURE_STORAGE_ACCOUNT_KEY"),
            }
        optional = {
            "aws_session_token": self.environment.get("AWS_SESSION_TOKEN"),
            "region_name": self.environment.get("AWS_REGION") or self.environment.get("AWS_DEFAULT_REGION"),
            "s3endpoint": self.environment.get("AWS_ENDPOINT_URL"),
        }
        return {
            **common,
            "bucket": self.bucket,
            "aws_access_key_id": self._needed("AWS_ACCESS_KEY_ID"),
            "aws_secret_access_key": self._needed("AWS_SECRET_ACCESS_KEY"),
            **{name: value for name, value in optional.items() if value},
        }

    def _needed(self, variable: str) -> str:
        value = self.environment.get(variable)
        if not value:
            raise ParamsError(
                f"labelstudio.storage = {self.scheme}://{self.bucket} needs {variable} in the environment: "
                "Label Studio signs addresses with it"
            )
        return value

    def _filesystem(self) -> Any:
        require(_EXTRA[self.scheme], extra="remote")
        fsspec = require("fsspec", extra="remote")
        options: dict[str, Any] = {}
        if self.scheme == "s3" and self.environment.get("AWS_ENDPOINT_URL"):
            options["endpoint_url"] = self.environment["AWS_ENDPOINT_URL"]
        if self.scheme == "azure-blob":
            options["account_name"] = self._needed("AZURE_STORAGE_ACCOUNT_NAME")
            options["account_key"] = self._needed("AZURE_STORAGE_ACCOUNT_KEY")
        return fsspec.filesystem({"azure-blob": "abfs"}.get(self.scheme, self.scheme), **options)


def from_parameter(text: str, images_root: Path) -> Storage:
    """The storage of `labelstudio.storage`: "local" or s3://, gs://, azure-blob:// with bucket and prefix."""
    if text == LOCAL:
        return LocalFiles(images_root)
    parts = urlsplit(text)
    return Bucket(parts.scheme, parts.netloc, parts.path.strip("/"), images_root)


def _is_transient(error: AnnotationToolError) -> bool:
    return hasattr(error, "retry_after_s")
