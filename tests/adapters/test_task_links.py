"""Addresses of tasks, from what the last pull left on the disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from curate import schema, tables
from curate.adapters.labelstudio.answer_cache import opened
from curate.adapters.labelstudio.task_links import task_links
from curate.adapters.labelstudio.tool import CACHE
from tests import builders


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:8080/")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret-token")
    plan = [builders.plan_row(name) for name in ("one", "two", "gone")]
    tables.write_rows(plan, tmp_path / "data/select/plan.parquet", schema.PLAN)
    (tmp_path / CACHE).parent.mkdir(parents=True, exist_ok=True)
    with opened(tmp_path / CACHE, state="test"):
        pass
    keys = [row["task_id"] for row in plan]
    with closing(sqlite3.connect(tmp_path / CACHE)) as cache, cache:
        cache.executemany(
            "INSERT INTO tasks (project, number, task_key, there) VALUES (?, ?, ?, ?)",
            [(3, 17, keys[0], 1), (3, 18, keys[1], 1), (3, 19, keys[2], 0), (3, 20, "foreign", 1)],
        )
    return tmp_path


def test_each_image_leads_to_its_task_on_the_server(project: Path) -> None:
    links = task_links(project)
    assert links == {
        builders.image_id("one"): "http://127.0.0.1:8080/projects/3/data?task=17",
        builders.image_id("two"): "http://127.0.0.1:8080/projects/3/data?task=18",
    }
    assert "secret-token" not in str(links)


def test_an_image_that_was_asked_about_anew_leads_to_its_new_task(project: Path) -> None:
    key = builders.plan_row("one")["task_id"]
    with closing(sqlite3.connect(project / CACHE)) as cache, cache:
        cache.execute("DELETE FROM tasks WHERE number = 17")
        cache.executemany(
            "INSERT INTO tasks (project, number, task_key, there, edited, closed) VALUES (3, ?, ?, 1, ?, ?)",
            [(21, key, False, False), (22, key, True, True), (23, key, False, True), (24, key, True, False)],
        )
    assert task_links(project)[builders.image_id("one")].endswith("task=21")


def test_without_a_server_or_a_pull_there_is_no_link(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    assert task_links(project) == {}
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret-token")
    (project / CACHE).write_bytes(b"damaged")
    assert task_links(project) == {}
    (project / CACHE).unlink()
    assert task_links(project) == {}
