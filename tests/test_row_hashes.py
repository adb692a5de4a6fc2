"""Hashes of rows: equal for equal rows however they are stored, different for different ones."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.row_hashes import mixed, row_hashes

EDGES = st.sampled_from([0.0, 1.5, 2.0])
COLUMNS = {
    "text": (pa.string(), st.none() | st.text(max_size=5)),
    "number": (pa.int32(), st.none() | st.integers(-3, 3)),
    "share": (pa.float32(), st.none() | st.floats(-2, 2, width=32)),
    "flag": (pa.bool_(), st.none() | st.booleans()),
    "box": (pa.list_(pa.float32(), 2), st.none() | st.lists(EDGES, min_size=2, max_size=2)),
    "texts": (pa.list_(pa.string()), st.none() | st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=3)),
    "chosen": (
        pa.map_(pa.string(), pa.list_(pa.string())),
        st.none() | st.dictionaries(st.sampled_from("ab"), st.lists(st.sampled_from("xy"), max_size=2)).map(
            lambda found: list(found.items())
        ),
    ),
    "figures": (
        pa.struct([("a", pa.float32()), ("b", pa.string())]),
        st.none() | st.fixed_dictionaries({"a": EDGES | st.none(), "b": st.sampled_from([None, "x"])}),
    ),
}  # fmt: skip
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()])
ROWS = st.lists(st.fixed_dictionaries({name: values for name, (_, values) in COLUMNS.items()}), max_size=8)


@settings(deadline=None)  # the first call compiles
@given(ROWS)
def test_rows_are_equal_if_and_only_if_their_hashes_are(rows: list[dict[str, object]]) -> None:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    hashes, stored = row_hashes(table).tolist(), table.to_pylist()
    for first, one in zip(hashes, stored, strict=True):
        for second, other in zip(hashes, stored, strict=True):
            # 0.0 and -0.0 are equal numbers and different bits
            assert (first == second) == (repr(one) == repr(other))


@settings(deadline=None)
@given(ROWS, st.integers(0, 8))
def test_chunks_and_slices_do_not_matter(rows: list[dict[str, object]], cut: int) -> None:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    parts = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    assert row_hashes(parts).tolist() == row_hashes(table).tolist()
    assert row_hashes(table.slice(cut)).tolist() == row_hashes(table).tolist()[cut:]


def test_a_column_that_does_not_count_and_the_order_of_two() -> None:
    table = pa.table({"a": ["x", "x"], "b": [1, 2]})
    first, second = row_hashes(table, without=["b"])
    assert first == second
    one, two = row_hashes(pa.table({"a": ["x"], "b": ["y"]})), row_hashes(pa.table({"a": ["y"], "b": ["x"]}))
    assert one != two
    assert mixed(one, two) != mixed(two, one)


def test_a_column_that_cannot_be_hashed_is_named() -> None:
    table = pa.table({"a": pa.array([b"x"], pa.large_binary())})
    with pytest.raises(TypeError, match="large_binary cannot be hashed"):
        row_hashes(table)
