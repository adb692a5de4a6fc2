"""The curator's loop for real: the app in a browser, `decisions pull`, `dvc repro`, and the release."""

from __future__ import annotations

import os
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
from tests.integration.chromium import window
from tests.integration.view_server import opened
from tests.package import two_annotators

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

START_S = 420.0  # several imports of FiftyOne, on a busy machine
WAIT_MS = 300_000
TOOLBAR_PX = 120  # of the page that the grid's own buttons lie over
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
    with opened(project.root) as app:
        yield app.url


def test_what_is_decided_in_the_browser_is_in_the_release(project: Project, app: str, tmp_path: Path) -> None:
    before = project.released()
    with window(1500, 950) as shown:
        page = shown.page
        page.set_default_timeout(WAIT_MS)
        page.goto(app)
        page.locator("[data-cy='looker']").first.wait_for()
        assert not page.get_by_text("Explore more with FiftyOne Enterprise").count()
        _open_panel(page)
        _rules_are_counted_and_shown(page, app)
        _four_are_marked_and_undone(page, tmp_path)
        _four_are_dropped(page)
        _a_box_is_made_narrower(page)
        assert shown.refused == [], "the page asks no other machine for anything"
        assert shown.errors == []
    assert "5 lines, 5 new" in project.run("curate decisions pull --by labeler-1")
    drops = [one for one in project.decisions() if one.decision == "drop"]
    (edit,) = [one for one in project.decisions() if one.decision == "edit"]
    assert [(one.argument, one.by) for one in drops] == [("blurry", "labeler-1")] * 4
    project.run("dvc repro")
    after = project.released()
    gone = {one.image for one in drops}
    assert before.keys() - after.keys() == gone & before.keys() != set()
    for image_id in gone:
        row = project.row(image_id)
        assert (row["drop_reason"], row["drop_detail"]) == ("human_decision", "dropped by labeler-1: blurry")
    x1, y1, x2, y2 = edit.corners
    assert tuple(round(edge) for edge in (x1, y1, x2 - x1, y2 - y1)) in after[edit.image]
    assert after[edit.image] != before[edit.image]
    rest = before.keys() - gone - {edit.image}
    assert {key: after[key] for key in rest} == {key: before[key] for key in rest}


def _open_panel(page: Any) -> None:
    page.locator("[data-cy='new-panel-btn']").first.click()
    page.get_by_text("Decide", exact=True).first.click()
    page.get_by_text("Select images").first.wait_for()
    page.locator("[data-cy='panel-tab-samples']").click()


def _rules_are_counted_and_shown(page: Any, app: str) -> None:
    """Each rule says how many images it is about, and a click shows them; nothing is applied."""
    page.get_by_text("1: drop:dark dark pictures (brightness < 20)").wait_for()
    page.get_by_text("0: needs-qa no such source").wait_for()
    page.get_by_text("Show 1: dark pictures").click()
    page.get_by_text("1 sample", exact=True).wait_for()
    page.goto(app)
    page.get_by_text("62 samples").wait_for()
    page.get_by_text("Select images").first.wait_for()  # the panel, which hears only what is selected later


def _four_are_marked_and_undone(page: Any, folder: Path) -> None:
    """The panel says why the image is here and what a click does; a key marks all that are selected."""
    _choose(page, 3)
    page.get_by_text("nothing yet").first.wait_for()  # two questions at once may be answered in any order
    _choose(page, 6, modifiers=["Shift"])
    page.get_by_text("nothing yet, and 3 more selected").wait_for()
    page.get_by_text("people look because: review").wait_for()
    page.get_by_text("A person must look; nothing of it is released before.").wait_for()
    page.wait_for_timeout(2000)  # labels are painted after the pictures
    picture = (Path(PICTURES) if PICTURES else folder) / "curation-decide.jpg"
    page.screenshot(path=str(picture), type="jpeg", quality=82)
    page.keyboard.press("Alt+g")
    page.get_by_text("gold: 4 of 4 selected images").first.wait_for()
    page.keyboard.press("Alt+z")
    page.get_by_text("gold: taken back from 4").first.wait_for()


def _choose(page: Any, number: int, **how: Any) -> None:
    """Click at the check of an image, counted as a person sees them: pages of the grid stand in any order."""
    lookers = page.locator("[data-cy='looker']")
    page.wait_for_timeout(1000)  # the grid places its pictures anew once their sizes are known
    boxes = [(at, lookers.nth(at).bounding_box()) for at in range(lookers.count())]
    seen = sorted((box["y"], box["x"], at) for at, box in boxes if box is not None and box["y"] > TOOLBAR_PX)
    looker = lookers.nth(seen[number][2])
    looker.hover()
    looker.locator("[data-cy^='looker-checkbox-']:not(input)").click(force=True, **how)


def _four_are_dropped(page: Any) -> None:
    """The button asks for the reason."""
    page.get_by_text("Drop (Alt+D)").first.click()
    dialog = page.locator("[role=dialog]")
    dialog.get_by_text("Dropped from the data set, for this reason. 4 images selected.").wait_for()
    dialog.locator("input").first.fill("blurry")
    dialog.locator("input").first.press("Tab")
    page.wait_for_timeout(2000)  # the form is resolved by the server
    dialog.get_by_text("Execute", exact=True).click()
    page.get_by_text("drop:blurry: 4 of 4 selected images").first.wait_for()


def _a_box_is_made_narrower(page: Any) -> None:
    """With the app's own tools, in an open image."""
    page.locator("[data-cy='looker']").first.click()
    page.locator("[data-cy='annotate']").first.click()
    page.locator("[data-cy^='annotate-label-']").first.click()
    width = page.locator("[data-cy='root_dimensions_width_container'] input")
    width.wait_for()
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as saved:
        width.fill(str(round(float(width.input_value()) * 0.75, 3)))
        width.press("Enter")
    assert saved.value.ok
