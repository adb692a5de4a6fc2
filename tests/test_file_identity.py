"""Whether a file that was written again is seen to be another one."""

from __future__ import annotations

import os
import time
from pathlib import Path

from curate.file_identity import FileIdentity, file_identity, sha256_of


def _with_times_of(path: Path, identity: FileIdentity) -> None:
    os.utime(path, ns=(identity.written_ns, identity.written_ns))


def test_other_content_of_the_same_size_and_time_of_writing_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(b"one")
    before = file_identity(path)
    assert file_identity(path) == before
    time.sleep(0.02)  # a tick of the file system's clock: within one, `is_settled` is what helps
    path.write_bytes(b"two")
    _with_times_of(path, before)
    in_place = file_identity(path)
    assert (in_place.size, in_place.written_ns, in_place.inode) == (3, before.written_ns, before.inode)
    assert in_place != before


def test_a_file_put_in_the_place_of_another_within_one_tick_is_another(tmp_path: Path) -> None:
    path, aside = tmp_path / "table", tmp_path / "aside"
    path.write_bytes(b"one")
    aside.write_bytes(b"two")
    before = file_identity(path)
    _with_times_of(aside, before)
    aside.replace(path)
    after = file_identity(path)
    assert (after.size, after.written_ns) == (before.size, before.written_ns)
    assert after != before


def test_what_was_changed_just_now_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(b"one")
    found = file_identity(path)
    assert not found.is_settled()
    assert found.is_settled(found.changed_ns + 3_000_000_000)
    os.utime(path, ns=(0, 0))  # as `cp -p` does: when it was written is not when it came here
    assert not file_identity(path).is_settled()
    ahead = time.time_ns() + 10**12  # of a server whose clock is ahead
    os.utime(path, ns=(ahead, ahead))
    assert not file_identity(path).is_settled(time.time_ns() + 10**10)


def test_content_is_told_by_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")  # FIPS 180-2, example B.1
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
