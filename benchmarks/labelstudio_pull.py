"""Pull 5,000 answered tasks from the embedded server, wholly and what changed; and the memory of 50,000.

`python -m benchmarks.labelstudio_pull`
"""

from __future__ import annotations

import http.server
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

from benchmarks import labelstudio_project as project
from benchmarks import result
from curate import schema, tables
from curate.adapters.labelstudio import encode_regions, label_config
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.pull import OVERLAP
from curate.adapters.labelstudio.tool import LabelStudioReader
from curate.ports import TaskDraft
from curate.ports.pulled import PullCounts, WantedTask

NAME = "labelstudio_pull"
COMMAND = "python -m benchmarks.labelstudio_pull"
CHANGED = 50
SIMULATED = 2_000 if result.quick() else 50_000  # tasks
TITLE = "pull"
BATCH = 250
TIME = "2026-01-01T00:00:00.000000Z"
INTRO = """## Pull from Label Studio

{tasks:,} tasks with one answer each of {boxes} boxes and {masks} masks ({width} x {height} pixels), on the
embedded server (SQLite) of the same machine; both tables are written. *Changed*: {changed} answers were
changed since the last pull, over a minute after all others. *Export*: the server's own JSON export of the
same project, read and not decoded. Times of one run each; the server's work is included.

"""


def measure() -> None:
    """Measure pulls from a real server, then their memory with a simulated one."""
    with project.running_server() as (root, connection), tempfile.TemporaryDirectory() as folder:
        tasks = project.drafts(root)
        client = Client(connection, timeout_s=600)
        number = _fill(root, connection, client, tasks)
        wanted = {task.task_id: WantedTask(task.image_id, task.width, task.height, 1) for task in tasks}
        reader = LabelStudioReader(connection, cache=Path(folder) / "cache.sqlite")

        def pull() -> PullCounts:
            return take_tables(reader, wanted, Path(folder))

        rows = [_timed("everything", pull, full=True, tasks_read=len(tasks))]
        rows.append(_timed("nothing changed, at once", pull, tasks_read=0))
        time.sleep(OVERLAP.total_seconds())
        rows.append(_timed("nothing changed", pull, tasks_read=0))
        _change(client, number)
        rows.append(_timed("changed", pull, tasks_read=CHANGED))
        client._request("DELETE", f"/api/tasks/{_first(client, number)['id']}/", action="deleting")
        rows.append(_timed("a task deleted", pull, tasks_gone=1))
        rows.append(_timed("export", lambda: _export(client, number)))
    memory = _memory()
    seconds = {row["case"]: row["seconds"] for row in rows}
    content: dict[str, Any] = {
        "rows": rows, "tasks": len(tasks), "changed": CHANGED, "memory": memory,
        "versions": result.versions("label-studio-sdk"),
    }  # fmt: skip
    targets = [
        result.Target("pull of everything", 25, seconds["everything"], "s", at_most=True),
        result.Target(f"pull of {CHANGED} changed tasks", 3, seconds["changed"], "s", at_most=True),
        result.Target(
            f"peak memory of a pull of {SIMULATED:,} tasks", 600, memory["peak_mb"], "MB", at_most=True,
            note="simulated replies",
        ),
    ]  # fmt: skip
    result.save(NAME, content, command=COMMAND, targets=targets)


def take_tables(reader: LabelStudioReader, wanted: Mapping[str, WantedTask], folder: Path) -> PullCounts:
    """Pull, and write both tables as the stage does."""
    with reader.pull(TITLE, wanted) as snapshot:
        for name, kind, pieces in (
            ("annotations", schema.ANNOTATIONS, snapshot.annotations),
            ("answers", schema.ANSWERS, snapshot.answers),
        ):
            with tables.stream(folder / f"{name}.parquet", kind) as writer:
                for piece in pieces():
                    writer.write(pa.Table.from_pylist(list(piece), schema=kind.arrow))
        return snapshot.counts


def _timed(case: str, act: Callable[[], Any], **expected: int) -> dict[str, Any]:
    began = time.perf_counter()
    counts = act()
    seconds = time.perf_counter() - began
    for name, number in expected.items():
        if getattr(counts, name) != number:
            raise RuntimeError(f"{case}: expected {name} {number}, got {counts}")
    return {"case": case, "seconds": seconds}


def _fill(root: Path, connection: Connection, client: Client, tasks: list[TaskDraft]) -> int:
    """The project's number, with every task answered as it was suggested."""
    number = project.tool(root, connection).ensure_project(project.spec(root, TITLE)).project_id
    names = [category.name for category in project.CATEGORIES]
    me = client.get("/api/current-user/whoami", action="asking")["id"]
    for start in range(0, len(tasks), BATCH):
        body = []
        for task in tasks[start : start + BATCH]:
            regions = encode_regions.encode_task(task, names)
            data = {
                "image": task.image_id, "task_id": task.task_id, "image_id": task.image_id,
                "width": task.width, "height": task.height,
            }  # fmt: skip
            body.append(
                {
                    "data": data,
                    "predictions": [{"model_version": "bench-1", "result": regions}],
                    "annotations": [{"result": regions, "completed_by": me, "lead_time": 9.0}],
                }
            )
        client.post(f"/api/projects/{number}/import", body, action="filling")
    return number


