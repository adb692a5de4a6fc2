"""Which guideline and taxonomy the labelers were shown since when: a record that lives on the server.

Push adds a line when either changes; pull finds the one that counted when an answer was given. The record is
the last line of the project's description, so that it survives the loss of everything here, and its times
are the server's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

_MARK = "curate: shown to the labelers since "


@dataclass(frozen=True, slots=True)
class Shown:
    """One change of what labelers see.

    Attributes:
        since: Time of the server, ISO 8601 UTC with microseconds, as `codec.utc` writes it.
        guideline: Digest of the guideline; None where there is none.
        taxonomy: Digest of the taxonomy.
    """

    since: str
    guideline: str | None
    taxonomy: str | None


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
    if known and (known[-1].guideline, known[-1].taxonomy) == (guideline, taxonomy):
        return description or ""
    entries = [*known, Shown(since, guideline, taxonomy)]
    text = [line for line in (description or "").splitlines() if not line.startswith(_MARK)]
    record = json.dumps([[entry.since, entry.guideline, entry.taxonomy] for entry in entries])
    return "\n".join([*text, _MARK + record])


def at(known: Sequence[Shown], moment: str | None) -> Shown | None:
    """What was shown at that time; None if the record does not reach so far back, or no time is known."""
    earlier = [entry for entry in known if moment is not None and entry.since <= moment]
    return earlier[-1] if earlier else None


def _since(entry: Shown) -> str:
    return entry.since
