"""Who answered: one rule for push, which offers tasks, and for pull, which says when they are done.

A task is done when enough *people* answered it. The server counts answers in one place and accounts in
another; whoever answered twice would close a task that still needs somebody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from curate.adapters.labelstudio.client import Client
from curate.records import derived_id

_USERS = 1000

_CREATOR = re.compile(r"(\S+), \d+\s*$")
_DELETED = "deleted account"
FIELDS = "id,completed_by,created_username,created_at"  # of an answer: what says who gave it


def names(task_id: str, answers: Sequence[Mapping[str, Any]], members: Mapping[int, str]) -> list[str]:
    """Who gave each of a task's answers.

    Args:
        task_id: Our key of the task.
        answers: The server's annotations, with `FIELDS`.
        members: E-mail by the server's number of an account.

    Returns:
        The e-mail of each, also of somebody who is no member any more. Of a deleted account the server keeps
        the work and no name: then a name of the answer's own, because two such answers are rather those of
        two people.
    """
    found: dict[int, str] = {}
    nameless: Counter[str] = Counter()
    for answer in sorted(answers, key=lambda one: int(one["id"])):
        creator = _CREATOR.search(answer.get("created_username") or "")
        if answer["completed_by"] in members:
            name = members[answer["completed_by"]]
        elif creator:
            name = creator[1]
        else:
            moment = str(answer["created_at"])
            nameless[moment] += 1  # imported together, perhaps
            name = f"{_DELETED} {derived_id('person', task_id, moment, nameless[moment])[:8]}"
        found[int(answer["id"])] = name
    return [found[int(answer["id"])] for answer in answers]


def members(client: Client) -> dict[int, str]:
    """E-mail by the server's number of everybody who is a member now."""
    users = client.get("/api/users/", action="reading the names of the labelers", page_size=_USERS)
    return {int(user["id"]): str(user["email"]) for user in users}


def people(task_id: str, answers: Sequence[Mapping[str, Any]], members: Mapping[int, str]) -> frozenset[str]:
    """Everybody who answered a task, skipped it included."""
    return frozenset(names(task_id, answers, members))
