"""The whole plan: deterministic, steady while the data set grows, each part as stated."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from curate.errors import ParamsError
from curate.params import QaParams
from curate.qa import error_injection, plan, sampling, strata
from curate.qa.strata import Pool
from curate.qa.suggestions import Suggestions
from curate.qa.uncertainty import Doubt
from curate.records import derived_id
from tests import builders

MANY = sorted(builders.image_id(f"image {number}") for number in range(4000))
NAMES = ("stop_sign", "parking_sign", "yield_sign")
OFF: dict[str, Any] = {"overlap_share": 0.0, "control_share": 0.0}
PEOPLE = ("ann@example.org", "ben@example.org", "cat@example.org")
ALL_ON: dict[str, Any] = {
    "audit": 30, "uncertain": 0.1, "rare_floor": 25, "control_share": 0.1, "seeded_errors": 0.3,
    "overlap_share": 0.3, "gold_share": 0.6, "blind": "strict", "people": PEOPLE,
}  # fmt: skip


def numbers(keys: list[str], purpose: str) -> NDArray[np.float64]:
    """What the made-up models and the gold are drawn from: a number in [0, 1) for each key."""
    return sampling.places(keys, purpose, 99)


def is_known(ids: list[str]) -> NDArray[np.bool_]:
    return np.asarray(numbers(ids, "known") < 0.1)


def pool(
    ids: list[str],
    earlier: pa.Table | None = None,
    *,
    accept: bool = False,
    asked: Collection[str] = (),
    **params: Any,
) -> Pool:
    """Every image has 0 to 2 suggestions, scores, doubts and gold of its own, by hashes of its id."""
    boxes = (3 * numbers(ids, "boxes")).astype(np.int64)
    rows = [(place, box) for place, count in enumerate(boxes) for box in range(count)]
    keys = [f"{ids[place]} {box}" for place, box in rows]
    scores = 0.4 + 0.6 * numbers(keys, "score")
    weights = numbers(keys, "category")
    found = Suggestions(
        images=np.array([place for place, _ in rows], dtype=np.int64),
        categories=np.searchsorted([0.6, 0.95], weights).astype(np.int64),  # the third category is rare
        boxes=np.tile([10.0, 10.0, 50.0, 50.0], (len(rows), 1)),
        scores=scores,
        mask_iou=np.full(len(rows), np.nan),
        shown=np.ones(len(rows), dtype=np.bool_),
        ids=pa.array([derived_id(key) for key in keys], pa.string()),
    )
    value = np.where(boxes > 0, np.maximum(0.0, 1 - 2 * numbers(ids, "doubt")), 0.0)
    first = np.searchsorted(found.images, np.arange(len(ids)))
    doubt = Doubt(value, np.where(value > 0, 0, -1), np.where(value > 0, first, -1), np.full(len(ids), -1))
    return Pool(
        ids=ids,
        names=NAMES,
        thresholds=np.full(3, 0.4),
        found=found,
        doubt=doubt,
        gold=is_known(ids),
        planted=np.zeros(len(ids), dtype=np.bool_),
        asked=np.array([key in asked for key in ids], dtype=np.bool_),
        given=np.zeros(len(ids), dtype=np.bool_),
        earlier=plan.main_reasons(earlier, ids),
        min_scores=np.full(3, 0.6) if accept else None,
        params=QaParams(**{**OFF, **params}),
    )


def make(ids: list[str], earlier: pa.Table | None = None, **settings: Any) -> pa.Table:
    filled = pool(ids, earlier, **settings)
    return plan.make(filled, strata.membership(filled), earlier)


def first_slots(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["image_id"]: row for row in table.to_pylist() if row["slot"] == 0}


def reasons(table: pa.Table) -> dict[str, str]:
    return {key: row["reason"] for key, row in first_slots(table).items()}


def with_reason(table: pa.Table, reason: str) -> set[str]:
    return {key for key, value in reasons(table).items() if value == reason}


def fields(filled: Pool) -> dict[str, Any]:
    return {name: getattr(filled, name) for name in filled.__dataclass_fields__}


def ungilded(ids: list[str]) -> list[str]:
    return [key for key, known in zip(ids, is_known(ids), strict=True) if not known]


@settings(deadline=None)
@given(
    st.integers(0, 250),
    st.integers(0, 250),
    st.randoms(use_true_random=False),
    st.fixed_dictionaries(
        {
            "audit": st.sampled_from([0, 0.1, 5, 40]),
            "uncertain": st.sampled_from([0, 0.1, 5, 40]),
            "rare_floor": st.sampled_from([0, 3, 30]),
            "control_share": st.sampled_from([0.0, 0.2]),
            "overlap_share": st.sampled_from([0.0, 0.3, 1.0]),
            "overlap": st.sampled_from([2, 3]),
            "gold_share": st.sampled_from([0.5, 1.0]),
            "gold_round": st.sampled_from([0, 1]),
            "gold_labelers": st.sampled_from([1, 2]),
            "seeded_errors": st.sampled_from([0.0, 0.5]),
            "rest": st.sampled_from(["review", "none"]),
            "accept": st.booleans(),
            "blind": st.sampled_from(["server", "strict"]),
            "people": st.just(PEOPLE),
            "seed": st.integers(0, 5),
        }
    ),
)
def test_growth_keeps_every_earlier_row(few: int, more: int, chance: Any, params: dict[str, Any]) -> None:
    """All but the words; and an image of the rest may become uncertain or rare: nothing else changes."""
    ids = chance.sample(MANY, few + more)
    before = make(sorted(ids[:few]), **params)
    after = make(sorted(ids), before, **params)
    now = {(row["task_id"], row["slot"]): row for row in after.to_pylist()}
    for row in before.to_pylist():
        grown = now[row["task_id"], row["slot"]]
        changed = {name for name in row if row[name] != grown[name]}
        if row["arm"] == "accepted":  # nobody has it: its place in the queue means nothing
            changed.discard("priority")
        assert changed <= ({"reason", "detail"} if row["reason"] == "review" else {"detail"})
        if "reason" in changed:
            assert grown["reason"] in ("uncertain", "rare")


@pytest.mark.parametrize("rest", ["review", "none"])
@pytest.mark.parametrize("accept", [False, True])
def test_going_on_from_itself_changes_nothing(rest: str, accept: bool) -> None:
    params = {**ALL_ON, "rest": rest, "accept": accept}
    first = make(MANY[:600], **params)
    assert make(MANY[:600], first, **params).equals(first)
    assert make(MANY[:600], **params).equals(first)


def test_the_plan_is_a_valid_table_with_every_image_once() -> None:
    table = make(MANY[:600], **{**ALL_ON, "accept": True})
    rows = table.to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["task_id"], row["slot"]))
    assert all(row["task_id"] == derived_id("task", row["image_id"]) for row in rows)
    held_back = set(MANY[:600]) - set(ungilded(MANY[:600])) - with_reason(table, "gold")
    assert set(reasons(table)) == set(MANY[:600]) - held_back
    for row in rows:
        assert (row["arm"] == "control") == (first_slots(table)[row["image_id"]]["reason"] == "control")
        assert (row["arm"] == "accepted") == (row["reason"] == "accepted")
        assert row["reason"] == "gold" or (row["reason"] == "overlap") == (row["slot"] > 0)
    places = [row["priority"] for row in rows if row["slot"] == 0]
    assert sorted(places) == list(range(len(places)))


def test_one_look_each_and_a_share_has_more() -> None:
    ids = ungilded(MANY)
    table = make(ids, overlap=3, overlap_share=0.3)
    wanted = plan.labelers_wanted(table["task_id"].to_pylist())
    assert set(wanted.values()) == {1, 3}
    # 3,600 independent draws: the share's standard deviation is 0.0076, five of them are allowed.
    assert sum(number == 3 for number in wanted.values()) / len(ids) == pytest.approx(0.3, abs=0.038)
    chosen = {key for key in ids if int(derived_id("overlap", 0, key)[:16], 16) / 2**64 < 0.3}
    assert {row["image_id"] for row in table.to_pylist() if row["slot"] == 2} == chosen


@pytest.mark.parametrize(("share", "people"), [(0.0, 1), (1.0, 2)])
def test_no_overlap_and_full_overlap(share: float, people: int) -> None:
    table = make(ungilded(MANY[:100]), overlap=2, overlap_share=share)
    assert set(plan.labelers_wanted(table["task_id"].to_pylist()).values()) == {people}


def test_another_seed_chooses_others() -> None:
    one, two = (with_reason(make(MANY[:1000], control_share=0.5, seed=seed), "control") for seed in (0, 1))
    assert len(one ^ two) > 300


def test_the_audit_is_exact_random_and_tells_who_joined_earlier() -> None:
    ids = ungilded(MANY)
    early = make(ids[::4], audit=100)
    assert len(with_reason(early, "audit")) == 100
    late = first_slots(make(ids, early, audit=100))
    audited = {key: row["detail"] for key, row in late.items() if row["reason"] == "audit"}
    today = {
        key
        for key, detail in audited.items()
        if detail.startswith("drawn at random") and "earlier" not in detail
    }
    assert today == with_reason(make(ids, audit=100), "audit")
    assert with_reason(early, "audit") <= set(audited)
    # One random sample of all images: about a quarter of it comes from the first quarter of them.
    assert len(today & set(ids[::4])) == pytest.approx(25, abs=5 * (100 * 0.25 * 0.75) ** 0.5)


def test_the_most_uncertain_images_are_looked_at() -> None:
    ids = ungilded(MANY[:600])
    filled = pool(ids, uncertain=50)
    worst = sorted(ids, key=lambda key: -filled.doubt.value[ids.index(key)])[:50]
    table = make(ids, uncertain=50, rest="none")
    assert with_reason(table, "uncertain") == set(worst) == set(reasons(table))
    assert all("score" in row["detail"] for row in first_slots(table).values())


def test_without_doubt_nothing_is_uncertain() -> None:
    ids = MANY[:300]
    doubtful = int((pool(ids).doubt.value > 0).sum())
    table = make(ids, uncertain=300, rest="none", gold_share=1.0)
    assert len(with_reason(table, "uncertain") | with_reason(table, "gold")) <= 300
    assert len(with_reason(table, "uncertain")) <= doubtful < 300


def test_every_category_reaches_the_floor_and_no_more_than_needed() -> None:
    ids = ungilded(MANY[:1000])
    filled = pool(ids)
    showing = {
        number: {ids[i] for i in filled.found.images[filled.found.categories == number]}
        for number in range(3)
    }
    table = make(ids, rare_floor=20, rest="none")
    for number in range(3):
        assert len(showing[number] & set(reasons(table))) >= min(20, len(showing[number]))
    assert len(reasons(table)) <= 60
    details = [row["detail"] for row in first_slots(table).values()]
    assert any(detail == "suggested: yield_sign" for detail in details)
    # What people look at anyway counts.
    assert with_reason(make(ids, rare_floor=20, control_share=1.0), "rare") == set()


def test_gold_is_shown_by_round_and_held_back_until_then() -> None:
    known = set(MANY) - set(ungilded(MANY))
    shown = [with_reason(make(MANY, gold_share=0.25, gold_round=turn), "gold") for turn in range(4)]
    assert shown[0] < shown[1] < shown[2] < shown[3] == known
    first = make(MANY, gold_share=0.25)
    assert set(reasons(first)) == (set(MANY) - known) | shown[0]
    assert with_reason(make(MANY, first, gold_share=0.25, gold_round=1), "gold") == shown[1]
    several = make(MANY, gold_labelers=2)
    assert {row["reason"] for row in several.to_pylist() if row["slot"] == 1} == {"gold"}


def test_a_look_that_a_person_asks_for_is_planned_and_never_accepted_without_one() -> None:
    ids = MANY[:400]
    without = reasons(make(ids, accept=True, rest="none", uncertain=0))
    wanted = [key for key, reason in without.items() if reason == "accepted"][:3]
    wanted += [key for key in ids if key not in without][:2]
    table = make(ids, accept=True, rest="none", uncertain=0, asked=wanted)
    assert with_reason(table, "asked") == set(wanted)
    details = {row["detail"] for row in table.to_pylist() if row["reason"] == "asked"}
    assert all(str(one).startswith("somebody asked for a look") for one in details)
    others = {key: reason for key, reason in reasons(table).items() if key not in wanted}
    assert others == {key: reason for key, reason in without.items() if key not in wanted}


def test_gold_that_people_have_is_not_taken_back() -> None:
    ids = MANY[:1000]
    later = make(ids, gold_share=0.25, gold_round=1)
    again = make(ids, later, gold_share=0.25)
    assert again.equals(later)
    # Answers that become known after the images were given out: shown ones are gold now, the others stay.
    ordinary = pool(ids, control_share=0.2)
    unknown = Pool(**{**fields(ordinary), "gold": np.zeros(len(ids), dtype=np.bool_)})
    before = plan.make(unknown, strata.membership(unknown), None)
    after = make(ids, before, control_share=0.2, gold_share=0.5)
    assert set(reasons(after)) == set(ids)
    assert with_reason(after, "gold")
    assert with_reason(after, "control") == with_reason(before, "control")


def test_gold_and_control_are_spread_through_the_queue() -> None:
    table = make(MANY, control_share=0.1, uncertain=0.2, overlap_share=0.3)
    rows = sorted(first_slots(table).values(), key=lambda row: row["priority"])
    for reason in ("gold", "control"):
        where = np.array([place for place, row in enumerate(rows) if row["reason"] == reason])
        gaps = np.diff(np.concatenate([[0], where, [len(rows)]]))
        assert gaps.max() < 2.2 * len(rows) / len(where)
    order = [row["reason"] for row in rows if row["reason"] in ("uncertain", "review")]
    assert order == sorted(order, reverse=True)


def test_new_images_are_queued_behind_earlier_ones() -> None:
    before = make(MANY[:300], **ALL_ON)
    after = first_slots(make(MANY[:600], before, **ALL_ON))
    new = [row["priority"] for key, row in after.items() if key not in first_slots(before)]
    assert min(new) > max(row["priority"] for row in first_slots(before).values())


def test_planted_errors_keep_to_ordinary_images_with_suggestions() -> None:
    params = {**ALL_ON, "seeded_errors": 0.5, "accept": True}
    table = make(MANY, **params)
    filled = pool(MANY, **params)
    suggested = {key for key, flag in zip(MANY, filled.suggested, strict=True) if flag}
    counts = plan.labelers_wanted(table["task_id"].to_pylist())
    seeded = {key: row for key, row in first_slots(table).items() if row["seeded_kind"] is not None}
    ordinary = [
        row for row in first_slots(table).values() if row["reason"] in ("uncertain", "rare", "review")
    ]
    able = [row for row in ordinary if counts[row["task_id"]] == 1 and row["image_id"] in suggested]
    assert {row["task_id"] for row in seeded.values()} <= {row["task_id"] for row in able}
    assert len(seeded) / len(able) == pytest.approx(0.5, abs=5 * (0.25 / len(able)) ** 0.5)
    kinds = [row["seeded_kind"] for row in seeded.values()]
    assert min(kinds.count(kind) for kind in error_injection.KINDS) > len(kinds) / 8
    best: dict[str, tuple[float, str]] = {}
    for image, score, key in zip(
        filled.found.images, filled.found.scores, filled.found.ids.to_pylist(), strict=True
    ):
        best[MANY[image]] = max(best.get(MANY[image], (0.0, "")), (float(score), key))
    for key, row in seeded.items():
        expected = error_injection.spurious_id(key) if row["seeded_kind"] == "spurious" else best[key][1]
        assert row["seeded_id"] == expected


def test_with_one_category_nothing_is_renamed() -> None:
    filled = pool(MANY[:500], seeded_errors=1.0)
    alone = Pool(
        **{**{name: getattr(filled, name) for name in filled.__dataclass_fields__}, "names": ("sign",)}
    )
    kinds = plan.make(alone, strata.membership(alone), None)["seeded_kind"].unique().to_pylist()
    assert set(kinds) == {None, "moved", "missing", "spurious"}


def test_strict_blindness_names_different_people_in_equal_parts() -> None:
    table = make(MANY, overlap_share=0.3, blind="strict", people=PEOPLE)
    by_task: dict[str, list[str]] = {}
    for row in table.to_pylist():
        by_task.setdefault(row["task_id"], []).append(row["labeler"])
    assert all(len(set(names)) == len(names) for names in by_task.values())
    counts = [sum(name in names for names in by_task.values()) for name in PEOPLE]
    expected = table.num_rows / 3
    assert all(abs(count - expected) < 5 * expected**0.5 for count in counts)
    assert make(MANY[:5], people=PEOPLE)["labeler"].null_count == 5


def test_who_leaves_gives_up_their_tasks_and_nobody_else_loses_one() -> None:
    before = make(MANY, overlap_share=0.3, blind="strict", people=PEOPLE)
    after = make(MANY, before, overlap_share=0.3, blind="strict", people=(*PEOPLE[1:], "dan@example.org"))
    both = zip(before["labeler"].to_pylist(), after["labeler"].to_pylist(), strict=True)
    assert all(new == old if old != PEOPLE[0] else new != old for old, new in both)
    joined = make(MANY, before, overlap_share=0.3, blind="strict", people=(*PEOPLE, "dan@example.org"))
    assert joined["labeler"].equals(before["labeler"])


def test_strict_blindness_needs_enough_people() -> None:
    with pytest.raises(ParamsError, match=r"qa\.people names 1 labelers, and 2 must look at one image"):
        make(MANY[:50], overlap_share=1.0, blind="strict", people=PEOPLE[:1])
    make(MANY[:50], overlap_share=0.0, blind="strict", people=PEOPLE[:1])
    with pytest.raises(ParamsError, match=r"qa\.people names 0 labelers"):
        make(MANY[:50], blind="strict")


def test_further_reasons_stand_in_the_words() -> None:
    table = first_slots(make(MANY[:600], control_share=0.3, audit=200, uncertain=200))
    also = [row["detail"] for row in table.values() if row["reason"] == "control"]
    assert any(text.endswith("; also audit") for text in also)
    assert any(text.endswith("; also audit, uncertain") for text in also)


def test_switching_a_part_on_or_off_takes_effect() -> None:
    before = make(MANY[:600])
    assert with_reason(before, "uncertain") == set()
    on = make(MANY[:600], before, uncertain=50)
    assert with_reason(on, "uncertain") == with_reason(make(MANY[:600], uncertain=50), "uncertain")
    assert with_reason(make(MANY[:600], on, uncertain=0), "uncertain") == set()
    more = make(MANY[:600], on, uncertain=80)
    assert with_reason(on, "uncertain") < with_reason(more, "uncertain")


def test_acceptance_never_takes_what_people_have() -> None:
    before = make(MANY[:300])
    assert with_reason(make(MANY[:300], before, accept=True), "accepted") == set()
    grown = make(MANY[:600], before, accept=True)
    assert with_reason(grown, "accepted")
    assert not with_reason(grown, "accepted") & set(MANY[:300])
    looked = plan.looked_at(grown)
    assert set(looked["arm"].to_pylist()) == {"suggested"}
    assert looked.num_rows + len(with_reason(grown, "accepted")) == grown.num_rows


def test_an_empty_project_has_an_empty_plan() -> None:
    assert make([]).num_rows == 0
    assert make([], **{**ALL_ON, "accept": True}).num_rows == 0
