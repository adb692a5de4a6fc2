"""What happens in a month of work: people, managers, leads, models, and accidents; each drawn by a weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from curate.errors import AnnotationToolError
from tests.integration import fault_proxy
from tests.integration.random_months import gold
from tests.integration.random_months.invariants import check
from tests.integration.random_months.people import EMAILS, Person
from tests.integration.random_months.world import TITLE, World

_POOL = tuple(f"picture-{number}" for number in range(40))
_FAULTS = (
    fault_proxy.drop_after,
    fault_proxy.refuse,
    fault_proxy.status(500),
    fault_proxy.status(503, retry_after="0"),
    fault_proxy.failed_after(502),
)


@dataclass
class Month:
    """A world, its people, and the chance that drives them.

    Attributes:
        world: All that is acted on.
        chance: Where every choice comes from.
        told: One line per event, for a failure to be read.
        copies: Projects that a manager copied, with their tasks as they were then.
    """

    world: World
    chance: Random
    told: list[str] = field(default_factory=list)
    copies: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    _people: dict[str, Person] = field(default_factory=dict)

    def person(self) -> Person:
        """Anybody."""
        email = self.chance.choice(EMAILS)
        if email not in self._people:
            self._people[email] = Person.of(self.world, email)
        return self._people[email]

    def anywhere(self) -> int | None:
        """Any task of our project, open or closed; None if there is none."""
        tasks = self.world.tasks(self.world.project()["id"])
        return int(self.chance.choice(tasks)["id"]) if tasks else None

    def happen(self) -> None:
        """One event."""
        event = self.chance.choices(list(EVENTS), list(EVENTS.values()))[0]
        self.told.append(event.__name__.replace("_", " "))
        event(self)

    def sync(self) -> None:
        """Bring all into step, and compare it with what must be true."""
        self.world.sync()
        check(self.world)
        for project, before in self.copies.items():
            assert _content(self.world.tasks(project)) == before, "a copy of the project was touched"

    def share(self, *values: float) -> float:
        """One of some shares."""
        return self.chance.choice(values)


def _content(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a push could change of tasks, and a labeler."""
    told = ("id", "data", "overlap", "is_labeled")
    return [
        {
            **{name: task[name] for name in told},
            "answers": [(one["id"], one["result"]) for one in task["annotations"]],
            "predictions": [one["id"] for one in task["predictions"]],
        }
        for task in tasks
    ]


def somebody_works(month: Month) -> None:
    """A person answers what the server offers, one to four tasks."""
    person, project = month.person(), month.world.project()["id"]
    for _ in range(month.chance.randint(1, 4)):
        task = person.offered(project)
        if task is not None:
            person.answer(month.world, task, month.chance)


def somebody_opens_a_task_from_the_list(month: Month) -> None:
    """A person answers any task, perhaps a closed one, or one that was answered before by the same person."""
    if (task := month.anywhere()) is not None:
        month.person().answer(month.world, task, month.chance)


def somebody_answers_twice(month: Month) -> None:
    """A person labels a task a second time, rather one for which others are wanted too."""
    person, plan = month.person(), month.world.plan
    own = [answer for answer in month.world.truth.answers.values() if answer.person == person.email]
    shared = [answer for answer in own if answer.key in plan and plan[answer.key].people > 1]
    if own:
        person.answer(month.world, month.chance.choice(shared or own).task, month.chance)


def somebody_corrects(month: Month) -> None:
    """A person updates the last own answer to a task."""
    person = month.person()
    keys = {answer.key for answer in month.world.truth.answers.values()}
    own = [one for one in month.world.truth.last(keys) if one.person == person.email]
    if own:
        person.update(month.world, month.chance.choice(own), month.chance)


def somebody_skips(month: Month) -> None:
    """A person skips what the server offers."""
    person = month.person()
    task = person.offered(month.world.project()["id"])
    if task is not None:
        person.skip(month.world, task)


def somebody_begins(month: Month) -> None:
    """A person begins and leaves a draft."""
    person = month.person()
    task = person.offered(month.world.project()["id"])
    if task is not None:
        person.begin(month.world, task)


def somebody_takes_an_answer_back(month: Month) -> None:
    """A person deletes an own answer."""
    person = month.person()
    own = [answer for answer in month.world.truth.answers.values() if answer.person == person.email]
    if own:
        person.take_back(month.world, month.chance.choice(own))


def a_manager_deletes_an_answer(month: Month) -> None:
    """Anybody's answer is deleted."""
    if month.world.truth.answers:
        number = month.chance.choice(list(month.world.truth.answers))
        month.world.request("DELETE", f"/api/annotations/{number}/")
        month.world.truth.deleted(number)


def a_manager_deletes_a_task(month: Month) -> None:
    """A task with all that is on it is deleted."""
    if (task := month.anywhere()) is not None:
        month.world.request("DELETE", f"/api/tasks/{task}/")
        month.world.truth.task_deleted(task)


def a_manager_copies_a_task(month: Month) -> None:
    """A task is exported and imported again: two with one key."""
    project = month.world.project()["id"]
    if tasks := month.world.tasks(project):
        task = month.chance.choice(tasks)
        predictions = [
            {"model_version": one["model_version"], "result": one["result"]} for one in task["predictions"]
        ]
        month.world.request(
            "POST", f"/api/projects/{project}/import", [{"data": task["data"], "predictions": predictions}]
        )


