"""Ingest when readers die, files change, ledgers tear and runs are stopped; and what it finds afterwards."""

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
from curate.ingest import ledger, worker
from curate.ports import Casualty
from tests.stages.ingest_project import (  # noqa: F401 - the fixture
    IMAGES,
    LEDGER,
    OUTPUTS,
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
    real = worker.upright

    def defective(data: bytes, *args: Any, **options: Any) -> Any:
        if data == bad.read_bytes():
            raise KeyError("a tag that\nis not there")
        return real(data, *args, **options)

    monkeypatch.setattr(worker, "upright", defective)
    run()
    row = by_source()["raw/bad.png"]
    assert row["drop_reason"] == "crashes_decoder"
    assert "\n" not in row["drop_detail"]
    assert row["drop_detail"].startswith("KeyError")


def test_a_file_that_changes_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.ingest.reader import Reader

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


def test_a_new_license_reaches_the_table_without_reading() -> None:
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
    real = worker.upright

    def three(data: bytes, limits: Any, *, frames: str, **options: Any) -> Any:
        (one,) = real(data, limits, frames="first", **options)
        if frames != "all":
            return [one]
        from dataclasses import replace

        return [replace(one, frame=n, frames=3, content=data + bytes([n])) for n in range(3)]

    monkeypatch.setattr(worker, "upright", three)
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
    with Image.open(next(IMAGES.rglob("*.png"))) as image:
        assert image.mode == "RGB"
