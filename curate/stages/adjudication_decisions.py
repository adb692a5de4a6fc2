"""What a senior labeler decided in the adjudication: read by pull, and handed to the stage agreement."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate import schema, tables
from curate.agreement.adjudicated_images import Decisions
from curate.ports.pulled import AnnotationReader, Pieces, WantedTask
from curate.shown import record
from curate.shown.join import CHANGED_MEANWHILE
from curate.stages.answer_join import AnswerJoin

_SUFFIX, _TITLE_LIMIT = " adjudication", 50


@dataclass(frozen=True, slots=True)
class DecisionTables:
    """Tables of everything that was answered in the adjudication: `annotations` and `answers`."""

    annotations: Path
    answers: Path


def title(project: str) -> str:
    """What the project of the adjudication is called, in at most 50 characters.

    Examples:
        >>> title("traffic signs")
        'traffic signs adjudication'
    """
    return project[: _TITLE_LIMIT - len(_SUFFIX)].rstrip() + _SUFFIX


def pull(
    reader: AnnotationReader | None,
    title: str,
    *,
    shown: Path,
    images: Path,
    outputs: DecisionTables,
) -> tuple[int, int]:
    """Read all decisions; empty tables where nothing was ever handed over.

    Args:
        reader: The server; None = there is none now: what was read stays.
        title: Of the project.
        shown: Folder of the record of what was shown there.
        images: Table of dedupe.
        outputs: What to write.

    Returns:
        Tasks with a decision, and tasks.

    Raises:
        AnnotationToolError: Unreachable, or the project is gone although tasks were handed over.
        TableError: A table is damaged.
        StorageError: A table cannot be written.
    """
    known = record.load(shown, required=False)
    asked = dict(zip(known.shown["task_id"].to_pylist(), known.shown["image_id"].to_pylist(), strict=True))
    if reader is None and outputs.annotations.exists() and outputs.answers.exists():
        return 0, len(asked)
    if reader is None or not asked:
        tables.write_rows([], outputs.annotations, schema.ANNOTATIONS)
        tables.write_rows([], outputs.answers, schema.ANSWERS)
        return 0, len(asked)
    columns = ["image_id", "width", "height"]
    sizes = {row["image_id"]: row for row in tables.read(images, schema.IMAGES, columns=columns).to_pylist()}
    wanted = {
        task: WantedTask(image_id, sizes[image_id]["width"], sizes[image_id]["height"], 1)
        for task, image_id in asked.items()
        if image_id in sizes
    }
    join = AnswerJoin(known)
    with reader.pull(title, wanted) as snapshot:
        drawn = list(map(join.annotation, _rows(snapshot.annotations)))
        tables.write_rows(drawn, outputs.annotations, schema.ANNOTATIONS)
        tables.write_rows(list(map(join.answer, _rows(snapshot.answers))), outputs.answers, schema.ANSWERS)
        return snapshot.progress.tasks_done, len(wanted)


def load(annotations: Path | None, answers: Path | None) -> tuple[pa.Table, pa.Table]:
    """The two tables that `pull` writes; None = there are none.

    Raises:
        TableError: One is missing or damaged.
    """
    return (
        schema.ANNOTATIONS.arrow.empty_table()
        if annotations is None
        else tables.read(annotations, schema.ANNOTATIONS),
        schema.ANSWERS.arrow.empty_table() if answers is None else tables.read(answers, schema.ANSWERS),
    )


def as_answers(decisions: Decisions, tasks: Mapping[str, str]) -> tuple[pa.Table, pa.Table]:
    """The decisions as further annotations and answers to the images' own tasks, by somebody else.

    So a planted error that a decision holds is found as in any answer: who decides sees what others drew, and
    may take it over.
    """

    def told(row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **row,
            "task_id": tasks[row["image_id"]],
            "annotator_id": f"adjudication {row['annotator_id']}",
        }

    rows = [told(row) for found in decisions.rows.values() for row in found]
    answers = [
        {**told(row), "shown_id": None, "not_joined": CHANGED_MEANWHILE} for row in decisions.answers.values()
    ]
    return (
        pa.Table.from_pylist(rows, schema=schema.ANNOTATIONS.arrow),
        pa.Table.from_pylist(answers, schema=schema.ANSWERS.arrow),
    )


def _rows(pieces: Pieces) -> Iterator[Mapping[str, Any]]:
    return itertools.chain.from_iterable(pieces())
