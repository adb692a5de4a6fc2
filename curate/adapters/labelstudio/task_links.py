"""Addresses of tasks on the server, as the last pull knew them; the server is not asked."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from curate import schema, tables
from curate.adapters.labelstudio.connection import resolve
from curate.adapters.labelstudio.tool import CACHE
from curate.errors import CurateError

_PLAN = Path("data/select/plan.parquet")


def task_links(root: Path) -> dict[str, str]:
    """The address of each image's task; empty where there is no server or nothing was pulled.

    Args:
        root: The project's folder.
    """
    cache, plan = root / CACHE, root / _PLAN
    if not (cache.exists() and plan.exists()):
        return {}
    try:
        base = resolve(root).url
        slots = tables.read(plan, schema.PLAN, columns=["task_id", "image_id"])
        with closing(sqlite3.connect(f"file:{cache}?mode=ro", uri=True)) as known:
            rows = known.execute(
                "SELECT task_key, project, number FROM tasks WHERE there "
                "ORDER BY edited DESC, closed DESC, project, number"
            )  # the last of a key counts: one that shows our picture and is open
            places = {key: f"{base}/projects/{project}/data?task={number}" for key, project, number in rows}
    except (CurateError, sqlite3.Error):
        return {}  # a page without links is better than none
    pairs = zip(slots["task_id"].to_pylist(), slots["image_id"].to_pylist(), strict=True)
    return {image_id: places[task] for task, image_id in pairs if task in places}
