"""The record of what was shown, kept by the stages against the real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from curate import schema, tables
from curate.adapters.labelstudio import accounts, client
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.push import index
from curate.adapters.labelstudio.tool import LabelStudioReader, LabelStudioTool
from curate.params import LabelStudioParams, QaParams
from curate.shown import record
from curate.stages import pull, push
from tests import builders

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ANNOTATIONS, PULLED = Path("data/autolabel/annotations.parquet"), Path("data/pull/annotations.parquet")
ANSWERS, PASSWORD = Path("data/pull/answers.parquet"), "a-long-password"


class Dying(LabelStudioTool):
    """A push that is killed when it is about to send the tasks."""

    def push_tasks(self, *_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt


@pytest.fixture
def title(
    labelstudio: Connection,
    labelstudio_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[str]:
    """A project of the test's own on the session's server; its tables are put back afterwards."""
    assert labelstudio.url
    monkeypatch.chdir(labelstudio_root)
    before = ANNOTATIONS.read_bytes()
    yield request.node.name[:30]
    ANNOTATIONS.write_bytes(before)


def pushed(tool: LabelStudioTool, title: str) -> None:
    push.run(
        LabelStudioParams(project=title),
        inputs=push.inputs(Path("taxonomy.yaml")),
        outputs=push.Outputs(push.RECEIPT, push.SHOWN),
        ports=push.Ports(tool),
    )


def another_model(version: str) -> None:
    rows = [
        {**row, "model_version": version, "annotation_id": f"{row['annotation_id'][:20]}{version:>4}"}
        for row in tables.read(ANNOTATIONS, schema.ANNOTATIONS).to_pylist()
    ]
    tables.write_rows(rows, ANNOTATIONS, schema.ANNOTATIONS)


def test_answers_of_two_models_are_told_apart_whatever_stands_in_the_description(
    labelstudio: Connection, title: str
) -> None:
    tool, reader = LabelStudioTool(labelstudio, timeout_s=60), client.Client(labelstudio, timeout_s=60)
    assert abs(tool.now() - datetime.now(UTC)) < timedelta(minutes=1)
    pushed(tool, title)
    reference = tool.find_project(title)
    tasks = {one.task_id: one.number for one in index(reader, reference)}
    names = [name for name in ("one", "two", "three", "five") if builders.plan_row(name)["task_id"] in tasks]

    def answer(name: str, person: str) -> None:
        """Take the suggestions as they are."""
        number = tasks[builders.plan_row(name)["task_id"]]
        suggested = reader.get("/api/predictions/", action="reading", task=number)
        body = {"result": suggested[0]["result"], "lead_time": 0.1}
        session = accounts.ensure_user(labelstudio, person, PASSWORD)
        session.post(f"/api/tasks/{number}/annotations/", body, action="answering")

    begun = names[:2]
    for name in begun:
        answer(name, "first@demo.invalid")
    another_model("m2")
    pushed(tool, title)
    for name in names:
        answer(name, "second@demo.invalid")
    path = f"/api/projects/{reference.project_id}/"
    reader.patch(path, {"description": "typed over"}, action="typing")
    pull.run(
        pull.PullParams(LabelStudioParams(project=title), QaParams(allow_partial=True)),
        inputs=pull.Inputs(
            Path("data/dedupe/images.parquet"),
            Path("data/select/plan.parquet"),
            push.SHOWN,
            Path("taxonomy.yaml"),
        ),
        outputs=pull.Outputs(PULLED, ANSWERS),
        ports=pull.Ports(LabelStudioReader(labelstudio, cache=Path("cache.sqlite"), timeout_s=60)),
    )
    rows = tables.read(ANSWERS, schema.ANSWERS).to_pylist()
    assert len(rows) == len(begun) + len(names)
    found = {(row["annotator_id"], row["task_id"]): row["model_version"] for row in rows}
    ids = {name: builders.plan_row(name)["task_id"] for name in names}
    # Where somebody had begun, the next person starts from the same suggestions.
    assert found == {
        **{("first@demo.invalid", ids[name]): "unit-1" for name in begun},
        **{("second@demo.invalid", ids[name]): "unit-1" if name in begun else "m2" for name in names},
    }
    assert {row["not_joined"] for row in rows} == {None}
    assert None not in {row["taxonomy_digest"] for row in rows}


def test_a_push_that_was_killed_before_it_sent_is_found_out(labelstudio: Connection, title: str) -> None:
    tool = LabelStudioTool(labelstudio, timeout_s=60)
    pushed(tool, title)
    settled = record.load(push.SHOWN).shown.num_rows
    another_model("m3")
    with pytest.raises(KeyboardInterrupt):
        pushed(Dying(labelstudio, timeout_s=60), title)
    another_model("m4")
    pushed(tool, title)
    rows = record.load(push.SHOWN).shown.to_pylist()[settled:]
    with_boxes = [row for row in rows if row["suggestions_digest"] is not None]
    reached = {row["model_version"]: row["reached"] for row in with_boxes}
    assert reached == {"m3": None, "m4": True}  # nobody can say that people never saw m3


def test_what_the_server_shows_is_seen(labelstudio: Connection, title: str) -> None:
    tool = LabelStudioTool(labelstudio, timeout_s=60)
    pushed(tool, title)
    planned, (spec,) = push._wanted(LabelStudioParams(project=title), push.inputs(Path("taxonomy.yaml")))
    drafts = [task.draft for task in planned]
    assert tool.showing(spec, drafts) == {draft.task_id for draft in drafts}
    boxed = next(draft for draft in drafts if draft.pre_annotations[0].bbox_xyxy)
    rest = [draft for draft in drafts if draft is not boxed]
    changed = replace(boxed, pre_annotations=())
    assert boxed.task_id not in tool.showing(spec, [*rest, changed])
    assert tool.showing(replace(spec, title="no such project"), drafts) == frozenset()
