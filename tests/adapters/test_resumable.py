"""Downloads that break off, go on, change meanwhile, or bring the wrong bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.adapters import resumable
from curate.errors import ModelError
from tests.adapters.fake_files import Files, serving

CONTENT = np.random.default_rng(0).bytes(3_500_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def files() -> Iterator[Files]:
    with serving(content={"sam.pth": CONTENT}) as state:
        yield state


def download(files: Files, target: Path, **settings: Any) -> None:
    given = {"sha256": SHA256, "size": len(CONTENT), "first_pause_s": 0.001, **settings}
    resumable.download(f"{files.url}/sam.pth", target, **given)


def only(target: Path) -> bool:
    """Nothing else lies in the folder."""
    return [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_file_comes_whole(files: Files, tmp_path: Path) -> None:
    target = tmp_path / "cache/sam.pth"
    download(files, target)
    assert target.read_bytes() == CONTENT
    assert only(target)
    assert files.ranges == [""]


def test_it_goes_on_where_the_connection_broke(files: Files, tmp_path: Path) -> None:
    files.drops = [1_200_000, 0, 700_000]
    target = tmp_path / "sam.pth"
    download(files, target)
    assert target.read_bytes() == CONTENT
    assert only(target)
    assert files.ranges == ["", "bytes=1200000-", "bytes=1200000-", "bytes=1900000-"]


def test_a_later_run_goes_on_with_what_an_earlier_one_kept(files: Files, tmp_path: Path) -> None:
    files.drops = [1_000_001, *[0] * 4]
    target = tmp_path / "sam.pth"
    with pytest.raises(ModelError, match="1000001 bytes of it are kept, fetch again to go on") as caught:
        download(files, target, tries=3)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    files.drops.clear()
    download(files, target)
    assert target.read_bytes() == CONTENT
    assert files.ranges[-1] == "bytes=1000001-"
    assert only(target)


def test_a_file_that_changed_meanwhile_is_begun_anew(files: Files, tmp_path: Path) -> None:
    files.content["sam.pth"] = CONTENT[::-1]
    files.drops = [1_000_000, 0]
    target = tmp_path / "sam.pth"
    with pytest.raises(ModelError, match="are kept"):
        download(files, target, tries=1)
    files.content["sam.pth"] = CONTENT
    files.drops.clear()
    download(files, target)
    assert target.read_bytes() == CONTENT


def test_a_file_that_became_shorter_is_begun_anew(files: Files, tmp_path: Path) -> None:
    partial = tmp_path / ".sam.pth.partial"
    partial.write_bytes(CONTENT + b"more")
    tag = f'"{SHA256}"'
    (tmp_path / ".sam.pth.partial.version").write_text(tag)
    download(files, tmp_path / "sam.pth")
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT


def test_a_killed_run_may_have_had_all_of_it(files: Files, tmp_path: Path) -> None:
    (tmp_path / ".sam.pth.partial").write_bytes(CONTENT)
    (tmp_path / ".sam.pth.partial.version").write_text(f'"{SHA256}"')
    download(files, tmp_path / "sam.pth")
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT
    assert files.ranges == [f"bytes={len(CONTENT)}-"]
    assert only(tmp_path / "sam.pth")


def test_a_server_without_versions_is_asked_for_all_of_it_again(files: Files, tmp_path: Path) -> None:
    """Nobody could tell whether the rest belongs to the beginning."""
    files.tagged = False
    files.drops = [1_000_000]
    download(files, tmp_path / "sam.pth")
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT
    assert files.ranges == ["", ""]


def test_wrong_bytes_are_refused_and_removed(files: Files, tmp_path: Path) -> None:
    files.content["sam.pth"] = CONTENT[:-1] + b"x"
    found = hashlib.sha256(files.content["sam.pth"]).hexdigest()
    with pytest.raises(ModelError) as caught:
        download(files, tmp_path / "sam.pth")
    assert str(caught.value) == (
        f"sam.pth from {files.url}/sam.pth is not the published file: expected {len(CONTENT)} bytes with "
        f"sha256 {SHA256}, found {len(CONTENT)} bytes with sha256 {found}"
    )
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ModelError, match=r"expected 5 bytes with sha256 None, found 3500000 bytes"):
        download(files, tmp_path / "sam.pth", sha256=None, size=5)


def test_a_passing_refusal_is_waited_out_a_lasting_one_is_not(files: Files, tmp_path: Path) -> None:
    files.statuses = [503, 429]
    download(files, tmp_path / "sam.pth")
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT
    files.paths.clear()
    with pytest.raises(ModelError, match="the server answered 404; 0 bytes"):
        resumable.download(f"{files.url}/other.pth", tmp_path / "other.pth", sha256=None, size=None)
    assert files.paths == ["GET other.pth"]


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with serving() as files:
        url = files.url
    with pytest.raises(ModelError, match="cannot be fetched from"):
        resumable.download(f"{url}/x", tmp_path / "x", sha256=None, size=None, tries=2, first_pause_s=0.001)
