"""The curator's loop for real: the app in a browser, `decisions pull`, `dvc repro`, and the release."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from curate import decision_file, schema, tables
from tests.integration.chromium import Window, window
from tests.package import two_annotators

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

START_S = 420.0  # several imports of FiftyOne, on a busy machine
WAIT_MS = 300_000
# Pictures of docs/curation.md: CURATE_DOCS_IMAGES=docs/images makes them anew.
PICTURES = os.environ.get("CURATE_DOCS_IMAGES")
RULES = """\
rules:
  - {name: dark pictures, when: brightness < 20, then: "drop:dark"}
  - {name: no such source, when: source == "phone", then: needs-qa}
"""


@dataclass(frozen=True)
class Project:
    """A project made of two people's files, without models and without a labelling server."""

    root: Path

    def run(self, command: str) -> str:
        """A program of this environment, in the project's folder."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command.split(), cwd=self.root, capture_output=True, text=True, check=False, timeout=START_S,
            env={**os.environ, "PATH": programs, "DVC_NO_ANALYTICS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def released(self) -> dict[str, list[tuple[int, ...]]]:
        """Boxes (x, y, width, height in whole pixels) of each released image."""
        found: dict[str, list[tuple[int, ...]]] = {}
        for path in (self.root / "data/release/data").glob("*.parquet"):
            for row in pq.read_table(path, columns=["image_id", "objects"]).to_pylist():
                boxes = row["objects"]
                every = boxes["bbox"] if isinstance(boxes, dict) else [one["bbox"] for one in boxes]
                found[row["image_id"]] = [tuple(round(edge) for edge in box) for box in every]
        return found

    def row(self, image_id: str) -> dict[str, Any]:
        rows = tables.read(self.root / "data/dedupe/images.parquet", schema.IMAGES).to_pylist()
        (found,) = [row for row in rows if row["image_id"] == image_id]
        return dict(found)

    def decisions(self) -> list[decision_file.Decision]:
        return decision_file.load(self.root / "decisions.csv")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    work = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_annotators, "CROPS", 60)
        two_annotators.make(work / "set")
    made = Project(work)
    anna, ben = (f"set/annotations/{person}.json" for person in ("anna", "ben"))
    made.run(f"curate init signs --images set/crops --labels {anna}")
    made = Project(work / "signs")
    sources = made.root / "sources.yaml"
    sources.write_text(sources.read_text().replace("license: null", "license: CC0-1.0"))
    params = yaml.safe_load((made.root / "params.yaml").read_text())
    params["labelstudio"] = {**params.get("labelstudio", {}), "enabled": False}
    params["autolabel"] = {"detector": {"kind": "none"}, "segmenter": {"kind": "none"}}
    (made.root / "params.yaml").write_text(yaml.safe_dump(params))
    (made.root / "rules.yaml").write_text(RULES)
    made.run("dvc repro dedupe")
    for person, file in (("anna", anna), ("ben", ben)):
        made.run(f"curate import ../{file} --as answers --annotator {person}")
    made.run("dvc repro")
    return made


@pytest.fixture(scope="module")
def app(project: Project) -> Iterator[str]:
    log = project.root / "view.log"
    process = subprocess.Popen(
        [sys.executable, "-m", "curate", "view", "--root", str(project.root), "--port", "0"],
        stdout=subprocess.PIPE, stderr=log.open("w"), text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/datasets/\S+", line)
        assert found, f"{line!r}, and on stderr {log.read_text()!r}"
        yield found[0]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(120)


@pytest.fixture
def shown(app: str) -> Iterator[Window]:
    with window(1500, 950) as found:
        found.page.goto(app)
        found.page.locator("[data-cy='looker']").first.wait_for(timeout=WAIT_MS)
        yield found
