from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import ReleaseError
from curate.release import splits

CATEGORIES = ("a", "b", "c")
work = st.lists(
    st.tuples(st.integers(0, 30).map("group {}".format), st.frozensets(st.sampled_from(CATEGORIES))),
    min_size=1,
    max_size=60,
)


def assigned(
    rows: list[tuple[str, frozenset[str]]], *, validation: float = 0.15, test: float = 0.15, seed: int = 0
) -> list[str]:
    groups, categories = zip(*rows, strict=True)
    return splits.assign(groups, categories, validation_share=validation, test_share=test, seed=seed)


def many(count: int) -> list[tuple[str, frozenset[str]]]:
    """Groups of one image, with a common, a middling and a rare category, and some without any."""
    kinds = ["a"] * 12 + ["b"] * 5 + ["c"] * 2 + [""]
    return [(f"image {i}", frozenset(filter(None, [kinds[i % 20]]))) for i in range(count)]


@settings(deadline=None)
@given(work, st.floats(0, 0.49), st.floats(0, 0.49), st.integers(0, 3))
def test_no_leak_no_loss_no_empty_split(
    rows: list[tuple[str, frozenset[str]]], validation: float, test: float, seed: int
) -> None:
    split_of = assigned(rows, validation=validation, test=test, seed=seed)
    assert len(split_of) == len(rows)
    splits.check([group for group, _ in rows], split_of)
    wanted = {"train", *(["validation"] if validation else []), *(["test"] if test else [])}
    if len({group for group, _ in rows}) >= 3:
        assert set(split_of) == wanted
    else:
        assert set(split_of) <= wanted


@settings(deadline=None)
@given(work, st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(rows: list, random: object) -> None:  # type: ignore[type-arg]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    of_group = dict(zip([group for group, _ in rows], assigned(rows), strict=True))
    assert assigned(shuffled) == [of_group[group] for group, _ in shuffled]


def test_shares_hold_over_all_and_within_categories() -> None:
    rows = many(1000)
    split_of = assigned(rows)
    assert Counter(split_of) == {"train": 700, "validation": 150, "test": 150}
    for category in CATEGORIES:
        mine = Counter(s for s, (_, names) in zip(split_of, rows, strict=True) if category in names)
        assert mine["test"] / mine.total() == pytest.approx(0.15, abs=0.02)
        assert mine["validation"] / mine.total() == pytest.approx(0.15, abs=0.02)


def test_a_rare_category_reaches_every_split() -> None:
    rows = [(f"image {i}", frozenset({"a", *("c" if i < 20 else "")})) for i in range(200)]
    rare = {s for s, (_, names) in zip(assigned(rows), rows, strict=True) if "c" in names}
    assert rare == {"train", "validation", "test"}


@pytest.mark.parametrize("grown", [1050, 1200, 2000])
def test_nobody_moves_when_the_data_set_grows_and_the_new_ones_even_out_the_shares(grown: int) -> None:
    before = assigned(many(1000))
    rows = many(grown)
    groups, categories = zip(*rows, strict=True)
    after = splits.assign(
        groups, categories, validation_share=0.15, test_share=0.15, seed=0,
        fixed=[*before, *[None] * (grown - 1000)],
    )  # fmt: skip
    assert after[:1000] == before
    for category in CATEGORIES:
        mine = Counter(s for s, (_, names) in zip(after, rows, strict=True) if category in names)
        assert mine["test"] / mine.total() == pytest.approx(0.15, abs=0.01)
        assert mine["validation"] / mine.total() == pytest.approx(0.15, abs=0.01)


def test_objects_are_spread_as_images_are() -> None:
    """A tenth of the images holds half of the objects: by images alone they may all go to train."""
    groups = [f"image {i}" for i in range(200)]
    categories = [["a"] * (10 if i % 10 == 0 else 1) for i in range(200)]
    split_of = splits.assign(groups, categories, validation_share=0.2, test_share=0.2, seed=0)
    objects: Counter[str] = Counter()
    for split, names in zip(split_of, categories, strict=True):
        objects[split] += len(names)
    assert Counter(split_of)["test"] == pytest.approx(40, abs=4)
    assert objects["test"] / objects.total() == pytest.approx(0.2, abs=0.03)
    assert objects["validation"] / objects.total() == pytest.approx(0.2, abs=0.03)


def test_an_image_keeps_a_split_that_has_no_share_any_more() -> None:
    fixed = ["test", None, None, None]
    got = splits.assign("abcd", [[]] * 4, validation_share=0.3, test_share=0.0, seed=0, fixed=fixed)
    assert got[0] == "test"
    assert set(got[1:]) == {"train", "validation"}


def test_a_group_that_has_two_splits_is_refused() -> None:
    with pytest.raises(ReleaseError, match="duplicates leak: group a stands in train and in test"):
        splits.assign("aa", [[]] * 2, validation_share=0, test_share=0, seed=0, fixed=["train", "test"])


def test_another_seed_is_another_draw() -> None:
    assert assigned(many(100), seed=0) != assigned(many(100), seed=1)
    assert assigned(many(100), seed=1) == assigned(many(100), seed=1)


def test_a_large_group_counts_by_its_images() -> None:
    rows = [("burst", frozenset("a"))] * 50 + many(50)
    counts = Counter(assigned(rows, validation=0.0, test=0.1))
    assert counts["test"] == pytest.approx(10, abs=1)


def test_shares_must_leave_something_for_train() -> None:
    with pytest.raises(ReleaseError, match=r"validation_share \+ release.test_share = 1\.1: leave"):
        assigned(many(5), validation=0.6, test=0.5)


def test_a_group_in_two_splits_is_refused() -> None:
    with pytest.raises(ReleaseError, match="duplicates leak: group g stands in train and in test"):
        splits.check(["g", "h", "g"], ["train", "train", "test"])


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ReleaseError, match="split 'dev' is unknown"):
        splits.check(["g"], ["dev"])
