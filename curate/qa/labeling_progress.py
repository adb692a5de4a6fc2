"""How far the labelers are: done, begun, skipped, by labeler and day, days to go."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from curate.ports import Progress

WINDOW_DAYS = 7  # of which the pace is the mean
CHART_DAYS = 28


@dataclass(frozen=True, slots=True)
class Labeler:
    """Progress of one labeler.

    Attributes:
        person: Name on the server.
        answers: Tasks submitted or skipped.
        skipped: Of these.
        begun: Tasks with a draft that is not submitted.
        today: Answers of the last 24 hours.
        median_s: Median lead time of submitted answers, seconds, as the server has it; None without any.
        last_at: Of the last thing they did, ISO 8601 UTC.
    """

    person: str
    answers: int
    skipped: int
    begun: int
    today: int
    median_s: float | None
    last_at: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """Progress of the whole project.

    Attributes:
        url: Where people work.
        tasks: Planned tasks that people look at.
        tasks_done: Those whose every wanted look was taken.
        looks: All wanted looks.
        looks_done: Those taken, submitted or skipped.
        begun: Drafts not submitted.
        skipped: Skipped answers.
        superseded: Older answers of somebody who answered again.
        labelers: Who did most first.
        days: Answers by day (ISO date, UTC) of the last four weeks.
        per_day: Answers per day, mean of the last seven days or since the first answer; None before one.
        days_to_go: Open looks at that pace; 0 = done, None = nobody works.
        raw_regions: Regions that no rule reads, by reason.
    """

    url: str
    tasks: int
    tasks_done: int
    looks: int
    looks_done: int
    begun: int
    skipped: int
    superseded: int
    labelers: tuple[Labeler, ...]
    days: Mapping[str, int]
    per_day: float | None
    days_to_go: float | None
    raw_regions: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Give the status as `curate qa status --json` prints it."""
        return asdict(self)


@dataclass(slots=True)
class _Person:
    answers: int = 0
    skipped: int = 0
    begun: int = 0
    today: int = 0
    last_at: str | None = None


def status(
    progress: Progress,
    answers: Iterable[Mapping[str, Any]],
    *,
    url: str,
    now: datetime,
    raw_regions: Mapping[str, int] | None = None,
) -> Status:
    """Put the answers together.

    Args:
        progress: Looks done and wanted.
        answers: Rows of the `answers` table, in any order.
        url: Where people work.
        now: The present time, with its zone.
        raw_regions: Regions that no rule reads, by reason.
    """
    people: dict[str, _Person] = {}
    lead_times: dict[str, list[float]] = {}
    days: Counter[str] = Counter()
    first: datetime | None = None
    recent = 0
    for row in answers:
        person = people.setdefault(row["annotator_id"], _Person())
        person.last_at = max(filter(None, (person.last_at, row["updated_at"])), default=None)
        if row["outcome"] == "draft":
            person.begun += 1
        if row["outcome"] == "draft" or row["superseded"] or row["created_at"] is None:
            continue
        at = datetime.fromisoformat(row["created_at"])
        first = at if first is None else min(first, at)
        days[at.astimezone(UTC).date().isoformat()] += 1
        recent += now - at <= timedelta(days=WINDOW_DAYS)
        person.answers += 1
        person.skipped += row["outcome"] == "skipped"
        person.today += now - at <= timedelta(days=1)
        if row["outcome"] == "submitted" and row["lead_time_s"] is not None:
            lead_times.setdefault(row["annotator_id"], []).append(row["lead_time_s"])
    pace = _pace(recent, first, now)
    return Status(
        url=url,
        tasks=progress.tasks,
        tasks_done=progress.tasks_done,
        looks=progress.slots_needed,
        looks_done=progress.slots_done,
        begun=sum(person.begun for person in people.values()),
        skipped=sum(person.skipped for person in people.values()),
        superseded=progress.superseded,
        labelers=_labelers(people, lead_times),
        days=_last_days(days, now.astimezone(UTC).date()),
        per_day=pace,
        days_to_go=_days_to_go(progress.slots_needed - progress.slots_done, pace),
        raw_regions=dict(raw_regions or {}),
    )


def _labelers(people: Mapping[str, _Person], lead_times: Mapping[str, list[float]]) -> tuple[Labeler, ...]:
    found = [
        Labeler(
            name,
            one.answers,
            one.skipped,
            one.begun,
            one.today,
            statistics.median(lead_times[name]) if name in lead_times else None,
            one.last_at,
        )
        for name, one in people.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.answers, one.person)))


def _pace(recent: int, first: datetime | None, now: datetime) -> float | None:
    """Answers per day; the first day counts as a whole one."""
    if first is None:
        return None
    passed = (now - first) / timedelta(days=1)
    return recent / min(max(passed, 1.0), WINDOW_DAYS)


def _days_to_go(left: int, pace: float | None) -> float | None:
    if left == 0:
        return 0.0
    return left / pace if pace else None


def _last_days(days: Mapping[str, int], today: date) -> dict[str, int]:
    """Every day from the first with an answer, at most four weeks ago, to today."""
    window = [(today - timedelta(days=back)).isoformat() for back in range(CHART_DAYS - 1, -1, -1)]
    with_work = [day for day in window if days.get(day)]
    return {day: days.get(day, 0) for day in window if with_work and day >= with_work[0]}
