"""Which row of the record an answer was begun under.

The server tells when an answer was created (first submitted) and for how many seconds its page was open, so
it was begun at `created_at - lead_time_s`; the seconds of an answer that was opened again later are those of
all visits, so of such an answer only an interval is known. A change of what is shown is under way from the
row's `since` to its `confirmed_at`. Where several rows that differ are possible, the answer itself is asked:
an object that descends from a suggestion was shown to its labeler. This also finds what a draft of last week
began from. What is still open is not guessed: the answer is not joined, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from curate.shown.record import ShownRecord

TIME = "%Y-%m-%dT%H:%M:%S.%fZ"  # all times of tables and record, so that texts compare as times do
NO_RECORD = "no record of what was shown"
BEFORE_RECORD = "older than the record of what was shown"
IMPORTED = "imported: nothing was shown by us"
CHANGED_MEANWHILE = "what was shown changed while it was begun"
_SAME_VISIT = timedelta(seconds=2)  # between creation and last change of an answer that was sent once


@dataclass(frozen=True, slots=True)
class Showing:
    """One row of the record, as far as a join needs it.

    Attributes:
        shown_id: Its key.
        labeler: Whose project; None = everybody's.
        since: When it was about to be sent.
        confirmed_at: When it was known to be there; None = that is not known.
        content: All that a labeler sees of the task and what the plan meant by it, as one key.
        suggestions: Ids of what was shown.
        model_version: Of what was shown; None where nothing was.
        guideline: Digest.
        taxonomy: Digest.
    """

    shown_id: str
    labeler: str | None
    since: str
    confirmed_at: str | None
    content: tuple[str | None, ...]
    suggestions: AbstractSet[str]
    model_version: str | None
    guideline: str | None
    taxonomy: str | None


@dataclass(frozen=True, slots=True)
class Begun:
    """What an answer was begun under.

    Attributes:
        showing: None = not known.
        why: Why it is not known; None where it is.
    """

    showing: Showing | None
    why: str | None = None


class Showings:
    """The record by task, for joins."""

    def __init__(self, record: ShownRecord) -> None:
        """Sort the record by task.

        Args:
            record: As it was read; rows that never reached the server are left out.
        """
        ids: dict[str, set[str]] = {}
        for digest, key in zip(
            *(record.suggestions[name].to_pylist() for name in ("suggestions_digest", "annotation_id")),
            strict=True,
        ):
            ids.setdefault(digest, set()).add(key)
        self._by_task: dict[str, list[Showing]] = {}
        self._texts: list[Showing] = []  # the first row of each guideline and taxonomy, in order of time
        for row in record.shown.to_pylist():
            if row["reached"] is False:
                continue
            showing = _showing(row, ids)
            self._by_task.setdefault(row["task_id"], []).append(showing)
            last = self._texts[-1] if self._texts else None
            if last is None or (last.guideline, last.taxonomy) != (showing.guideline, showing.taxonomy):
                self._texts.append(showing)
            elif last.confirmed_at is None:  # a push that died; a later one brought it
                self._texts[-1] = replace(last, confirmed_at=showing.confirmed_at)

    def changed(self) -> frozenset[str]:
        """Tasks that showed different things at different times: only there descent is asked for."""
        return frozenset(
            task for task, rows in self._by_task.items() if len({row.content for row in rows}) > 1
        )

    def begun(
        self,
        task_id: str,
        annotator_id: str,
        *,
        created_at: str | None,
        updated_at: str | None,
        lead_time_s: float | None,
        parents: AbstractSet[str] = frozenset(),
    ) -> Begun:
        """What an answer was begun under; see the module's text.

        Args:
            task_id: Of the answer.
            annotator_id: Who gave it.
            created_at: When it was first submitted, in the form of `TIME`.
            updated_at: When it was changed last.
            lead_time_s: Seconds that its page was open.
            parents: `parent_id` of its objects.
        """
        rows = self._of(task_id, annotator_id)
        if not rows:
            return Begun(None, NO_RECORD)
        before = rows if created_at is None else [row for row in rows if row.since <= created_at]
        if not before:
            return Begun(None, BEFORE_RECORD)
        possible = before if created_at is None else _possible(before, created_at, updated_at, lead_time_s)
        explained = [len(parents & row.suggestions) for row in before]
        if max(explained) > 0:
            best = [row for row, number in zip(before, explained, strict=True) if number == max(explained)]
            possible = [row for row in possible if row in best] or best[-1:]
        if len({row.content for row in possible}) > 1:
            return Begun(None, CHANGED_MEANWHILE)
        return Begun(possible[0])

    def texts_at(self, moment: str | None) -> Showing | None:
        """The guideline and taxonomy that counted at a time; of two that are possible the older one.

        They are the project's: a task that left the plan shows the new ones too, without a row of its own.
        """
        if moment is None:
            return self._texts[0] if len(self._texts) == 1 else None
        before = [row for row in self._texts if row.since <= moment]
        sure = [row for row in before if row.confirmed_at is not None and row.confirmed_at <= moment]
        return sure[-1] if sure else before[0] if before else None

    def _of(self, task_id: str, annotator_id: str) -> list[Showing]:
        rows = self._by_task.get(task_id, [])
        own = annotator_id.lower()  # as the server keeps addresses
        return [row for row in rows if row.labeler is None or row.labeler.lower() == own] or rows


def _showing(row: Mapping[str, object], ids: Mapping[str, AbstractSet[str]]) -> Showing:
    def text(name: str) -> str | None:
        value = row[name]
        return None if value is None else str(value)

    shown = text("suggestions_digest")
    content = ("reason", "arm", "suggestions_digest", "proposed_digest", "seeded_kind", "seeded_id")
    return Showing(
        shown_id=str(row["shown_id"]),
        labeler=text("labeler"),
        since=str(row["since"]),
        confirmed_at=text("confirmed_at"),
        content=tuple(text(name) for name in content),
        suggestions=ids.get(shown or "", frozenset()),
        model_version=None if shown is None else text("model_version"),
        guideline=text("guideline_digest"),
        taxonomy=text("taxonomy_digest"),
    )


def _possible(
    before: Sequence[Showing], created_at: str, updated_at: str | None, lead_time_s: float | None
) -> list[Showing]:
    """Rows that may have been on the page when the answer was begun; `before` are those sent by then."""
    if lead_time_s is None:  # it may have been open since ever
        return list(before)
    created = _time(created_at)
    begun = (created - timedelta(seconds=max(0.0, lead_time_s))).strftime(TIME)
    again = updated_at is not None and _time(updated_at) - created > _SAME_VISIT
    until = created_at if again else begun
    # The last one that was surely there at the beginning, and all that may have come after it.
    sure = [at for at, row in enumerate(before) if row.confirmed_at is not None and row.confirmed_at <= begun]
    first = sure[-1] if sure else 0
    return [row for at, row in enumerate(before) if at == first or (at > first and row.since <= until)]


def _time(text: str) -> datetime:
    return datetime.strptime(text, TIME)


def columns(record: ShownRecord, shown_ids: pa.ChunkedArray, names: Sequence[str]) -> pa.Table:
    """Some columns of the record for each of some answers; null where an answer is not joined."""
    place = pc.index_in(shown_ids, value_set=record.shown["shown_id"].combine_chunks())
    return record.shown.select(list(names)).take(place)
