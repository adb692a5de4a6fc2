"""An adjudication in the real page: the queue is handed over, decided, and taken by the stage agreement."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from curate import schema, tables
from curate.adapters.labelstudio import accounts, project_mark
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioReader, LabelStudioTool
from curate.params import AgreementParams, LabelStudioParams
from curate.stages import adjudicate, adjudication_decisions, agreement
from tests import builders
from tests.builders import image_id
from tests.integration.test_labelstudio_browser import ARTIFACTS, CHROMIUM, FLAGS, is_submission
from tests.stages.test_adjudication_decisions import DECIDED, OUT
from tests.stages.test_agreement import INPUTS, OUTPUTS, PORTS, read_csv

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
SENIOR, PASSWORD = "senior@demo.invalid", "a-long-password"
PARAMS = LabelStudioParams(project="a set in dispute")
CAPTIONS = """() => [...document.querySelectorAll('.lsf-tree__node textarea, .lsf-tree__node input')]
  .map(field => field.value)"""
PIPELINE = Path("data/push/pipeline")
OUTLINE = "[[50.0, 50.0, 85.0, 10.0, 120.0, 50.0, 85.0, 90.0]]"


@pytest.fixture
def project(labelstudio_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two people answered, one with an outline; the images are those that the session's server may serve."""
    monkeypatch.chdir(tmp_path)
    drawn = builders.small_project(tmp_path, stage="pull").annotations["pull"]
    builders.write_pulled(
        tmp_path,
        [
            replace(row, polygon=OUTLINE)
            if (row.image_id, row.outcome) == (image_id("five"), "object")
            else row
            for row in drawn
        ],
    )
    shutil.rmtree("data/ingest/images")
    Path("data/ingest/images").symlink_to(labelstudio_root / "data/ingest/images")
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    return tmp_path


@pytest.fixture
def page(labelstudio: Connection) -> Iterator[Page]:
    accounts.ensure_user(labelstudio, SENIOR, PASSWORD)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1400, "height": 900})
        opened.goto(f"{labelstudio.url}/user/login/")
        opened.fill("input[name=email]", SENIOR)
        opened.fill("input[name=password]", PASSWORD)
        opened.click("button[type=submit]")
        opened.wait_for_url(lambda url: "/user/login" not in url, wait_until="domcontentloaded")
        yield opened
        browser.close()


@pytest.mark.usefixtures("project")
def test_a_round_in_the_page(labelstudio: Connection, page: Page) -> None:
    tool = LabelStudioTool(labelstudio, pipeline_file=PIPELINE)
    inputs = adjudicate.Inputs(taxonomy=Path("taxonomy.yaml"))
    order = [row["image_id"] for row in read_csv(OUTPUTS.queue)]
    assert sorted(order) == sorted([image_id("five"), image_id("six")])

    def push() -> str:
        return adjudicate.run(PARAMS, inputs=inputs, shown=adjudicate.SHOWN, tool=tool).line()

    assert push() == "adjudicate: 2 tasks, 2 created, 0 unchanged, 0 with new candidates"
    assert push() == "adjudicate: 2 tasks, 0 created, 2 unchanged, 0 with new candidates"
    (number,) = [
        one.number
        for one in project_mark.listed(Client(labelstudio, timeout_s=60))
        if one.genuine and one.mark is not None and one.mark.title == "a set in dispute adjudication"
    ]
    page.goto(f"{labelstudio.url}/projects/{number}/data?labeling=1", wait_until="domcontentloaded")
    ARTIFACTS.mkdir(exist_ok=True)
    for image in order:
        decide(page, image)

    reader = LabelStudioReader(labelstudio, pipeline_file=PIPELINE)

    def pull() -> bytes:
        done = adjudication_decisions.pull(
            reader, "a set in dispute adjudication", shown=adjudicate.SHOWN, images=INPUTS.images, outputs=OUT
        )
        assert done == (2, 2)
        return OUT.annotations.read_bytes()

    assert pull() == pull()
    report = agreement.run(AgreementParams(), inputs=DECIDED, outputs=OUTPUTS, ports=PORTS)
    assert dict(report.counts)["decided by adjudication"] == 2
    assert read_csv(OUTPUTS.queue) == []
    rows = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).to_pylist()
    assert [
        (row["category"], row["outcome"], row["polygon"])
        for row in rows
        if row["image_id"] == image_id("five")
    ] == [("stop_sign", "object", OUTLINE)]  # the page showed its box and its mask
    (six,) = [row for row in rows if row["image_id"] == image_id("six")]
    assert (six["category"], six["bbox_xyxy"]) == ("parking_sign", [15.0, 15.0, 75.0, 85.0])
    assert six["rle"] is not None
    # The queue is empty now: tasks are closed, and what was decided stays.
    assert push() == "adjudicate: 0 tasks, 0 created, 0 unchanged, 0 with new candidates, 2 closed"
    before = OUT.annotations.read_bytes()
    assert pull() == before


def decide(page: Page, image: str) -> None:
    """What a senior labeler does: accept the one candidate of "five"; of "six" keep the parking sign."""
    page.wait_for_selector("button:has-text('Submit')", timeout=90_000)
    name = {image_id("five"): "five", image_id("six"): "six"}[image]
    page.get_by_text(f"{name}.jpg").first.wait_for(timeout=60_000)
    why = "which objects are there" if name == "five" else "what an object is"
    page.get_by_text(f"People do not agree {why}.").first.wait_for(timeout=30_000)
    page.get_by_text("labeler-1: 1").first.wait_for(timeout=30_000)
    rectangles = page.locator(".lsf-tree__node_type_rectangleregion")
    rectangles.first.wait_for(timeout=60_000)
    page.wait_for_function(f"({CAPTIONS})().includes('labeler-1')", timeout=30_000)
    page.wait_for_timeout(1_500)
    page.screenshot(path=ARTIFACTS / f"adjudication_{name}.png")
    if name == "six":
        assert rectangles.count() == 2
        assert sorted(page.evaluate(CAPTIONS)) == ["labeler-1"] * 2 + ["labeler-2"] * 2  # boxes and masks
        for kind in ("brushregion", "rectangleregion"):
            page.locator(f".lsf-tree__node_type_{kind}", has_text="stop_sign").first.click()
            page.keyboard.press("Backspace")
        page.wait_for_timeout(500)
        page.screenshot(path=ARTIFACTS / "adjudication_six_decided.png")
    with page.expect_response(is_submission) as submitted:
        page.click("button:has-text('Submit')")
    assert submitted.value.status == 201
