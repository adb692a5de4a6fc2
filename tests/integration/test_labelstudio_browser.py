"""A person's browser: the labelling page shows a suggested box and mask, and gives both back unharmed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from curate import schema, tables
from curate.adapters.labelstudio import accounts, pull
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.labeling import taxonomy
from curate.ports import ImageChoice, ObjectAttribute, ProjectSpec, TaskDraft
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
# How many pixels of the page's canvases are blue: that is the color of parking_sign, and the photograph
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
            attributes=(ObjectAttribute("worn", ("slightly", "badly")),),
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
    question = page.get_by_text(re.compile("^badly"))
    assert not any(one.is_visible() for one in question.all())  # it is asked of a selected object
    page.locator(".lsf-tree__node_type_rectangleregion .lsf-outliner-item__title").first.click()
    question.first.click(timeout=30_000)
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
    assert [row.attributes for row in read if row.attributes] == [(("worn", ("badly",)),)]
    assert foreign == []  # nothing leaves this machine


GUIDELINE = """# Traffic signs

Box **every** sign.

3. Look.
4. Correct:
   - right: leave it

| what you see | what to do |
|---|--:|
| on a screen | no box |

![circle and square](how%20to.png)

<script>document.title = "run"</script> <b>no tag</b>
"""


def test_the_page_shows_the_guideline_the_categories_the_file_and_keeps_the_reason_of_a_skip(
    labelstudio: Connection, page: Page, drafts: list[TaskDraft], tmp_path: Path
) -> None:
    """Looked at as a browser draws it: what only stands in the HTML may be invisible."""
    Image.new("RGB", (240, 120), "#4363d8").save(tmp_path / "how to.png")
    (draft,) = [replace(one, overlap=1, name="IMG 2041.jpg") for one in drafts[:1]]
    known = taxonomy.load(Path("taxonomy.yaml"))
    described = (replace(known[0], description='Red octagon, "STOP" & <damaged>'), *known[1:])
    tool = LabelStudioTool(labelstudio)
    spec = ProjectSpec(
        "guideline in a browser", described, GUIDELINE, 1, Path("data/ingest/images"),
        instructions_folder=tmp_path,
    )  # fmt: skip
    reference = tool.ensure_project(spec)
    assert tool.plan_push(spec, [draft]).project == ()  # the server keeps it as it was sent
    tool.push_tasks(reference, [draft])
    page.goto(
        f"{labelstudio.url}/projects/{reference.project_id}/data?labeling=1", wait_until="domcontentloaded"
    )
    shown = page.locator(".guideline")
    shown.wait_for(timeout=90_000)
    styles = """(element, [selector, name]) =>
        getComputedStyle(element.querySelector(selector)).getPropertyValue(name)"""
    for selector, name, value in (
        ("ul", "list-style-type", "disc"),
        ("ol", "list-style-type", "decimal"),
        ("td", "border-top-width", "1px"),
        ("td:last-child", "text-align", "right"),
    ):
        assert shown.evaluate(styles, [selector, name]).removeprefix("-webkit-") == value
    assert shown.evaluate("element => element.querySelector('li').value") == 3
    image = "element => new Promise(done => { const one = element.querySelector('img'); " + (
        "const tell = () => done(one.naturalWidth); one.complete ? tell() : (one.onload = tell) })"
    )
    assert shown.evaluate(image) == 240  # loaded from the server, as a labeler
    text = shown.inner_text()
    assert '<script>document.title = "run"</script> <b>no tag</b>' in text
    assert 'stop_sign: Red octagon, "STOP" & <damaged>' in text
    assert page.title() != "run"
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "guideline.png")

    page.locator(".lsf-modal-ls__content button").first.click()
    page.locator(".lsf-modal-ls_visible").wait_for(state="detached")
    page.get_by_text("IMG 2041.jpg").wait_for()
    page.get_by_text("stop_sign").first.hover()
    page.get_by_text('Red octagon, "STOP" & <damaged>').last.wait_for()
    reason = page.get_by_placeholder("write, then press Enter")
    reason.fill("the file is broken")
    reason.press("Enter")
    page.get_by_text("the file is broken").wait_for()
    page.mouse.move(5, 5)
    page.screenshot(path=ARTIFACTS / "skip_reason.png")
    with page.expect_response(is_submission) as skipped:
        page.click("button:has-text('Skip')")
    assert skipped.value.status == 201
    with pull.pull(Client(labelstudio, timeout_s=60), [reference], pulled.wanted([draft])) as snapshot:
        (row,) = [row for piece in snapshot.answers() for row in piece]
    assert (row["outcome"], row["comment"]) == ("skipped", "skip_reason: the file is broken")


def local(url: str, labelstudio: Connection) -> bool:
    return url.startswith((labelstudio.url, "data:", "blob:"))


def is_submission(reply: Any) -> bool:
    return "/annotations" in reply.url and reply.request.method == "POST"
