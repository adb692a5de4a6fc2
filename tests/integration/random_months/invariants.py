"""What must hold after each sync, whatever happened before."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

from curate import schema, tables
from curate.shown import record
from tests import builders
from tests.integration.random_months import gold, nature, page
from tests.integration.random_months.model import Answer
from tests.integration.random_months.people import SAVED, planted
from tests.integration.random_months.world import World

Row = dict[str, Any]
_PX = 1e-6  # of a box that went to the server in percent and came back
_MIN_ANSWERS = 6  # in each arm, below which the time saved is no figure


def check(world: World) -> None:
    """All of them.

    Raises:
        AssertionError: One does not hold.
    """
    for holds in INVARIANTS:
        holds(world)


def one_open_task_a_key(world: World) -> None:
    """Each planned key has one open task with its current suggestions and room for the people it wants."""
    project = world.project()
    open_tasks: dict[str, list[Row]] = defaultdict(list)
    for task in world.tasks(project["id"]):
        if task["overlap"] > 0:
            open_tasks[task["data"]["task_id"]].append(task)
    assert open_tasks.keys() == world.plan.keys(), "open tasks are not those of the plan"
    for key, tasks in open_tasks.items():
        assert len(tasks) == 1, f"{len(tasks)} open tasks for {key}"
        (task,) = tasks
        _offered(world, key, task)
        _current(world, key, task, project["model_version"])


def _offered(world: World, key: str, task: Row) -> None:
    """Offered as long as people are missing: who answered twice, or in a copy, is one person."""
    wanted, people = world.plan[key].people, {answer.person for answer in world.truth.of([key])}
    answers = task["total_annotations"] + task["cancelled_annotations"]
    done = len(people) >= wanted
    state = f"{key}: {len(people)} of {wanted} people, {answers} answers here, server wants {task['overlap']}"
    assert task["is_labeled"] == done, f"{state}, is_labeled {task['is_labeled']}"
    assert done or answers < task["overlap"], f"{state}: it is offered to nobody"


def _current(world: World, key: str, task: Row, version: str) -> None:
    """One prediction: the model's suggestions as they are now, with at most one error that was planned.

    A task that somebody began keeps what it showed then: suggestions that were current once.
    """
    planned = world.plan[key]
    if world.truth.of([key]) or key in world.truth.drafts.values():
        assert len(task["predictions"]) <= 1
        for prediction in task["predictions"]:
            assert prediction["model_version"] == version, (
                f"{key} has suggestions that the page does not show"
            )
            planted(world, key, planned.image, page.read(prediction["result"]))
        return
    said = {one.identity: one.thing for one in world.shown_sets[planned.image][-1].values()}
    predictions = task["predictions"]
    if not planned.suggested or not said:
        assert not predictions, f"{key} shows suggestions and should not"
        return
    if planned.seeded_kind == "missing" and len(said) == 1:
        assert not predictions
        return
    (prediction,) = predictions
    assert prediction["model_version"] == version, f"{key} has suggestions that the page does not show"
    shown = list(page.read(prediction["result"]).values())
    extra = [thing for thing in shown if thing.outline not in nature.outlines(said.values())]
    lost = [one for one in said.values() if one.outline not in nature.outlines(shown)]
    wanted = {None: (0, 0), "moved": (1, 1), "category": (1, 1), "spurious": (1, 0), "missing": (0, 1)}
    assert (len(extra), len(lost)) == wanted[planned.seeded_kind], (
        f"{key}: {planned.seeded_kind}, {extra}, {lost}"
    )
    if planned.seeded_kind is None:
        assert {thing.rle for thing in shown} == {thing.rle for thing in said.values()}, f"{key}: other masks"


def _expected(world: World) -> list[Answer]:
    """The answers that pull brings: those to tasks of the plan."""
    return world.truth.of(world.plan)


def every_answer_is_one_row(world: World) -> None:
    """Every answer there is has exactly one row; nothing is lost, kept after it was deleted, or invented."""
    rows = tables.read(Path("data/pull/answers.parquet"), schema.ANSWERS).to_pylist()
    last = {answer.number for answer in world.truth.last(world.plan)}
    expected = Counter(
        (
            answer.key,
            answer.person,
            "skipped" if answer.skipped else "submitted",
            answer.number not in last,
            round(answer.seconds, 3),
        )
        for answer in _expected(world)
    )
    begun = Counter((key, person) for (_, person), key in world.truth.drafts.items() if key in world.plan)
    drafts = [row for row in rows if row["outcome"] == "draft"]
    found = Counter(
        (row["task_id"], row["annotator_id"], row["outcome"], row["superseded"], round(row["lead_time_s"], 3))
        for row in rows
        if row["outcome"] != "draft"
    )
    assert found == expected, f"lost: {expected - found}; invented: {found - expected}"
    seen = Counter((row["task_id"], row["annotator_id"]) for row in drafts)
    assert seen == begun, f"drafts lost: {begun - seen}; invented: {seen - begun}"
    _guidelines(world, rows)


def _guidelines(world: World, rows: list[Row]) -> None:
    """Each answer carries the guideline that was shown when it began."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row["outcome"] != "draft":
            found[row["task_id"], row["annotator_id"], row["outcome"]].append(row["guideline_digest"])
    for answer in _expected(world):
        if answer.shown.guideline is not None and answer.created == answer.changed:
            there = found[answer.key, answer.person, "skipped" if answer.skipped else "submitted"]
            assert answer.shown.guideline in there, (
                f"{answer.key}: guideline {answer.shown.guideline}, got {there}"
            )


