"""Which guideline, taxonomy and suggestions the labelers were shown since when: a record on the server.

Push adds an entry when one of them changes; pull finds the one that counted when an answer was given. The
record is the last line of the project's description, so that it survives the loss of everything here, and its
times are the server's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from curate.errors import AnnotationToolError

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_MARK = "curate: shown to the labelers since "


@dataclass(frozen=True, slots=True)
class Shown:
    """One change of what labelers see.

    Attributes:
        since: Time of the server, ISO 8601 UTC with microseconds, as `codec.utc` writes it.
        guideline: Digest of the guideline; None where there is none.
        taxonomy: Digest of the taxonomy.
        model_version: Of the suggestions; None before there were any.
    """

    since: str
    guideline: str | None
    taxonomy: str | None
    model_version: str | None = None


def read(description: str | None) -> tuple[Shown, ...]:
    """The changes that a project's description tells of, oldest first; none if it has no such line."""
    for line in reversed((description or "").splitlines()):
        if line.startswith(_MARK):
            try:
                return tuple(sorted((Shown(*entry) for entry in json.loads(line[len(_MARK) :])), key=_since))
            except (ValueError, TypeError):
                return ()
    return ()


def added(description: str | None, guideline: str | None, taxonomy: str | None, since: str) -> str:
    """The description with one more change, or as it is if the last one says the same."""
    known = read(description)
    model_version = known[-1].model_version if known else None
    return _with(description, Shown(since, guideline, taxonomy, model_version))


def suggested(description: str | None, model_version: str, since: str) -> str:
    """The same for another model's suggestions."""
    known = read(description)
    last = known[-1] if known else Shown(since, None, None)
    return _with(description, replace(last, since=since, model_version=model_version))


def suggests(description: str | None, model_version: str) -> bool:
    """Whether the record's last entry names that model."""
    known = read(description)
    return bool(known) and known[-1].model_version == model_version


def next_moment(now: datetime | None, *, first: bool) -> str:
    """From when on a change counts, by the server's time of its last answer.

    The next full second, so that an answer given just before is not taken for a later one; at once where
    nothing came before.

    Raises:
        AnnotationToolError: The server did not tell its time.
    """
    if now is None:
        raise AnnotationToolError(
            "the server does not tell its time (no Date header): does a proxy remove it?"
        )
    return (now if first else now + timedelta(seconds=1)).strftime(_TIME)


def _with(description: str | None, entry: Shown) -> str:
    known = read(description)
    if known and replace(known[-1], since=entry.since) == entry:
        return description or ""
    entries = [*known, entry]
    text = [line for line in (description or "").splitlines() if not line.startswith(_MARK)]
    record = json.dumps([[e.since, e.guideline, e.taxonomy, e.model_version] for e in entries])
    return "\n".join([*text, _MARK + record])


def at(known: Sequence[Shown], moment: str | None) -> Shown | None:
    """What was shown at that time; None if the record does not reach so far back, or no time is known."""
    earlier = [entry for entry in known if moment is not None and entry.since <= moment]
    return earlier[-1] if earlier else None


def _since(entry: Shown) -> str:
    return entry.since
