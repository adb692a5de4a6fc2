"""People at the labelling page, each with a session of their own, and what they do there."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from curate.adapters.labelstudio import accounts
from curate.errors import AnnotationToolError
from tests import builders
from tests.integration.random_months import nature, page
from tests.integration.random_months.model import Answer, Planted, Shown
from tests.integration.random_months.nature import Object
from tests.integration.random_months.world import World, digest

PASSWORD = "a-long-password"
EMAILS = tuple(f"{name}@demo.invalid" for name in ("ann", "bob", "cho"))
# What an answer takes: suggestions save half of the time. No longer than it really takes here, because an
# answer was begun that long before it was sent, and other things may have been shown then.
SUGGESTED_S, CONTROL_S = 0.10, 0.20
SAVED = 1 - SUGGESTED_S / CONTROL_S
_PACE = dict(zip(EMAILS, (1.0, 1.3, 0.8), strict=True))  # everybody has a pace of their own


@dataclass
class Person:
    """Somebody who labels."""

    email: str
    session: accounts.Session

    @classmethod
    def of(cls, world: World, email: str) -> Person:
        """That person, who is invited if there is no such account."""
        return cls(email, accounts.ensure_user(world.server, email, PASSWORD))

    def offered(self, project: int) -> int | None:
        """The task that the server offers next; None if there is none."""
        try:
            task = self.session.get(f"/api/projects/{project}/next", action="asking for work")
        except AnnotationToolError:
            return None
        return int(task["id"])

    def answer(self, world: World, task: int, chance: Random) -> None:
        """Open a task, look, and submit."""
        seen = self._open(world, task)
        drawn, kept, regions = _decide(seen.image, seen.shown.things, seen.regions, seen.control, chance)
        body = {"result": regions, "lead_time": self._seconds(seen.shown)}
        self._submit(world, seen, body, (*kept.values(), *drawn), kept)

    def skip(self, world: World, task: int) -> None:
        """Open a task and skip it."""
        seen = self._open(world, task)
        body = {"result": [], "lead_time": self._seconds(seen.shown), "was_cancelled": True}
        self._submit(world, seen, body, (), {})

    def begin(self, world: World, task: int) -> None:
        """Open a task and leave it with a draft."""
        seen = self._open(world, task)
        if (task, self.email) not in world.truth.drafts:
            body = {"result": seen.regions, "lead_time": 0.05}
            self.session.post(f"/api/tasks/{task}/drafts", body, action="beginning")
            world.truth.drafts[(task, self.email)] = seen.key

    def update(self, world: World, answer: Answer, chance: Random) -> None:
        """Go back to an own answer and correct it: the page shows that answer, and no suggestions."""
        there = self.session.get(f"/api/annotations/{answer.number}/", action="opening an answer")["result"]
        control = page.Control.of(world.project()["label_config"])
        found, left, regions = _decide(answer.image, page.read(there), there, control, chance)
        kept = {at: thing for at, thing in left.items() if at in answer.shown.things}
        things = (*left.values(), *found)
        seconds = answer.seconds + 0.02
        body = {"result": regions, "lead_time": seconds, "was_cancelled": False}
        self.session.patch(f"/api/annotations/{answer.number}/", body, action="updating")
        world.moved("people")
        world.truth.updated(answer.number, things, kept, seconds)

    def take_back(self, world: World, answer: Answer) -> None:
        """Delete an own answer."""
        self.session.delete(f"/api/annotations/{answer.number}/", action="deleting")
        world.truth.deleted(answer.number)

    def _open(self, world: World, task: int) -> _Seen:
        world.settle("push")
        content = self.session.get(f"/api/tasks/{task}/", action="opening", project=world.project()["id"])
        project = world.project()
        current = [one for one in content["predictions"] if one["model_version"] == project["model_version"]]
        regions: page.Regions = current[-1]["result"] if current else []
        key = str(content["data"]["task_id"])
        image = next(
            name for name in world.shown_sets if builders.image_id(name) == content["data"]["image_id"]
        )
        things = page.read(regions)
        planned = world.plan.get(key)
        certain = planned is not None and world.certain
        suggested = planned.suggested if planned is not None and certain else bool(things)
        guideline = digest(world.guideline) if world.certain else None
        shown = Shown(things, suggested, planted(world, key, image, things), guideline, certain)
        return _Seen(task, key, image, shown, regions, page.Control.of(project["label_config"]))

    def _submit(
        self,
        world: World,
        seen: _Seen,
        body: dict[str, Any],
        things: tuple[Object, ...],
        kept: dict[str, Object],
    ) -> None:
        made = self.session.post(f"/api/tasks/{seen.task}/annotations/", body, action="answering")
        world.moved("people")
        if (seen.task, self.email) in world.truth.drafts:  # the page says which draft became the answer
            for draft in self.session.get(f"/api/tasks/{seen.task}/drafts", action="reading the drafts"):
                self.session.delete(f"/api/drafts/{draft['id']}/", action="dropping the draft")
        moment = world.truth.tick()
        world.truth.submitted(
            Answer(
                int(made["id"]), seen.task, seen.key, seen.image, self.email, things, kept,
                skipped=bool(body.get("was_cancelled")), shown=seen.shown, created=moment, changed=moment,
                seconds=body["lead_time"],
            )
        )  # fmt: skip

    def _seconds(self, shown: Shown) -> float:
        return _PACE[self.email] * (SUGGESTED_S if shown.suggested else CONTROL_S)


@dataclass(frozen=True, slots=True)
class _Seen:
    task: int
    key: str
    image: str
    shown: Shown
    regions: page.Regions
    control: page.Control


def planted(world: World, key: str, image: str, things: dict[str, Object]) -> Planted | None:
    """The error among what is shown: how it differs from a set of suggestions that was ever current."""
    shown = nature.outlines(things.values())
    plan = world.plan.get(key)
    for current in reversed(world.shown_sets[image]):
        said = {one.thing.outline: one for one in current.values()}
        missing, extra = set(said) - shown, shown - set(said)
        if not extra and not missing:
            return None
        if len(extra) > 1 or len(missing) > 1:
            continue
        wrong = next((thing for thing in things.values() if thing.outline in extra), None)
        right = next((said[outline] for outline in missing), None)
        if wrong is None and not (plan and right and right.identity in world.seeds[key]):
            continue  # a set of fewer suggestions: those of a higher threshold
        kind = "missing" if wrong is None else "spurious" if right is None else "moved"
        if wrong is not None and right is not None and wrong.outline[1] == right.thing.outline[1]:
            kind = "category"
        return Planted(wrong, right.thing if right else None, kind)
    assert not things, f"{image} shows what no model said: {sorted(shown)}"
    return None


def _decide(
    image: str, shown: dict[str, Object], regions: page.Regions, control: page.Control, chance: Random
) -> tuple[tuple[Object, ...], dict[str, Object], page.Regions]:
    """What a person draws on a page, leaves there, and sends: most look, some only click."""
    real = {thing.outline: thing for thing in nature.truth(image)}
    kind = chance.choices(("looks", "clicks", "adds"), (6, 3, 1))[0]
    if kind == "looks":
        kept = {at: thing for at, thing in shown.items() if thing.outline in real}
        there = nature.outlines(kept.values())
        drawn = tuple(thing for outline, thing in real.items() if outline not in there)
    else:
        kept = dict(shown)
        drawn = (Object(nature.CATEGORIES[0], (1.25, 2.5, 21.75, 17.5)),) if kind == "adds" else ()
    return drawn, kept, page.only(regions, kept) + [page.draw(thing, control) for thing in drawn]
