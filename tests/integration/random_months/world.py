"""The project's folder, the real server behind a proxy that fails at will, and the stages run on both."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from curate import params as params_file
from curate import schema, tables
from curate.adapters.labelstudio.connection import Connection
from curate.records import StageReport
from curate_pipelines import agreement, pull, push, quality, select
from tests import builders
from tests.integration.fault_proxy import FaultProxy
from tests.integration.random_months import nature
from tests.integration.random_months.model import Truth

TITLE = "random months"
PLAN = Path("data/select/plan.parquet")
_SETTLES_S = 1.5  # the record of what was shown has the server's time in full seconds
_REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Planned:
    """One task of the plan."""

    image: str
    people: int
    suggested: bool
    seeded_kind: str | None
    seeded_id: str | None


@dataclass
class World:
    """Everything around the people.

    Attributes:
        root: The project's folder, also the working directory.
        server: The administrator's connection, without the proxy.
        proxy: What the stages talk to.
        truth: What people did.
        present: Names of the pictures that there are now.
        model: Which model suggests.
        threshold: Score from which it does.
        guideline: The text that opens before labelling.
        qa: The section `qa` of params.yaml.
        plan: The plan of the last push, by our key.
        seeds: What a plan ever made wrong, by our key: `seeded_id`.
        certain: Whether that push came to its end: what the server shows is then known.
        shown_sets: Every set of suggestions that was ever current, by picture, newest last.
        metrics: Of the stages of the last sync.
        moved_at: When the last push ended, and when people sent the last answer, by a monotonic clock.
    """

    root: Path
    server: Connection
    proxy: FaultProxy
    truth: Truth = field(default_factory=Truth)
    present: set[str] = field(default_factory=set)
    model: str = "model-1"
    threshold: float = 0.4
    guideline: str = "Draw a box around every sign."
    qa: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Planned] = field(default_factory=dict)
    seeds: dict[str, set[str | None]] = field(default_factory=lambda: defaultdict(set))
    certain: bool = True
    shown_sets: dict[str, list[dict[str, nature.Suggestion]]] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    moved_at: dict[str, float] = field(default_factory=dict)

    def moved(self, who: str) -> None:
        """The push ended, or people sent an answer."""
        self.moved_at[who] = time.monotonic()

    def settle(self, who: str) -> None:
        """Wait until the other side cannot have begun before that, as the server tells the time."""
        time.sleep(max(0.0, self.moved_at.get(who, 0.0) + _SETTLES_S - time.monotonic()))

    def request(self, method: str, path: str, body: object = None, **parameters: Any) -> Any:
        """What the administrator asks of the server, without the proxy and without our own client."""
        headers = {"Authorization": f"Token {self.server.api_key}"}
        url = self.server.url + path
        reply = httpx.request(method, url, json=body, params=parameters, headers=headers, timeout=120)
        reply.raise_for_status()
        return reply.json() if reply.content else None

    def project(self) -> dict[str, Any]:
        """Our project as the server has it: the oldest of its title, because a copy may have it too."""
        found = self.request("GET", "/api/projects/", page_size=1000)["results"]
        ours = [one for one in found if one["title"] == TITLE]
        assert ours, f"no project {TITLE!r} among {[one['title'] for one in found]}"
        return dict(min(ours, key=lambda one: one["id"]))

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """All tasks of a project with their predictions, by number."""
        query = json.dumps({"ordering": ["tasks:id"]})
        asked = {
            "project": project,
            "page_size": 10_000,
            "query": query,
            "resolve_uri": "false",
            "fields": "all",
        }
        return list(self.request("GET", "/api/tasks/", **asked)["tasks"])

    def write_inputs(self) -> None:
        """What the stages before select leave behind, and the user's own files."""
        self.settle("people")
        names = sorted(self.present)
        for name in names:
            file = self.root / str(builders.image(name).path)
            if not file.exists():
                boxes = [(thing.category, thing.box) for thing in nature.truth(name)]
                builders.write_jpeg(file, builders.scene(boxes, seed=len(name)))
        gone = {"path": None, "sources": (), "drop_reason": "removed", "drop_detail": "its file is gone"}
        known = sorted(self.present | self.shown_sets.keys())
        images = [builders.image(name, **({} if name in self.present else gone)) for name in known]
        builders.write_images(Path("data/dedupe/images.parquet"), images)
        rows = []
        for name in names:
            found = nature.suggestions(name, self.model, self.threshold)
            current = {suggestion.identity: suggestion for suggestion in found}
            sets = self.shown_sets.setdefault(name, [])
            if not sets or sets[-1] != current:
                sets.append(current)
            common = {"origin": "model", "model_version": self.model}
            rows += [
                builders.annotation(
                    name, one.thing.category, one.thing.box, rle=one.thing.rle, score=one.score,
                    annotation_id=one.identity, **common,
                )
                for one in found
            ] or [builders.annotation(name, None, None, **common)]  # fmt: skip
        builders.write_annotations(Path("data/autolabel/annotations.parquet"), rows)
        self._write_texts()

    def sync(self) -> None:
        """Plan, push, pull and measure, as `dvc repro` would; the proxy may fail meanwhile."""
        self.certain = False
        self.write_inputs()
        self._run("select", select.main)
        with self.through_the_proxy():
            self._run("push", push.main)
            self.plan, self.certain = self._plan(), True
            self.moved("push")
            self._run("pull", pull.main)
        self._run("quality", quality.main)
        self._run("agreement", agreement.main)

    def killed(self, stage: str, after: int) -> bool:
        """Plan anew, and run push or pull in a process that is killed at a chosen request.

        Returns:
            Whether it lived so long.
        """
        self.certain = False
        self.write_inputs()
        self._run("select", select.main)
        environment = {**os.environ, **self._addresses(), "PYTHONPATH": str(_REPOSITORY)}
        command = [sys.executable, "-m", "curate", "run", stage]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as child:
            self.proxy.plan(lambda _request, forward: (forward(), child.kill())[1], skip=after)
            _, error = child.communicate(timeout=300)
        self.proxy.clear()
        assert child.returncode in {0, -9}, error
        return child.returncode == -9

    @contextmanager
    def through_the_proxy(self) -> Iterator[None]:
        """What the stages find in their environment."""
        before = {name: os.environ.get(name) for name in self._addresses()}
        os.environ.update(self._addresses())
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def _addresses(self) -> dict[str, str]:
        return {"LABEL_STUDIO_URL": self.proxy.url, "LABEL_STUDIO_API_KEY": self.server.api_key}

    def _run(self, name: str, stage: Callable[[Any], StageReport]) -> None:
        report = stage(params_file.load(Path("params.yaml")))
        self.metrics[name] = {**report.metrics, "counts": dict(report.counts)}

    def _write_texts(self) -> None:
        Path("guideline.md").write_text(self.guideline, encoding="utf-8")
        content = {
            "qa": {"allow_partial": True, "labelers": "simulated", **self.qa},
            "labelstudio": {"project": TITLE, "instructions": "guideline.md", "timeout_s": 60},
            "quality": {"bootstrap": 50},
            "agreement": {"bootstrap": 0},
        }
        Path("params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    def _plan(self) -> dict[str, Planned]:
        names = {builders.image_id(name): name for name in self.shown_sets}
        slots: Sequence[dict[str, Any]] = tables.read(PLAN, schema.PLAN).to_pylist()
        found: dict[str, Planned] = {}
        for slot in slots:
            people = sum(other["task_id"] == slot["task_id"] for other in slots)
            arm, kind, identity = slot["arm"], slot["seeded_kind"], slot["seeded_id"]
            name = names[slot["image_id"]]
            if arm != "accepted":
                self.seeds[slot["task_id"]].add(identity)
                found[slot["task_id"]] = Planned(name, people, arm == "suggested", kind, identity)
        return found


def digest(text: str) -> str:
    """What the answers' column guideline_digest says of a guideline."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
