"""People who compare two pictures on the real server: on the page, by the hundred, and through kills."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from curate import tables
from curate.adapters.labelstudio import accounts, client, comparisons, label_config, project, task_pages
from curate.adapters.labelstudio.accounts import Session
from curate.adapters.labelstudio.comparisons import LabelStudioComparisons
from curate.adapters.labelstudio.connection import Connection
from curate.errors import WaitingForPeopleError
from curate.params import LabelStudioParams, VoteParams
from curate.records import StageReport
from curate.restoration import table_schemas
from curate.stages import vote
from tests.integration import fault_proxy
from tests.integration.fault_proxy import FaultProxy
from tests.integration.killed_push import DYING
from tests.restoration import restoration_rows
from tests.stages import comparing_people

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PASSWORD = "a-long-password"
BRIGHT = {"bicubic": 60, "swinir": 120, "esrgan": 180}
PICTURES = Path("data/ingest/vote")
ROOT = Path(__file__).resolve().parents[2]
PAGE_PICTURES = ROOT / os.environ.get("CURATE_PICTURES", "artifacts")  # docs/images: the documentation's
SECRET = re.compile("bicubic|swinir|esrgan|spoilt", re.IGNORECASE)


class Voting:
    """A project of votes of its own, with what stands around it."""

    def __init__(
        self,
        root: Path,
        connection: Connection,
        title: str,
        images: int,
        draw: Callable[[int, int], Image.Image] | None = None,
    ) -> None:
        self.root, self.connection, self.title = root, connection, title
        self.folder = root / "votes" / title.replace(" ", "-")
        files = comparing_people.pictures(self.folder / "results", {**BRIGHT, "clean": 250}, images, draw)
        names = [f"p{n:02}" for n in range(images)]
        pairs = [restoration_rows.pair(p, image_id=f"i{p}", hr_path=str(files[p, "clean"])) for p in names]
        rows = [restoration_rows.upscaled(m, p, path=str(files[p, m])) for p in names for m in BRIGHT]
        tables.write_rows(pairs, self.folder / "pairs.parquet", table_schemas.IMAGE_PAIRS)
        tables.write_rows(rows, self.folder / "upscaled.parquet", table_schemas.UPSCALED)
        self.administrator = client.Client(connection, timeout_s=60)

    def tool(self, through: Connection | None = None) -> LabelStudioComparisons:
        return comparisons.from_settings(LabelStudioParams(), through or self.connection, PICTURES)

    def run(self, through: Connection | None = None, **settings: object) -> StageReport:
        return vote.run(
            VoteParams.model_validate({"raters": "labelstudio", "bootstrap": 100, **settings}),
            inputs=vote.Inputs(self.folder / "pairs.parquet", self.folder / "upscaled.parquet", Path("none")),
            outputs=vote.Outputs(
                self.folder / "plan.csv",
                self.folder / "votes.csv",
                self.folder / "ranking.csv",
                PICTURES,
                self.folder / "people.csv",
            ),
            ports=vote.Ports(self.tool(through), self.title),
        )

    @property
    def number(self) -> int:
        """The server's of the project."""
        return project.projects(self.administrator, self.title)[None].project_id

    def tasks(self) -> list[dict[str, Any]]:
        there = project.projects(self.administrator, self.title)[None]
        pages = task_pages.matching(self.administrator, there, include="id,data,overlap,total_annotations")
        return [task for page in pages for task in page]


@pytest.fixture
def place(labelstudio_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(labelstudio_root)
    return labelstudio_root


def brighter(task: dict[str, Any]) -> str:
    """Which side a person with eyes and nothing else prefers, of what the address shows."""
    means = []
    for side in ("left", "right"):
        (below,) = parse_qs(urlsplit(task["data"][side]).query)["d"]
        means.append(float(np.asarray(Image.open(Path("data/ingest") / below)).mean()))
    return "left" if means[0] > means[1] else "right"


def work(session: Session, voting: Voting, *, wrong: bool = False) -> int:
    """Answer whatever the server offers to that person, until there is nothing more."""
    done = 0
    for task in voting.tasks():
        if not task["overlap"]:
            continue
        given = session.get(f"/api/tasks/{task['id']}", action="looking")["annotations"]
        if any(one["created_username"].split(",")[0].strip() == session.email for one in given):
            continue
        side = brighter(task)
        if wrong:
            side = "right" if side == "left" else "left"
        session.post(f"/api/tasks/{task['id']}/annotations/", answer(side), action="voting")
        done += 1
    return done


def answer(side: str) -> dict[str, Any]:
    region = {"id": "vote", "from_name": label_config.COMPARISON, "to_name": "left,right", "type": "pairwise"}
    return {"result": [{**region, "value": {"selected": side}}], "lead_time": 3.0}


@pytest.fixture
def page(labelstudio: Connection) -> Iterator[Page]:
    """A new browser, logged in through the form."""
    email = "votes@demo.invalid"
    accounts.ensure_user(labelstudio, email, PASSWORD)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1500, "height": 900})
        opened.goto(f"{labelstudio.url}/user/login/")
        opened.fill("input[name=email]", email)
        opened.fill("input[name=password]", PASSWORD)
        opened.click("button[type=submit]")
        opened.wait_for_url(lambda url: "/user/login" not in url, wait_until="domcontentloaded")
        yield opened
        browser.close()


