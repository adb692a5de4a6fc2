"""Who answered: one rule for push, which offers tasks, and for pull, which says when they are done.

A task is done when enough *people* looked at it. The server counts answers in one place and accounts in
another; whoever answered twice would close a task that still needs somebody. An answer that was made without
a page ("create annotations from predictions" makes them by the thousand) is nobody's look.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from curate import tables
from curate.adapters.labelstudio import encode_regions
from curate.adapters.labelstudio.client import Client
from curate.errors import AnnotationToolError
from curate.records import derived_id

NAMES: Final = Path("data/pull/names.json")  # of a project: who gave each answer
FIELDS: Final = "id,completed_by,created_username,created_at,lead_time,result"  # of an answer, for all below
_CREATOR: Final = re.compile(r"(\S+), \d+\s*$")
_DELETED: Final = "deleted account"
_EDITS: Final = frozenset({"manual", "prediction-changed"})  # the `origin` of what a person drew or changed


def members(client: Client) -> dict[int, str]:
    """E-mail by the server's number of everybody who is a member now."""
    users = client.get("/api/users/", action="reading the names of the labelers")
    return {int(user["id"]): str(user["email"]) for user in users}


def looked(answer: Mapping[str, Any]) -> bool:
    """Whether a person made the answer on the page: a page measures the time, and marks what was drawn."""
    regions = (region for region in answer["result"] or () if isinstance(region, Mapping))
    edited = any(region.get("origin") in _EDITS for region in regions)
    return answer["lead_time"] is not None or edited


def names(
    task_id: str,
    answers: Sequence[Mapping[str, Any]],
    members: Mapping[int, str],
    known: Mapping[int, str],
) -> list[str]:
    """Names of who gave each of a task's answers.

    Args:
        task_id: Our key of the task.
        answers: The server's annotations, with `FIELDS`.
        members: E-mail by the server's number of an account.
        known: E-mail by the number of an answer, of those whose name was ever read.

    Returns:
        The e-mail of each, also of somebody who is no member any more. Of a deleted account the server keeps
        the work and no name: then the name that was known, else one of the answer's own, because two such
        answers are rather those of two people.
    """
    found: dict[int, str] = {}
    nameless: Counter[str] = Counter()
    for answer in sorted(answers, key=lambda one: int(one["id"])):
        number, moment = int(answer["id"]), str(answer["created_at"])
        creator = _CREATOR.search(answer.get("created_username") or "")
        if answer["completed_by"] in members:
            found[number] = members[answer["completed_by"]]
        elif creator:
            found[number] = creator[1]
        elif number in known:
            found[number] = known[number]
        else:
            nameless[moment] += 1  # imported together, perhaps
            found[number] = f"{_DELETED} {derived_id('person', task_id, moment, nameless[moment])[:8]}"
    return [found[int(answer["id"])] for answer in answers]


def accounts(
    task_id: str, answers: Sequence[Mapping[str, Any]], members: Mapping[int, str]
) -> dict[int, str]:
    """Names of who gave a task's answers, by the answer's number, where the account is there."""
    there = [answer for answer in answers if answer["completed_by"] is not None]
    return {
        int(answer["id"]): name
        for answer, name in zip(there, names(task_id, there, members, {}), strict=True)
    }


def is_nameless(name: str) -> bool:
    """Whether `names` had to make a name up: of a deleted account that nobody had read before."""
    return name.startswith(f"{_DELETED} ")


def may_answer(labeler: str | None, name: str) -> bool:
    """Whether a person's answer counts in a project: their own, or one that is everybody's.

    The server keeps addresses in lower case, whatever params.yaml writes. An account that is gone and that
    nobody had read is taken for the labeler's: otherwise their whole work would be left out.

    Args:
        labeler: Whose project it is; None = everybody's.
        name: Of the person who answered.

    Examples:
        >>> may_answer("Ann@example.org", "ann@example.org"), may_answer("ann@example.org", "ben@example.org")
        (True, False)
    """
    return labeler is None or labeler.lower() == name.lower() or is_nameless(name)


def project_key(record: Mapping[str, Any]) -> str:
    """What tells a project from all others, whatever address its server moves to.

    Args:
        record: The server's of the project. Its number alone is not enough: a new server counts from 1 again.
    """
    return f"project {record['id']} of {encode_regions.utc(record['created_at'])}"


def known_names(client: Client, project_id: int, path: Path | None) -> dict[int, str]:
    """The names that are kept of a project, by the number of the answer; see `read_names`.

    Raises:
        AnnotationToolError: The server cannot be asked, or the file is damaged.
    """
    if path is None:
        return {}
    record = client.get(f"/api/projects/{project_id}/", action="reading the project")
    return read_names(path, project_key(record), client.connection.url)


def read_names(path: Path | None, project: str, url: str) -> dict[int, str]:
    """The names that `write_names` kept, by the number of the answer; none without a file.

    Args:
        path: The file.
        project: Its `project_key`.
        url: The server's address, under which earlier versions kept the names of all its projects; asked only
            while the project has no names of its own, as another server may be there by now.

    Raises:
        AnnotationToolError: The file is damaged.
    """
    whole = _read(path)
    kept = whole.get(project) or whole.get(url, {})
    return {number: name for name, numbers in kept.items() for number in numbers}


def write_names(path: Path | None, project: str, known: Mapping[int, str]) -> None:
    """Keep who gave each answer: the server forgets it when an account is deleted.

    Args:
        path: The file.
        project: Its `project_key`.
        known: Name by the number of the answer, all that are known of the project.

    Raises:
        AnnotationToolError: The file is damaged.
        StorageError: It cannot be written.
    """
    if path is None:
        return
    by_name: dict[str, list[int]] = {}
    for number in sorted(known):
        by_name.setdefault(known[number], []).append(number)
    there = _read(path)
    if there.get(project, {}) == by_name:
        return
    whole = {**there, project: by_name}
    with tables.replacing(path) as partial:
        partial.write_text(json.dumps(whole, sort_keys=True) + "\n", encoding="utf-8")


def _read(path: Path | None) -> dict[str, dict[str, list[int]]]:
    """Numbers of answers by name, by project."""
    if path is None or not path.exists():
        return {}
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(project): {str(name): [int(number) for number in numbers] for name, numbers in known.items()}
            for project, known in whole.items()
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise AnnotationToolError(
            f"{path} is damaged: restore it from a backup, or remove it (people whose accounts were deleted "
            "then lose their names)"
        ) from error
