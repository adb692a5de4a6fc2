"""The keeper rule: its order, and explanations that name what decided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.dedupe.keepers import LOST, REASONS, Comparisons, KeeperColumns, finding
from curate.dedupe.originals import WORDS

PREFER = ("camera", "web")
MEMBER: dict[str, Any] = {
    "keep": False, "preference": 2, "width": 320, "height": 240, "sharpness": 2.5, "bytes": 10,
}  # fmt: skip
KINDS = {"keep": np.bool_, "preference": np.int16, "width": np.int32, "height": np.int32,
         "sharpness": np.float32, "bytes": np.int64}  # fmt: skip


def keeper_columns(*images: dict[str, Any]) -> KeeperColumns:
    full = [{**MEMBER, **image} for image in images]
    return KeeperColumns(
        **{name: np.array([one[name] for one in full], dtype=kind) for name, kind in KINDS.items()}
    )


def compared(*pairs: tuple[int, int, int, str]) -> Comparisons:
    """Of (first, second, winner, reason)."""
    first, second, winner, reason = zip(*pairs, strict=True) if pairs else ((), (), (), ())
    at = [REASONS.index(one) for one in reason]
    return Comparisons(
        np.array(first, np.int64),
        np.array(second, np.int64),
        np.array(winner, np.int8),
        np.array(at, np.int8),
    )


@pytest.mark.parametrize(
    ("keeper", "said"),
    [
        ({"keep": True, "width": 10}, "a person decided to keep the keeper"),
        (
            {"preference": 1, "width": 10},
            "nothing tells which is the original, keeper comes from the preferred source web",
        ),
        (
            {"width": 640, "height": 480, "bytes": 1},
            "nothing tells which is the original, keeper has more pixels (640x480 over 320x240)",
        ),
        ({"bytes": 99}, "nothing tells which is the original, keeper has more bytes (99 over 10)"),
        ({}, "nothing tells which is the original, keeper has the smaller image_id"),
    ],
)
def test_each_merit_goes_before_the_next_and_is_named(keeper: dict[str, Any], said: str) -> None:
    found = keeper_columns(keeper, {})
    assert found.best_first(compared()).tolist() == [0, 1]
    assert found.why(0, 1, compared(), compared().scores(2), PREFER) == said
    if keeper:
        assert keeper_columns({}, keeper).best_first(compared()).tolist() == [1, 0]


def test_evidence_goes_before_sources_pixels_and_sharpness_but_not_before_people() -> None:
    loud = {"preference": 0, "width": 640, "height": 480, "sharpness": 99.0, "bytes": 999}
    evidence = compared((0, 1, -1, "enlarged"))
    assert keeper_columns(loud, {}).best_first(evidence).tolist() == [1, 0]
    said = keeper_columns(loud, {}).why(1, 0, evidence, evidence.scores(2), PREFER)
    assert said == WORDS["enlarged"] == "the other was enlarged"
    assert keeper_columns({**loud, "keep": True}, {}).best_first(evidence).tolist() == [0, 1]
    assert keeper_columns({"sharpness": 99.0}, {"bytes": 11}).best_first(compared()).tolist() == [1, 0]


def test_in_a_group_wins_less_losses_count_and_a_lost_pair_is_no_reason() -> None:
    # 0 beats 1 and 2, 3 beats 0: best of the group is 0 all the same, tied with 3 by score it has more bytes.
    evidence = compared((0, 1, 1, "noise"), (0, 2, 1, "detail"), (0, 3, -1, "jpeg"), (2, 3, 1, "view"))
    group = keeper_columns({"bytes": 5}, {}, {}, {})
    order = group.best_first(evidence).tolist()
    assert order[0] == 0
    rank = np.argsort(order)
    placed, taken = evidence.renamed(rank), group.take(np.array(order))
    said = {row: taken.why(0, int(rank[row]), placed, placed.scores(4), PREFER) for row in (1, 2, 3)}
    assert said[1] == "noise was added to the other"
    assert said[2] == "the other has lost fine detail"
    assert said[3] == "keeper is the better one in most pairs of its group"


@given(
    pairs=st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 5)), st.integers(-1, 1), max_size=12),
    seed=st.integers(0, 9),
)
def test_names_change_nothing_about_evidence(pairs: dict[tuple[int, int], int], seed: int) -> None:
    rows = [(a, b, winner, "view" if winner else "") for (a, b), winner in pairs.items() if a < b]
    found, names = compared(*rows), np.random.default_rng(seed).permutation(6)
    renamed = found.renamed(names)
    assert (renamed.scores(6)[names] == found.scores(6)).all()
    for a, b, winner, _ in rows:
        words = renamed.between(int(names[a]), int(names[b])), renamed.between(int(names[b]), int(names[a]))
        assert words == (WORDS["view"] if winner > 0 else "", WORDS["view"] if winner < 0 else "")


def test_a_pair_over_which_a_worker_died_says_so() -> None:
    evidence = compared((0, 1, 0, LOST), (0, 2, 0, ""))
    said = [
        keeper_columns({"bytes": 9}, {}, {}).why(0, row, evidence, evidence.scores(3), PREFER)
        for row in (1, 2)
    ]
    assert said[0].startswith("a worker died over which is the original, keeper has ")
    assert said[1].startswith("nothing tells which is the original, keeper has ")
    assert evidence.n_lost == 1


def test_larger_goes_before_an_overflow_of_32_bits() -> None:
    wide = keeper_columns({"width": 30_000, "height": 30_000}, {"width": 60_000, "height": 60_000})
    assert wide.best_first(compared())[0] == 1


def test_what_was_found_is_said_by_relation() -> None:
    assert finding("mirrored", 4, 0.974) == "mirrored, 4 bits from keeper, correlation 0.97"
    assert finding("same", 1, 1.0) == "same, 1 bit from keeper, correlation 1.00"
    assert finding("semantic", 30, 0.961) == "alike by meaning, cosine 0.96 with keeper"
    assert finding("decided", 30, float("nan")) == "a person decided that it is the same"
