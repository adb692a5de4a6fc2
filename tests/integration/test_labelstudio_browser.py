"""A person's browser: the labelling page shows a suggested box and mask, and gives both back unharmed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from curate import schema, tables
from curate.adapters.labelstudio import accounts
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.labeling import taxonomy
from curate.ports import ImageChoice, ProjectSpec
from curate.qa import task_drafts
from curate.records import Annotation, derived_id
from tests import builders
from tests.integration import pulled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
# How many pixels of the page's canvases are blue: that is the colour of parking_sign, and the photograph
# below the canvases is not part of them.
BLUE_PIXELS = """() => [...document.querySelectorAll('canvas')].reduce((sum, canvas) => {
  const {width, height} = canvas;
  if (!width || !height) return sum;
  const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 20 && data[i + 2] > data[i] + 60 && data[i + 2] > data[i + 1] + 60) sum += 1;
  return sum;
}, 0)"""
# The controls that the page has built from the project's configuration.
CONTROLS = "() => [...window.Htx.annotationStore.names.values()].map(control => control.type)"
EMAIL, PASSWORD = "browser@demo.invalid", "a-long-password"
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


@pytest.fixture
def page(labelstudio: Connection) -> Iterator[Page]:
    """A new browser, logged in through the form."""
    accounts.ensure_user(labelstudio, EMAIL, PASSWORD)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1400, "height": 900})
        opened.goto(f"{labelstudio.url}/user/login/")
        opened.fill("input[name=email]", EMAIL)
        opened.fill("input[name=password]", PASSWORD)
        opened.click("button[type=submit]")
        opened.wait_for_url(lambda url: "/user/login" not in url, wait_until="domcontentloaded")
        yield opened
        browser.close()


def test_a_suggestion_is_shown_accepted_and_pulled_unharmed(
    labelstudio_root: Path, labelstudio: Connection, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(labelstudio_root)
    rows = [
        Annotation.from_row(row)
        for row in tables.read(Path("data/autolabel/annotations.parquet"), schema.ANNOTATIONS).to_pylist()
    ]
    images = tables.read(Path("data/dedupe/images.parquet"), schema.IMAGES).to_pylist()
    source = next(row for row in rows if row.category == "parking_sign")
    key = derived_id("task", source.image_id)
    slots = [builders.plan_row("", task_id=key, image_id=source.image_id)]
    planned = task_drafts.planned_tasks(slots, {image["image_id"]: image for image in images}, rows)
    drafts = [task.draft for task in planned]
    tool = LabelStudioTool(labelstudio)
    categories = taxonomy.load(Path("taxonomy.yaml"))
    reference = tool.ensure_project(
        ProjectSpec(
            "in a browser",
            categories,
            "",
            1,
            Path("data/ingest/images"),
            choices=(ImageChoice("weather", ("sun", "rain")),),
        )
    )
    tool.push_tasks(reference, drafts)
    foreign: list[str] = []
    page.on(
        "request",
        lambda request: foreign.append(request.url) if not local(request.url, labelstudio) else None,
    )

    page.goto(
        f"{labelstudio.url}/projects/{reference.project_id}/data?labeling=1", wait_until="domcontentloaded"
    )
    page.wait_for_selector("button:has-text('Submit')", timeout=90_000)
    suggested = [row for row in rows if row.image_id == source.image_id]
    for kind in ("rectangleregion", "brushregion"):
        listed = page.locator(f".lsf-tree__node_type_{kind} .lsf-outliner-item__title")
        listed.first.wait_for(timeout=60_000)
        assert sorted(listed.all_inner_texts()) == sorted(str(row.category) for row in suggested)
    page.wait_for_function(f"() => ({BLUE_PIXELS})() > 1000", timeout=30_000)
    for control in ("rectanglelabels", "brushlabels", "polygonlabels", "choices"):
        assert control in page.evaluate(CONTROLS)
    page.get_by_text(re.compile("^rain")).first.wait_for(timeout=30_000)  # its hot key follows
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "labelling_page.png")
    with page.expect_response(is_submission) as submitted:
        page.click("button:has-text('Submit')")
    assert submitted.value.status == 201

    read, progress = pulled.rows(labelstudio, reference, drafts)
    assert progress.tasks_done == 1
    content = {row.parent_id: (row.category, row.bbox_xyxy, row.rle) for row in read}
    assert content == {row.annotation_id: (row.category, row.bbox_xyxy, row.rle) for row in suggested}
    assert all(row.annotator_id == EMAIL and (row.lead_time_s or 0) > 0 for row in read)
    assert foreign == []  # nothing leaves this machine


def local(url: str, labelstudio: Connection) -> bool:
    return url.startswith((labelstudio.url, "data:", "blob:"))


def is_submission(reply: Any) -> bool:
    return "/annotations" in reply.url and reply.request.method == "POST"
