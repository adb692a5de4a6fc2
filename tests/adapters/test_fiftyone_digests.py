"""What is kept of tables between two syncs: the same digests as without, and only what changed is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate import file_identity, fingerprint, project_tables, schema, tables
from curate.adapters import fiftyone_content
from curate.adapters.fiftyone_content import Content
from curate.errors import TableError
from tests import builders
from tests.adapters.test_fiftyone_view import CHANGES, PULLED, changed_images

IMAGES = "data/dedupe/images.parquet"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose tables are old enough to be known by their identity."""
    monkeypatch.setattr(file_identity, "_TICK_NS", -(10**18))
    builders.small_project(tmp_path)
    return tmp_path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the folders whose tables were read whole."""
    seen: list[str] = []
    pieces = tables.pieces

    def watched(path: Path, kind: schema.TableSchema, *, columns: Any = None) -> Iterator[Any]:
        if columns is None:
            seen.append(path.parent.name + "/" + path.stem)
        return pieces(path, kind, columns=columns)

    monkeypatch.setattr(tables, "pieces", watched)
    return seen


def read(root: Path, *, kept: bool = True) -> Content:
    return fiftyone_content.read(root, stage="release", kept=root / "kept.npz" if kept else None)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_digests_are_those_of_tables_that_were_all_read(
    project: Path, change: Callable[[Path], None]
) -> None:
    before = read(project)
    assert before.digests == read(project, kept=False).digests
    change(project)
    after, plain = read(project), read(project, kept=False)
    assert after.digests == plain.digests != before.digests
    assert after.layout == plain.layout


def test_only_tables_that_changed_are_read(project: Path, hashed: list[str]) -> None:
    read(project)
    assert len(hashed) == len(project_tables.find(project).files)
    hashed.clear()
    read(project)
    assert hashed == []
    CHANGES["box of a person"](project)
    read(project)
    assert hashed == ["pull/annotations"]


def test_a_table_of_the_same_size_and_time_with_other_content_is_read(project: Path) -> None:
    changed_images(project, one={"sharpness": 7.0}, two={"sharpness": 8.0})
    path = project / IMAGES
    before, stat = read(project).digests, path.stat()
    changed_images(project, one={"sharpness": 8.0}, two={"sharpness": 7.0})
    os.utime(path, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert {key for key, digest in read(project).digests.items() if digest != before[key]} == {
        builders.image_id("one"),
        builders.image_id("two"),
    }


def test_a_table_that_was_written_just_now_is_read_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_identity, "_TICK_NS", 10**18)
    read(project)
    with np.load(project / "kept.npz") as kept:
        assert kept.files == ["about"]


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_file_is_made_anew(project: Path, damage: bytes | None) -> None:
    before = read(project).digests
    path = project / "kept.npz"
    whole = path.read_bytes()
    if damage is None:  # a bit of the sums
        at = whole.index(b"\x93NUMPY", whole.index(b"model")) + 140
        damage = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    path.write_bytes(damage)
    assert read(project).digests == before
    assert path.read_bytes() != damage


def test_other_images_and_other_code_use_nothing_of_it(
    project: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(project)
    rows = project_tables.load(project).images
    builders.write_images(project / IMAGES, rows[1:])
    assert read(project).digests == read(project, kept=False).digests
    hashed.clear()
    monkeypatch.setattr(fingerprint, "digest", lambda *_, **__: "of other code")
    read(project)
    assert len(hashed) == len(project_tables.find(project).files)


def test_a_table_that_is_written_between_its_digests_and_its_rows_is_refused(project: Path) -> None:
    content = read(project)
    assert sum(map(len, content.batches(list(content.digests)))) == len(content.digests)
    CHANGES["box of a person"](project)
    with pytest.raises(TableError, match=f"{PULLED} was written while it was read: run this again"):
        list(content.batches(list(content.digests)))


@pytest.mark.parametrize("known", [False, True], ids=["all anew", "nothing stale"])
def test_a_table_that_is_replaced_while_its_digest_is_made_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    if known:
        read(project)
    pieces, path, replaced = tables.pieces, project / PULLED, []

    def written_after(read_path: Path, kind: schema.TableSchema, *, columns: Any = None) -> Iterator[Any]:
        yield from pieces(read_path, kind, columns=columns)
        if not replaced and read_path == (project / IMAGES if known else path):
            replaced.append(path)
            rows = [{**row, "annotator_id": "newcomer"} for row in tables.read(path, kind_of).to_pylist()]
            tables.write_rows(rows, path, kind_of)

    kind_of = schema.ANNOTATIONS
    monkeypatch.setattr(tables, "pieces", written_after)
    with pytest.raises(TableError, match=f"{PULLED} was written while it was read: run this again"):
        read(project)
    assert replaced
    monkeypatch.setattr(tables, "pieces", pieces)
    assert read(project).digests == read(project, kept=False).digests
