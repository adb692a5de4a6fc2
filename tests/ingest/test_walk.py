"""The folder walk: every file once, whatever names and links there are."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from curate.ingest import walk
from curate.ingest.walk import Closed, Files, files_below
from tests.permissions import permissions_count


def names(folder: Path) -> list[str]:
    files = [some for some in files_below(folder) if isinstance(some, Files)]
    found = [(some.folder, name) for some in files for name in [*(f[0] for f in some.found), *some.dangling]]
    paths = [folder + b"/" + name for folder, name in found]
    return sorted(os.path.relpath(os.fsdecode(path), folder) for path in paths)


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")


def test_every_file_is_found_with_its_status(tmp_path: Path) -> None:
    touch(tmp_path, "b/1", "a/2", "a/1", "Z", "ä", "a b/new\nline")
    assert names(tmp_path) == ["Z", "a b/new\nline", "a/1", "a/2", "b/1", "ä"]
    (some,) = files_below(tmp_path / "b")
    assert isinstance(some, Files)
    status = (tmp_path / "b/1").stat()
    assert some.found == [(b"1", 1, status.st_mtime_ns, status.st_ino)]


def test_a_large_folder_comes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_TOGETHER", 2)
    touch(tmp_path, "1", "2", "3", "4", "5", "a/6")
    assert names(tmp_path) == ["1", "2", "3", "4", "5", "a/6"]
    parts = [some for some in files_below(tmp_path) if isinstance(some, Files)]
    assert sum(len(some.found) for some in parts) == 6
    assert max(len(some.found) for some in parts) <= 2
    for number in range(5):
        (tmp_path / f"dangling {number}").symlink_to("nowhere")
    parts = [some for some in files_below(tmp_path) if isinstance(some, Files)]
    assert sum(len(some.dangling) for some in parts) == 5
    assert max(len(some.dangling) for some in parts) <= 2


def test_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/b/file")
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert names(tmp_path) == ["a/b/file", "itself"]


def test_a_real_folder_is_entered_by_its_own_name(tmp_path: Path) -> None:
    touch(tmp_path, "z_real/file")
    (tmp_path / "a_link").symlink_to(tmp_path / "z_real")
    assert names(tmp_path) == ["z_real/file"]


def test_a_link_out_of_the_tree_is_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "outside/file", "tree/own")
    (tmp_path / "tree/link_2").symlink_to(tmp_path / "outside")
    (tmp_path / "tree/link_1").symlink_to(tmp_path / "outside")
    assert names(tmp_path / "tree") == ["link_1/file", "own"]


def test_dangling_links_are_told_and_pipes_are_not(tmp_path: Path) -> None:
    touch(tmp_path, "file")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "linked").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert names(tmp_path) == ["dangling", "file", "linked"]
    (some,) = files_below(tmp_path)
    assert isinstance(some, Files)
    assert some.dangling == [b"dangling"]
    inodes = {name: inode for name, _, _, inode in some.found}
    assert inodes[b"linked"] == (tmp_path / "file").stat().st_ino


def test_a_folder_that_may_not_be_listed_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "open/file", "closed/file")
    (tmp_path / "closed").chmod(0)
    try:
        with permissions_count():
            (closed,) = [entry for entry in files_below(tmp_path) if isinstance(entry, Closed)]
            assert closed.folder.endswith(b"/closed")
            assert names(tmp_path) == ["open/file"]
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_folder_that_vanishes_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a/1", "top")
    steps = files_below(tmp_path)
    first = next(steps)
    assert isinstance(first, Files)
    (tmp_path / "a/1").unlink()
    (tmp_path / "a").rmdir()
    (rest,) = steps
    assert isinstance(rest, Closed)
    assert rest.error.strerror == "No such file or directory"


def test_what_was_seen_before_a_folder_failed_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a", "b")
    real = os.scandir

    @contextmanager
    def failing(folder: bytes) -> Iterator[Iterator[os.DirEntry[bytes]]]:
        def some() -> Iterator[os.DirEntry[bytes]]:
            yield next(entries)
            raise OSError(errno.EIO, "Input/output error")

        with real(folder) as entries:
            yield some()

    monkeypatch.setattr(os, "scandir", failing)
    seen, closed = files_below(tmp_path)
    assert isinstance(seen, Files)
    assert len(seen.found) == 1
    assert isinstance(closed, Closed)
