"""Rarity and disagreement, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.qa.choice import category_scores

# Of four images: category 0 on the first three (twice on the first), 1 on the third, unknown on the fourth.
IMAGES, CATEGORIES = np.array([0, 0, 1, 2, 2, 3]), np.array([0, 0, 0, 0, 1, -1])


def test_the_rarest_category_of_each_image_counts() -> None:
    told = category_scores.rarity(IMAGES, CATEGORIES, 4, 2)
    common = np.log(4 / 3) / np.log(4)
    assert told.value == pytest.approx([common, common, 1.0, 0.0])
    assert told.category.tolist() == [0, 0, 1, -1]
    assert category_scores.suggested_on(IMAGES, CATEGORIES, 2).tolist() == [3, 1]


def test_what_is_everywhere_is_not_rare() -> None:
    told = category_scores.rarity(np.array([0, 1]), np.array([0, 0]), 2, 1)
    assert (told.value.tolist(), told.category.tolist()) == ([0.0, 0.0], [-1, -1])
    assert category_scores.rarity(np.array([0]), np.array([0]), 1, 1).value.tolist() == [0.0]


def test_disagreement_by_laplaces_rule() -> None:
    pairs = [("a", "a"), ("a", "a"), ("a", "b"), ("a", None), (None, "c")]
    assert category_scores.disagreement(pairs) == pytest.approx({"a": 3 / 6, "b": 2 / 3, "c": 2 / 3})
    assert category_scores.disagreement([]) == {}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 3)), max_size=40))
def test_rarity_counts_images_and_not_objects(rows: list[tuple[int, int]]) -> None:
    images, categories = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    told = category_scores.rarity(images, categories, 10, 4)
    showing = {one: {image for image, category in rows if category == one} for one in range(4)}
    for image in range(10):
        here = [np.log(10 / len(on)) / np.log(10) for on in showing.values() if image in on]
        assert told.value[image] == pytest.approx(max(here, default=0.0))
        assert (told.category[image] >= 0) == (told.value[image] > 0)
        if told.category[image] >= 0:
            assert image in showing[told.category[image]]
