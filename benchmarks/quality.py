"""Quality control: do its intervals hold, how wide are they, and what do 100,000 answers cost?

`python -m benchmarks.quality`
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import result
from benchmarks.simulated_labeling import People, SimulatedProject
from curate import schema
from curate.params import QaParams, QualityParams
from curate.qa import bootstrap_figures, control_comparison, gold, quality_figures
from curate.qa.bootstrap_figures import Resampling
from curate.shown.record import ShownRecord

NAME = "quality"
COMMAND = "python -m benchmarks.quality"
QUICK = result.quick()
TRIALS = 20 if QUICK else 400
RESAMPLES = 400
ANSWERS = 2_000 if QUICK else 100_000
SAVING, LEVEL = 0.3, 0.8
PEOPLE = People()
INTRO = """## Quality control

Simulated answers with a known truth, {trials} trials each. *Holds* is how often the 95% interval held the
truth.

Time saved: three labelers of different pace, images of different difficulty, a fifth of them without
suggestions; {saving:.0%} of the time is saved in truth. *Plain* is the ratio of means, *adjusted* what curate
states: by labeler, and by the objects that the model proposes. *Error* is the typical distance from the
truth, in points.

"""
GOLD = """
F1 against known answers. *Named* is how often the alert at {level:g} was raised: nobody of the first three
rows, who are exactly at the level, should be named; those below it should.

"""


CHANGED = """
A whole project on the real stages ({images:,} images, {projects} projects per row): half of it is labelled,
then one thing changes, and the rest is labelled. 50% of the time is saved and 80% of the suggestions are left
as they are in truth; *released* counts images with a planted error left in that the consensus holds.

