"""The index on disk: what was committed is there after any kill, what was not is not."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedupe import index
from curate.dedupe.index import Contents, Index
from curate.errors import StorageError, TableError

LAYOUT = {
    "hashes": (np.dtype("<u8"), (2,)),
    "contrast": (np.dtype("<f4"), ()),
    "luma": (np.dtype("u1"), (3, 3)),
}
CONTENTS = Contents("a" * 64, {"hash": "phash"}, LAYOUT)


def ids(*numbers: int) -> np.ndarray:
    digests = b"".join(hashlib.sha256(str(number).encode()).digest() for number in numbers)
    return np.frombuffer(digests, np.uint8).reshape(-1, 32)


def columns(*numbers: int) -> dict[str, np.ndarray]:
    """Values that follow from the number, so that a row tells whether it is whole."""
    column = np.array(numbers, dtype=np.uint64)
    return {
        "hashes": np.stack([column, column * 3], axis=1),
        "contrast": column.astype(np.float32) / 2,
        "luma": np.repeat(column.astype(np.uint8), 9).reshape(-1, 3, 3),
    }


def add(shelf: Index, *numbers: int) -> None:
    shelf.append(ids(*numbers), columns(*numbers), [f"source/{number}.jpg" for number in numbers])


def interrupted(folder: Path, contents: Contents, committed: tuple[int, ...], lost: tuple[int, ...]) -> None:
    with index.writing(folder, contents) as (shelf, _):
        add(shelf, *committed)
        shelf.commit()
        add(shelf, *lost)
        raise ZeroDivisionError


def on_a_full_disk(folder: Path) -> None:
    with index.writing(folder, CONTENTS) as (shelf, _), Path("/dev/full").open("wb", buffering=0) as full:
        shelf._files["luma"].close()
        shelf._files["luma"] = full
        add(shelf, 2)
        shelf.commit()


def check(shelf: Index, *numbers: int) -> None:
    assert len(shelf) == len(numbers)
    assert (shelf.ids == ids(*numbers)).all()
    for name, expected in columns(*numbers).items():
        found = shelf.columns()[name]
        assert found.dtype == expected.dtype
        assert (found == expected).all()
    rows = np.arange(len(numbers))
    assert shelf.places(rows[::-1]) == [f"source/{number}.jpg" for number in reversed(numbers)]


def test_rows_are_found_again_by_their_id(tmp_path: Path) -> None:
    with index.writing(tmp_path / "index", CONTENTS) as (shelf, wrong):
        assert wrong is None
        add(shelf, 5, 3)
        assert len(shelf) == 0
        shelf.commit()
        check(shelf, 5, 3)
        add(shelf, 9)
    shelf = index.reading(tmp_path / "index")
    check(shelf, 5, 3, 9)
    assert (shelf.digest, shelf.settings) == ("a" * 64, {"hash": "phash"})
    assert shelf.find(ids(9, 4, 5, 3, 9)).tolist() == [2, -1, 0, 1, 2]


def test_adding_in_pieces_gives_the_files_of_adding_at_once(tmp_path: Path) -> None:
    with index.writing(tmp_path / "a", CONTENTS) as (shelf, _):
        add(shelf, 1, 2, 3)
    for number in (1, 2, 3):
        with index.writing(tmp_path / "b", CONTENTS) as (shelf, _):
            add(shelf, number)
    for path in (tmp_path / "a").rglob("*"):
        if path.is_file():
            assert (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes() == path.read_bytes()


def test_an_empty_index_can_be_read(tmp_path: Path) -> None:
    with index.writing(tmp_path / "index", CONTENTS):
        pass
    shelf = index.reading(tmp_path / "index")
    check(shelf)
    assert shelf.find(ids(1)).tolist() == [-1]


def test_an_error_keeps_what_was_committed_and_the_tail_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        interrupted(tmp_path / "index", CONTENTS, (1, 2), (3,))
    with index.writing(tmp_path / "index", CONTENTS) as (shelf, wrong):
        assert wrong is None
        check(shelf, 1, 2)
        add(shelf, 4)
    check(index.reading(tmp_path / "index"), 1, 2, 4)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.dedupe import test_index as t
with t.index.writing(Path(sys.argv[1]), t.CONTENTS) as (shelf, _):
    number = len(shelf)
    print("ready", flush=True)
    while True:
        for _ in range(7):
            t.add(shelf, *range(number, number + 50))
            number += 50
        shelf.commit()
        print(number, flush=True)
"""


