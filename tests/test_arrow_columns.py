from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curate import arrow_columns


@pytest.mark.parametrize("chunks", [[[True, None], [False]], [[True, None, False]], []])
def test_null_is_no_flag(chunks: list[list[bool | None]]) -> None:
    column = pa.chunked_array(chunks, pa.bool_())
    expected = [value is True for chunk in chunks for value in chunk]
    for given in (column, pa.array(column.to_pylist(), pa.bool_())):
        found = arrow_columns.flags(given)
        assert found.dtype == np.bool_
        assert found.tolist() == expected


@pytest.mark.parametrize("chunks", [[["b", None], ["c", "a"]], [["b", None, "c", "a"]], []])
def test_what_is_not_among_the_values_has_no_place(chunks: list[list[str | None]]) -> None:
    column = pa.chunked_array(chunks, pa.string())
    expected = [{"a": 0, "b": 1}.get(value or "", -1) for chunk in chunks for value in chunk]
    for given in (column, pa.array(column.to_pylist(), pa.string())):
        found = arrow_columns.places(given, pa.array(["a", "b"]))
        assert found.dtype == np.int64
        assert found.tolist() == expected
