"""From the server's tasks to answers with their rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curate.adapters.labelstudio import decode_regions, encode_regions, people
from curate.adapters.labelstudio.answer_cache import Answer
from curate.adapters.labelstudio.fetch import Reader, Task
from curate.records import derived_id


def decoded(task: Task, users: Mapping[int, str], categories: Sequence[str]) -> list[Answer]:
    """All answers to a task; none if the task is not one of ours."""
    data = task["data"]
    if "task_id" not in data or "image_id" not in data:
        return []
    found: list[Answer] = []
    names = people.names(str(data["task_id"]), task["annotations"], users)
    for answer, name in zip(task["annotations"], names, strict=True):
        work = _work(data, answer, name)
        read = decode_regions.read(work, categories)
        content = {
            **_content(work, "skipped" if work.skipped else "submitted", read),
            "objects": sum(row.outcome == "object" for row in read.rows),
        }
        rows = [(row.annotation_id, row.row()) for row in read.rows]
        same = sum(one.person == work.annotator_id and one.created_at == work.created_at for one in found)
        moment = (work.created_at or "", *((same,) if same else ()))  # imported together, perhaps
        identity = derived_id("answer", work.task_id, work.annotator_id, *moment)
        found.append(
            Answer(
                number=int(answer["id"]),
                task_key=work.task_id,
                user=answer["completed_by"],
                person=work.annotator_id,
                created_at=work.created_at,
                updated_at=str(encode_regions.utc(work.updated_at)),
                skipped=work.skipped,
                answer_id=identity,
                content={"answer_id": identity, **content},
                rows=rows,
            )
        )
    return found


def _work(data: Mapping[str, Any], answer: Mapping[str, Any], person: str) -> decode_regions.Work:
    lead_time = answer["lead_time"]
    return decode_regions.Work(
        task_id=str(data["task_id"]),
        image_id=str(data["image_id"]),
        width=int(data["width"]),
        height=int(data["height"]),
        annotator_id=person,
        regions=answer["result"] or [],
        skipped=bool(answer.get("was_cancelled")),
        lead_time_s=float(lead_time) if lead_time is not None else None,
        created_at=encode_regions.utc(answer["created_at"]),
        updated_at=encode_regions.utc(answer["updated_at"]),
    )


def _content(work: decode_regions.Work, outcome: str, read: decode_regions.Reading) -> dict[str, Any]:
    """What a row of `answers` says, without `superseded` and the digests."""
    return {
        "task_id": work.task_id,
        "image_id": work.image_id,
        "annotator_id": work.annotator_id,
        "outcome": outcome,
        "objects": 0,
        "created_at": work.created_at,
        "updated_at": work.updated_at,
        "lead_time_s": work.lead_time_s,
        "choices": sorted((name, list(values)) for name, values in read.choices.items()),
        "comment": read.comment,
        "raw": json.dumps(read.raw, sort_keys=True) if read.raw else None,
        "reasons": dict(sorted(read.reasons.items())),
    }


def drafts(reader: Reader) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number of the project and row of `answers` of everything begun and not submitted."""
    for task, drafts in reader.drafts():
        data = task["data"]
        if "task_id" not in data or "image_id" not in data:
            continue
        for draft in drafts:
            work = _work(data, draft, str(draft["user"]))
            content = _content(work, "draft", decode_regions.read(work, ()))
            identity = derived_id("draft", work.task_id, work.annotator_id, work.created_at or "")
            yield reader.project.project_id, {"answer_id": identity, **content, "raw": None, "reasons": {}}