"""
CHANGES: Mapping[str, Callable[[SimulatedProject], None]] = {
    "nothing": lambda project: _set(project, model=1),
    "another model": lambda project: _set(project, model=2),
    "raised thresholds": lambda project: _set(project, threshold=0.8),
    "more gold": lambda project: _gold_of(project, project.images // 2),
    "control_share 0.25 to 0.05": lambda project: _plan(project, control_share=0.05),
    "overlap_share 0 to 0.5": lambda project: _plan(project, overlap_share=0.5),
    "audit of 100 images": lambda project: _plan(project, audit=100),
    "another guideline": lambda project: _set(project, guideline="Draw loose boxes."),
}
PROJECTS, PROJECT_IMAGES = (2, 160) if QUICK else (60, 400)


def measure() -> None:
    """Simulate, and time one large project."""
    changed = [_changed(name, change) for name, change in CHANGES.items()]
    saved = [_saved(images) for images in (150, 500, 2500)]
    scored = [_gold(share, images) for share in (LEVEL, 0.65) for images in (15, 50, 100)]
    seconds, answers = _large()
    content: dict[str, Any] = {
        "saved": saved, "gold": scored, "cpu_s": seconds, "answers": answers, "trials": TRIALS,
        "saving": SAVING, "level": LEVEL, "changed": changed, "projects": PROJECTS,
        "project_images": PROJECT_IMAGES,
    }  # fmt: skip
    result.save(NAME, content, command=COMMAND)


def _saved(images: int) -> dict[str, float]:
    """Coverage, width and errors of the time saved at a size."""
    rows = []
    for trial in range(TRIALS):
        found = control_comparison.saved(**_answers(trial, images), how=Resampling(RESAMPLES, seed=trial))
        if found.share.value is not None and found.share.low is not None and found.share.high is not None:
            inside = found.share.low <= SAVING <= found.share.high
            plain = found.unadjusted.value
            width = found.share.high - found.share.low
            rows.append((inside, width, found.share.value, np.nan if plain is None else plain))
    holds, widths, adjusted, plain = np.array(rows, dtype=np.float64).T
    return {
        "control_images": images / 5,
        "holds": float(holds.mean()),
        "width": float(widths.mean()),
        "adjusted_error": float(np.sqrt(np.mean((adjusted - SAVING) ** 2))),
        "plain_error": float(np.sqrt(np.nanmean((plain - SAVING) ** 2))),
    }


def _answers(seed: int, images: int) -> dict[str, Any]:
    """Answers of three labelers to images of different difficulty."""
    rng = np.random.default_rng([seed, images])
    objects = rng.poisson(3, size=images)
    proposed = rng.binomial(objects, 0.8) + rng.poisson(0.3, size=images)
    control = np.arange(images) % 5 == 0
    hard = rng.lognormal(-0.02, 0.2, size=images)
    image = np.repeat(np.arange(images), np.where(rng.random(images) < 0.3, 2, 1))
    person = (np.arange(len(image)) + rng.integers(3, size=images)[image]) % 3
    pace = np.array([0.7, 1.0, 1.6])[person]
    seconds = pace * hard[image] * (5 + 12 * objects[image]) * rng.lognormal(-0.045, 0.3, size=len(image))
    return {
        "seconds": seconds * np.where(control[image], 1.0, 1 - SAVING),
        "proposed": proposed[image].astype(np.float64),
        "control": control[image],
        "person": person,
        "image": image,
    }


def _gold(share: float, images: int) -> dict[str, float]:
    """Coverage and width of F1, and how often the alert is raised."""
    holds, widths, named = [], [], 0
    for trial in range(TRIALS):
        rng = np.random.default_rng([trial, images, round(100 * share)])
        objects = rng.integers(1, 5, size=images)
        right = rng.binomial(objects, share)
        how = Resampling(RESAMPLES, seed=trial)
        both = 2 * objects.astype(np.float64)
        f1 = bootstrap_figures.f1(right.astype(np.float64), both, np.arange(images), how)
        if f1.low is not None and f1.high is not None:
            holds.append(f1.low <= share <= f1.high)
            widths.append(f1.high - f1.low)
        named += gold.state(f1, level=LEVEL, min_images=10) == "alert"
    return {
        "share": share,
        "images": images,
        "holds": float(np.mean(holds)),
        "width": float(np.mean(widths)),
        "named": named / TRIALS,
    }


def _changed(name: str, change: Callable[[SimulatedProject], None]) -> dict[str, Any]:
    """How well the figures of projects recover the truth in which one thing changed half-way."""
    saved, accepted, released = [], [], 0
    for seed in range(PROJECTS):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            plan = QaParams(overlap_share=0, control_share=0.25, seeded_errors=0.3, gold=Path("gold.parquet"))
            project = SimulatedProject(PROJECT_IMAGES, seed=seed, qa=plan)
            project.gold(PROJECT_IMAGES // 10)
            project.begin()
            project.show()
            project.work(PROJECT_IMAGES // 2)
            change(project)
            project.show()
            project.work()
            metrics, _ = project.measure()
            released += project.errors_released()
        saved.append(metrics["time"]["saved"])
        accepted.append(metrics["suggestions"]["all"]["accepted"])
    return {
        "change": name,
        "saved": float(np.mean([one["value"] for one in saved])),
        "saved_holds": float(np.mean([one["low"] <= PEOPLE.saving <= one["high"] for one in saved])),
        "accepted": float(np.mean([one["value"] for one in accepted])),
        "accepted_holds": float(np.mean([one["low"] <= PEOPLE.accepts <= one["high"] for one in accepted])),
        "released": released,
    }


def _set(project: SimulatedProject, **values: Any) -> None:
    for name, value in values.items():
        setattr(project, name, value)
    project.autolabel()


def _gold_of(project: SimulatedProject, images: int) -> None:
    project.gold(images)


def _plan(project: SimulatedProject, **values: Any) -> None:
    project.qa = project.qa.model_copy(update=values)


def _large() -> tuple[float, int]:
    """CPU seconds of all figures of one project, and its number of answers."""
    tables = _project(ANSWERS * 4 // 5)
    began = time.process_time()
    measured = quality_figures.measure(tables, QualityParams())
    return time.process_time() - began, len(measured.looks)


def _project(images: int) -> quality_figures.Tables:
    """Tables of a project: a fifth of the images seen twice, three suggestions each, half of them moved."""
    rng = np.random.default_rng(0)
    ids = np.array([f"{number:064x}" for number in range(images)])
    tasks = np.array([f"{number:024x}" for number in range(images)])
    reason = np.where(
        np.arange(images) % 30 == 0, "gold", np.where(np.arange(images) % 20 == 1, "control", "review")
    )
    image = np.sort(np.concatenate([np.arange(images), np.arange(0, images, 4)]))
    person = np.array([f"p{n}@example.org" for n in range(10)])[np.arange(len(image)) % 10]
    of = np.repeat(np.arange(images), 3)
    corner = rng.uniform(0, 300, (len(of), 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 120, (len(of), 2))], axis=1).astype(np.float32)
    category = np.array(["a", "b", "c"])[rng.integers(3, size=len(of))]
    suggested = np.array([f"s{number:023d}" for number in range(len(of))])
    rows = (3 * image[:, None] + np.arange(3)).ravel()
    look = np.repeat(np.arange(len(image)), 3)
    moved = np.where(rng.random((len(rows), 1)) < 0.5, 0, rng.normal(0, 3, (len(rows), 4))).astype(np.float32)
    model = _table(
        schema.ANNOTATIONS, annotation_id=suggested, image_id=ids[of], origin=_same("model", of),
        category=category, bbox_xyxy=list(boxes), outcome=_same("object", of),
    )  # fmt: skip
    people = _table(
        schema.ANNOTATIONS, annotation_id=np.array([f"h{number:023d}" for number in range(len(rows))]),
        image_id=ids[image][look], origin=_same("human", rows), annotator_id=person[look],
        category=category[rows], bbox_xyxy=list(boxes[rows] + moved), parent_id=suggested[rows],
        task_id=tasks[image][look], outcome=_same("object", rows),
    )  # fmt: skip
    answers = _table(
        schema.ANSWERS, answer_id=np.array([f"{number:024x}" for number in range(len(image))]),
        task_id=tasks[image], image_id=ids[image], annotator_id=person, outcome=_same("submitted", image),
        superseded=np.zeros(len(image), bool), objects=np.full(len(image), 3),
        lead_time_s=rng.lognormal(3, 0.5, len(image)), choices=[[] for _ in image],
    )  # fmt: skip
    record, shown_ids = _record(tasks, ids, reason, model, of)
    answers = answers.set_column(
        answers.schema.get_field_index("shown_id"), "shown_id", pa.array(shown_ids[image], pa.string())
    )
    plan = _table(
        schema.PLAN, task_id=tasks, slot=np.zeros(images, int), image_id=ids, reason=reason,
        arm=np.where(reason == "control", "control", "suggested"), priority=np.arange(images),
    )  # fmt: skip
    sizes = {"width": np.full(images, 640, np.int32), "height": np.full(images, 480, np.int32)}
    return quality_figures.Tables(
        plan=plan, answers=answers, annotations=people, record=record,
        known=model.filter(pa.array(reason[of] == "gold")),
        images=pa.table({"image_id": ids, **sizes, "drop_reason": pa.nulls(images, pa.string())}),
        categories=("a", "b", "c"), guideline=None, taxonomy=None,
    )  # fmt: skip


def _record(
    tasks: NDArray[Any], ids: NDArray[Any], reason: NDArray[Any], model: pa.Table, of: NDArray[Any]
) -> tuple[ShownRecord, NDArray[Any]]:
    """The record of one push: control images show nothing, the others what the model proposes."""
    digests = np.array([f"d{number:023d}" for number in range(len(tasks))])
    control = reason == "control"
    shown_ids = np.array([f"r{number:023d}" for number in range(len(tasks))])
    shown = _table(
        schema.SHOWN, shown_id=shown_ids, task_id=tasks, image_id=ids, since=_same("2026", tasks),
        reason=reason, arm=np.where(control, "control", "suggested"),
        suggestions_digest=pa.array(digests, mask=control), proposed_digest=digests,
    )  # fmt: skip
    columns = ("annotation_id", "category", "bbox_xyxy")
    suggestions = _table(
        schema.SHOWN_SUGGESTIONS, suggestions_digest=digests[of], **{name: model[name] for name in columns}
    )
    return ShownRecord(shown, suggestions, 1), shown_ids


def _table(of: schema.TableSchema, **columns: Any) -> pa.Table:
    """A table with nulls where no column is given."""
    rows = len(next(iter(columns.values())))
    arrays = [
        _array(columns[field.name], field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in of.arrow
    ]
    return pa.Table.from_arrays(arrays, schema=of.arrow)


def _array(values: Any, kind: pa.DataType) -> Any:
    arrow = isinstance(values, (pa.Array, pa.ChunkedArray))
    return values.cast(kind) if arrow else pa.array(values, kind)


def _same(text: str, rows: NDArray[Any]) -> NDArray[Any]:
    return np.full(len(rows), text)


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    saved = [
        [
            f"{row['control_images']:.0f}", f"{row['holds']:.0%}", f"{100 * row['width']:.0f} points",
            f"{100 * row['adjusted_error']:.1f}", f"{100 * row['plain_error']:.1f}",
        ]
        for row in content["saved"]
    ]  # fmt: skip
    scored = [
        [
            f"{row['share']:.2f}", f"{row['images']:.0f}", f"{row['holds']:.0%}", f"{row['width']:.2f}",
            f"{row['named']:.1%}",
        ]
        for row in content["gold"]
    ]  # fmt: skip
    header = ["control images", "holds", "width", "error, adjusted", "error, plain"]
    return (
        INTRO.format(**content)
        + result.table(header, saved, numbers=5)
        + GOLD.format(level=content["level"])
        + result.table(["true F1", "gold images", "holds", "width", "named"], scored, numbers=5)
        + _changed_table(content)
        + f"\nAll figures of {content['answers']:,} answers take {content['cpu_s']:.1f} s of one core.\n\n"
        + result.footer(content)
    )


def _changed_table(content: Mapping[str, Any]) -> str:
    if "changed" not in content:
        return ""
    rows = [
        [
            row["change"], f"{row['saved']:.0%}", f"{row['saved_holds']:.0%}", f"{row['accepted']:.0%}",
            f"{row['accepted_holds']:.0%}", str(row["released"]),
        ]
        for row in content["changed"]
    ]  # fmt: skip
    header = ["changed half-way", "time saved", "holds", "accepted", "holds", "released"]
    text = CHANGED.format(images=content["project_images"], projects=content["projects"])
    return text + result.table(header, rows, numbers=5)


if __name__ == "__main__":
    measure()
