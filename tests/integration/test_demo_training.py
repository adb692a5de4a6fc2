"""The loop on the demo: its release trains its detector, and nothing that people did moves.

It takes about 18 minutes on two cores that other programs used too (10 of them for the demo itself, four of
processor time in all besides the server's).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import pyarrow.parquet as pq
import pytest
import yaml

from curate.labeling import training_record
from demo.evaluate_models import evaluation_scene
from demo.scenes import HELD_OUT_SEEDS
from tests.integration.test_demo import checkout, demo, digest, metrics, run  # noqa: F401 - fixtures

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(1800)]
CURATE = (sys.executable, "-m", "curate")
TRAINER = f"{sys.executable} -m demo.refit_detector --data {{data}} --out {{out}} --seed {{seed}} --steps 60"


def predictions(project: Path) -> dict[str, list[Any]]:
    """What the server shows, by our key of the task: model version and regions."""
    script = (
        "import json\nfrom pathlib import Path\n"
        "from curate.adapters.labelstudio import client, connection, project_mark\n"
        "from curate.adapters.labelstudio.tool import LabelStudioTool\n"
        "from curate import params\n"
        "settings = params.load(Path('params.yaml')).labelstudio\n"
        "there = connection.resolve(Path())\n"
        "tool = LabelStudioTool(there, pipeline_file=project_mark.PIPELINE_FILE)\n"
        "reader = client.Client(there, timeout_s=60)\n"
        "project = next(iter(tool.projects(settings.project).values()))\n"
        "found = reader.get('/api/tasks/', action='looking', project=project.project_id, page_size=1000,\n"
        "    fields='all', include='data,predictions')\n"
        "print(json.dumps({task['data']['task_id']: [one['result'] for one in task['predictions']]\n"
        "    for task in found['tasks']}))\n"
    )
    text = run(project, sys.executable, "-c", script)
    found: dict[str, list[Any]] = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    return found


def rows(path: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(path).to_pylist())


def test_the_loop(demo: Path) -> None:  # noqa: F811 - the fixture
    human = ("pull/answers", "pull/annotations", "agreement/consensus")
    before = {name: rows(demo / f"data/{name}.parquet") for name in human}
    released, shown = digest(demo), predictions(demo)
    told = run(demo, *CURATE, "train", "--out", "models/refitted", "--with", TRAINER)
    assert "held back with known answers" in told
    assert "held back of the test split" in told
    record = training_record.read(demo / "models/refitted")
    assert record is not None
    assert record.digest == released
    pin = re.search(r"^    sha256: ([0-9a-f]{64})$", told, re.MULTILINE)
    assert pin is not None

    params = demo / "params.yaml"
    text = params.read_text()
    earlier = yaml.safe_load(text)["autolabel"]["detector"]
    params.write_text(text.replace(earlier["model"], "models/refitted").replace(earlier["sha256"], pin[1]))
    run(demo, "dvc", "repro", "autolabel")
    assert str(metrics(demo, "autolabel")["model_version"]).startswith("refitted@")

    answers = ("--answers", "data/agreement/consensus.parquet")
    fitted = run(demo, *CURATE, "thresholds", "fit", "--precision", "0.5", "--write", *answers)
    assert "to images that the detector was trained on" in fitted
    run(demo, "dvc", "repro")

    # People's answers, what they agreed on, and what the server shows them are what they were.
    for name, rows_then in before.items():
        assert rows(demo / f"data/{name}.parquet") == rows_then
    assert predictions(demo) == shown

    headline = run(demo, *CURATE, "models", "compare").splitlines()[-1]
    assert re.search(r"F1 0\.\d+ -> 0\.\d+, .*on 14 images with known answers", headline), headline
    run(demo, *CURATE, "report")
    assert "Two detectors on known answers" in (demo / "data/report/index.html").read_text()

    # A new image is a task that nobody has begun: it comes with what the new detector says.
    scene = evaluation_scene(HELD_OUT_SEEDS, 3)
    cv2.imwrite(
        str(next((demo / "data/raw").iterdir()) / "new.png"), cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR)
    )
    run(demo, "dvc", "repro", "push")
    after = predictions(demo)
    (new,) = set(after) - set(shown)
    assert after[new] != []
    assert {key: after[key] for key in shown} == shown
    # The record of what was shown has it too; of a task that was begun the plan's reason may have changed.
    parts = sorted((demo / "data/push/shown").glob("shown-*.parquet"))
    first = {row["task_id"]: row for row in rows(parts[0])}
    for row in [row for part in parts[1:] for row in rows(part)]:
        if row["task_id"] == new:
            assert row["model_version"].startswith("refitted@")
        else:
            assert row["suggestions_digest"] == first[row["task_id"]]["suggestions_digest"]
            assert row["model_version"] == first[row["task_id"]]["model_version"]