def _first(client: Client, number: int, count: int = 1) -> Any:
    query = json.dumps({"ordering": ["tasks:id"]})
    found = client.get(
        "/api/tasks/", action="asking", project=number, page_size=count, query=query, fields="all",
        include="id,annotations",
    )["tasks"]  # fmt: skip
    return found[0] if count == 1 else found


def _change(client: Client, number: int) -> None:
    for task in _first(client, number, CHANGED):
        client.patch(
            f"/api/annotations/{task['annotations'][0]['id']}/", {"lead_time": 11.0}, action="changing"
        )


def _export(client: Client, number: int) -> int:
    return len(client.get(f"/api/projects/{number}/export", action="exporting", exportType="JSON"))


def _memory() -> dict[str, float]:
    """Peak memory and time of a process that pulls from a simulated server."""
    with _simulated() as url, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.labelstudio_pull", "--pull-from", url, folder]
        done = subprocess.run(command, cwd=result.ROOT, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@contextmanager
def _simulated() -> Iterator[str]:
    """A server that makes its replies up: every task has the content of one of a hundred."""
    names = [category.name for category in project.CATEGORIES]
    contents = [
        json.dumps(encode_regions.encode_task(task, names)) for task in project.drafts(Path("/x"), 100)
    ]

    def task(number: int) -> str:
        image = f"{number:064d}"
        data = {"task_id": f"{number:024d}", "image": image, "image_id": image, "width": project.WIDTH}
        answer = (
            f'{{"id":{number},"result":{contents[number % 100]},"completed_by":1,"was_cancelled":false,'
            f'"created_at":"{TIME}","updated_at":"{TIME}","lead_time":9.0}}'
        )
        content = json.dumps({**data, "height": project.HEIGHT})
        return f'{{"id":{number},"updated_at":"{TIME}","data":{content},"annotations":[{answer}]}}'

    def listed(asked: Mapping[str, list[str]]) -> str:
        query = json.loads(asked["query"][0])
        filters = {one["filter"]: one["value"] for one in query["filters"]["items"]}
        if set(filters) != {"filter:tasks:id"}:  # what changed lately, or has drafts: nothing
            return '{"tasks":[]}'
        first = int(filters["filter:tasks:id"]) + 1
        last = min(first + int(asked["page_size"][0]), SIMULATED + 1)
        return f'{{"tasks":[{",".join(task(number) for number in range(first, last))}]}}'

    config = label_config.label_config(project.CATEGORIES)
    listed_project = {"id": 1, "title": TITLE, "description": "", "task_number": SIMULATED}
    fixed = {
        "/api/projects/1/": {"id": 1, "title": TITLE, "label_config": config, "description": ""},
        "/api/projects/": {
            "count": 1,
            "next": None,
            "results": [listed_project],
        },
        "/api/dm/project/": {"task_count": SIMULATED, "annotation_count": SIMULATED},
        "/api/users/": [{"id": 1, "email": "somebody@demo.invalid"}],
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            text = json.dumps(fixed[place.path]) if place.path in fixed else listed(parse_qs(place.query))
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()


def _pull_from(url: str, folder: Path) -> None:
    """What the process of `_memory` does."""
    size = project.WIDTH, project.HEIGHT
    wanted = {f"{number:024d}": WantedTask(f"{number:064d}", *size, 1) for number in range(1, SIMULATED + 1)}
    reader = LabelStudioReader(Connection(url, "0" * 40, "a benchmark"), cache=folder / "cache.sqlite")
    began = time.perf_counter()
    take_tables(reader, wanted, folder)
    seconds = time.perf_counter() - began
    rows = sum(piece.num_rows for piece in tables.pieces(folder / "annotations.parquet", schema.ANNOTATIONS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"tasks": SIMULATED, "rows": rows, "seconds": seconds, "peak_mb": peak}))


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [[row["case"], f"{row['seconds']:.1f} s"] for row in content["rows"]]
    memory = content["memory"]
    sizes = {
        "boxes": project.BOXES, "masks": project.MASKS, "width": project.WIDTH, "height": project.HEIGHT,
    }  # fmt: skip
    return (
        INTRO.format(**content, **sizes)
        + result.table(["pull", "time"], rows, numbers=1)
        + f"\n{memory['tasks']:,} tasks ({memory['rows']:,} rows) from a simulated server: "
        f"{memory['seconds']:.0f} s, {memory['peak_mb']:.0f} MB at most.\n\n" + result.footer(content)
    )


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--pull-from":
        _pull_from(sys.argv[2], Path(sys.argv[3]))
    else:
        measure()
