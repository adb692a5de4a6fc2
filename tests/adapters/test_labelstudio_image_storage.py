"""Buckets: the requests that are built, without a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.adapters.labelstudio import image_storage
from curate.errors import ParamsError

ROOT = Path("data/ingest/images")
PATH = f"{ROOT}/ab/abc.jpg"


def bucket(text: str, environment: dict[str, str]) -> image_storage.Bucket:
    made = image_storage.from_parameter(text, ROOT)
    assert isinstance(made, image_storage.Bucket)
    return image_storage.Bucket(made.scheme, made.bucket, made.prefix, ROOT, environment)


def test_local_files_are_the_default() -> None:
    local = image_storage.from_parameter("local", ROOT)
    assert local.address(PATH) == "/data/local-files/?d=images/ab/abc.jpg"
    assert local.prepare([PATH]) == 0


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://signs/set/one", "s3://signs/set/one/ab/abc.jpg"),
        ("gs://signs", "gs://signs/ab/abc.jpg"),
        ("azure-blob://signs/set/", "azure-blob://signs/set/ab/abc.jpg"),
    ],
)
def test_the_address_is_the_objects_url(text: str, address: str) -> None:
    assert image_storage.from_parameter(text, ROOT).address(PATH) == address


def test_s3_is_signed_with_the_environments_key() -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    made = bucket("s3://signs/set", environment)
    request = made.request(7)
    assert request["bucket"] == "signs"
    assert (request["project"], request["prefix"], request["presign"]) == (7, "set", True)
    assert (request["aws_access_key_id"], request["aws_secret_access_key"]) == ("id", "secret")
    assert (request["region_name"], request["s3endpoint"]) == ("eu-west-1", "http://127.0.0.1:9")
    assert "secret" not in repr(made)


def test_google_gets_the_content_of_the_credentials(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text('{"type": "service_account"}', encoding="utf-8")
    made = bucket("gs://signs/set", {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")})
    request = made.request(7)
    assert (request["bucket"], request["prefix"]) == ("signs", "set")
    assert request["google_application_credentials"] == '{"type": "service_account"}'


def test_azure_has_a_container_and_an_account() -> None:
    environment = {"AZURE_STORAGE_ACCOUNT_NAME": "name", "AZURE_STORAGE_ACCOUNT_KEY": "key"}
    request = bucket("azure-blob://signs/set", environment).request(7)
    assert (request["container"], request["account_name"], request["account_key"]) == ("signs", "name", "key")


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ("s3://signs", "AWS_ACCESS_KEY_ID"),
        ("gs://signs", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("azure-blob://signs", "AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_a_missing_variable_is_named(text: str, variable: str) -> None:
    with pytest.raises(ParamsError, match=variable):
        bucket(text, {}).request(1)
