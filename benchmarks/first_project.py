"""`curate init` to a waiting Label Studio project on a folder of raw pictures: what a user types, timed.

`python -m benchmarks.first_project`
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
import yaml

from benchmarks import process_cost, result
from benchmarks.result import Target

NAME = "first_project"
COMMAND = "python -m benchmarks.first_project"
SCENES = 64 if result.quick() else 200  # pictures drawn, beside the faults that the raw folder has
WANTED_S = 180
PROGRAMS: Final = Path(sys.executable).parent
INTRO = """## A first project

From a folder of raw pictures to tasks with suggestions that wait in Label Studio, by the three commands that
a user types, with the demo's own small models, the server's first start included. {files} raw files, {tasks}
images to label.

"""


def measure() -> None:
    """Make a project, run it until people are needed, write the result."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="first-project-") as name:
        work = Path(name).resolve()
        files = _pictures(work)
        project = work / "signs"
        rows = [_step(["curate", "init", "signs", "--images", "photos"], cwd=work)]
        _owner_decides(project)
        try:
            rows += [
                _step(["curate", "labelstudio", "up"], cwd=project),
                _step(["dvc", "repro", "push"], cwd=project),
            ]
        finally:
            _step(["curate", "labelstudio", "down"], cwd=project)
        plan = pq.read_table(project / "data/select/plan.parquet", columns=["image_id"])
    total, cpu = sum(row[1] for row in rows), sum(row[2] for row in rows)
    note = f"{cpu:.0f} s of a processor without the server's own; load {load:.1f} at the start"
    result.save(
        NAME, {"files": files, "tasks": len(set(plan["image_id"].to_pylist())), "rows": rows},
        command=COMMAND,
        targets=[Target("from init to tasks that wait", WANTED_S, total, "s", at_most=True, note=note)],
    )  # fmt: skip


def _pictures(work: Path) -> int:
    photos = work / "photos"
    places = ["--out", str(photos), "--meta", str(work / "meta"), "--truth", str(work / "truth.json")]
    process_cost.run(
        [sys.executable, "-m", "demo.raw_folder", *places, "--scenes", str(SCENES)], memory=False
    )
    return sum(path.is_file() for path in photos.rglob("*"))


def _owner_decides(project: Path) -> None:
    """What an owner writes before the first run: categories, weights and the license."""
    sources = project / "sources.yaml"
    sources.write_text(sources.read_text().replace("license: null", "license: CC0-1.0"))
    shutil.copy(result.ROOT / "taxonomy.yaml", project / "taxonomy.yaml")
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["autolabel"]["detector"] = {"model": str(result.ROOT / "demo/models/detector")}
    params["autolabel"]["segmenter"] = {
        "model": str(result.ROOT / "demo/models/segmenter.pth"), "build": "tiny",
    }  # fmt: skip
    (project / "params.yaml").write_text(yaml.safe_dump(params))


def _step(command: list[str], *, cwd: Path) -> tuple[str, float, float]:
    environment = {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "CURATE_LABEL_STUDIO_BIN": str(result.ROOT / ".venv-labelstudio/bin/label-studio"),
    }
    cost = process_cost.run(command, env=environment, cwd=cwd, memory=False)
    return " ".join(command), cost.wall_s, cost.cpu_s


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [[f"`{command}`", f"{wall:.1f} s", f"{cpu:.1f} s"] for command, wall, cpu in content["rows"]]
    return (
        INTRO.format(files=content["files"], tasks=content["tasks"])
        + result.table(("command", "time", "processor time"), rows, numbers=2)
        + "\n"
        + result.target_table(result.targets(content))
        + result.footer(content)
    )


if __name__ == "__main__":
    measure()
