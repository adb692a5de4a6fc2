"""Prompts: which tokens are whose, several texts, and boxes from hand-made scores."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import NotFiniteError, ParamsError
from curate.labeling import prompts
from curate.labeling.prompts import Prompt, PromptScore, TextPass, Token
from curate.records import Category


def category(name: str, *phrases: str) -> Category:
    return Category(name=name, category_id=0, prompts=phrases, threshold=0.4, color="#000000")


def words(text: str) -> list[Token]:
    """A tokenizer: pieces of at most four letters, as word pieces are, and the special tokens around them."""
    pieces = [Token(m.start(), m.end(), m[0] != "zzz") for m in re.finditer(r"[a-z]{1,4}|\.", text)]
    return [Token(0, 0), *pieces, Token(0, 0)]


def phrase_of(text: TextPass, index: int) -> str:
    start, stop = text.spans[index]
    pieces = words(text.text)[start:stop]
    return text.text[pieces[0].start : pieces[-1].stop]


def test_every_prompt_has_its_own_tokens() -> None:
    (only,) = prompts.plan_passes(
        [category("stop", "stop sign"), category("parking", "parking sign", "p")], words, max_tokens=32
    )
    assert only.text == "stop sign . parking sign . p ."
    #           [CLS] stop sign . park ing sign . p . [SEP]
    assert only.spans == ((1, 3), (4, 7), (8, 9))
    assert only.prompts == (
        Prompt("stop", "stop sign"),
        Prompt("parking", "parking sign"),
        Prompt("parking", "p"),
    )


def test_a_long_text_is_split_between_categories() -> None:
    categories = [category(name, f"{name} one", f"{name} two") for name in ("aa", "bb", "cc")]
    # A category takes 2 x (2 + 1) tokens; with [CLS] and [SEP] two of them fit into 14.
    texts = prompts.plan_passes(categories, words, max_tokens=14)
    assert [text.text for text in texts] == ["aa one . aa two . bb one . bb two .", "cc one . cc two ."]
    assert all(len(words(text.text)) <= 14 for text in texts)


def test_a_category_too_long_for_one_text_is_split() -> None:
    texts = prompts.plan_passes([category("a", "one", "two", "six")], words, max_tokens=6)
    assert [text.text for text in texts] == ["one . two .", "six ."]


def test_a_prompt_too_long_alone_is_refused() -> None:
    with pytest.raises(ParamsError, match="'abcdefgh ijk' of a has 3 tokens, the model reads 2: shorten"):
        prompts.plan_passes([category("a", "abcdefgh ijk")], words, max_tokens=5)
    assert len(prompts.plan_passes([category("a", "abcdefgh ijk")], words, max_tokens=6)) == 1


def test_a_prompt_without_a_token_is_refused() -> None:
    with pytest.raises(ParamsError, match="prompt '#' of a has no token"):
        prompts.plan_passes([category("a", "#")], words, max_tokens=9)


def test_a_prompt_of_unknown_tokens_only_is_refused() -> None:
    with pytest.raises(ParamsError, match="prompt 'zzz' of a has no token that the model knows"):
        prompts.plan_passes([category("a", "zzz")], words, max_tokens=9)
    assert len(prompts.plan_passes([category("a", "zzz sign")], words, max_tokens=9)) == 1


@given(
    st.lists(
        st.lists(st.from_regex(r"[a-z]{1,9}( [a-z]{1,9}){0,2}", fullmatch=True), min_size=1, max_size=4),
        min_size=1,
        max_size=6,
    ),
    st.integers(12, 40),
)
def test_spans_name_exactly_their_phrase(phrases: list[list[str]], max_tokens: int) -> None:
    categories = [category(str(i), *own) for i, own in enumerate(phrases)]
    texts = prompts.plan_passes(categories, words, max_tokens=max_tokens)
    asked = [prompt for text in texts for prompt in text.prompts]
    assert asked == [Prompt(str(i), phrase) for i, own in enumerate(phrases) for phrase in own]
    for text in texts:
        assert len(words(text.text)) <= max_tokens
        assert [phrase_of(text, i) for i in range(len(text.spans))] == [p.phrase for p in text.prompts]


TEXT = TextPass(
    "stop sign . parking sign .",
    (Prompt("stop", "stop sign"), Prompt("park", "parking sign")),
    ((1, 3), (4, 6)),
)


def detect(
    boxes: Sequence[Sequence[float]],
    scores: Sequence[Sequence[float]],
    floor: float = 0.0,
    how: PromptScore = "mean",
) -> prompts.Detections:
    return prompts.one_prompt_per_box(every(boxes, scores, floor, how))


def every(
    boxes: Sequence[Sequence[float]],
    scores: Sequence[Sequence[float]],
    floor: float = 0.0,
    how: PromptScore = "mean",
) -> prompts.Detections:
    return prompts.detections(
        np.array(boxes, dtype=np.float32),
        np.array(scores, dtype=np.float32),
        TEXT,
        width=200,
        height=100,
        floor=floor,
        how=how,
    )


def test_a_box_takes_the_category_of_its_best_prompt() -> None:
    # "sign" of both prompts lights up, and a stray "stop": no phrase "stop parking sign" can come of it.
    found = detect([[0.5, 0.5, 0.5, 0.5]], [[0.9, 0.6, 0.8, 0.99, 0.7, 0.9, 0.9, 0.0]])
    assert found.categories == ("park",)
    assert found.prompts == ("parking sign",)
    assert found.scores.tolist() == pytest.approx([0.8])
    assert found.boxes.tolist() == [[50.0, 25.0, 150.0, 75.0]]


def test_a_box_under_the_threshold_of_its_best_prompt_belongs_to_the_next_that_it_reaches() -> None:
    #        [CLS] stop sign .   park sign
    scores = [0.0, 0.7, 0.7, 0.0, 0.8, 0.8, 0.0, 0.0]
    found = every([[0.5, 0.5, 0.5, 0.5]], [scores])
    assert found.categories == ("park", "stop")
    for thresholds, category_, score in (
        ({"stop": 0.6, "park": 0.6}, "park", 0.8),
        ({"stop": 0.6, "park": 0.9}, "stop", 0.7),
        ({"stop": 0.9, "park": 0.9}, "park", 0.8),  # none: told as under the threshold of the best
        ({"stop": 0.7, "park": 0.81}, "stop", 0.7),  # a threshold is reached by its own value
    ):
        one = prompts.one_prompt_per_box(found, thresholds)
        assert one.categories == (category_,)
        assert one.scores.tolist() == pytest.approx([score])


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", "c"]), st.integers(0, 10)), max_size=20),
    st.fixed_dictionaries(dict.fromkeys("abc", st.integers(0, 10))),
)
def test_each_box_has_one_prompt_by_a_plain_rule(
    rows: list[tuple[int, str, int]], thresholds: dict[str, int]
) -> None:
    rows = sorted(rows, key=lambda row: -row[2])
    names = tuple(name for _, name, _ in rows)
    found = prompts.Detections(
        np.array([[box, 0, box + 9, 9] for box, _, _ in rows], dtype=np.float32).reshape(-1, 4),
        np.array([score / 10 for _, _, score in rows], dtype=np.float32),
        names,
        names,
        np.array([box for box, _, _ in rows], dtype=np.intp),
    )
    one = prompts.one_prompt_per_box(found, {name: score / 10 for name, score in thresholds.items()})
    expected = []
    for box in {box for box, _, _ in rows}:
        own = [(number, row) for number, row in enumerate(rows) if row[0] == box]
        reached = [(number, row) for number, row in own if row[2] >= thresholds[row[1]]]
        expected.append((reached or own)[0])
    expected.sort()
    assert one.categories == tuple(name for _, (_, name, _) in expected)
    assert one.boxes[:, 0].tolist() == [box for _, (box, _, _) in expected]


def test_the_greatest_token_may_decide_instead() -> None:
    #        [CLS] stop sign .   park sign
    scores = [0.0, 0.9, 0.1, 0.0, 0.6, 0.6, 0.0, 0.0]
    box = [[0.5, 0.5, 0.5, 0.5]]
    by_mean, by_max = detect(box, [scores]), detect(box, [scores], how="max")
    assert (by_mean.categories, by_max.categories) == (("park",), ("stop",))
    assert by_mean.scores.tolist() == pytest.approx([0.6])
    assert by_max.scores.tolist() == pytest.approx([0.9])


def test_tokens_of_no_prompt_count_for_none() -> None:
    #        [CLS] stop sign .   park sign .   [SEP]
    scores = [1.0, 0.1, 0.2, 1.0, 0.1, 0.1, 1.0, 1.0]
    for how, score in (("mean", 0.15), ("max", 0.2)):
        found = detect([[0.5, 0.5, 0.5, 0.5]], [scores], how=how)  # type: ignore[arg-type]
        assert found.categories == ("stop",)
        assert found.scores.tolist() == pytest.approx([score])


def test_boxes_are_cut_at_the_border_and_slivers_are_dropped() -> None:
    scores = [[0, 0.9, 0.9, 0, 0, 0, 0, 0]] * 3
    found = detect([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.001, 0.5], [1.5, 0.5, 0.2, 0.2]], scores)
    assert found.boxes.tolist() == [[0.0, 0.0, 100.0, 50.0]]


def test_the_floor_is_inclusive() -> None:
    box = [[0.5, 0.5, 0.5, 0.5]]
    assert len(detect(box, [[0, 0.5, 0.5, 0, 0, 0, 0, 0]], floor=0.5).categories) == 1
    assert len(detect(box, [[0, 0.5, 0.4, 0, 0, 0, 0, 0]], floor=0.5).categories) == 0


def test_joined_texts_are_ordered_by_score() -> None:
    low = detect([[0.5, 0.5, 0.5, 0.5]], [[0, 0.2, 0.2, 0, 0, 0, 0, 0]])
    high = detect([[0.4, 0.5, 0.5, 0.5]], [[0, 0, 0, 0, 0.7, 0.7, 0, 0]])
    together = prompts.joined([low, high])
    assert together.categories == ("park", "stop")
    assert together.boxes[0, 0] == pytest.approx(30)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_answer_of_no_numbers_is_no_answer_of_no_boxes(wrong: float) -> None:
    """Half precision that overflowed, or damaged weights: no threshold is reached, as if it were empty."""
    box, scores = [0.5, 0.5, 0.5, 0.5], [0.9, 0.6, 0.8, 0.99, 0.7, 0.9, 0.9, 0.0]
    assert len(every([box], [scores]).scores) == 2
    for boxes, values in (([box, box], [scores, [wrong] * 8]), ([box, [0.5, wrong, 0.5, 0.5]], [scores] * 2)):
        with pytest.raises(NotFiniteError, match=r"no numbers.*autolabel\.precision to float32"):
            every(boxes, values)
