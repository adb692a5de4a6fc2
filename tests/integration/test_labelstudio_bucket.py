"""Images in a bucket: uploaded once, and shown through the real server by a presigned address.

The bucket is moto's S3 server on loopback. Google's and Azure's are not emulated here: tests/adapters checks
the requests that are built for them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from curate import schema, tables
from curate.adapters.labelstudio import accounts, client, connection, image_storage, push, server
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.errors import AnnotationToolError
from curate.labeling import taxonomy
from curate.ports import ProjectSpec, TaskDraft

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
IMAGES = Path("data/ingest/images")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket; its address and keys stand in the environment."""
    s3 = ThreadedMotoServer("127.0.0.1", 0)
    s3.start()
    host, port = s3.get_host_and_port()
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "unit-id"),
        ("AWS_SECRET_ACCESS_KEY", "unit-secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="signs")
    yield "signs"
    s3.stop()


def spec(title: str) -> ProjectSpec:
    return ProjectSpec(title, taxonomy.load(Path("taxonomy.yaml")), "", 1, IMAGES)


@pytest.fixture
def drafts(labelstudio_root: Path, monkeypatch: pytest.MonkeyPatch) -> list[TaskDraft]:
    monkeypatch.chdir(labelstudio_root)
    images = tables.read(Path("data/dedupe/images.parquet"), schema.IMAGES).to_pylist()
    kept = [image for image in images if image["drop_reason"] is None]
    return [
        TaskDraft(f"task-{n}", image["image_id"], image["path"], image["width"], image["height"], 1, ())
        for n, image in enumerate(kept)
    ]


@pytest.fixture
def own_server(
    labelstudio_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    """A server that may talk to addresses of this machine."""
    monkeypatch.setenv(server.PRIVATE_NETWORK_VARIABLE, "false")
    shutil.copytree(labelstudio_state, tmp_path / connection.STATE_FOLDER)
    yield server.up(tmp_path)
    server.down(tmp_path)


def test_an_address_of_this_network_is_refused_unless_the_server_may(
    drafts: list[TaskDraft], labelstudio: Connection, bucket: str
) -> None:
    tool = LabelStudioTool(labelstudio, images=image_storage.from_parameter(f"s3://{bucket}/set", IMAGES))
    reference = tool.ensure_project(spec("refused"))
    with pytest.raises(
        AnnotationToolError, match="start Label Studio with LABEL_STUDIO_SSRF_PROT"
    ) as refused:
        tool.push_tasks(reference, drafts)
    assert "unit-secret" not in str(refused.value)


def test_a_labeler_sees_the_image_of_the_bucket(
    drafts: list[TaskDraft], own_server: Connection, bucket: str
) -> None:
    labelstudio = own_server
    place = image_storage.from_parameter(f"s3://{bucket}/set/one", IMAGES)
    assert place.prepare([draft.path for draft in drafts[:2]]) == 2
    tool = LabelStudioTool(labelstudio, images=place, timeout_s=60)
    reference = tool.ensure_project(
        ProjectSpec("bucket", taxonomy.load(Path("taxonomy.yaml")), "", 1, IMAGES)
    )
    assert tool.push_tasks(reference, drafts).created == len(drafts)
    assert tool.push_tasks(reference, drafts).unchanged == len(drafts)
    assert place.prepare([draft.path for draft in drafts]) == 0  # all are there: nothing is copied twice

    reader = client.Client(labelstudio, timeout_s=60)
    storages = reader.get("/api/storages/s3", action="reading", project=reference.project_id)
    assert [(one["bucket"], one["prefix"], one["presign"]) for one in storages] == [
        ("signs", "set/one", True)
    ]
    assert "unit-secret" not in str(storages)
    task = push.index(reader, reference)[0]
    draft = next(draft for draft in drafts if draft.task_id == task.task_id)
    assert task.data["image"] == f"s3://signs/set/one/{Path(draft.path).relative_to(IMAGES).as_posix()}"
    # What the labelling page does: it asks the server for the task, then follows the address in it.
    session = accounts.ensure_user(labelstudio, "bucket@demo.invalid", "a-long-password")
    shown = session.get(f"/api/tasks/{task.number}/", action="opening")["data"]["image"]
    assert shown.startswith(f"/tasks/{task.number}/resolve/?fileuri=")
    answer = httpx.get(
        labelstudio.url + shown,
        headers={"Authorization": f"Token {labelstudio.api_key}"},
        follow_redirects=True,
        timeout=30,
    )
    assert answer.content == Path(draft.path).read_bytes()
    assert "signature" in str(answer.url).lower()  # presigned: the bytes do not pass through Label Studio
    assert httpx.get(labelstudio.url + shown, timeout=30).status_code in (401, 403)


def test_a_changed_file_is_copied_again_and_a_missing_bucket_is_one_line(
    drafts: list[TaskDraft], bucket: str, tmp_path: Path
) -> None:
    place = image_storage.Bucket("s3", bucket, "", tmp_path)
    file = tmp_path / "one.jpg"
    file.write_bytes(b"short")
    assert place.prepare([str(file)]) == 1
    file.write_bytes(b"a little longer")
    assert place.prepare([str(file)]) == 1
    assert place.prepare([str(file)]) == 0
    assert drafts
    with pytest.raises(AnnotationToolError, match="and the credentials"):
        replace(place, bucket="nobodys").prepare([str(file)])
