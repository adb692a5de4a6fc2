"""The address of a team's database: read, written again, and shown without its password."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.adapters.labelstudio import connection, database, server
from curate.adapters.labelstudio.connection import Credentials
from curate.adapters.labelstudio.database import Database
from curate.errors import AnnotationToolError

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
DATABASES = st.builds(
    Database,
    host=st.sampled_from(["localhost", "db.example.org", "10.0.0.7", "::1", "/run/postgresql"]),
    port=st.integers(1, 65535),
    name=TEXT.map(lambda name: name.replace("/", "-")),
    user=TEXT,
    password=st.one_of(st.just(""), TEXT),
    sslmode=st.sampled_from([None, "require", "verify-full"]),
)


@settings(deadline=None)
@given(DATABASES)
def test_what_is_written_is_read_again(one: Database) -> None:
    assert database.parse(one.url, environment={}) == one
    without = database.parse(one.shown, environment={})
    assert without.password == ""
    assert one.same_place(without)
    assert database.parse(one.shown, environment={"PGPASSWORD": one.password}) == one


def test_what_the_server_reads() -> None:
    one = database.parse("postgres://ann:p%40ss@db:5433/labels?sslmode=require", environment={})
    assert one.settings() == {
        "DJANGO_DB": "default",
        "POSTGRE_HOST": "db",
        "POSTGRE_PORT": "5433",
        "POSTGRE_NAME": "labels",
        "POSTGRE_USER": "ann",
        "POSTGRE_PASSWORD": "p@ss",
    }
    assert one.environment() == {"PGSSLMODE": "require"}
    assert "p@ss" not in repr(one)
    assert "p%40ss" not in one.shown


def test_a_password_file_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pgpass"
    file.touch()
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert database.parse("postgresql://a@h/n", environment={}).environment() == {"PGPASSFILE": str(file)}
    assert database.parse("postgresql://a:b@h/n", environment={}).environment() == {}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://a:sesame@h/n", "does not begin with postgresql://"),
        ("postgresql://a:ses/ame@h/n", "its port is no number"),
        ("postgresql://a:sesame@h:port/n", "its port is no number"),
        ("postgresql://:sesame@h/n", "must name a user and a database"),
        ("postgresql://a:sesame@h/", "must name a user and a database"),
        ("postgresql://a:sesame@h/n/m", "must name a user and a database"),
        ("postgresql://a:sesame@h/n?sslmod=require", "only host and sslmode .* got sslmod"),
    ],
)
def test_what_cannot_be_read_is_refused_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(AnnotationToolError, match=reason) as refused:
        database.parse(url, environment={})
    assert "ses" not in str(refused.value)
    assert "write it as postgresql://user@host:5432/name" in str(refused.value)


def remembered(root: Path, url: str | None) -> None:
    path = connection.credentials_path(root)
    path.parent.mkdir(exist_ok=True)
    connection.write_credentials(path, Credentials("http://127.0.0.1:1", "lead", "pw", "key", url, 3))


def test_labels_do_not_silently_begin_anew_in_another_database(tmp_path: Path) -> None:
    remembered(tmp_path, "postgresql://ann:sesame@db:5432/labels")
    with pytest.raises(AnnotationToolError) as refused:
        server.up(tmp_path, database_url="postgresql://ann:sesame@db:5432/other")
    message = str(refused.value)
    assert "are in postgresql://ann@db:5432/labels, not in postgresql://ann@db:5432/other" in message
    assert "sesame" not in message


def test_labels_in_sqlite_are_not_left_behind(tmp_path: Path) -> None:
    remembered(tmp_path, None)
    data = tmp_path / ".labelstudio/data"
    data.mkdir()
    (data / server.SQLITE_FILE).touch()
    with pytest.raises(
        AnnotationToolError, match=r"the labels of this project are in .*label_studio\.sqlite3"
    ):
        server.up(tmp_path, database_url="postgresql://ann@db/labels")


def test_several_workers_on_sqlite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationToolError, match="several workers need PostgreSQL"):
        server.up(tmp_path, workers=2)


def test_a_file_of_an_earlier_version_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text('{"url": "u", "username": "n", "password": "p", "api_key": "k"}')
    path.chmod(0o600)
    assert connection.read_credentials(path) == Credentials("u", "n", "p", "k", None, 1)
