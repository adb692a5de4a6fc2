"""Where the server and the token come from, and who may read the file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from curate import tables
from curate.adapters.labelstudio import connection
from curate.adapters.labelstudio.connection import Credentials
from curate.errors import AnnotationToolError

EMBEDDED = Credentials("http://127.0.0.1:8090", "lead@curate.invalid", "a-password", "a-token")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    monkeypatch.delenv("LABEL_STUDIO_API_KEY_FILE", raising=False)


def embedded(root: Path) -> Path:
    path = connection.credentials_path(root)
    connection.write_credentials(path, EMBEDDED)
    return path


def test_nothing_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AnnotationToolError) as info:
        connection.resolve(tmp_path)
    assert str(info.value) == (
        "no Label Studio: run `curate labelstudio up`, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"
    )


def test_the_embedded_server_is_found(tmp_path: Path) -> None:
    path = embedded(tmp_path)
    found = connection.resolve(tmp_path)
    assert (found.url, found.api_key, found.source) == (EMBEDDED.url, EMBEDDED.api_key, str(path))


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded(tmp_path)
    monkeypatch.setenv("LABEL_STUDIO_URL", "https://label.example.org/")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "theirs")
    found = connection.resolve(tmp_path)
    assert (found.url, found.api_key, found.source) == (
        "https://label.example.org", "theirs", "LABEL_STUDIO_API_KEY",
    )  # fmt: skip
    assert not found.loopback


@pytest.mark.parametrize("name", ["LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"])
def test_half_of_the_environment_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    embedded(tmp_path)
    monkeypatch.setenv(name, "http://x")
    with pytest.raises(AnnotationToolError, match=f"{name} is set but"):
        connection.resolve(tmp_path)


def test_an_address_needs_a_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "label.example.org")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "theirs")
    with pytest.raises(AnnotationToolError, match="must begin with http"):
        connection.resolve(tmp_path)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = embedded(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(AnnotationToolError, match=r"can be read by others: run chmod 600"):
        connection.resolve(tmp_path)


def test_a_partial_file_left_readable_by_a_crash_is_closed_again(tmp_path: Path) -> None:
    path = connection.credentials_path(tmp_path)
    path.parent.mkdir()
    left = tables.partial_of(path)
    left.write_text("old")
    left.chmod(0o644)
    embedded(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"url": 1'])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: str) -> None:
    embedded(tmp_path).write_text(content)
    with pytest.raises(AnnotationToolError, match="is damaged: run `curate labelstudio down`"):
        connection.resolve(tmp_path)


@pytest.fixture
def token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that only its owner can read, named in the environment."""
    path = tmp_path / "token"
    path.write_text("theirs\n")
    path.chmod(0o600)
    monkeypatch.setenv("LABEL_STUDIO_URL", "https://label.example.org")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY_FILE", str(path))
    return path


def test_the_token_may_stand_in_a_file_of_its_own(tmp_path: Path, token_file: Path) -> None:
    found = connection.resolve(tmp_path)
    assert (found.api_key, found.source) == ("theirs", str(token_file))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_a_token_that_others_can_read_is_refused(tmp_path: Path, token_file: Path, mode: int) -> None:
    token_file.chmod(mode)
    with pytest.raises(AnnotationToolError, match=r"can be read by others: run chmod 600 .*token$") as info:
        connection.resolve(tmp_path)
    assert "theirs" not in str(info.value)


def test_a_token_of_two_places_is_refused(
    tmp_path: Path, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "another")
    with pytest.raises(AnnotationToolError, match="are both set: unset one") as info:
        connection.resolve(tmp_path)
    assert not {"another", "theirs", str(token_file)} & set(str(info.value).split())


@pytest.mark.parametrize("content", ["", "a b", "a\nb"])
def test_a_file_without_a_token_is_refused(tmp_path: Path, token_file: Path, content: str) -> None:
    token_file.write_text(content)
    with pytest.raises(AnnotationToolError, match="must hold the token and nothing else"):
        connection.resolve(tmp_path)


def test_a_token_file_that_is_missing_is_named(tmp_path: Path, token_file: Path) -> None:
    token_file.unlink()
    with pytest.raises(AnnotationToolError, match=r"LABEL_STUDIO_API_KEY_FILE names .*token, which cannot"):
        connection.resolve(tmp_path)