def objects_are_exact(world: World) -> None:
    """Everybody's last answers, object by object: name, box to a millionth of a pixel, mask to the pixel."""
    rows = tables.read(Path("data/pull/annotations.parquet"), schema.ANNOTATIONS).to_pylist()
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        found[row["task_id"], row["annotator_id"]].append(row)
    last = {(answer.key, answer.person): answer for answer in world.truth.last(world.plan)}
    assert found.keys() == last.keys(), "rows of other answers than the last ones"
    for at, answer in last.items():
        outcomes = [row["outcome"] for row in found[at]]
        if answer.skipped or not answer.things:
            assert outcomes == ["skipped" if answer.skipped else "empty"], f"{at}: {outcomes}"
            continue
        _same(answer, found[at])


def _same(answer: Answer, rows: list[Row]) -> None:
    left = list(rows)
    for thing in answer.things:
        match = [
            row for row in left if row["category"] == thing.category and _near(row["bbox_xyxy"], thing.box)
        ]
        assert match, f"{answer.key} {answer.person}: {thing} is not among {rows}"
        left.remove(match[0])
        assert match[0]["rle"] == thing.rle, f"{answer.key}: another mask"
        descends = thing in answer.kept.values()
        assert (match[0]["parent_id"] is not None) == descends, f"{answer.key}: origin of {thing}"
    assert not left, f"{answer.key} {answer.person}: invented {left}"


def _near(box: Any, other: nature.Box) -> bool:
    return all(abs(a - b) <= _PX for a, b in zip(box, other, strict=True))


def _released() -> dict[str, list[Row]]:
    rows = tables.read(Path("data/agreement/consensus.parquet"), schema.ANNOTATIONS).to_pylist()
    released: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["outcome"] in {"object", "empty"}:
            released[row["image_id"]].append(row)
    return released


def no_planted_error_is_released(world: World) -> None:
    """A planted error that was left in holds its picture back until a later answer is without it."""
    released = _released()
    with Path("data/agreement/queue.csv").open(newline="") as file:
        queued = {row["image_id"] for row in csv.DictReader(file) if "planted" in row["reason"]}
    for key in world.truth.held_back(world.plan):
        image = builders.image_id(world.plan[key].image)
        assert image not in released, f"a planted error is released: {key}, {world.plan[key].image}"
        assert image in queued, f"a planted error stands in no queue: {key}"


def what_people_settled_is_released(world: World) -> None:
    """What was answered without any planted error is released, as it was drawn if one person looked.

    Where two looked and do not draw the same, nothing is settled: the picture is held back and stands in the
    queue. Of three or more who differ, or two whose masks do, it depends on how (docs/agreement.md).
    """
    released = _released()
    with Path("data/agreement/queue.csv").open(newline="") as file:
        queued = {row["image_id"] for row in csv.DictReader(file)}
    images = {builders.image_id(planned.image) for planned in world.plan.values()}
    assert released.keys() <= images, "released without a task"
    for key in world.truth.must_be_released(world.plan):
        image = builders.image_id(world.plan[key].image)
        answers = [answer for answer in world.truth.last([key]) if not answer.skipped]
        pairs = list(combinations(answers, 2))
        if all(_agree(a, b) for a, b in pairs):
            rows = released.get(image)
            assert rows, f"answered and not released: {key}"
            if len(answers) == 1:
                drawn = Counter(thing.category for thing in answers[0].things)
                assert Counter(row["category"] for row in rows if row["outcome"] == "object") == drawn, key
        elif len(pairs) == 1 and any(_differ(a, b) for a, b in (pairs[0], pairs[0][::-1])):
            assert image not in released, f"two differ and it is released: {key}"
            assert image in queued, f"two differ and nobody is told: {key}"


def _agree(one: Answer, other: Answer) -> bool:
    """Whether two drew the same objects, with the same masks where both have one."""
    partners = [
        [number for number, b in enumerate(other.things) if _found(a, b) and _masks_fit(a, b)]
        for a in one.things
    ]
    same = len(one.things) == len(other.things) and all(len(numbers) == 1 for numbers in partners)
    return same and len({numbers[0] for numbers in partners}) == len(partners)


def _masks_fit(a: nature.Object, b: nature.Object) -> bool:
    return a.rle == b.rle or None in {a.rle, b.rle}


