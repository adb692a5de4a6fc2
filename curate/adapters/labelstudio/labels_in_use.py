"""Which labels people have used, read from their answers and drafts.

The server keeps a summary of it, but empties it whenever it counts no answers, and it may count none for ever
(see `push.index`). So nothing is decided by the summary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any
from xml.etree import ElementTree as ET

from curate.adapters.labelstudio import answers, label_config, task_pages
from curate.adapters.labelstudio.client import Client
from curate.ports import ProjectRef


def lost(
    client: Client, project: ProjectRef, config: str, wanted: Mapping[str, AbstractSet[str]]
) -> dict[str, list[str]]:
    """What people have used that other labels would no longer have.

    Args:
        client: The server.
        project: Whose answers and drafts.
        config: Its labels now.
        wanted: The labels that it is to have, by control.

    Returns:
        Labels by control; no label where the control itself would go. All answers are read, but only if
        anything would go at all.
    """
    going = _going(config, wanted)
    if not going:
        return {}
    used: dict[str, set[str]] = {}
    for region in _regions(client, project):
        chosen = (region.get("value") or {}).get(region.get("type"))
        names = chosen if isinstance(chosen, list) else []
        used.setdefault(str(region.get("from_name")), set()).update(map(str, names))
    missing = {control: names & going.get(control, set()) for control, names in used.items()}
    return {
        control: sorted(missing[control]) if control in wanted else []
        for control in sorted(used)
        if missing[control] or (control in going and control not in wanted)
    }


def _going(config: str, wanted: Mapping[str, AbstractSet[str]]) -> dict[str, set[str]]:
    """Labels by control that are there and not wanted, and all of a control that is not wanted."""
    view = ET.fromstring(config)  # noqa: S314 - the server has parsed it
    there = {
        str(control.get("name")): {str(one.get("value")) for one in control if one.get("value") is not None}
        for control in view.iter()
        if control.get("toName") is not None and control.get("name") not in label_config.NOT_LABELS
    }
    return {
        control: names - wanted.get(control, frozenset())
        for control, names in there.items()
        if control not in wanted or names - wanted[control]
    }


def _regions(client: Client, project: ProjectRef) -> Iterator[Mapping[str, Any]]:
    """Regions of every answer and draft, without the reasons of skips and our captions."""
    for page in task_pages.matching(client, project, include="id,annotations,result", content=True):
        for task in page:
            for answer in task["annotations"]:
                yield from _of(answer)
    for page in task_pages.matching(client, project, task_pages.HAS_DRAFT, include="id"):
        for task in page:
            for draft in answers.begun(client, int(task["id"])):
                yield from _of(draft)


def _of(work: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (one for one in work["result"] or () if one.get("from_name") not in label_config.NOT_LABELS)
