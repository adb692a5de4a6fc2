"""SIMULATED labelers on the real server: each as itself, once, with the same end whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curate import schema, tables
from curate.adapters.labelstudio import client, project
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.errors import AnnotationToolError
from curate.labeling import taxonomy
from curate.ports import ProjectRef, ProjectSpec, TaskDraft
from curate.qa import task_drafts
from curate.records import Annotation
from demo import labelers
from tests import builders
from tests.integration import pulled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = Path("data/dedupe/images.parquet")
EMAILS = labelers.labeler_emails(2)


@pytest.fixture
def folder(labelstudio_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The session's project folder with a truth file that moves each suggestion a little."""
    monkeypatch.chdir(labelstudio_root)
    rows = tables.read(Path("data/autolabel/annotations.parquet"), schema.ANNOTATIONS).to_pylist()
    sources = {row["image_id"]: row["sources"][0] for row in tables.read(IMAGES, schema.IMAGES).to_pylist()}
    files: dict[str, Any] = {source: {"objects": []} for source in sources.values()}
    for row in map(Annotation.from_row, rows):
        if row.bbox_xyxy is not None and row.category is not None:
            box = tuple(edge + 1.0 for edge in row.bbox_xyxy)
            mask = builders.rle(builders.ellipse(box))  # type: ignore[arg-type]
            entry = {"category": row.category, "bbox_xyxy": box, "rle": mask}
            files[sources[row.image_id]]["objects"].append(entry)
    path = labelstudio_root / "data/demo/truth.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"files": files}), encoding="utf-8")
    return labelstudio_root


def push(labelstudio: Connection, title: str) -> tuple[ProjectRef, list[TaskDraft]]:
    """A project whose six tasks want both labelers."""
    slots = tables.read(Path("data/select/plan.parquet"), schema.PLAN).to_pylist()
    images = {row["image_id"]: row for row in tables.read(IMAGES, schema.IMAGES).to_pylist()}
    rows = tables.read(Path("data/autolabel/annotations.parquet"), schema.ANNOTATIONS).to_pylist()
    tool = LabelStudioTool(labelstudio)
    categories = taxonomy.load(Path("taxonomy.yaml"))
    reference = tool.ensure_project(ProjectSpec(title, categories, "", 2, Path("data/ingest/images")))
    drafts = [task.draft for task in task_drafts.planned_tasks(slots, images, map(Annotation.from_row, rows))]
    tool.push_tasks(reference, drafts)
    return reference, drafts


def content(rows: list[Annotation]) -> list[tuple[Any, ...]]:
    """Rows without what a clock wrote."""
    return [
        (
            r.annotation_id,
            r.annotator_id,
            r.category,
            r.bbox_xyxy,
            r.rle,
            r.parent_id,
            r.lead_time_s,
            r.outcome,
        )
        for r in rows
    ]


def label(labelstudio: Connection, title: str, **settings: Any) -> int:
    truth = labelers.load_truth(Path("data/demo/truth.json"), IMAGES)
    return labelers.label(
        labelstudio,
        title,
        lambda job, categories, asked: labelers.answer(job, truth, categories, 0, asked),
        **{"emails": EMAILS, **settings},
    )


@pytest.mark.usefixtures("folder")
def test_both_answer_everything_once_and_twice_is_the_same(labelstudio: Connection) -> None:
    reference, wanted = push(labelstudio, "simulated")
    assert label(labelstudio, "simulated", limit=3) == 3
    _, half = pulled.rows(labelstudio, reference, wanted)
    assert half.slots_done == 3
    assert label(labelstudio, "simulated") == 9
    assert label(labelstudio, "simulated") == 0
    rows, progress = pulled.rows(labelstudio, reference, wanted)
    assert (progress.slots_done, progress.slots_needed, progress.superseded) == (12, 12, 0)
    assert {row.annotator_id for row in rows} == set(EMAILS)
    assert all(row.parent_id for row in rows if row.outcome == "object")
    assert all((row.lead_time_s or 0) > 0 for row in rows)

    # Another project, other numbers on the server: the same answers.
    other, _ = push(labelstudio, "simulated again")
    assert label(labelstudio, "simulated again") == 12
    assert content(pulled.rows(labelstudio, other, wanted)[0]) == content(rows)


KILLED_LABELERS = """
import os, signal
from curate.adapters.labelstudio import accounts
from demo import labelers

post, left = accounts.Session.post, 5

def dying(self, *rest, **settings):
    global left
    answer = post(self, *rest, **settings)
    left -= 1
    if left == 0:  # other threads may have a request on its way
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

accounts.Session.post = dying
labelers.main()
"""


def test_killed_in_the_middle_and_run_again(folder: Path, labelstudio: Connection) -> None:
    reference, wanted = push(labelstudio, "simulated and killed")
    params = {"qa": {"labelers": "simulated"}, "labelstudio": {"project": "simulated and killed"}}
    (folder / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_LABELERS, "--root", str(folder)],
        env=environment,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL
    _, progress = pulled.rows(labelstudio, reference, wanted)
    assert 5 <= progress.slots_done < 12
    command = [sys.executable, "-m", "demo.labelers", "--root", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.startswith("SIMULATED labelers: ")
    rows, progress = pulled.rows(labelstudio, reference, wanted)
    assert progress.slots_done == 12
    push(labelstudio, "simulated and not killed")
    label(labelstudio, "simulated and not killed")
    reader = client.Client(labelstudio, timeout_s=60)
    whole = project.find(reader, "simulated and not killed")
    assert whole is not None
    expected, _ = pulled.rows(labelstudio, project.reference(reader, whole["id"]), wanted)
    assert content(rows) == content(expected)


@pytest.mark.usefixtures("folder")
def test_too_few_labelers_is_one_line(labelstudio: Connection) -> None:
    push(labelstudio, "lonely")
    with pytest.raises(AnnotationToolError, match="wants 2 labelers: start with --labelers 2"):
        label(labelstudio, "lonely", emails=EMAILS[:1])
