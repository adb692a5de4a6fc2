"""Records of what was shown, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.ports import TaskDraft
from curate.qa import error_injection
from curate.records import Annotation, Box, derived_id
from curate.shown import record, rows
from curate.shown.rows import PlannedTask
from tests import builders

BOX = (20.0, 20.0, 80.0, 80.0)
NAMES = ("stop_sign", "parking_sign")


def at(hour: int, minute: int = 0, second: int = 0) -> str:
    return f"2026-01-05T{hour:02d}:{minute:02d}:{second:02d}.000000Z"


def task(name: str) -> str:
    return derived_id("task", builders.image_id(name))


def suggestion(name: str, model: str, box: Box = BOX, category: str = "stop_sign") -> Annotation:
    """What a model proposes."""
    made = builders.annotation(name, category, box, origin="model", score=0.75, rle=None, model_version=model)
    key = derived_id("model", model, name, category, *box)
    return Annotation(**{**{f: getattr(made, f) for f in made.__slots__}, "annotation_id": key})


def planned(
    name: str, proposed: Sequence[Annotation], *, reason: str = "review", arm: str = "suggested",
    seeded: str | None = None,
) -> PlannedTask:  # fmt: skip
    """A task as push would show it; `seeded` is the kind of the planted error."""
    seeded_id = None
    shown: Sequence[Annotation] = () if arm == "control" else proposed
    if seeded is not None:
        image_id = builders.image_id(name)
        seeded_id = (
            error_injection.spurious_id(image_id) if seeded == "spurious" else proposed[0].annotation_id
        )
        shown = error_injection.plant(
            shown, seeded, seeded_id, names=NAMES, width=builders.WIDTH, height=builders.HEIGHT
        )
    draft = TaskDraft(
        task(name), builders.image_id(name), "x.jpg", builders.WIDTH, builders.HEIGHT, 1, tuple(shown)
    )
    return PlannedTask(draft, reason, arm, tuple(proposed), seeded, seeded_id)


def row(
    name: str, models: Sequence[str], *, guideline: str | None = None, taxonomy: str = "t1", **changes: Any
) -> dict[str, Any]:
    """A row that shows one box a model; its suggestions come with it, see `write`."""
    made = planned(name, [suggestion(name, model) for model in models], **changes)
    (found,) = rows.shown_rows(made, guideline=guideline, taxonomy=taxonomy)
    return {**found, "_suggestions": suggestion_rows(made)}


def suggestion_rows(made: PlannedTask) -> list[dict[str, Any]]:
    return [*rows.suggestion_rows(made.proposed), *rows.suggestion_rows(made.draft.pre_annotations)]


def write(
    folder: Path,
    wanted: Sequence[dict[str, Any]],
    *,
    since: str,
    confirmed: str | None = None,
    reached: bool | None = None,
) -> None:
    """Add a part, and what became of its rows: there at `confirmed`, or as `reached` says."""
    known = record.load(folder, required=False)
    plain = [{name: value for name, value in one.items() if name != "_suggestions"} for one in wanted]
    record.append(folder, known, plain, [row for one in wanted for row in one["_suggestions"]], since=since)
    if confirmed is not None or reached is not None:
        open_rows = record.load(folder).open_rows()
        outcomes = {one["shown_id"]: reached is not False for one in open_rows}
        record.settle(folder, outcomes, at=confirmed or since)


def write_planned(
    folder: Path, tasks: Sequence[PlannedTask], *, since: str, confirmed: str, **digests: Any
) -> None:
    """Add a part with some tasks."""
    wanted = [
        {**one, "_suggestions": suggestion_rows(made)}
        for made in tasks
        for one in rows.shown_rows(made, **{"guideline": "g1", "taxonomy": "t1", **digests})
    ]
    write(folder, wanted, since=since, confirmed=confirmed)
