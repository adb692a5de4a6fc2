"""What is written to the ledger stays or goes as a whole."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from curate.ingest import ledger


def sources(path: Path) -> list[str]:
    with ledger.opened(path) as db:
        return [name for (name,) in db.execute("SELECT name FROM sources ORDER BY name")]


def add(db: sqlite3.Connection, *names: str) -> None:
    with ledger.transaction(db):
        for name in names:
            db.execute("INSERT INTO sources (name) VALUES (?)", (name,))


def test_a_transaction_that_fails_leaves_what_was_gathered(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with ledger.opened(path) as db, ledger.gathering(db):
        add(db, "a", "b")
        with pytest.raises(sqlite3.IntegrityError):
            add(db, "c", "a")
        add(db, "d")
    assert sources(path) == ["a", "b", "d"]


def test_an_error_loses_nothing_that_was_gathered(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"

    def interrupted() -> None:
        with ledger.opened(path) as db, ledger.gathering(db):
            add(db, "a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sources(path) == ["a"]


@pytest.mark.parametrize(("after_s", "left"), [(0.0, ["a"]), (60.0, [])])
def test_a_kill_loses_what_was_gathered_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_s: float, left: list[str]
) -> None:
    monkeypatch.setattr(ledger, "_GATHERED_S", after_s)
    path = tmp_path / "ledger.sqlite"
    with ledger.opened(path) as db, ledger.gathering(db) as between:
        add(db, "a")
        between()
        add(db, "b")
        db.execute("ROLLBACK")  # as the next process does to what a kill left
        db.execute("BEGIN")
    assert sources(path) == left


@pytest.mark.parametrize("version", ["1", "2", "3", "4"])
def test_an_older_ledger_is_brought_up_to_date_and_its_files_are_read_again(
    tmp_path: Path, version: str
) -> None:
    """Version 2 had one table more, all lacked columns; what they hold only the files can tell."""
    path = tmp_path / "ledger.sqlite"
    with ledger.opened(path) as db:
        add(db, "a")
        if version == "2":
            db.execute("CREATE TABLE stretches (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        for column in ("upright_sha256", *(["quality"] if version < "4" else [])):
            db.execute(f"ALTER TABLE images DROP COLUMN {column}")
        db.execute("INSERT INTO places VALUES (1, x'00', 1, 1, '', 0, 0, '', '', '', x'00', 77, 1, 0, 0)")
        ledger.put(db, "version", version)
    assert sources(path) == ["a"]
    with ledger.opened(path) as db:
        assert ledger.get(db, "version") == "5"  # which an older curate sets aside
        assert db.execute("SELECT quality, upright_sha256 FROM images").fetchall() == []
        assert db.execute("SELECT settings FROM places").fetchall() == [(0,)]
        db.execute("UPDATE places SET settings = 77")
    with ledger.opened(path) as db:  # once
        assert db.execute("SELECT settings FROM places").fetchall() == [(77,)]
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'stretches'").fetchall()
