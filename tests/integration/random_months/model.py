"""What must be true, whatever the code does: who was shown what, who answered what, and what became of it.

Written from docs/labelstudio.md, docs/plan.md and docs/lead.md alone. The world tells this model what people
and managers did on the server; the invariants compare the project's tables with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from tests.integration.random_months import nature
from tests.integration.random_months.nature import Object


@dataclass(frozen=True, slots=True)
class Planted:
    """An error that somebody was shown: the wrong object, and what the model had said in its place.

    Attributes:
        wrong: As shown; None where a suggestion was left out.
        right: The model's suggestion; None where one was added.
        kind: moved, category, missing or spurious.
    """

    wrong: Object | None
    right: Object | None
    kind: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page showed when somebody began.

    Attributes:
        things: The suggestions, by the id of their region.
        suggested: Whether the plan meant this task to have suggestions (else it is a control task).
        planted: The error among them.
        guideline: The guideline that opened before; None where a change of it was under way.
        certain: Whether the task was of the plan, and nothing of it was under way after a push that died.
    """

    things: dict[str, Object]
    suggested: bool
    planted: Planted | None
    guideline: str | None
    certain: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One submitted or skipped answer on the server.

    Attributes:
        number: The server's number of the answer.
        task: The server's number of the task.
        key: Our key of the task.
        image: Name of the picture.
        person: E-mail address.
        things: What was left or drawn; empty where it was skipped.
        kept: The suggestions among `things` that were left untouched, by the id of their region.
        skipped: Whether it was skipped.
        shown: What the person had seen.
        created: Place in the order of all answers; an answer that is updated keeps it.
        changed: Place in the order of all changes.
        seconds: Lead time.
    """

    number: int
    task: int
    key: str
    image: str
    person: str
    things: tuple[Object, ...]
    kept: dict[str, Object]
    skipped: bool
    shown: Shown
    created: int
    changed: int
    seconds: float

    @property
    def error_left_in(self) -> bool:
        """Whether the error that was planted is still there, and really is one."""
        planted, real = self.shown.planted, nature.outlines(nature.truth(self.image))
        if planted is None or self.skipped:
            return False
        if planted.wrong is not None:
            return planted.wrong in self.things and planted.wrong.outline not in real
        assert planted.right is not None
        found = any(nature.iou(planted.right.box, thing.box) >= 0.5 for thing in self.things)
        return planted.right.outline in real and not found


@dataclass
class Truth:
    """Everything that people did and that nobody took back."""

    answers: dict[int, Answer] = field(default_factory=dict)
    drafts: dict[tuple[int, str], str] = field(default_factory=dict)  # (task, person) -> key
    _clock: int = 0

    def tick(self) -> int:
        """The next moment."""
        self._clock += 1
        return self._clock

    def submitted(self, answer: Answer) -> None:
        """Somebody submitted or skipped; what they had begun is part of it."""
        self.answers[answer.number] = answer
        self.drafts.pop((answer.task, answer.person), None)

    def updated(
        self, number: int, things: tuple[Object, ...], kept: dict[str, Object], seconds: float
    ) -> None:
        """Somebody opened an own answer again and changed it: it stays one answer."""
        before = self.answers[number]
        self.answers[number] = replace(
            before, things=things, kept=kept, skipped=False, changed=self.tick(), seconds=seconds
        )

    def deleted(self, number: int) -> None:
        """An answer was taken back."""
        del self.answers[number]

    def task_deleted(self, task: int) -> None:
        """A manager deleted a task with all that was on it."""
        self.answers = {n: answer for n, answer in self.answers.items() if answer.task != task}
        self.drafts = {at: key for at, key in self.drafts.items() if at[0] != task}

    def of(self, keys: Collection[str]) -> list[Answer]:
        """All answers to these tasks, oldest first."""
        found = (answer for answer in self.answers.values() if answer.key in keys)
        return sorted(found, key=lambda answer: answer.created)

    def last(self, keys: Collection[str]) -> list[Answer]:
        """Everybody's last answer to each of these tasks."""
        latest = {(answer.key, answer.person): answer for answer in self.of(keys)}
        return list(latest.values())

    def held_back(self, keys: Collection[str]) -> set[str]:
        """Tasks with a planted error in somebody's last answer, and no later answer of anybody without it."""
        held = set()
        for key, answers in _by_key(self.last(keys)).items():
            left = [answer.changed for answer in answers if answer.error_left_in]
            clean = [answer.changed for answer in answers if not answer.error_left_in and not answer.skipped]
            if left and max(left) > max(clean, default=0):
                held.add(key)
        return held

    def must_be_released(self, keys: Collection[str]) -> set[str]:
        """Tasks that somebody answered, and where nobody was ever shown a planted error."""
        found = set()
        for key, answers in _by_key(self.of(keys)).items():
            last = [answer for answer in self.last([key]) if not answer.skipped]
            if last and not any(answer.shown.planted for answer in answers):
                found.add(key)
        return found


def _by_key(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    found: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        found[answer.key].append(answer)
    return found
