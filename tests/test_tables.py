from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import system, tables
from curate.errors import StorageError, TableError
from curate.schema import ANNOTATIONS, PAIRS, PLAN, TableSchema


def plan_row(task_id: str, slot: int = 0) -> dict[str, object]:
    return {
        "task_id": task_id,
        "slot": slot,
        "image_id": "a" * 64,
        "reason": "review",
        "arm": "suggested",
        "priority": 0,
    }


def test_rows_come_back_sorted_by_key(tmp_path: Path) -> None:
    path = tmp_path / "deep/plan.parquet"
    tables.write_rows([plan_row("b"), plan_row("a", 1), plan_row("a", 0)], path, PLAN)
    rows = tables.read(path, PLAN).to_pylist()
    assert [(row["task_id"], row["slot"]) for row in rows] == [("a", 0), ("a", 1), ("b", 0)]


@given(
    keys=st.lists(st.tuples(st.text(max_size=5), st.integers(0, 9)), unique=True, max_size=20),
    seed=st.randoms(),
)
def test_bytes_do_not_depend_on_the_order_of_rows(
    tmp_path_factory: pytest.TempPathFactory, keys: list[tuple[str, int]], seed: object
) -> None:
    folder = tmp_path_factory.mktemp("t")
    rows = [plan_row(task, slot) for task, slot in keys]
    tables.write_rows(rows, folder / "a.parquet", PLAN)
    seed.shuffle(rows)  # type: ignore[attr-defined]
    tables.write_rows(rows, folder / "b.parquet", PLAN)
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()
    assert tables.read(folder / "a.parquet", PLAN).num_rows == len(rows)


def test_a_repeated_key_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    tables.write_rows([plan_row("a")], path, PLAN)
    with pytest.raises(TableError, match=r"occurs twice"):
        tables.write_rows([plan_row("b"), plan_row("c"), plan_row("b")], path, PLAN)
    assert tables.read(path, PLAN)["task_id"].to_pylist() == ["a"]


def test_a_required_value_must_not_be_null(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([plan_row("a")], schema=PLAN.arrow)
    at = PLAN.arrow.get_field_index("image_id")
    rows = rows.set_column(at, "image_id", pa.array([None], pa.string()))
    with pytest.raises(TableError, match="image_id of plan must not be null"):
        tables.write(rows, tmp_path / "p.parquet", PLAN)


def test_unknown_and_missing_columns_are_named(tmp_path: Path) -> None:
    names = ["image" if name == "image_id" else name for name in PLAN.arrow.names]
    rows = pa.Table.from_pylist([plan_row("a")], schema=PLAN.arrow).rename_columns(names)
    with pytest.raises(TableError, match=r"misses \['image_id'\] and has unknown \['image'\]"):
        tables.write(rows, tmp_path / "p.parquet", PLAN)


def test_another_schema_version_names_the_stage_to_rerun(tmp_path: Path) -> None:
    path = tmp_path / "select/plan.parquet"
    tables.write_rows([plan_row("a")], path, PLAN)
    table = pq.read_table(path)
    old = table.replace_schema_metadata({b"curate.schema_version": b"0", b"curate.table": b"plan"})
    pq.write_table(old, path)
    with pytest.raises(
        TableError, match=r"schema version 0, .* run the stage select again \(dvc repro --force select\)"
    ):
        tables.read(path, PLAN)


def test_what_an_earlier_round_left_may_be_of_another_version_where_its_columns_are_the_same(
    tmp_path: Path,
) -> None:
    """The stage that writes it again runs after the one that reads it: refused, it could never be renewed."""
    path = tmp_path / "plan.parquet"
    tables.write_rows([plan_row("a")], path, PLAN)
    old = {b"curate.schema_version": b"0", b"curate.table": b"plan"}
    pq.write_table(pq.read_table(path).drop_columns(["labeler"]).replace_schema_metadata(old), path)
    named = ["task_id", "reason"]
    assert tables.read(path, PLAN, columns=named, earlier=True)["task_id"].to_pylist() == ["a"]
    assert [one.num_rows for one in tables.pieces(path, PLAN, columns=named, earlier=True)] == [1]
    for columns, earlier in ((named, False), (None, True), (["labeler"], True)):
        with pytest.raises(TableError, match="schema version 0"):
            tables.read(path, PLAN, columns=columns, earlier=earlier)


@pytest.mark.parametrize("schema", [ANNOTATIONS, PAIRS])
def test_another_table_is_refused(tmp_path: Path, schema: TableSchema) -> None:
    tables.write_rows([plan_row("a")], tmp_path / "p.parquet", PLAN)
    with pytest.raises(TableError, match="holds the table 'plan'"):
        tables.read(tmp_path / "p.parquet", schema)


def test_a_missing_and_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="run the stage select first"):
        tables.read(tmp_path / "p.parquet", PLAN)
    (tmp_path / "p.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(TableError, match="is damaged"):
        tables.read(tmp_path / "p.parquet", PLAN)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), tables.replacing(path) as partial:  # noqa: PT012
        partial.write_text("half of the n")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


