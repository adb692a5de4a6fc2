"""Rows of image_ids against plain Python."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedupe import id_rows, image_columns
from curate.dedupe.id_rows import Ids


def ids(numbers: list[int]) -> Ids:
    rows = np.zeros((len(numbers), 32), np.uint8)
    rows[:, 3], rows[:, 31] = np.array(numbers, int) % 3, np.array(numbers, int)
    return rows


@settings(deadline=None)  # Arrow takes its time when it is first called
@given(st.lists(st.integers(0, 8), max_size=20), st.lists(st.integers(0, 8), max_size=5))
def test_order_last_and_place(numbers: list[int], wanted: list[int]) -> None:
    column = ids(numbers)
    keys = [one.tobytes() for one in column]
    assert id_rows.sorted_rows(column).tolist() == sorted(range(len(keys)), key=lambda row: (keys[row], row))
    last = {key: row for row, key in enumerate(keys)}
    assert id_rows.latest_rows(column).tolist() == [last[key] for key in sorted(last)]
    places = [keys.index(one.tobytes()) if one.tobytes() in keys else -1 for one in ids(wanted)]
    assert id_rows.places_of(ids(wanted), column).tolist() == places


def test_another_upright_file_is_another_content() -> None:
    a, b, one, other = (hashlib.sha256(text.encode()).hexdigest() for text in "ab12")
    names = [a, a, a, b]
    table = pa.table({"image_id": names, "upright_sha256": pa.array([None, one, other, one])})
    found = image_columns.content_bytes(table)
    assert found[0].tobytes() == bytes.fromhex(a)  # linked: as it always was
    assert len({one.tobytes() for one in found}) == 4
    plain = image_columns.content_bytes(table.set_column(1, "upright_sha256", pa.nulls(4, pa.string())))
    assert [one.tobytes().hex() for one in plain] == names
