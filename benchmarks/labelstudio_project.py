"""A labelling project on a server of its own, for the comparisons of push and pull.

Tasks have three suggested boxes, two of them with a mask. The images themselves are never opened: neither
push nor pull reads them.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import result
from curate.adapters.labelstudio import process, server
from curate.adapters.labelstudio.connection import Connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.geometry import masks
from curate.ports import ProjectSpec, TaskDraft
from curate.records import Annotation, Box, Category, derived_id

WIDTH, HEIGHT = 640, 480  # pixels of each image
TASKS = 200 if result.quick() else 5_000
BOXES, MASKS = 3, 2  # a task
IMAGES_ROOT = Path("data/ingest/images")
CATEGORIES = tuple(
    Category(name, number, (name.replace("_", " "),), 0.4, color)
    for number, (name, color) in enumerate(
        (("stop_sign", "#e6194b"), ("parking_sign", "#4363d8"), ("yield_sign", "#ffe119"))
    )
)


@contextmanager
def running_server() -> Iterator[tuple[Path, Connection]]:
    """A new embedded server, gone afterwards; its project's folder and the administrator's connection."""
    process.find_program(result.ROOT)  # a clear message if it is not installed
    with tempfile.TemporaryDirectory(prefix="labelstudio-") as name:
        root = Path(name).resolve()
        (root / ".venv-labelstudio").symlink_to(result.ROOT / ".venv-labelstudio")
        (root / IMAGES_ROOT).mkdir(parents=True)
        try:
            yield root, server.up(root)
        finally:
            server.down(root)


def spec(root: Path, title: str) -> ProjectSpec:
    """The project that the tasks go into."""
    return ProjectSpec(title, CATEGORIES, "Draw tight boxes.", 1, root / IMAGES_ROOT)


def tool(root: Path, connection: Connection) -> LabelStudioTool:
    """The adapter with its defaults."""
    return LabelStudioTool(connection, images_root=root / IMAGES_ROOT)


def drafts(root: Path, count: int = TASKS, *, model_version: str = "bench-1") -> list[TaskDraft]:
    """Tasks, the same at every call.

    Args:
        root: Folder of the project.
        count: Tasks.
        model_version: Of the suggestions.
    """
    return [_draft(root, number, model_version) for number in range(count)]


def _draft(root: Path, number: int, model_version: str) -> TaskDraft:
    image_id = derived_id("benchmark image", number)
    chance = random.Random(number)  # noqa: S311 - a sample, no secret
    rows = []
    for place in range(BOXES):
        box = _box(chance)
        rle = masks.encode(_ellipse(box)) if place < MASKS else None
        rows.append(
            Annotation(
                annotation_id=derived_id("benchmark", number, place, model_version),
                image_id=image_id,
                origin="model",
                category=CATEGORIES[chance.randrange(len(CATEGORIES))].name,
                bbox_xyxy=box,
                rle=rle,
                score=round(chance.uniform(0.4, 1.0), 3),
                prompt="sign",
                model_version=model_version,
            )
        )
    path = root / IMAGES_ROOT / image_id[:2] / f"{image_id}.jpg"
    return TaskDraft(
        derived_id("task", image_id), image_id, str(path), WIDTH, HEIGHT, 1, tuple(rows)
    )  # fmt: skip


def _box(chance: random.Random) -> Box:
    across, down = chance.randint(40, 200), chance.randint(40, 160)
    left, top = chance.randint(0, WIDTH - across), chance.randint(0, HEIGHT - down)
    return (float(left), float(top), float(left + across), float(top + down))


def _ellipse(box: Box) -> np.ndarray[Any, np.dtype[np.bool_]]:
    x1, y1, x2, y2 = box
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    inside = ((x + 0.5 - (x1 + x2) / 2) / (x2 - x1)) ** 2 + ((y + 0.5 - (y1 + y2) / 2) / (y2 - y1)) ** 2
    found: np.ndarray[Any, np.dtype[np.bool_]] = inside <= 0.25
    return found
