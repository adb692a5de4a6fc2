"""Answers under an older guideline or taxonomy."""

from __future__ import annotations

import pyarrow as pa

from curate.qa import joined_answers, outdated_answers
from tests.qa import answering

NAMES = ("one", "two", "three", "four", "five")


def looked() -> joined_answers.Looks:
    changes = (
        {}, {"guideline_digest": "g0"}, {"taxonomy_digest": "t0"},
        {"guideline_digest": "g0", "taxonomy_digest": "t0"}, {"guideline_digest": None},
    )  # fmt: skip
    return answering.collect(
        answering.plans(*map(answering.plan, NAMES)),
        answering.answers(*(answering.answer(name, **one) for name, one in zip(NAMES, changes, strict=True))),
    )


def listed(guideline: str | None, taxonomy: str | None) -> tuple[dict[str, str], int]:
    all_looks = looked()
    found = outdated_answers.find(all_looks, guideline=guideline, taxonomy=taxonomy)
    names = {answering.task(name): name for name in NAMES}
    tasks = all_looks.table["task_id"].take(pa.array(found.look)).to_pylist()
    return {names[task]: why for task, why in zip(tasks, found.reasons(), strict=True)}, found.unknown


def test_each_answer_says_what_was_another_one() -> None:
    assert listed("g1", "t1") == (
        {"two": "guideline", "three": "taxonomy", "four": "guideline and taxonomy"},
        1,
    )


def test_going_back_to_the_old_guideline_lists_the_others() -> None:
    assert set(listed("g0", "t1")[0]) == {"one", "three", "four"}


def test_what_is_not_known_today_is_not_compared() -> None:
    assert listed(None, "t1") == ({"three": "taxonomy", "four": "taxonomy"}, 0)
    assert listed(None, None) == ({}, 0)