def test_a_kill_at_any_time_leaves_whole_rows(tmp_path: Path) -> None:
    """Killed again and again while it writes and commits without a pause."""
    folder, root = tmp_path / "index", Path(__file__).parents[2]
    before = 0
    for turn in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(root)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(0.05 + 0.07 * turn)
        os.kill(writer.pid, signal.SIGKILL)
        told = [int(line) for line in writer.communicate()[0].split()]
        with index.writing(folder, CONTENTS) as (shelf, wrong):
            assert wrong is None
            assert len(shelf) >= max([before, *told])
            check(shelf, *range(len(shelf)))
            before = len(shelf)
    assert before > 0


def test_another_recipe_takes_over_only_when_it_is_whole(tmp_path: Path) -> None:
    with index.writing(tmp_path, CONTENTS) as (shelf, _):
        add(shelf, 1)
    other = Contents("b" * 64, {"hash": "dhash"}, LAYOUT)
    with pytest.raises(ZeroDivisionError):
        interrupted(tmp_path, other, (2,), ())
    check(index.reading(tmp_path), 1)
    with index.writing(tmp_path, other) as (shelf, wrong):
        assert wrong is None
        check(shelf, 2)  # an interrupted one continues
    shelf = index.reading(tmp_path)
    check(shelf, 2)
    assert shelf.settings == {"hash": "dhash"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b" * 16, "lock", "manifest.json"]


def _shorten(folder: Path) -> None:
    path = folder / ("a" * 16) / "hashes.bin"
    path.write_bytes(path.read_bytes()[:-1])


def _flip(folder: Path) -> None:
    path = folder / ("a" * 16) / "image_id.bin"
    path.write_bytes(b"\xff" + path.read_bytes()[1:])


def _scribble(folder: Path) -> None:
    (folder / ("a" * 16) / "manifest.json").write_text("{")


def _newer(folder: Path) -> None:
    path = folder / ("a" * 16) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


@pytest.mark.parametrize("damage", [_shorten, _flip, _scribble, _newer])
def test_damage_is_told_and_a_writer_begins_again(tmp_path: Path, damage: Any) -> None:
    with index.writing(tmp_path, CONTENTS) as (shelf, _):
        add(shelf, 1, 2)
    damage(tmp_path)
    with pytest.raises(TableError, match=r"^index .* is damaged \(.*\): make it again$"):
        index.reading(tmp_path)
    with index.writing(tmp_path, CONTENTS) as (shelf, wrong):
        assert wrong is not None
        assert "\n" not in wrong
        add(shelf, 3)
    check(index.reading(tmp_path), 3)


def test_no_index_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"holds no index: make one with curate dedupe index$"):
        index.reading(tmp_path)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with index.writing(tmp_path, CONTENTS) as (shelf, _):
        add(shelf, 1)
        with (
            pytest.raises(StorageError, match="another process writes to"),
            index.writing(tmp_path, CONTENTS),
        ):
            pass
    check(index.reading(tmp_path), 1)


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    with index.writing(tmp_path, CONTENTS) as (shelf, _):
        add(shelf, 1)
    with pytest.raises(StorageError, match="no space left while writing"):
        on_a_full_disk(tmp_path)
    check(index.reading(tmp_path), 1)


@given(
    known=st.lists(st.binary(min_size=2, max_size=2), unique=True, max_size=20),
    asked=st.lists(st.binary(min_size=2, max_size=2), max_size=20),
)
@settings(deadline=None)
def test_ids_with_equal_beginnings_are_told_apart(known: list[bytes], asked: list[bytes]) -> None:
    def rows(
        names: list[bytes],
    ) -> np.ndarray:  # the first 8 bytes, by which they are sorted, differ in one bit
        full = b"".join(bytes([name[0] & 1]) + bytes(29) + name for name in names)
        return np.frombuffer(full, np.uint8).reshape(-1, 32)

    expected = [known.index(name) if name in known else -1 for name in asked]
    assert index.find(rows(known), rows(asked)).tolist() == expected
