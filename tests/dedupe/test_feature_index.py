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
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.dedupe import feature_index
from curate.dedupe.feature_index import Contents, Index
from curate.dedupe.stored_column import StoredColumn
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


def add(stored: Index, *numbers: int) -> None:
    stored.append(ids(*numbers), columns(*numbers), [f"source/{number}.jpg" for number in numbers])


def interrupted(folder: Path, contents: Contents, committed: tuple[int, ...], lost: tuple[int, ...]) -> None:
    with feature_index.writing(folder, contents) as (stored, _):
        add(stored, *committed)
        stored.commit()
        add(stored, *lost)
        raise ZeroDivisionError


def on_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with feature_index.writing(folder, CONTENTS) as (stored, _):
        add(stored, 2)
        os_file = pa.OSFile
        monkeypatch.setattr(feature_index.pa, "OSFile", lambda *_: os_file("/dev/full", "wb"))
        stored.commit()


def check(stored: Index, *numbers: int) -> None:
    assert len(stored) == len(numbers)
    assert (np.asarray(stored.ids) == ids(*numbers)).all()
    for name, expected in columns(*numbers).items():
        found = stored.columns()[name]
        assert found.dtype == expected.dtype
        assert (np.asarray(found) == expected).all()
        assert (found[np.arange(len(expected))[::-1]] == expected[::-1]).all()
    rows = np.arange(len(numbers))
    assert stored.places(rows[::-1]) == [f"source/{number}.jpg" for number in reversed(numbers)]


def test_rows_are_found_again_by_their_id(tmp_path: Path) -> None:
    with feature_index.writing(tmp_path / "index", CONTENTS) as (stored, wrong):
        assert wrong is None
        add(stored, 5, 3)
        assert len(stored) == 0
        stored.commit()
        check(stored, 5, 3)
        add(stored, 9)
    stored = feature_index.reading(tmp_path / "index")
    check(stored, 5, 3, 9)
    assert (stored.digest, stored.settings) == ("a" * 64, {"hash": "phash"})
    assert stored.find(ids(9, 4, 5, 3, 9)).tolist() == [2, -1, 0, 1, 2]


def test_many_small_deliveries_do_not_make_many_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_index, "_PART_ROWS", 5)
    for number in range(17):
        with feature_index.writing(tmp_path, CONTENTS) as (stored, _):
            add(stored, number)
        assert len(list(tmp_path.glob("*/part-*.arrow"))) <= number // 5 + 2
    check(feature_index.reading(tmp_path), *range(17))
    stored = feature_index.reading(tmp_path)
    assert len(stored._batches) > 3, "columns of several parts were read"
    assert stored.columns()["hashes"][:, 1].tolist() == [3 * number for number in range(17)]


