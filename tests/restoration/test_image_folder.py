from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import InputError
from curate.restoration import image_folder


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_results_are_called_like_their_images(tmp_path: Path) -> None:
    touch(tmp_path, "b.jpg", "in/a.PNG", "in/c.jpg", "in/c.png", "note.txt", ".hidden/x.jpg")
    found = image_folder.find([tmp_path])
    assert [name for _, name in found.files] == ["b", "in/a", "in/c.jpg", "in/c.png"]
    assert [path.name for path in found.others] == ["note.txt"]


def test_what_cannot_be_told_apart_or_is_not_there_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "one/a.jpg", "two/a.jpg", "none/a.txt")
    with pytest.raises(InputError, match="would both become"):
        image_folder.find([tmp_path / "one", tmp_path / "two"])
    with pytest.raises(InputError, match="no image ends with"):
        image_folder.find([tmp_path / "none"])
    with pytest.raises(InputError, match="gone does not exist"):
        image_folder.find([tmp_path / "gone"])


def test_images_in_linked_folders_are_found(tmp_path: Path) -> None:
    for place in ("elsewhere/b.png", "images/a.png"):
        (tmp_path / place).parent.mkdir()
        (tmp_path / place).write_bytes(b"x")
    (tmp_path / "images/linked").symlink_to(tmp_path / "elsewhere")
    found = image_folder.find([tmp_path / "images"])
    assert [name for _, name in found.files] == ["a", "linked/b"]
