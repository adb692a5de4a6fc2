"""What people answered in a project of comparisons: read as a whole each time, nothing is kept between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.adapters.labelstudio import answers, encode_regions, label_config, people, task_pages
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.wanted_tasks import picture, shows
from curate.ports import ProjectRef
from curate.ports.comparison import GivenVote, PulledVotes

Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class _Look:
    """One answer as it was read."""

    at: str
    number: int
    person: str
    side: Side | None
    skipped: bool


def read(
    client: Client, project: ProjectRef, shown: Mapping[str, tuple[str, str]], *, names: Path | None
) -> PulledVotes:
    """Everybody's last answer to each comparison.

    Args:
        client: The server.
        project: Whose tasks.
        shown: Addresses of the left and of the right picture, by the key of the comparison.
        names: File that keeps who gave each answer; None = none.

    Raises:
        AnnotationToolError: Unreachable, or refused.
    """
    members = people.members(client)
    record = client.get(f"/api/projects/{project.project_id}/", action="reading the project")
    known = people.read_names(names, people.project_key(record), client.connection.url)
    outside = unattended = 0
    edited: list[GivenVote] = []
    looks: dict[tuple[str, str], list[_Look]] = {}
    pages = task_pages.matching(client, project, include=answers.FIELDS, content=True)
    for task in (task for page in pages for task in page):
        key, given = answers.task_key(task), task["annotations"]
        known |= people.accounts(key, given, members)
        if key not in shown:
            outside += len(given)
            continue
        found = list(_looks(key, given, members, known))
        unattended += len(given) - len(found)
        pictures = zip(("left", "right"), map(picture, shown[key]), strict=True)
        if not all(shows(task["data"].get(side), name) for side, name in pictures):
            edited += [GivenVote(key, look.person, None) for look in found]
            continue
        for look in found:
            looks.setdefault((key, look.person), []).append(look)
    people.write_names(names, people.project_key(record), known)
    last = {place: max(found, key=lambda one: (one.at, one.number)) for place, found in looks.items()}
    undecided = [look for look in last.values() if look.side is None]
    skipped = sum(look.skipped for look in undecided)
    return PulledVotes(
        project.url,
        tuple(GivenVote(key, person, last[key, person].side) for key, person in sorted(last)),
        superseded=sum(map(len, looks.values())) - len(last),
        skipped=skipped,
        unreadable=len(undecided) - skipped,
        unattended=unattended,
        outside_plan=outside,
        edited=tuple(sorted(edited, key=lambda one: (one.task_id, one.person))),
    )


def _looks(
    key: str, given: Sequence[Mapping[str, Any]], members: Mapping[int, str], known: Mapping[int, str]
) -> Iterator[_Look]:
    """What people answered on the page."""
    for answer, person in zip(given, people.names(key, given, members, known), strict=True):
        if people.looked(answer):
            skipped = bool(answer.get("was_cancelled"))
            side = None if skipped else _side(answer["result"] or ())
            at = str(encode_regions.utc(answer["updated_at"]))
            yield _Look(at, int(answer["id"]), person, side, skipped)


def _side(result: Sequence[Mapping[str, Any]]) -> Side | None:
    """The side that was chosen; None where there is none, or more than one."""
    try:
        chosen = [
            (region.get("value") or {}).get("selected")
            for region in result
            if (region.get("type"), region.get("from_name")) == ("pairwise", label_config.COMPARISON)
        ]
    except AttributeError:  # not what the page sends
        return None
    if chosen == ["left"]:
        return "left"
    return "right" if chosen == ["right"] else None
