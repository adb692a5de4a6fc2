"""A labeling project of which everything is known, on the real stages: people, times and errors are made up.

`SimulatedProject` holds the tables; `SimulatedServer` stands in for the annotation server; `work` lets people
answer what it shows. All is drawn from a seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.params import AgreementParams, LabelStudioParams, QaParams
from curate.params.quality import QualityParams
from curate.ports import Progress, ProjectRef, ProjectSpec, PushCounts, PushPlan, RemovedTasks, TaskDraft
from curate.ports.pulled import PullCounts, Snapshot, WantedTask
from curate.records import Annotation, Box, ImageRecord, StageReport, derived_id
from curate.shown.join import TIME
from curate.shown.rows import suggestions_digest
from curate.stages import agreement, pull, push, quality, select

CATEGORIES = ("stop_sign", "parking_sign")
PEOPLE = ("ann@example.org", "bob@example.org", "cem@example.org", "dora@example.org")
SIDE = 640
_TAXONOMY = "categories:\n" + "".join(
    f'  - {{id: {number}, name: {name}, prompts: [{name}], threshold: 0.3, color: "#e6194b"}}\n'
    for number, name in enumerate(CATEGORIES)
)
_ONE_BOX = 0.5  # IoU from which on a person takes two boxes for one object


@dataclass(frozen=True)
class People:
    """How the simulated people work.

    Attributes:
        seconds: For each object, and once for the image, from nothing.
        saving: Share of the time that suggestions save.
        accepts: Probability that a right suggestion is left as it is; else its edges are moved a little.
        catches: Probability that a planted error is put right.
        idle: Share of answers whose page was left open for some hours.
    """

    seconds: float = 20.0
    saving: float = 0.5
    accepts: float = 0.8
    catches: float = 0.6
    idle: float = 0.0


@dataclass
class SimulatedServer:
    """Tasks and answers in memory, and a clock."""

    now_: datetime = datetime(2026, 1, 5, 8, tzinfo=UTC)
    tasks: dict[str, TaskDraft] = field(default_factory=dict)
    offered: dict[str, TaskDraft] = field(default_factory=dict)  # in today's plan
    answers: dict[tuple[str, str], tuple[dict[str, Any], list[Annotation]]] = field(default_factory=dict)
    made: bool = False

    def now(self) -> datetime:
        """Time of the simulated clock."""
        return self.now_

    def worked_on(self, title: str) -> frozenset[str]:
        """Tasks that somebody has answered."""
        del title
        return frozenset(task_id for task_id, _ in self.answers)

    def showing(self, spec: ProjectSpec, tasks: Sequence[TaskDraft]) -> frozenset[str]:
        """Tasks that show just that."""
        del spec
        held = {key: suggestions_digest(task.pre_annotations) for key, task in self.tasks.items()}
        return frozenset(
            t.task_id
            for t in tasks
            if t.task_id in held and held[t.task_id] == suggestions_digest(t.pre_annotations)
        )

    def ensure_project(self, spec: ProjectSpec) -> ProjectRef:
        """Answer with the one project that there is."""
        self.made = True
        return self.find_project(spec.title)

    def find_project(self, title: str) -> ProjectRef:
        """Answer with the only project."""
        del title
        return ProjectRef(1, "http://simulated/projects/1/data")

    def projects(self, title: str) -> Mapping[str | None, ProjectRef]:
        """List the only project."""
        return {None: self.find_project(title)} if self.made else {}

    def strange_projects(self, title: str) -> Sequence[str]:
        """List no project of others: there is none."""
        del title
        return ()

    def push_tasks(
        self, project: ProjectRef, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushCounts:
        """Offer these tasks from now on."""
        del project, removed
        self.offered = {task.task_id: task for task in tasks}
        self.tasks.update(self.offered)
        return PushCounts(len(tasks), 0, 0, 0)

    def plan_push(
        self, spec: ProjectSpec, tasks: Sequence[TaskDraft], *, removed: RemovedTasks = "close"
    ) -> PushPlan:
        """Raise NotImplementedError: no benchmark asks for it."""
        raise NotImplementedError

    @contextmanager
    def pull(
        self,
        title: str,
        wanted: Mapping[str, WantedTask],
        *,
        labels: Sequence[str] | None = None,
        full: bool = False,
    ) -> Iterator[Snapshot]:
        """All answers to the wanted tasks."""
        del title, labels
        given = {key: found for key, found in self.answers.items() if key[0] in wanted}
        needed = sum(task.labelers for task in wanted.values())
        progress = Progress(len(given), max(needed, len(given)), 0, len(wanted))
        answers = sorted((row for row, _ in given.values()), key=lambda row: str(row["answer_id"]))
        drawn = sorted(
            (row.row() for _, rows in given.values() for row in rows), key=lambda row: row["annotation_id"]
        )

        def pieces(rows: list[dict[str, Any]]) -> Callable[[], Iterator[list[dict[str, Any]]]]:
            return lambda: iter([rows])

        counts = PullCounts(full, len(wanted), 0)
        yield Snapshot("http://simulated", progress, counts, pieces(answers), pieces(drawn))


@dataclass
class SimulatedProject:
    """The tables of a project, in the current folder, and the stages on them.

    Attributes:
        images: How many.
        seed: Of everything.
        qa: Of the plan.
        people: How they work.
        server: Where they work.
        model: Number of the model.
        threshold: Score below which nothing is suggested.
        guideline: Its text.
    """

    images: int
    seed: int = 0
    qa: QaParams = field(default_factory=QaParams)
    people: People = field(default_factory=People)
    server: SimulatedServer = field(default_factory=SimulatedServer)
    model: int = 1
    threshold: float = 0.3
    guideline: str = "Draw tight boxes."
    arms: dict[str, str] = field(default_factory=dict)  # of today's plan

    @property
    def ids(self) -> list[str]:
        """All image_ids."""
        return [hashlib.sha256(f"{self.seed} {n}".encode()).hexdigest() for n in range(self.images)]

    def truth(self, image_id: str) -> list[tuple[str, Box]]:
        """What is on an image: up to four objects that do not touch."""
        rng = self._rng("truth", image_id)
        found: list[tuple[str, Box]] = []
        for cell in sorted(rng.permutation(4)[: rng.integers(1, 5)].tolist()):
            x, y = 320 * (cell % 2) + rng.integers(20, 60), 320 * (cell // 2) + rng.integers(20, 60)
            box = (float(x), float(y), float(x + rng.integers(80, 160)), float(y + rng.integers(80, 160)))
            found.append((CATEGORIES[int(rng.integers(2))], box))
        return found

    def begin(self) -> None:
        """Write the tables of the first stages."""
        Path("x.jpg").write_bytes(b"")
        Path("taxonomy.yaml").write_text(_TAXONOMY, encoding="utf-8")
        records = [
            ImageRecord(key, (f"raw/{key}.jpg",), 1, path="x.jpg", width=SIDE, height=SIDE)
            for key in self.ids
        ]
        tables.write_rows([record.row() for record in records], _IMAGES, schema.IMAGES)
        self.autolabel()

    def gold(self, images: int) -> Path:
        """Known answers of the first so many images."""
        path = Path("gold.parquet")
        rows = [
            Annotation(derived_id("gold", key, *box), key, "gold", name, box)
            for key in self.ids[:images]
            for name, box in self.truth(key)
        ]
        tables.write_rows([row.row() for row in rows], path, schema.ANNOTATIONS)
        return path

    def autolabel(self) -> None:
        """What the model proposes: nine of ten objects, a little off, with scores from 0.3 on."""
        rows = []
        for key in self.ids:
            rng = self._rng("model", self.model, key)
            for name, (x1, y1, x2, y2) in self.truth(key):
                off = rng.integers(-3, 4, size=2)
                score = float(np.float32(rng.uniform(0.3, 1.0)))
                if rng.random() < 0.9 and score >= self.threshold:
                    box = (x1 + off[0], y1 + off[1], x2 + off[0], y2 + off[1])
                    rows.append(
                        Annotation(
                            derived_id("model", self.model, key, *map(float, box)), key, "model", name, box,
                            score=score, model_version=f"model-{self.model}",
                        )
                    )  # fmt: skip
        tables.write_rows([row.row() for row in rows], _SUGGESTIONS, schema.ANNOTATIONS)

    def show(self) -> None:
        """Plan and push, a while after what came before."""
        self.server.now_ += timedelta(hours=1)
        select.run(
            self.qa,
            inputs=select.Inputs(_IMAGES, _SUGGESTIONS, Path("taxonomy.yaml"), push.SHOWN),
            outputs=select.Outputs(_PLAN, Path("plots")),
        )
        slots = tables.read(_PLAN, schema.PLAN, columns=["task_id", "arm"]).to_pylist()
        self.arms = {slot["task_id"]: slot["arm"] for slot in slots}
        Path("guideline.md").write_text(self.guideline, encoding="utf-8")
        push.run(
            LabelStudioParams(project="simulated", instructions=Path("guideline.md")),
            inputs=push.inputs(Path("taxonomy.yaml")),
            outputs=push.Outputs(push.RECEIPT, push.SHOWN),
            ports=push.Ports(self.server),
        )
        self.server.now_ += timedelta(minutes=5)

    def work(self, tasks: int | None = None) -> int:
        """People answer so many looks that are wanted, in the order of the queue; all by default."""
        given = 0
        for task in sorted(self.server.offered.values(), key=lambda task: (task.priority, task.task_id)):
            who = [person for key, person in self.server.answers if key == task.task_id]
            for place in range(task.overlap - len(who)):
                if tasks is not None and given >= tasks:
                    return given
                line = self._rng("who", task.task_id).permutation(PEOPLE).tolist()
                self._answer(task, [person for person in line if person not in who][place])
                given += 1
        return given

    def again(self, task_id: str, person: str, *, careful: bool = True) -> None:
        """A person answers a task anew."""
        people = self.people
        self.people = replace(people, catches=1.0 if careful else 0.0)
        self._answer(self.server.tasks[task_id], person)
        self.people = people

    def measure(self) -> tuple[Mapping[str, Any], StageReport]:
        """Pull, quality (its metrics) and agreement (its report)."""
        pull.run(
            pull.PullParams(LabelStudioParams(project="simulated"), QaParams(allow_partial=True)),
            inputs=pull.Inputs(_IMAGES, _PLAN, push.SHOWN, Path("taxonomy.yaml")),
            outputs=pull.Outputs(_PULLED, _ANSWERS),
            ports=pull.Ports(self.server),
        )
        measured = quality.run(
            QualityParams(bootstrap=200),
            inputs=quality.Inputs(
                images=_IMAGES, shown=push.SHOWN, plan=_PLAN, annotations=_PULLED, answers=_ANSWERS,
                receipt=push.RECEIPT, taxonomy=Path("taxonomy.yaml"), gold=self.qa.gold,
            ),
            outputs=quality.Outputs(Path("data/quality"), Path("plots")),
        )  # fmt: skip
        agreed = agreement.run(
            AgreementParams(bootstrap=0),
            inputs=agreement.Inputs(
                _IMAGES, _SUGGESTIONS, _PLAN, _PULLED, _ANSWERS, push.SHOWN, Path("taxonomy.yaml")
            ),
            outputs=agreement.Outputs(
                CONSENSUS,
                Path("data/objects.parquet"),
                Path("data/agreed_images.parquet"),
                Path("data/pairs.parquet"),
                Path("data/figures.csv"),
                QUEUE,
                Path("data/label_errors.csv"),
                Path("data/bad_rows.csv"),
                Path("plots"),
            ),
            ports=agreement.Ports(LocalEngine(1)),
        )
        return measured.metrics, agreed

    def errors_released(self) -> int:
        """Images whose consensus holds an object that is not there, or one of another category."""
        rows = tables.read(CONSENSUS, schema.ANNOTATIONS).to_pylist()
        wrong = set()
        for row in rows:
            if row["outcome"] == "object" and not any(
                name == row["category"] and _iou(box, tuple(row["bbox_xyxy"])) >= _ONE_BOX
                for name, box in self.truth(row["image_id"])
            ):
                wrong.add(row["image_id"])
        return len(wrong)

    def _answer(self, task: TaskDraft, person: str) -> None:
        rng = self._rng("answer", task.task_id, person, len(self.server.answers))
        truth = self.truth(task.image_id)
        suggested = [row for row in task.pre_annotations if row.outcome == "object"]
        drawn = self._drawn(rng, truth, suggested)
        seconds = self.people.seconds * (1 + len(truth)) * rng.lognormal(-0.02, 0.2)
        seconds *= 0.7 + 0.2 * PEOPLE.index(person)
        seconds *= 1 - self.people.saving if self.arms[task.task_id] == "suggested" else 1.0
        if rng.random() < self.people.idle:
            seconds += rng.uniform(1_800, 10_000)
        self.server.now_ += timedelta(seconds=1)
        when = (self.server.now_ + timedelta(seconds=float(seconds))).strftime(TIME)
        common: dict[str, Any] = {"annotator_id": person, "task_id": task.task_id, "created_at": when}
        common |= {"updated_at": when, "lead_time_s": float(np.float32(seconds))}
        rows = [
            Annotation(
                derived_id("human", task.task_id, person, name, *box), task.image_id, "human", name, box,
                parent_id=parent, **common,
            )
            for name, box, parent in drawn
        ] or [
            Annotation(
                derived_id("human", task.task_id, person, "empty"), task.image_id, "human", outcome="empty",
                **common,
            )
        ]  # fmt: skip
        row = {
            "answer_id": derived_id("answer", task.task_id, person, when), "image_id": task.image_id,
            "outcome": "submitted", "superseded": False, "objects": len(drawn), "choices": [], **common,
        }  # fmt: skip
        self.server.answers[task.task_id, person] = (row, rows)

    def _drawn(
        self, rng: np.random.Generator, truth: list[tuple[str, Box]], suggested: list[Annotation]
    ) -> list[tuple[str, Box, str | None]]:
        """Objects with their parents: suggestions kept, put right or (where an error is missed) left."""
        found: list[tuple[str, Box, str | None]] = []
        looks = rng.random() < self.people.catches
        missing = list(truth)
        for row in suggested:
            if row.bbox_xyxy is None:
                continue
            real = next((one for one in truth if _iou(one[1], row.bbox_xyxy) >= _ONE_BOX), None)
            if real is not None and real in missing:
                missing.remove(real)
            if real is None or real[0] != row.category:  # a planted error: models here are never so wrong
                if not looks:
                    found.append((str(row.category), row.bbox_xyxy, row.annotation_id))
                    missing = [one for one in missing if _iou(one[1], row.bbox_xyxy) == 0]
                elif real is not None:
                    found.append((real[0], row.bbox_xyxy, row.annotation_id))
            elif rng.random() < self.people.accepts:
                found.append((real[0], row.bbox_xyxy, row.annotation_id))
            else:
                box = real[1] if real[1] != row.bbox_xyxy else _grown(real[1])
                found.append((real[0], box, row.annotation_id))
        if looks or not suggested:
            found += [(name, box, None) for name, box in missing]
        return found

    def _rng(self, *key: object) -> np.random.Generator:
        digest = hashlib.sha256("\x1f".join(map(str, (self.seed, *key))).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8]))


_IMAGES, _SUGGESTIONS = Path("data/dedupe/images.parquet"), Path("data/autolabel/annotations.parquet")
_PLAN = Path("data/select/plan.parquet")
_PULLED, _ANSWERS = Path("data/pull/annotations.parquet"), Path("data/pull/answers.parquet")
CONSENSUS, QUEUE = Path("data/agreement/consensus.parquet"), Path("data/agreement/queue.csv")


def _iou(a: Box, b: Box) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return w * h / (areas - w * h)


def _grown(box: Box) -> Box:
    return (box[0], box[1], box[2] + 2.0, box[3])
