"""The keeper rule: its order, and explanations that name what decided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.dedupe.keepers import Merits, finding

PREFER = ("camera", "web")
MEMBER: dict[str, Any] = {
    "keep": False, "preference": 2, "width": 320, "height": 240, "sharpness": 2.5, "bytes": 10,
}  # fmt: skip
KINDS = {"keep": np.bool_, "preference": np.int16, "width": np.int32, "height": np.int32,
         "sharpness": np.float32, "bytes": np.int64}  # fmt: skip


def merits(*images: dict[str, Any]) -> Merits:
    full = [{**MEMBER, **image} for image in images]
    return Merits(**{name: np.array([one[name] for one in full], dtype=kind) for name, kind in KINDS.items()})


@pytest.mark.parametrize(
    ("keeper", "said"),
    [
        ({"keep": True, "width": 10}, "a person decided to keep the keeper"),
        ({"preference": 1, "width": 10}, "keeper comes from the preferred source web"),
        ({"width": 640, "height": 480, "bytes": 1}, "keeper has more pixels (640x480 over 320x240)"),
        (
            {"sharpness": 91.25, "bytes": 1},
            "same number of pixels, keeper is sharper (91.25 over 2.5)",
        ),
        ({"bytes": 99}, "same pixels and sharpness, keeper has more bytes (99 over 10)"),
        ({}, "nothing tells them apart, keeper has the smaller image_id"),
    ],
)
def test_each_merit_goes_before_the_next_and_is_named(keeper: dict[str, Any], said: str) -> None:
    found = merits(keeper, {})
    assert found.best_first().tolist() == [0, 1]
    assert found.why(0, 1, PREFER) == said
    if keeper:
        assert merits({}, keeper).best_first().tolist() == [1, 0]


def test_larger_goes_before_an_overflow_of_32_bits() -> None:
    assert (
        merits({"width": 30_000, "height": 30_000}, {"width": 60_000, "height": 60_000}).best_first()[0] == 1
    )


@given(
    images=st.lists(
        st.fixed_dictionaries(
            {
                "keep": st.booleans(),
                "preference": st.integers(0, 2),
                "width": st.integers(1, 3),
                "height": st.integers(1, 3),
                "sharpness": st.integers(0, 2).map(float),
                "bytes": st.integers(1, 2),
            }
        ),
        max_size=12,
    )
)
def test_the_order_is_the_documented_one(images: list[dict[str, Any]]) -> None:
    def rank(row: int) -> tuple[Any, ...]:
        one = images[row]
        pixels = one["width"] * one["height"]
        return (not one["keep"], one["preference"], -pixels, -one["sharpness"], -one["bytes"], row)

    assert merits(*images).best_first().tolist() == sorted(range(len(images)), key=rank)


def test_what_was_found_is_said_by_relation() -> None:
    assert finding("mirrored", 4, 0.974) == "mirrored, 4 bits from keeper, correlation 0.97"
    assert finding("same", 1, 1.0) == "same, 1 bit from keeper, correlation 1.00"
    assert finding("semantic", 30, 0.961) == "alike by meaning, cosine 0.96 with keeper"
    assert finding("decided", 30, float("nan")) == "a person decided that it is the same"
