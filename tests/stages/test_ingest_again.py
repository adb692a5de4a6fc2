"""Stage ingest, run after run: what is new is read, what is gone leaves its row, and nothing else happens."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.permissions import permissions_count
from tests.stages.ingest_project import (  # noqa: F401 - the fixture
    TABLE,
    by_source,
    fresh,
    picture,
    project,
    put,
    read_now,
    rows,
    run,
    sha,
    state,
    tree,
    write,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("project")


def test_nothing_new_reads_and_writes_nothing() -> None:
    for number in range(5):
        put(f"{number}.jpg", number)
    assert read_now() == 5
    before = TABLE.stat().st_mtime_ns
    first = run()
    assert dict(first.this_run) == {"read": 0}
    assert first.line() == "ingest: 5 files, 5 distinct, 5 images, 0 dropped, 0 read"
    assert TABLE.stat().st_mtime_ns == before
    assert run().metrics == first.metrics


def test_only_new_and_changed_files_are_read() -> None:
    for number in range(5):
        put(f"{number}.jpg", number)
    run()
    put("new.jpg", 9)
    put("3.jpg", 33)
    Path("raw/4.jpg").rename("raw/moved.jpg")
    assert read_now() == 3
    assert set(by_source()) == {f"raw/{name}.jpg" for name in ("0", "1", "2", "3", "moved", "new")}
    assert by_source()["raw/3.jpg"]["image_id"] == sha(Path("raw/3.jpg"))
    kept = [row for row in rows() if row["drop_reason"] != "removed"]
    incremental = tree()
    fresh()
    assert (rows(), tree()) == (kept, incremental)


def test_without_tombstones_the_bytes_are_those_of_a_fresh_run() -> None:
    for number in range(6):
        put(f"{number}.jpg", number // 2)
    run()
    put("x/new.png", 9)
    write("notes.txt", "no picture")
    run()
    assert state() == fresh()


def test_a_file_with_a_new_time_but_the_same_bytes_changes_nothing() -> None:
    path = put("1.jpg", 1)
    run()
    before = state()
    os.utime(path, ns=(1, 1))
    assert read_now() == 1
    assert state() == before
    assert read_now() == 0


def test_a_removed_file_leaves_its_row_and_comes_back() -> None:
    put("kept.jpg", 1)
    gone = put("gone.jpg", 2)
    content, image_id = gone.read_bytes(), sha(gone)
    run()
    before = state()
    gone.unlink()
    report = run()
    assert "1 removed" in report.line()
    row = next(row for row in rows() if row["image_id"] == image_id)
    assert (row["path"], row["sources"], row["drop_reason"]) == (None, [], "removed")
    assert row["drop_detail"] == "no longer at raw/gone.jpg"
    assert row["width"] == 80
    assert len(tree()) == 1
    assert read_now() == 0
    gone.write_bytes(content)
    assert read_now() == 1
    assert state() == before


def test_a_copy_that_goes_takes_only_its_place() -> None:
    put("a.jpg", 1)
    copy = write("b.jpg", Path("raw/a.jpg").read_bytes())
    run()
    before = tree()
    copy.unlink()
    run()
    (row,) = rows()
    assert (row["sources"], row["drop_reason"]) == (["raw/a.jpg"], None)
    assert tree() == before


def test_a_file_written_to_in_place_does_not_spoil_its_copy() -> None:
    """By a hard link the upright file changes with the raw one: the other place's bytes replace it."""
    first = put("a.jpg", 1)
    content = first.read_bytes()
    write("b.jpg", content)
    run()
    target = Path(rows()[0]["path"])
    other = put("elsewhere.png", 5).read_bytes()
    for place in ("a.jpg", "b.jpg"):
        if target.samefile(Path("raw") / place):
            with (Path("raw") / place).open("r+b") as file:
                file.truncate()
                file.write(other)
            break
    else:
        pytest.skip("this file system shares blocks: nothing can be spoiled")
    run()
    found = {row["image_id"]: Path(row["path"]) for row in rows() if row["path"]}
    assert set(found) == {hashlib.sha256(content).hexdigest(), hashlib.sha256(other).hexdigest()}
    assert all(sha(path) == image_id for image_id, path in found.items())


def test_verify_reads_what_seems_unchanged() -> None:
    path = put("1.jpg", 1)
    put("2.jpg", 2)
    run()
    status = path.stat()
    other = bytearray(path.read_bytes())
    other[-1:] = b"\0"  # a file of the same size ...
    with path.open("r+b") as file:
        file.write(other)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # ... and time
    assert read_now() == 0
    assert read_now(verify=True) == 2
    assert by_source()["raw/1.jpg"]["image_id"] == sha(path)


def test_limits_read_again_only_what_they_may_judge_otherwise() -> None:
    put("small.jpg", 1)
    picture(2, (300, 200)).save("raw/large.png")
    write("notes.txt", "no picture")
    run()
    assert read_now(min_side=70) == 2  # small.jpg, and what was dropped before
    assert by_source()["raw/small.jpg"]["drop_reason"] == "too_small"
    assert read_now(min_side=70) == 0
    run()
    assert state() == fresh()


def test_other_settings_read_everything_again() -> None:
    picture(1).convert("CMYK").save("raw/1.jpg")
    put("2.png", 2)
    run()
    assert read_now(jpeg_quality=50) == 2
    assert read_now(jpeg_quality=50) == 0


def test_copies_are_the_projects_own() -> None:
    path = put("1.jpg", 1)
    run()
    assert read_now(mode="copy") == 1
    target = Path(rows()[0]["path"])
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.write(b"written to in place")
    assert target.read_bytes() == content


def test_what_may_not_be_read_is_tried_again() -> None:
    put("good.jpg", 1)
    closed = put("closed.jpg", 2)
    closed.chmod(0)
    with permissions_count():
        run()
    assert by_source()["raw/closed.jpg"]["drop_detail"] == "Permission denied"
    closed.chmod(0o600)
    assert read_now() == 1
    assert [row["drop_reason"] for row in rows()] == [None, None]


def test_a_dangling_link_is_a_row_until_it_leads_somewhere() -> None:
    put("good.jpg", 1)
    Path("raw/link.jpg").symlink_to("later.jpg")
    run()
    assert by_source()["raw/link.jpg"]["drop_reason"] == "unreadable"
    put("later.jpg", 2)
    run()
    assert len(rows()) == 2
    assert by_source()["raw/link.jpg"]["sources"] == ["raw/later.jpg", "raw/link.jpg"]
    assert state() == fresh()


def test_a_folder_that_takes_a_files_place() -> None:
    put("good.jpg", 1)
    put("odd.jpg", 2)
    run()
    Path("raw/odd.jpg").unlink()
    put("odd.jpg/inner.jpg", 3)
    run()
    assert set(by_source()) == {"raw/good.jpg", "raw/odd.jpg/inner.jpg"}
