"""Parts whose keys mix become one ordered table, whatever the size of what is held."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curate import schema, tables
from curate.errors import TableError
from curate.labeling.run import external_sort
from tests import builders


def part(first: int, number: int) -> pa.Table:
    rows = [
        builders.annotation(f"image-{n}", "stop_sign", (1.0, 2.0, 30.0, 40.0 + n), origin="model").row()
        for n in range(first, first + number)
    ]
    return pa.Table.from_pylist(rows, schema=schema.ANNOTATIONS.arrow)


@pytest.mark.parametrize("row_target", [1, 7, 50, 1_000])
@pytest.mark.parametrize("buffer", [1, 30, 1_000])
def test_the_table_is_the_same_however_it_was_gathered(
    tmp_path: Path, row_target: int, buffer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_sort, "_BUFFER", buffer)
    parts = [part(0, 40), part(40, 0), part(40, 25), part(65, 1)]
    tables.write(pa.concat_tables(parts), tmp_path / "expected.parquet", schema.ANNOTATIONS)
    seen: list[int] = []
    target = tmp_path / "out/table.parquet"
    external_sort.gather(
        iter(parts), 66, target, seen=lambda piece: seen.append(piece.num_rows), row_target=row_target
    )
    assert target.read_bytes() == (tmp_path / "expected.parquet").read_bytes()
    assert sum(seen) == 66
    assert max(seen) <= max(66 if row_target >= 66 else 0, 4 * row_target + 12)
    assert [path.name for path in target.parent.iterdir()] == ["table.parquet"]


def test_nothing_is_a_table_too(tmp_path: Path) -> None:
    external_sort.gather([], 0, tmp_path / "t.parquet", seen=lambda _: None)
    assert tables.read(tmp_path / "t.parquet", schema.ANNOTATIONS).num_rows == 0


def test_an_id_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="occurs twice"):
        external_sort.gather(
            [part(0, 9), part(8, 9)], 18, tmp_path / "t.parquet", seen=lambda _: None, row_target=2
        )
    assert list(tmp_path.iterdir()) == []