def test_a_person_clicks_the_better_picture_and_learns_no_name(
    place: Path, labelstudio: Connection, page: Page
) -> None:
    voting = Voting(place, labelstudio, "photographs votes", 2, comparing_people.photograph)
    settings = {"number": 1, "attention_share": 0.2, "min_attention": 0}  # noise is as bright as the clean
    with pytest.raises(WaitingForPeopleError, match="vote on, then run `dvc repro` again"):
        voting.run(**settings)
    told: list[str] = []
    replies: list[Any] = []
    page.on("response", lambda reply: replies.append(reply))  # noqa: PLW0108 - it marks functions
    page.goto(f"{labelstudio.url}/projects/{voting.number}/data?labeling=1", wait_until="domcontentloaded")
    page.get_by_text("Sharper is not always better").wait_for(timeout=90_000)
    page.locator(".lsf-modal-ls__content button").first.click()
    page.get_by_text("Which picture looks better?").wait_for(timeout=60_000)
    expected: list[str] = []
    for number, task in enumerate(voting.tasks()):
        page.wait_for_function(f"() => window.Htx.task && window.Htx.task.id == {task['id']}", timeout=60_000)
        side = brighter(task)
        picture = page.locator("[data-needs-update]:has(canvas)").nth(0 if side == "left" else 1)
        picture.wait_for(timeout=30_000)
        if number == 0:
            told.append(page.content())
        if number == 1:
            page.click("button:has-text('Skip')")
            continue
        picture.click(position={"x": 60, "y": 60})  # on the picture itself
        if number == 0:
            PAGE_PICTURES.mkdir(exist_ok=True)
            page.screenshot(path=PAGE_PICTURES / "restoration-vote.jpg", type="jpeg", quality=85)
        with page.expect_response(is_submission) as submitted:
            page.click("button:has-text('Submit')")
        assert submitted.value.status == 201
        expected.append(side)
    told += [reply.url + body(reply) for reply in list(replies)]
    assert len(told) > 20
    report = voting.run(**settings)
    assert report.metrics["skipped"] == 1
    assert report.metrics["looks"] == report.metrics["looks_wanted"] == len(expected) + 1
    rows = (voting.folder / "ranking.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["esrgan", "swinir", "bicubic"]
    assert not [SECRET.search(text) for text in told if SECRET.search(text.replace('large"', ""))]


def body(reply: Any) -> str:
    kind = reply.headers.get("content-type", "")
    if "/api/" not in reply.url or "json" not in kind:
        return ""
    return str(reply.text())


def is_submission(reply: Any) -> bool:
    return "/annotations" in reply.url and reply.request.method == "POST"


def test_many_votes_end_in_the_planted_order_and_a_careless_rater_is_left_out(
    place: Path, labelstudio: Connection
) -> None:
    voting = Voting(place, labelstudio, "many votes", 10)
    people = [accounts.ensure_user(labelstudio, f"votes-{n}@demo.invalid", PASSWORD) for n in range(3)]
    settings = {"number": 3, "round_pairs": 4, "attention_share": 0.15, "min_attention": 0.8}
    done, waited = 0, 0
    for _ in range(4):
        try:
            report = voting.run(**settings)
            break
        except WaitingForPeopleError:
            waited += 1
            done += sum(work(one, voting, wrong=one is people[2]) for one in people)
    assert waited == 2  # two rounds of four images settle it
    assert [row.split(",")[0] for row in (voting.folder / "ranking.csv").read_text().splitlines()[1:]] == [
        "esrgan",
        "swinir",
        "bicubic",
    ]
    votes = (voting.folder / "votes.csv").read_text().splitlines()[1:]
    assert len(votes) == done == report.metrics["looks"]
    assert report.metrics["attention"]["left_out"] == ["labeler-3"]
    assert report.metrics["agreement"] == 1.0
    assert "@" not in json.dumps(report.metrics) + "".join(votes)
    before = voting.tasks()
    again = voting.run(**settings)
    assert (again.metrics, voting.tasks()) == (report.metrics, before)
    data = [set(task["data"]) for task in before]
    assert all(names == {"left", "right", "task_id", "suggestions"} for names in data)
    told = json.dumps([task["data"] for task in before])
    assert not SECRET.search(told)
    assert not re.search("clean|repeat|attention", told)


PROGRAM = f"""{DYING}
from tests.integration.test_labelstudio_votes import Voting
Voting(Path.cwd(), connection.resolve(Path()), sys.argv[3], 4).run(number=2)
"""


def run_and_die(place: Path, title: str, deadly: str, after: int) -> None:
    command = [sys.executable, "-c", PROGRAM, deadly, str(after), title]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(place)}
    done = subprocess.run(command, cwd=place, env=environment, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL


def test_kills_and_faults_neither_double_a_task_nor_lose_a_vote(place: Path, labelstudio: Connection) -> None:
    title = "killed votes"
    voting, settings = Voting(place, labelstudio, title, 4), {"number": 2}
    for deadly, after in (("POST /api/projects/", 1), ("POST /import", 1)):
        run_and_die(place, title, deadly, after)
    with pytest.raises(WaitingForPeopleError):
        voting.run(**settings)
    keys = Counter(task["data"]["task_id"] for task in voting.tasks())
    assert set(keys.values()) == {1}
    first, second = (accounts.ensure_user(labelstudio, f"killed-{n}@demo.invalid", PASSWORD) for n in (1, 2))
    done = work(first, voting)
    assert done == len(keys)
    run_and_die(place, title, "GET /api/tasks/", 1)
    with FaultProxy(labelstudio.url) as proxy:
        through = Connection(proxy.url, labelstudio.api_key, "the proxy")
        proxy.plan(fault_proxy.status(502), when=fault_proxy.get_to("/api/tasks/"), count=2)
        with pytest.raises(WaitingForPeopleError, match=f"{done} of {2 * done} votes"):
            voting.run(through, **settings)
        assert proxy.struck == 2
        done += work(second, voting)
        proxy.plan(fault_proxy.drop_after, when=fault_proxy.get_to("/api/tasks/"), count=1)
        report = voting.run(through, **settings)
    assert len((voting.folder / "votes.csv").read_text().splitlines()) == 1 + done
    assert report.metrics["looks"] == done
    assert Counter(task["data"]["task_id"] for task in voting.tasks()) == keys
    edited_pictures_are_asked_about_anew(voting, first, second)


def edited_pictures_are_asked_about_anew(voting: Voting, first: Session, second: Session) -> None:
    """Somebody changes a picture on the server, people vote on it, and nothing of that counts or is lost."""
    settings, before = {"number": 2}, (voting.folder / "ranking.csv").read_text()
    task, other = [one for one in voting.tasks() if one["overlap"]][:2]
    where = f"/api/tasks/{task['id']}"
    changed = {**task["data"], "left": other["data"]["right"]}
    voting.administrator.patch(f"{where}/", {"data": changed}, action="editing")
    first.post(f"{where}/annotations/", answer("left"), action="voting on the edited task")
    with pytest.raises(WaitingForPeopleError) as waiting:
        voting.run(**settings)
    report = waiting.value.so_far
    assert isinstance(report, StageReport)
    assert report.metrics["looks_wanted"] - report.metrics["looks"] == 2  # of a new task
    assert report.metrics["edited"] == 3
    first.post(f"{where}/annotations/", answer("left"), action="voting on a page that was still open")
    assert (work(first, voting), work(second, voting)) == (1, 1)
    report = voting.run(**settings)
    assert report.metrics["looks_wanted"] == report.metrics["looks"]
    assert report.metrics["edited"] == 4
    held = [
        row for row in (voting.folder / "votes.csv").read_text().splitlines() if "changed the pict" in row
    ]
    assert len(held) == 4
    assert (voting.folder / "ranking.csv").read_text() == before
    copies = [one for one in voting.tasks() if one["data"]["task_id"] == task["data"]["task_id"]]
    assert [(one["data"]["left"] == task["data"]["left"], one["overlap"] > 0) for one in copies] == [
        (False, False),
        (True, True),
    ]
