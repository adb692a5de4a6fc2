"""The folder walk: every file once, in a stable order, whatever names and links there are."""

from __future__ import annotations

import os
from pathlib import Path

from curate.images.walk import files_below, printable


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in files_below(folder)]


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")


def test_order_is_that_of_the_bytes(tmp_path: Path) -> None:
    touch(tmp_path, "b/1", "a/2", "a/1", "Z", "ä", "a b/new\nline")
    assert names(tmp_path) == ["Z", "a b/new\nline", "a/1", "a/2", "b/1", "ä"]


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


def test_names_that_are_no_text_become_printable(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    (found,) = files_below(tmp_path)
    assert printable(found.name) == r"caf\xe9.jpg"
    assert printable("gr\u00fcn/\u732b.png") == "grün/猫.png"