def a_manager_copies_the_project(month: Month) -> None:
    """The project is exported and imported under another name, with everybody's answers."""
    ours = month.world.project()
    copied = ("label_config", "description", "expert_instruction", "maximum_annotations")
    body = {"title": f"{TITLE} (copy {len(month.copies) + 1})", **{name: ours[name] for name in copied}}
    number = month.world.request("POST", "/api/projects/", body)["id"]
    tasks = [
        {
            "data": task["data"],
            "annotations": [{"result": one["result"], "lead_time": 1.0} for one in task["annotations"]],
        }
        for task in month.world.tasks(ours["id"])
    ]
    if tasks:
        month.world.request("POST", f"/api/projects/{number}/import", tasks)
    month.copies[number] = _content(month.world.tasks(number))


def a_manager_renames_the_project(month: Month) -> None:
    """While it has another name, a sync goes on with it or says so in one line; no second project is made."""
    ours = month.world.project()
    path = f"/api/projects/{ours['id']}/"
    month.world.request("PATCH", path, {"title": "renamed by a manager"})
    before = month.world.request("GET", "/api/projects/", page_size=1000)["count"]
    refusal = ""
    try:
        month.world.sync()
    except AnnotationToolError as error:
        refusal = str(error)
    assert not refusal or ("renamed by a manager" in refusal and "\n" not in refusal), refusal
    after = month.world.request("GET", "/api/projects/", page_size=1000)["count"]
    assert after == before, "a renamed project was made anew"
    month.world.request("PATCH", path, {"title": TITLE})


def pictures_come(month: Month) -> None:
    """One to four pictures are added."""
    left = sorted(set(_POOL) - month.world.present)
    month.world.present |= set(month.chance.sample(left, min(len(left), month.chance.randint(1, 4))))


def pictures_go(month: Month) -> None:
    """One or two pictures are removed; a few always stay, and those whose answer is known."""
    may_go = sorted(month.world.present - set(gold.names()))
    if len(may_go) > 8:
        month.world.present -= set(month.chance.sample(may_go, month.chance.randint(1, 2)))


def the_plan_changes(month: Month) -> None:
    """The lead changes one of the plan's parts."""
    name, values = month.chance.choice(PLAN_PARTS)
    month.world.qa[name] = month.chance.choice(values)
    month.told[-1] += f": {name} {month.world.qa[name]}"


def gold_changes(month: Month) -> None:
    """Known answers are added for some pictures, or another round of them is shown."""
    if month.chance.random() < 0.5 or "gold" not in month.world.qa:
        gold.add(sorted(month.world.present), month.chance)
        month.world.qa["gold"] = str(gold.FILE)
        month.world.qa.setdefault("gold_share", 0.5)
    else:
        month.world.qa["gold_round"] = month.world.qa.get("gold_round", 0) + 1


def thresholds_change(month: Month) -> None:
    """Suggestions begin at another score."""
    month.world.threshold = month.share(0.4, 0.5, 0.65)


def another_model_suggests(month: Month) -> None:
    """All suggestions are another model's."""
    month.world.model = f"model-{int(month.world.model.rpartition('-')[2]) + 1}"


def the_guideline_changes(month: Month) -> None:
    """The text that opens before labelling is another one, from the sync on that follows at once."""
    month.world.guideline = f"Draw a box around every sign. Rule {month.chance.randint(1, 10**6)}."
    month.sync()


def a_sync(month: Month) -> None:
    """All is well."""
    month.sync()


def a_sync_through_faults(month: Month) -> None:
    """The connection breaks, the server fails, answers get lost: at one to four of the requests."""
    for _ in range(month.chance.randint(1, 4)):
        month.world.proxy.plan(month.chance.choice(_FAULTS), skip=month.chance.randint(0, 25))
    month.sync()
    month.told[-1] += f": {month.world.proxy.struck} struck"
    month.world.proxy.clear()


def a_killed_stage(month: Month) -> None:
    """Push or pull is killed at a random request; people may go on before the next sync."""
    stage = month.chance.choice(("push", "push", "pull"))
    died = month.world.killed(stage, month.chance.randint(2, 20))
    month.told[-1] += f": {stage} {'died' if died else 'came to its end'}"


PLAN_PARTS: Sequence[tuple[str, Sequence[Any]]] = (
    ("overlap_share", (0.0, 0.3, 0.6)),
    ("overlap", (2, 3)),
    ("control_share", (0.0, 0.2, 0.4)),
    ("seeded_errors", (0.0, 0.5, 0.8)),
    ("audit", (0.0, 0.3, 0.6)),
    ("uncertain", (0.0, 0.2)),
    ("rest", ("review", "review", "none")),
)
EVENTS: dict[Callable[[Month], None], float] = {
    somebody_works: 26,
    somebody_opens_a_task_from_the_list: 5,
    somebody_answers_twice: 6,
    somebody_corrects: 4,
    somebody_skips: 3,
    somebody_begins: 3,
    somebody_takes_an_answer_back: 3,
    a_manager_deletes_an_answer: 2,
    a_manager_deletes_a_task: 2,
    a_manager_copies_a_task: 2,
    a_manager_copies_the_project: 0.7,
    a_manager_renames_the_project: 1,
    pictures_come: 4,
    pictures_go: 3,
    the_plan_changes: 6,
    gold_changes: 2,
    thresholds_change: 2,
    another_model_suggests: 2,
    the_guideline_changes: 1,
    a_sync: 8,
    a_sync_through_faults: 5,
    a_killed_stage: 3,
}


def begin(world: World, seed: int) -> Month:
    """A project of some pictures, pushed once."""
    month = Month(world, Random(seed))  # noqa: S311 - to be repeated, not to be secret
    world.present = set(month.chance.sample(_POOL, 14))
    world.qa = {"control_share": 0.3, "seeded_errors": 0.5, "overlap_share": 0.5, "seed": seed}
    month.sync()
    return month
