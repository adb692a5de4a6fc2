"""What `curate view` costs before the app opens: the first sync of many images, and one after little changed.

`python -m benchmarks view_sync`; sizes: VIEW_SYNC_IMAGES=10000
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from benchmarks import process_cost, result, view_project
from benchmarks.result import Target
from curate.adapters import fiftyone_view

NAME = "view_sync"
COMMAND = "python -m benchmarks view_sync"
IMAGES = int(os.environ.get("VIEW_SYNC_IMAGES", "1000" if result.quick() else "100000"))
CHANGED = 100
SHARE = IMAGES / 100_000  # of what the targets speak of
INTRO = """## The app's dataset

`curate view` before the app opens, on {images:,} images of {width} x {height} pixels with {labels} labels
each, all with masks: {objects} objects as the model, two people and the consensus have them. A process of its
own, its start, the imports and the start and end of the database included; one run each, the load average of
the machine was {load} before. *Unchanged* is a sync after which every sample is as before; *changed* one
after the figures and the answers of 100 images changed, so that every table but the model's is another file.

"""


def measure() -> None:
    """Make the project, then time a new process for each sync."""
    root = result.CACHE / f"view-{IMAGES}"
    view_project.make(root, IMAGES)
    load = os.getloadavg()[0]
    rows = []
    for name in ("first", "unchanged", "changed"):
        if name == "changed":
            view_project.change(root, CHANGED)
        rows.append({"run": name, **_cost(root)})
        print(f"{NAME}: {name} {rows[-1]}", flush=True)
    shutil.rmtree(root)
    wall = {row["run"]: row["wall_s"] for row in rows}
    first, changed = (
        Target(f"sync of {IMAGES:,} images", 600 * SHARE, wall["first"], "s", at_most=True),
        Target(f"sync of {CHANGED} changed images of {IMAGES:,}", 15, wall["changed"], "s", at_most=True),
    )
    content = {
        "rows": rows, "images": IMAGES, "width": view_project.WIDTH, "height": view_project.HEIGHT,
        "objects": view_project.PER_IMAGE, "labels": 4 * view_project.PER_IMAGE, "load": round(load, 1),
    }  # fmt: skip
    result.save(NAME, content, command=COMMAND, targets=[first, changed])


def _cost(root: Path) -> dict[str, Any]:
    cost, answer = process_cost.call(sync, root=str(root))
    return {
        "wall_s": cost.wall_s,
        "cpu_s": cost.cpu_s,
        "own_bytes": answer["peak_bytes"],
        "all_bytes": cost.peak_own_bytes,
        "images": answer["images"],
    }


def sync(root: str) -> dict[str, Any]:
    """One sync, in the process that is measured; the most memory that it had (VmHWM), and what there is."""
    name = fiftyone_view.sync_dataset(Path(root), stage="release")
    shown = len(fiftyone_view.connect(Path(root)).load_dataset(name))
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")]
    return {"peak_bytes": peak, "images": shown}


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [
        [
            row["run"],
            f"{row['wall_s']:.1f} s",
            f"{row['cpu_s']:.1f} s",
            f"{row['own_bytes'] / 1e6:,.0f} MB",
            f"{row['all_bytes'] / 1e6:,.0f} MB",
        ]
        for row in content["rows"]
    ]
    header = [
        "sync", "time", "processor time", "peak memory of the process",
        "with the database, without pages of mapped files",
    ]  # fmt: skip
    return (
        INTRO.format(**content)
        + result.table(header, rows, numbers=4)
        + "\n"
        + result.target_table(result.targets(content))
        + result.footer(content)
    )


if __name__ == "__main__":
    measure()