def _differ(one: Answer, other: Answer) -> bool:
    """Whether one drew an object that the other did not."""
    return len(one.things) != len(other.things) or not all(
        any(_found(a, b) for b in other.things) for a in one.things
    )


def answers_are_joined_to_what_was_shown(world: World) -> None:
    """Each answer knows what its labeler was shown; where a push died it may not, and then it says so."""
    shown = {row["shown_id"]: row for row in record.load(Path("data/push/shown")).shown.to_pylist()}
    rows = tables.read(Path("data/pull/answers.parquet"), schema.ANSWERS).to_pylist()
    found = {
        (row["task_id"], row["annotator_id"]): row
        for row in rows
        if row["outcome"] != "draft" and not row["superseded"]
    }
    for answer in world.truth.last(world.plan):
        row = found[answer.key, answer.person]
        assert (row["shown_id"] is None) == (row["not_joined"] is not None), row
        at = f"{answer.key} {answer.person}"
        if row["shown_id"] is None:
            mine = [one for one in shown.values() if one["task_id"] == answer.key]
            assert not answer.shown.certain, f"{at} is not joined: {row}, shown {mine}"
            continue
        joined = shown[row["shown_id"]]
        planted = answer.shown.planted is not None
        assert (joined["seeded_kind"] is not None) >= planted, f"{at}: a planted error was shown"
        if answer.shown.certain:
            assert (joined["arm"] == "suggested") == answer.shown.suggested, f"{at}: {joined['arm']}"


def planted_errors_are_counted(world: World) -> None:
    """How many planted errors people saw and left in, by what they were really shown."""
    last = [one for one in world.truth.last(world.plan) if not one.skipped]
    shown = [one for one in last if one.shown.planted]
    # Whether a suggestion was left out on purpose, only the plan tells.
    unknown = {(one.key, one.person) for one in last if not one.shown.certain}
    with Path("data/quality/seeded_errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    seen = {(row["task_id"], row["annotator_id"]): row["caught"] == "true" for row in rows}
    expected = {(one.key, one.person): one.shown.certain for one in shown}
    invented = seen.keys() - expected.keys() - unknown
    lost = {at for at, certain in expected.items() if certain and at not in seen}
    assert not invented, f"planted errors that nobody was shown: {invented}"
    assert not lost, f"planted errors lost: {lost}, {len(seen)} seen"
    for one in shown:
        if one.error_left_in and (one.key, one.person) in seen:
            assert not seen[one.key, one.person], f"{one.key} {one.person}: left in, and counted as caught"


def control_answers_are_counted(world: World) -> None:
    """How many answers were given without suggestions, by what people were really shown."""
    known = set(gold.names())
    control = [
        one.shown.certain
        for one in world.truth.last(world.plan)
        if not one.skipped and not one.shown.suggested and one.image not in known
    ]
    counted = world.metrics["quality"]["arms"]["control"]["answers"]
    assert sum(control) <= counted <= len(control), f"{counted} control answers, of {sum(control)}"


def gold_is_scored(world: World) -> None:
    """Objects drawn, known and right of every answer to a gold task."""
    with Path("data/quality/gold.csv").open(newline="") as file:
        rows = {(row["task_id"], row["annotator_id"]): row for row in csv.DictReader(file)}
    known = set(gold.names())
    for answer in world.truth.last(world.plan):
        row = rows.pop((answer.key, answer.person), None)
        if row is None:
            continue
        assert answer.image in known, f"{answer.image} is no gold"
        real = nature.truth(answer.image)
        right = sum(any(_found(thing, drawn) for drawn in answer.things) for thing in real)
        assert (int(row["drawn"]), int(row["known"])) == (len(answer.things), len(real)), answer.key
        assert int(row["right"]) == right, f"{answer.key}: right {row['right']}, expected {right}"
    assert not rows, f"gold answers of nobody: {list(rows)}"


def _found(thing: nature.Object, drawn: nature.Object) -> bool:
    return thing.category == drawn.category and nature.iou(thing.box, drawn.box) >= 0.5


def time_saved_is_recovered(world: World) -> None:
    """Suggestions save half of everybody's time, whatever became of the plan since."""
    saved = world.metrics["quality"]["time"]["saved"]
    arms = world.metrics["quality"]["arms"]
    if saved["value"] is not None and min(arm["answers"] for arm in arms.values()) >= _MIN_ANSWERS:
        assert abs(saved["value"] - SAVED) < 0.05, f"time saved {saved}, truth {SAVED}"


INVARIANTS: tuple[Callable[[World], None], ...] = (
    one_open_task_a_key,
    every_answer_is_one_row,
    objects_are_exact,
    no_planted_error_is_released,
    what_people_settled_is_released,
    answers_are_joined_to_what_was_shown,
    planted_errors_are_counted,
    control_answers_are_counted,
    gold_is_scored,
    time_saved_is_recovered,
)