def test_an_unfinished_index_is_not_read_as_if_it_were_whole(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        interrupted(tmp_path, CONTENTS, (1,), (2,))
    with pytest.raises(TableError, match=r"is not finished: run curate dedupe index again$"):
        feature_index.reading(tmp_path)


def test_an_empty_index_can_be_read(tmp_path: Path) -> None:
    with feature_index.writing(tmp_path / "index", CONTENTS):
        pass
    stored = feature_index.reading(tmp_path / "index")
    check(stored)
    assert stored.find(ids(1)).tolist() == [-1]


def test_an_error_keeps_what_was_committed_and_the_tail_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        interrupted(tmp_path / "index", CONTENTS, (1, 2), (3,))
    with feature_index.writing(tmp_path / "index", CONTENTS) as (stored, wrong):
        assert wrong is None
        check(stored, 1, 2)
        add(stored, 4)
    check(feature_index.reading(tmp_path / "index"), 1, 2, 4)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.dedupe import test_feature_index as t
with t.feature_index.writing(Path(sys.argv[1]), t.CONTENTS) as (stored, _):
    number = len(stored)
    print("ready", flush=True)
    while True:
        for _ in range(7):
            t.add(stored, *range(number, number + 50))
            number += 50
        stored.commit()
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
        before = max(before, int(writer.stdout.readline()))
        time.sleep(0.05 + 0.07 * turn)
        os.kill(writer.pid, signal.SIGKILL)
        told = [int(line) for line in writer.communicate()[0].split()]
        with feature_index.writing(folder, CONTENTS) as (stored, wrong):
            assert wrong is None
            assert len(stored) >= max([before, *told])
            check(stored, *range(len(stored)))
            before = len(stored)
    assert before > 0


def test_another_recipe_takes_over_only_when_it_is_whole(tmp_path: Path) -> None:
    with feature_index.writing(tmp_path, CONTENTS) as (stored, _):
        add(stored, 1)
    other = Contents("b" * 64, {"hash": "dhash"}, LAYOUT)
    with pytest.raises(ZeroDivisionError):
        interrupted(tmp_path, other, (2,), ())
    check(feature_index.reading(tmp_path), 1)
    with feature_index.writing(tmp_path, other) as (stored, wrong):
        assert wrong is None
        check(stored, 2)  # an interrupted one continues
    stored = feature_index.reading(tmp_path)
    check(stored, 2)
    assert stored.settings == {"hash": "dhash"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b" * 16, "lock"]


def _shorten(folder: Path) -> None:
    [path] = (folder / ("a" * 16)).glob("part-*")
    path.write_bytes(path.read_bytes()[:-1])


def _flip(folder: Path) -> None:
    [path] = (folder / ("a" * 16)).glob("part-*")
    path.write_bytes(path.read_bytes().replace(ids(1).tobytes(), ids(7).tobytes()))


def _lose(folder: Path) -> None:
    [path] = (folder / ("a" * 16)).glob("part-*")
    path.unlink()


def _scribble(folder: Path) -> None:
    (folder / ("a" * 16) / "manifest.json").write_text("{")


def _newer(folder: Path) -> None:
    path = folder / ("a" * 16) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


@pytest.mark.parametrize("damage", [_shorten, _flip, _lose, _scribble, _newer])
def test_damage_is_told_and_a_writer_begins_again(tmp_path: Path, damage: Any) -> None:
    with feature_index.writing(tmp_path, CONTENTS) as (stored, _):
        add(stored, 1, 2)
    damage(tmp_path)
    with pytest.raises(TableError, match=r"^index .* is damaged \(.*\): make it again$"):
        feature_index.reading(tmp_path)
    with feature_index.writing(tmp_path, CONTENTS) as (stored, wrong):
        assert wrong is not None
        assert "\n" not in wrong
        add(stored, 3)
    check(feature_index.reading(tmp_path), 3)


def test_no_index_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"holds no index: make one with curate dedupe index$"):
        feature_index.reading(tmp_path)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with feature_index.writing(tmp_path, CONTENTS) as (stored, _):
        add(stored, 1)
        with (
            pytest.raises(StorageError, match="another process writes to"),
            feature_index.writing(tmp_path, CONTENTS),
        ):
            pass
    check(feature_index.reading(tmp_path), 1)


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with feature_index.writing(tmp_path, CONTENTS) as (stored, _):
        add(stored, 1)
    with pytest.raises(StorageError, match="no space left while writing"):
        on_a_full_disk(tmp_path, monkeypatch)
    check(feature_index.reading(tmp_path), 1)


@given(sizes=st.lists(st.integers(0, 5), max_size=6), seed=st.integers(0, 99))
def test_a_column_in_parts_reads_as_one_array(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.integers(0, 99, (sum(sizes), 2, 3))
    parts = np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []
    column = StoredColumn(parts, whole.dtype, (2, 3))
    rows = rng.integers(0, max(len(whole), 1), 7 if len(whole) else 0)
    assert column.shape == whole.shape
    assert (np.asarray(column) == whole).all()
    assert (column[rows] == whole[rows]).all()
    assert (column[1:4] == whole[1:4]).all()
    assert (column[:, 1] == whole[:, 1]).all()
    assert (column[:, 1, 2] == whole[:, 1, 2]).all()
    with pytest.raises(IndexError):
        column[np.array([len(whole)])]
