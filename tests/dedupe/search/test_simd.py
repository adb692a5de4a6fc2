"""Sums are taken in one order, whatever compiles them."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from curate.dedupe.search.simd import SUMS, dot

Floats = NDArray[np.float32]


@njit
def _dot(a: Floats, start_a: int, b: Floats, start_b: int, count: int) -> float:
    return dot(a, start_a, b, start_b, count)


def in_order(a: Floats, b: Floats) -> np.float32:
    """The sum by single steps of float32."""
    lanes = np.zeros(SUMS, dtype=np.float32)
    for start in range(0, len(a), SUMS):
        lanes = lanes + a[start : start + SUMS] * b[start : start + SUMS]
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return np.float32(lanes[0])


@pytest.mark.parametrize("count", [0, SUMS, 256, 1024])
def test_the_order_of_a_sum_is_the_one_that_is_written_down(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(50):
        table = (rng.normal(size=(3, 1100)) * 10.0 ** rng.uniform(-3, 3, (3, 1100))).astype(np.float32)
        start = 1100 + int(rng.integers(20))
        found = _dot(table, start, table[2], 5, count)
        expected = in_order(table.ravel()[start : start + count], table[2, 5 : 5 + count])
        assert np.float32(found) == expected
