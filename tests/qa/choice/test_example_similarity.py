"""Similarity to examples, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from curate.qa.choice.example_similarity import similarity
from tests.vector_table import arc

NONE = np.zeros((0, 2), dtype=np.float32)


def test_the_nearest_positive_less_the_nearest_negative() -> None:
    images = arc([0, 60, 90, 180])
    assert similarity(images, arc([0]), NONE) == pytest.approx([1, 0.5, 0, 0], abs=1e-6)
    assert similarity(images, arc([0, 180]), NONE) == pytest.approx([1, 0.5, 0, 1], abs=1e-6)
    assert similarity(images, NONE, arc([0])) == pytest.approx([0, 0.5, 1, 1], abs=1e-6)
    assert similarity(images, arc([0]), arc([60])) == pytest.approx([0.5, 0, 0, 0], abs=1e-6)


def test_without_an_example_there_is_nothing_to_be_like() -> None:
    with pytest.raises(ValueError, match="at least one example"):
        similarity(arc([0]), NONE, NONE)
