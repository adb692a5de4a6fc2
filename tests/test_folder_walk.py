"""The walk of a data set's folder: every file under every name, whatever links there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curate import folder_walk
from curate.errors import InputError
from curate.formats.image_files import images_below
from tests.permissions import permissions_count


def touch(folder: Path, *places: str) -> Path:
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(b"x")
    return folder


def images(folder: Path) -> list[str]:
    found = list(images_below(folder))
    assert all(isinstance(one, Path) for one in found)
    return [one.relative_to(folder).as_posix() for one in found if isinstance(one, Path)]


def paths(folder: Path, *patterns: str) -> list[str]:
    return [one.relative_to(folder).as_posix() for one in folder_walk.paths_below(folder, *patterns)]


def test_links_that_lead_nowhere_are_given_and_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", ".hidden/b.jpg", "c.jpg/d.jpg", "b.xml")
    for name, target in (("gone.jpg", "nowhere"), ("self.jpg", "self.jpg"), ("README.md", "nowhere")):
        (tmp_path / name).symlink_to(target)
    os.mkfifo(tmp_path / "pipe.jpg")
    assert images(tmp_path) == ["a.jpg", "gone.jpg", "self.jpg", "c.jpg/d.jpg"]
    assert paths(tmp_path, "*.jpg") == [".hidden/b.jpg", "a.jpg", "c.jpg/d.jpg", "gone.jpg", "self.jpg"]
    assert paths(tmp_path, "*.xml", "d.*") == ["b.xml", "c.jpg/d.jpg"]


def test_linked_folders_are_followed_under_each_name_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "all/1.jpg", "all/1.xml", "outside/2.jpg", "outside/2.xml")
    folder = tmp_path / "set"
    folder.mkdir()
    for name, target in (("train", "all"), ("test", "all"), ("up", "set"), ("more", "outside")):
        (folder / name).symlink_to(tmp_path / target)
    assert images(folder) == ["more/2.jpg", "test/1.jpg", "train/1.jpg"]
    assert paths(folder, "*.xml") == ["more/2.xml", "test/1.xml", "train/1.xml"]


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_closed_folder_stops_a_search_for_labels(tmp_path: Path, mode: int) -> None:
    touch(tmp_path, "a/b/1.xml", "b/2.xml")
    (tmp_path / "a").chmod(mode)
    try:
        with (
            permissions_count(),
            pytest.raises(InputError, match="cannot be listed: Permission"),
        ):
            folder_walk.paths_below(tmp_path, "*.xml")
    finally:
        (tmp_path / "a").chmod(0o755)


@pytest.mark.parametrize("name", [".Trash-0", "lost+found"])
def test_closed_folders_that_hold_no_data_stop_nothing(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"{name}/inner/1.xml", "b/2.xml")
    (tmp_path / name).chmod(0)
    try:
        with permissions_count():
            assert paths(tmp_path, "*.xml") == ["b/2.xml"]
    finally:
        (tmp_path / name).chmod(0o755)


def test_a_link_that_may_be_a_folder_on_a_disk_that_is_not_there_stops_a_search(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.xml", "behind/c/3.xml")
    (tmp_path / "README.md").symlink_to("nowhere")
    assert paths(tmp_path / "a", "*.xml") == ["1.xml"]
    (tmp_path / "a/signs.v3").symlink_to("/not/mounted")
    with pytest.raises(InputError, match=r"a/signs\.v3 cannot be listed: No such file or directory"):
        folder_walk.paths_below(tmp_path / "a", "*.xml")
    (tmp_path / "a/signs.v3").unlink()
    (tmp_path / "a/c.xml").symlink_to(tmp_path / "behind/c")
    (tmp_path / "behind").chmod(0)
    try:
        with permissions_count():
            assert paths(tmp_path / "a", "*.xml") == ["1.xml", "c.xml"]  # whoever opens it says so
            with pytest.raises(InputError, match=r"c\.xml cannot be listed: Permission denied"):
                folder_walk.paths_below(tmp_path / "a", "*.json")
    finally:
        (tmp_path / "behind").chmod(0o755)


def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing does not exist"):
        folder_walk.paths_below(tmp_path / "nothing", "*.xml")