def test_a_full_disk_is_one_line() -> None:
    """A real refusal by the kernel: /dev/full answers every write with ENOSPC."""
    with (
        pytest.raises(OSError, match="No space left") as caught,
        Path("/dev/full").open("wb", buffering=0) as file,
    ):
        file.write(b"x")
    error = tables.storage_error(caught.value, Path("data/x.parquet"))
    assert str(error) == "no space left while writing data/x.parquet: free some disk and run the stage again"


def test_a_file_that_may_not_grow_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    """The limit on file size acts in the midst of a write, as a full disk does."""
    tables.write_rows([plan_row("a")], tmp_path / "plan.parquet", PLAN)
    script = (
        "import resource, signal\n"
        "from pathlib import Path\n"
        "from curate import tables\n"
        "from curate.errors import StorageError\n"
        "from curate.schema import PLAN\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))\n"
        "fixed = {'slot': 0, 'reason': '', 'arm': '', 'priority': 0}\n"
        "rows = [{'task_id': str(i), 'image_id': str(i * i), **fixed} for i in range(4999)]\n"
        "try:\n"
        "    tables.write_rows(rows, Path('plan.parquet'), PLAN)\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("cannot write plan.parquet")
    assert tables.read(tmp_path / "plan.parquet", PLAN)["task_id"].to_pylist() == ["a"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.parquet"]


WRITE_AND_SAY = """
import sys
from pathlib import Path
from curate import tables
with tables.replacing(Path(sys.argv[1])) as partial:
    partial.write_text("theirs")
    print("writing", flush=True)
    sys.stdin.readline()
"""


def test_two_processes_that_write_one_file_do_not_share_a_partial_one(tmp_path: Path) -> None:
    path = tmp_path / "table"
    command = [sys.executable, "-c", WRITE_AND_SAY, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        with tables.replacing(path) as partial:
            partial.write_text("ours")
        assert path.read_text() == "ours"
        other.communicate("go on\n", timeout=30)
    assert other.returncode == 0
    assert [one.name for one in tmp_path.iterdir()] == ["table"]
    assert path.read_text() == "theirs"  # the last one wins, whole


def test_what_a_killed_run_left_is_removed_and_what_others_write_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_LOOKED_AT", set())
    path = tmp_path / "table"
    command = [sys.executable, "-c", WRITE_AND_SAY, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        other.kill()
    (left,) = tmp_path.iterdir()
    space = system.process_space()
    alive = tmp_path / f".other.{space}-{os.getppid()}-7.partial"
    elsewhere, old = tmp_path / ".table.0123abcd-7-7.partial", tmp_path / ".table.0123abcd-8-8.partial"
    for one in (alive, elsewhere, old):
        one.write_text("x")
    os.utime(old, (1, 1))
    with tables.replacing(path) as partial:
        partial.write_text("ours")
    assert not left.exists()
    assert sorted(tmp_path.iterdir()) == sorted([path, alive, elsewhere])


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        tables.write_rows([plan_row("a")], tmp_path / "file/plan.parquet", PLAN)


@given(keys=st.lists(st.integers(0, 300), unique=True, max_size=60), cuts=st.lists(st.integers(0, 60)))
def test_a_stream_gives_the_bytes_of_one_write(
    tmp_path_factory: pytest.TempPathFactory, keys: list[int], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("s")
    rows = [plan_row(f"{key // 3:03d}", key % 3) for key in sorted(keys)]
    tables.write_rows(rows, folder / "a.parquet", PLAN)
    whole = pa.Table.from_pylist(rows, schema=PLAN.arrow)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    with tables.stream(folder / "b.parquet", PLAN) as stream:
        for start, stop in itertools.pairwise(edges):
            stream.write(whole.slice(start, stop - start))
    assert stream.num_rows == len(rows)
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()


def test_row_groups_do_not_depend_on_the_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_ROW_GROUP", 4)
    whole = pa.Table.from_pylist([plan_row(f"{n:02d}") for n in range(10)], schema=PLAN.arrow)
    for name, size in (("a", 10), ("b", 3), ("c", 1)):
        with tables.stream(tmp_path / name, PLAN) as stream:
            for start in range(0, 10, size):
                stream.write(whole.slice(start, size))
    assert [pq.ParquetFile(tmp_path / "a").metadata.row_group(i).num_rows for i in range(3)] == [4, 4, 2]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


@pytest.mark.parametrize(
    ("second", "said"), [("b", r"\{'task_id': 'b', 'slot': 0\} occurs twice"), ("a", "is out of order")]
)
def test_a_stream_refuses_what_does_not_follow(tmp_path: Path, second: str, said: str) -> None:
    path = tmp_path / "plan.parquet"
    tables.write_rows([plan_row("old")], path, PLAN)
    pieces = [pa.Table.from_pylist([plan_row(key)], schema=PLAN.arrow) for key in ("b", second)]
    with pytest.raises(TableError, match=said):
        write_pieces(path, pieces)
    assert tables.read(path, PLAN)["task_id"].to_pylist() == ["old"]
    assert [found.name for found in tmp_path.iterdir()] == ["plan.parquet"]


def write_pieces(path: Path, pieces: list[pa.Table]) -> None:
    with tables.stream(path, PLAN) as stream:
        for piece in pieces:
            stream.write(piece)


def test_pieces_are_the_table_in_its_order_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    tables.write_rows([plan_row("t", slot) for slot in range(10)], path, PLAN)
    pieces = list(tables.pieces(path, PLAN, columns=["slot", "reason"], rows=4))
    assert max(piece.num_rows for piece in pieces) <= 4
    assert pa.concat_tables(pieces).equals(tables.read(path, PLAN, columns=["slot", "reason"]))


def test_pieces_refuse_what_read_refuses(tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    with pytest.raises(TableError, match="does not exist: run the stage"):
        list(tables.pieces(path, PLAN))
    tables.write_rows([plan_row("t")], path, PLAN)
    with pytest.raises(TableError, match="expected 'pairs'"):
        list(tables.pieces(path, PAIRS))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TableError, match="is damaged"):
        list(tables.pieces(path, PLAN))


def test_check_and_count_read_no_rows_and_refuse_what_read_refuses(tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    tables.write_rows([plan_row("a"), plan_row("b")], path, PLAN)
    tables.check(path, PLAN)
    assert tables.count(path, PLAN) == 2
    for ask in (tables.check, tables.count):
        with pytest.raises(TableError, match="holds the table 'plan', expected 'pairs'"):
            ask(path, PAIRS)
        with pytest.raises(TableError, match="run the stage select first"):
            ask(tmp_path / "none.parquet", PLAN)
