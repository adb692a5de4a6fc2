"""The image folder: links where possible, never a half file, never a stranger."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.images import store


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "raw.jpg"
    path.write_bytes(b"the bytes of a picture")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_source_is_linked_not_copied(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "images" / store.relative_path(digest(raw), ".jpg")
    store.keep_source(raw, target, digest(raw))
    assert target.read_bytes() == raw.read_bytes()
    assert target.parent.name == digest(raw)[:2]
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_link_is_followed_to_its_file(raw: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jpg"
    link.symlink_to(raw)
    target = tmp_path / "images" / "a.jpg"
    store.keep_source(link, target, digest(raw))
    assert not target.is_symlink()
    assert target.read_bytes() == raw.read_bytes()


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_without_links_it_is_copied(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "images" / "a.jpg"
    store.keep_source(raw, target, digest(raw))
    assert target.read_bytes() == raw.read_bytes()
    assert not target.samefile(raw)


def test_a_right_file_stays_and_a_wrong_one_is_replaced(raw: Path, tmp_path: Path) -> None:
    target = tmp_path / "images" / "a.jpg"
    target.parent.mkdir()
    target.write_bytes(raw.read_bytes())
    before = target.stat().st_ino
    store.keep_source(raw, target, digest(raw))
    assert target.stat().st_ino == before
    target.write_bytes(b"damaged")
    store.keep_source(raw, target, digest(raw))
    assert target.read_bytes() == raw.read_bytes()


def test_encode_is_lossless_as_png_and_repeats_its_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    target = tmp_path / "x" / "a.png"
    store.encode(Image.fromarray(noise), target, jpeg_quality=95)
    assert np.array_equal(np.asarray(Image.open(target)), noise)
    first, inode = target.read_bytes(), target.stat().st_ino
    store.encode(Image.fromarray(noise), target, jpeg_quality=95)
    assert (target.read_bytes(), target.stat().st_ino) == (first, inode)
    target.write_bytes(first[:50])
    store.encode(Image.fromarray(noise), target, jpeg_quality=95)
    assert target.read_bytes() == first


def test_encode_follows_the_quality(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    target = tmp_path / "a.jpg"
    store.encode(noise, target, jpeg_quality=95)
    fine = target.stat().st_size
    store.encode(noise, target, jpeg_quality=30)
    assert target.stat().st_size < fine / 2
    assert not Image.open(target).getexif()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    (tmp_path / f".a.png.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        store.encode(Image.new("RGB", (300, 300)), target, jpeg_quality=95)
    assert list(tmp_path.iterdir()) == []


def test_strangers_go_and_empty_folders_with_them(tmp_path: Path) -> None:
    for name in ("aa/keep.jpg", "aa/old.jpg", "bb/.x.12.partial", "top.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    elsewhere = tmp_path.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / "precious").write_bytes(b"x")
    (tmp_path / "linked").symlink_to(elsewhere)
    assert store.remove_strangers(tmp_path, {"aa/keep.jpg"}) == 4
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == ["aa", "aa/keep.jpg"]
    assert (elsewhere / "precious").exists()
