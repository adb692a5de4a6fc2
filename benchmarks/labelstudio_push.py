"""Push 5,000 tasks to the embedded server, push them again, and both against the SDK's own loop.

`python -m benchmarks.labelstudio_push`
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks import labelstudio_project as project
from benchmarks import result
from curate.adapters.labelstudio import encode_regions
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.ports import PushCounts, TaskDraft

NAME = "labelstudio_push"
COMMAND = "python -m benchmarks.labelstudio_push"
LOOP_TASKS = 10 if result.quick() else 50  # the loop takes seconds per task
MIXED = 100 if result.quick() else 500
INTRO = """## Push to Label Studio

{tasks:,} tasks with {boxes} suggested boxes and {masks} masks each ({width} x {height} pixels), on the
embedded server (SQLite) of the same machine. *SDK loop*: the SDK's own calls, `tasks.create` and
`predictions.create`, for {loop:,} tasks with the same content, in the same run. *Overlap mixed*: {mixed:,}
tasks of which every third wants a second labeler, which the server takes one request per task. Times of one
run each; the server's work is included.

"""


def measure() -> None:
    """Measure pushes to one server, with a project per case."""
    with project.running_server() as (root, connection):
        tool = project.tool(root, connection)
        tasks = project.drafts(root)
        reference = tool.ensure_project(project.spec(root, "push"))

        def push(wanted: list[TaskDraft]) -> Callable[[], PushCounts]:
            return lambda: tool.push_tasks(reference, wanted)

        rows = [
            _timed("first push", len(tasks), push(tasks), created=len(tasks)),
            _timed("push without a change", len(tasks), push(tasks), unchanged=len(tasks)),
        ]
        newer = project.drafts(root, model_version="bench-2")
        rows.append(
            _timed("another model's suggestions", len(newer), push(newer), predictions_replaced=len(newer))
        )
        mixed = [replace(task, overlap=1 + (n % 3 == 0)) for n, task in enumerate(tasks[:MIXED])]
        other = tool.ensure_project(project.spec(root, "mixed"))
        rows.append(
            _timed("first push, overlap mixed", MIXED, lambda: tool.push_tasks(other, mixed), created=MIXED)
        )
        rows.append(_loop(connection, tool.ensure_project(project.spec(root, "loop")).project_id, tasks))
    by_case = {row["case"]: row for row in rows}
    first, idle = by_case["first push"], by_case["push without a change"]
    loop = by_case["SDK loop"]
    content: dict[str, Any] = {
        "rows": rows,
        "tasks": len(tasks),
        "loop": LOOP_TASKS,
        "mixed": MIXED,
        "times_the_loop": first["tasks_s"] / loop["tasks_s"],
        "versions": result.versions("label-studio-sdk"),
    }
    result.save(
        NAME,
        content,
        command=COMMAND,
        targets=[
            result.Target("push of new tasks", 200, first["tasks_s"], "tasks/s"),
            result.Target("push without a change", 8, idle["seconds"], "s", at_most=True),
        ],
    )


def _timed(case: str, count: int, act: Callable[[], PushCounts], **expected: int) -> dict[str, Any]:
    began = time.perf_counter()
    counts = act()
    seconds = time.perf_counter() - began
    for name, number in expected.items():
        if getattr(counts, name) != number:
            raise RuntimeError(f"{case}: expected {name} {number}, got {counts}")
    return {"case": case, "tasks": count, "seconds": seconds, "tasks_s": count / seconds}


def _loop(connection: Connection, number: int, tasks: list[TaskDraft]) -> dict[str, Any]:
    """What a script of a few lines does with the SDK, with the connection settings that are fastest."""
    sdk = Client(connection, timeout_s=120).sdk
    names = [category.name for category in project.CATEGORIES]
    began = time.perf_counter()
    for task in tasks[:LOOP_TASKS]:
        made = sdk.tasks.create(project=number, data={"image": "/data/local-files/?d=x", "key": task.task_id})
        sdk.predictions.create(
            task=made.id, result=encode_regions.encode_task(task, names), score=0.5, model_version="bench-1"
        )
    seconds = time.perf_counter() - began
    return {
        "case": "SDK loop",
        "tasks": LOOP_TASKS,
        "seconds": seconds,
        "tasks_s": LOOP_TASKS / seconds,
    }


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [
        [row["case"], f"{row['tasks']:,}", f"{row['seconds']:.1f} s", result.figure(row["tasks_s"])]
        for row in content["rows"]
    ]
    sizes = {
        "boxes": project.BOXES,
        "masks": project.MASKS,
        "width": project.WIDTH,
        "height": project.HEIGHT,
    }
    return (
        INTRO.format(**content, **sizes)
        + result.table(["case", "tasks", "time", "tasks/s"], rows, numbers=3)
        + f"\nA first push is {result.figure(content['times_the_loop'])} times as fast as the SDK's loop.\n\n"
        + result.target_table(result.targets(content))
        + "\n"
        + result.footer(content)
    )


if __name__ == "__main__":
    measure()
