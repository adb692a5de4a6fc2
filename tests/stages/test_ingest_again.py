"""Stage ingest, run after run: what is new is read, what is gone leaves its row, and nothing else happens."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from curate.errors import StorageError
from curate.ingest import examine, ledger
from curate.ports import Casualty
from tests.stages.test_ingest import (  # noqa: F401 - the fixture
    IMAGES,
    LEDGER,
    OUTPUTS,
    TABLE,
    by_source,
    picture,
    project,
    put,
    rows,
    run,
    sha,
    tree,
    write,
)  # fmt: skip


def read_now(**params: Any) -> int:
    """How many places a run read."""
    return dict(run(**params).this_run)["read"]


def fresh() -> tuple[bytes, dict[str, bytes]]:
    """What a run without any memory makes of the same files."""
    before = (TABLE.read_bytes(), tree())
    for path in (LEDGER, TABLE):
        path.rename(path.with_name("aside"))
        path.with_name("aside").unlink()
    run()
    made = (TABLE.read_bytes(), tree())
    assert before is not made
    return made


def state() -> tuple[bytes, dict[str, bytes]]:
    return TABLE.read_bytes(), tree()


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_tried_again() -> None:
    put("good.jpg", 1)
    closed = put("closed.jpg", 2)
    closed.chmod(0)
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


class Killing:
    """An engine whose worker dies on one name; the others it looks at."""

    def __init__(self, name: str) -> None:
        self.name, self.handed_out = name, 0

    def map_batches(
        self, setup: Callable[[], Any], batches: Iterable[Sequence[Any]], **_: Any
    ) -> Iterator[list[Any]]:
        function = setup()
        for batch in batches:
            self.handed_out += len(batch)
            yield [
                Casualty("SIGSEGV", 3) if str(item).endswith(self.name) else function([item])[0]
                for item in batch
            ]


def test_a_file_that_kills_its_reader_is_named_and_left_alone() -> None:
    from curate.params import IngestParams
    from curate.stages import ingest

    put("good.jpg", 1)
    poison = put("poison.jpg", 2)
    write("copy/poison.jpg", poison.read_bytes())
    engine = Killing("poison.jpg")

    def once() -> None:
        ingest.run(
            IngestParams(), inputs=ingest.Inputs(Path("raw")), outputs=OUTPUTS, ports=ingest.Ports(engine)
        )

    once()
    row = by_source()["raw/poison.jpg"]
    assert row["image_id"] == sha(poison)
    assert (row["drop_reason"], row["drop_detail"]) == ("crashes_decoder", "killed its worker: SIGSEGV")
    assert row["sources"] == ["raw/copy/poison.jpg", "raw/poison.jpg"]
    assert len(tree()) == 1
    once()
    assert engine.handed_out == 3  # not once more


def test_a_decoders_defect_costs_one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    put("good.jpg", 1)
    bad = put("bad.png", 2)
    real = examine.upright

    def defective(data: bytes, *args: Any, **options: Any) -> Any:
        if data == bad.read_bytes():
            raise KeyError("a tag that\nis not there")
        return real(data, *args, **options)

    monkeypatch.setattr(examine, "upright", defective)
    run()
    row = by_source()["raw/bad.png"]
    assert row["drop_reason"] == "crashes_decoder"
    assert "\n" not in row["drop_detail"]
    assert row["drop_detail"].startswith("KeyError")


def test_a_file_that_changes_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.ingest.read import Reader

    put("good.jpg", 1)
    growing = put("growing.jpg", 2)
    whole = Reader._digested

    def grow(self: Reader, file: int, expected: int) -> Any:
        done = whole(self, file, expected)
        if os.fstat(file).st_ino == growing.stat().st_ino:
            with growing.open("ab") as more:
                more.write(b"more")
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Reader, "_digested", grow)
        run()
    assert by_source()["raw/growing.jpg"]["drop_reason"] == "changed_while_read"
    assert read_now() == 1
    assert by_source()["raw/growing.jpg"]["drop_reason"] is None
    assert len(rows()) == 2


@pytest.mark.parametrize("damage", ["garbage", "older", "no tables of ours"])
def test_a_ledger_that_cannot_be_used_is_set_aside(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        put(f"{number}.jpg", number)
    run()
    before = state()
    if damage == "garbage":
        LEDGER.write_bytes(b"this is no database" * 999)
    else:
        db = sqlite3.connect(LEDGER)
        db.execute("UPDATE meta SET value = '0'" if damage == "older" else "DROP TABLE meta")
        db.commit()
        db.close()
    assert read_now() == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"set aside as {LEDGER}.unusable" in said
    assert state() == before
    assert read_now() == 0


def test_torn_pages_met_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        put(f"{number}.jpg", number)
    run()
    before = state()
    db = sqlite3.connect(LEDGER)
    root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'places'").fetchone()[0]
    size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    with LEDGER.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    assert read_now() == 3
    assert "malformed" in capsys.readouterr().err
    assert state() == before


def test_two_runs_at_a_time_are_refused() -> None:
    put("1.jpg", 1)
    run()
    with ledger.opened(LEDGER), pytest.raises(StorageError, match="is in use: another ingest runs"):
        run()
    run()


def test_the_ledger_is_one_whole_file_afterwards() -> None:
    put("1.jpg", 1)
    run()
    assert sorted(path.name for path in LEDGER.parent.iterdir()) == [
        "images", "images.parquet", "ledger.sqlite",
    ]  # fmt: skip


def test_a_table_that_was_touched_is_written_again() -> None:
    put("1.jpg", 1)
    run()
    before = TABLE.read_bytes()
    TABLE.write_bytes(before + b"x")
    run()
    assert TABLE.read_bytes() == before
    TABLE.unlink()
    run()
    assert TABLE.read_bytes() == before


def test_a_new_licence_reaches_the_table_without_reading() -> None:
    put("a/1.jpg", 1)
    write("sources.yaml", "sources:\n- {name: a, path: a, license: CC0-1.0}\n")
    run(sources="sources.yaml")
    write("sources.yaml", "sources:\n- {name: a, path: a, license: MIT}\nattributes: all.csv\n")
    write("all.csv", "path,weather\na/1.jpg,rain\n")
    assert read_now(sources="sources.yaml") == 0
    (row,) = rows()
    assert (row["license"], dict(row["attributes"])) == ("MIT", {"weather": "rain"})


def test_an_interrupted_run_continues() -> None:
    from curate.params import IngestParams
    from curate.stages import ingest

    for number in range(10):
        put(f"{number}.jpg", number)

    class Stopped(Killing):
        def map_batches(self, setup: Any, batches: Any, **options: Any) -> Iterator[list[Any]]:
            for count, results in enumerate(super().map_batches(setup, batches, **options)):
                if count == 3:
                    raise KeyboardInterrupt
                yield results

    with pytest.raises(KeyboardInterrupt):
        ingest.run(
            IngestParams(), inputs=ingest.Inputs(Path("raw")), outputs=OUTPUTS,
            ports=ingest.Ports(Stopped("none"), batch_size=2),
        )  # fmt: skip
    assert not TABLE.exists()
    assert read_now() == 4
    assert state() == fresh()


def test_frames_have_rows_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a fake of `upright`: one file, three pictures."""
    real = examine.upright

    def three(data: bytes, limits: Any, *, frames: str, jpeg_quality: int) -> Any:
        (one,) = real(data, limits, frames="first", jpeg_quality=jpeg_quality)
        if frames != "all":
            return [one]
        from dataclasses import replace

        return [replace(one, frame=n, frames=3, content=data + bytes([n])) for n in range(3)]

    monkeypatch.setattr(examine, "upright", three)
    path = put("film.gif", 1)
    digest = bytes.fromhex(sha(path))
    run(frames="all")
    expected = {hashlib.sha256(b"frame%d" % n + digest).hexdigest(): f"raw/film.gif#{n}" for n in range(3)}
    assert {row["image_id"]: row["sources"][0] for row in rows()} == expected
    assert len(tree()) == 3
    run(frames="first")
    live = {row["image_id"]: row for row in rows() if row["drop_reason"] is None}
    assert set(live) == {digest.hex()}
    assert {row["drop_detail"] for row in rows() if row["drop_reason"]} == {"no longer a picture of its file"}
    run(frames="all")
    assert {row["image_id"] for row in rows() if row["drop_reason"] is None} == set(expected)


def test_figures_are_those_of_the_ledger_not_of_the_run() -> None:
    put("1.jpg", 1)
    write("notes.txt", "x")
    first = run()
    again = run()
    assert (again.counts, json.dumps(again.metrics)) == (first.counts, json.dumps(first.metrics))


def test_the_image_folder_comes_back_whole() -> None:
    import shutil

    for number in range(4):
        put(f"{number}.jpg", number) if number else picture(0).convert("L").save("raw/0.png")
    run()
    before = state()
    shutil.rmtree(IMAGES)
    run()
    assert state() == before
    assert Image.open(next(IMAGES.rglob("*.png"))).mode == "RGB"
