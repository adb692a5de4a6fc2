from __future__ import annotations

import errno
from pathlib import Path

import pytest

from curate.errors import ReleaseError, StorageError
from curate.release import manifest
from curate.release.folder import files_in, replacing_folder


def write(folder: Path, text: str) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "file.txt").write_text(text)


def read(folder: Path) -> str:
    return (folder / "deep" / "file.txt").read_text()


def interrupted(target: Path, error: Exception | None = None) -> None:
    with replacing_folder(target) as folder:
        write(folder, "half")
        raise error or ValueError("stop")


def strangers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir() if path.name != folder.name)


def test_a_folder_appears_whole_and_takes_the_place_of_the_old(tmp_path: Path) -> None:
    target = tmp_path / "made" / "release"
    for text in ("old", "new"):
        with replacing_folder(target) as folder:
            write(folder, text)
            assert not target.exists() or read(target) == "old"
        assert read(target) == text
    assert strangers(target) == []


def test_an_error_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "release"
    with replacing_folder(target) as folder:
        write(folder, "old")
    with pytest.raises(ValueError, match="stop"):
        interrupted(target)
    assert read(target) == "old"
    assert strangers(target) == []


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StorageError, match=r"no space left while writing .*release: free some disk"):
        interrupted(tmp_path / "release", full)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_kill_are_cleared_or_put_back(tmp_path: Path) -> None:
    target = tmp_path / "release"
    for name in (".release.partial", ".release.old"):  # killed between the two renames
        (tmp_path / name).mkdir()
        write(tmp_path / name, name)
    with pytest.raises(ValueError, match="stop"):
        interrupted(target)
    assert read(target) == ".release.old"
    (tmp_path / ".release.old").mkdir()  # killed before the old one was removed
    with replacing_folder(target) as folder:
        write(folder, "new")
    assert read(target) == "new"
    assert strangers(target) == []


FACTS = manifest.Manifest(
    name="unit", version="1.2.3", digest="d" * 64, images={"train": 1}, objects={"a": 2}, license="cc0-1.0",
    columns=2,
)  # fmt: skip


def test_the_manifest_knows_every_file(tmp_path: Path) -> None:
    write(tmp_path, "content")
    made = manifest.write(tmp_path, FACTS)
    assert manifest.read(tmp_path) == made
    assert list(made.files) == ["deep/file.txt"]
    assert manifest.damaged_files(tmp_path, made) == []
    assert manifest.trusted(tmp_path) == made
    assert files_in(tmp_path) == ["deep/file.txt", "release.json"]


@pytest.mark.parametrize("damage", ["change", "grow", "remove", "add"])
def test_a_changed_folder_is_not_trusted(tmp_path: Path, damage: str) -> None:
    write(tmp_path, "content")
    manifest.write(tmp_path, FACTS)
    file = tmp_path / "deep" / "file.txt"
    if damage == "remove":
        file.unlink()
    else:
        name = "more.txt" if damage == "add" else "file.txt"
        file.with_name(name).write_text({"change": "CONTENT", "grow": "content!", "add": "x"}[damage])
    with pytest.raises(ReleaseError, match=r"deep/.* is not what release.json says"):
        manifest.trusted(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x", "files": {"a": 1}}'])
def test_a_damaged_manifest_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "release.json").write_text(text)
    with pytest.raises(ReleaseError, match=r"release.json is damaged"):
        manifest.read(tmp_path)


def test_no_manifest_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"release.json does not exist: run the stage release first"):
        manifest.read(tmp_path)
