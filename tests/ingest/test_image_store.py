"""The image folder: shared bytes where possible, never a half file, never a stranger."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from curate.ingest import image_store
from curate.ingest.image_store import SourceChangedError, Stamp

DATA = b"the bytes of a picture"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "raw.jpg"
    path.write_bytes(DATA)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def keep(raw: Path, target: Path, *, link: bool = True) -> None:
    image_store.keep(raw.read_bytes(), target, source=bytes(raw), stamp=Stamp.of(raw.stat()), link=link)


def test_the_target_holds_the_bytes_and_nothing_else_is_left(raw: Path, tmp_path: Path) -> None:
    target = Path(image_store.path_in(tmp_path / "images", digest(raw), ".jpg"))
    keep(raw, target)
    assert target.read_bytes() == DATA
    assert target.parent.name == digest(raw)[:2]
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_link_is_followed_to_its_file(raw: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jpg"
    link.symlink_to(raw)
    target = tmp_path / "images" / "a.jpg"
    keep(link, target)
    assert not target.is_symlink()
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_without_links_it_is_copied(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "images" / "a.jpg"
    keep(raw, target)
    assert target.read_bytes() == DATA
    assert not target.samefile(raw)


def test_a_copy_is_never_a_hard_link(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "images" / "a.jpg"
    target.parent.mkdir()
    os.link(raw, target)  # as the mode reference may have left it
    keep(raw, target, link=False)
    assert not target.samefile(raw)
    raw.write_bytes(b"written to in place")
    assert target.read_bytes() == DATA


def test_a_right_file_stays_and_a_wrong_one_is_replaced(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "images" / "a.jpg"
    target.parent.mkdir()
    target.write_bytes(DATA)
    before = target.stat().st_ino
    keep(raw, target)
    assert target.stat().st_ino == before
    target.write_bytes(b"THE BYTES OF A PICTURE")  # of the same length
    keep(raw, target)
    assert target.read_bytes() == DATA


def test_a_source_that_was_replaced_meanwhile_is_not_kept(raw: Path, tmp_path: Path) -> None:
    stamp = Stamp.of(raw.stat())
    raw.unlink()
    raw.write_bytes(b"another picture entirely")
    target = tmp_path / "images" / "a.jpg"
    with pytest.raises(SourceChangedError):
        image_store.keep(DATA, target, source=bytes(raw), stamp=stamp)
    assert list(target.parent.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    image_store._partial(target).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        image_store.keep(b"x" * 100_000, target)
    assert list(tmp_path.iterdir()) == []


def test_strangers_go_and_what_is_lost_is_told(tmp_path: Path) -> None:
    there, lost = "aa" + "0" * 62, "aa" + "1" * 62
    for name in (f"aa/{there}.jpg", "aa/old.jpg", "bb/.x.12.partial", "top.txt", "deep/er/file"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    elsewhere = tmp_path.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / "precious").write_bytes(b"x")
    (tmp_path / "linked").symlink_to(elsewhere)

    def expected(byte: int) -> set[str]:
        return {f"{there}.jpg", f"{lost}.png"} if byte == 0xAA else set()

    missing: list[str] = []
    assert image_store.sweep(tmp_path, expected, missing.append) == 5
    assert missing == [lost]
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["aa", f"aa/{there}.jpg"]
    assert (elsewhere / "precious").exists()


def test_a_folder_that_is_not_there_has_lost_everything(tmp_path: Path) -> None:
    missing: list[str] = []
    name = "00" * 32

    def expected(byte: int) -> set[str]:
        return {f"{name}.jpg"} if byte == 0 else set()

    assert image_store.sweep(tmp_path / "nowhere", expected, missing.append) == 0
    assert missing == [name]
