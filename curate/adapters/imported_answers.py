"""Answers that were imported, alone or beside those of the server: what pull reads then.

`curate import --as answers` leaves one table per file in a folder. We showed nothing to those people, so
their answers are joined to no record of it, and say so.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate import schema, tables
from curate.errors import AnnotationToolError, InputError
from curate.ports import Progress
from curate.ports.pulled import AnnotationReader, Pieces, PullCounts, Snapshot, WantedTask
from curate.records import derived_id
from curate.shown.join import IMPORTED

_PIECE = 2_000  # rows
_Row = dict[str, Any]


class ImportedAnswers:
    """Reads a folder of tables, and a server beside it if there is one."""

    def __init__(self, folder: Path, server: AnnotationReader | None = None) -> None:
        """Prepare to read; nothing is read yet.

        Args:
            folder: Of `annotations` tables of origin "human"; need not be there.
            server: Where people annotate too; None = nowhere.
        """
        self._folder = folder
        self._server = server

    @contextmanager
    def pull(
        self,
        title: str,
        wanted: Mapping[str, WantedTask],
        *,
        labels: Sequence[str] | None = None,
        full: bool = False,
    ) -> Iterator[Snapshot]:
        """What people did; see `AnnotationReader.pull`.

        Raises:
            InputError: Two files hold an answer of one person to one image.
            TableError: A table is damaged.
            AnnotationToolError: Of the server; or somebody answered there what was imported too.
        """
        rows, outside = self._rows(wanted)
        answers = _answers(rows)
        if self._server is None:
            counts = PullCounts(
                full=True,
                tasks_read=0,
                tasks_gone=0,
                answers_outside_plan=outside.total(),
                imported_outside_plan=outside,
            )
            done = {answer["task_id"] for answer in answers}
            progress = Progress(len(answers), len(answers), len(done), len(wanted))  # nobody is waited for
            yield Snapshot(
                str(self._folder),
                progress,
                counts,
                _merged(answers, None, "answer_id"),
                _merged(rows, None, "annotation_id"),
            )
            return
        with self._server.pull(title, wanted, labels=labels, full=full) as found:
            yield replace(
                found,
                counts=replace(
                    found.counts,
                    answers_outside_plan=found.counts.answers_outside_plan + outside.total(),
                    imported_outside_plan=outside,
                ),
                answers=_merged(answers, found.answers, "answer_id"),
                annotations=_merged(rows, found.annotations, "annotation_id"),
            )

    def _rows(self, wanted: Mapping[str, WantedTask]) -> tuple[list[_Row], Counter[str]]:
        """Rows on planned images with their tasks, in the table's order; and answers to each other image."""
        task_of = {task.image_id: key for key, task in wanted.items()}
        found: list[_Row] = []
        owners: dict[tuple[str, str], Path] = {}
        outside: set[tuple[str, str]] = set()
        for file in sorted(self._folder.glob("*.parquet")):
            for row in tables.read(file, schema.ANNOTATIONS).to_pylist():
                key = (row["image_id"], row["annotator_id"])
                if owners.setdefault(key, file) != file:
                    raise InputError(
                        f"{file} and {owners[key]} both hold an answer of {key[1]} to image {key[0][:12]}: "
                        "remove one of the two"
                    )
                if row["image_id"] in task_of:
                    found.append({**row, "task_id": task_of[row["image_id"]]})
                else:
                    outside.add(key)
        whole = sorted(found, key=lambda row: str(row["annotation_id"]))
        return whole, Counter(image_id for image_id, _ in outside)


def _answers(rows: Sequence[_Row]) -> list[_Row]:
    """A row of `answers` for each person and image."""
    by_answer: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        by_answer.setdefault((row["task_id"], row["annotator_id"]), []).append(row)
    made = [_answer(task, person, given) for (task, person), given in by_answer.items()]
    return sorted(made, key=lambda row: str(row["answer_id"]))


def _answer(task: str, person: str, rows: Sequence[_Row]) -> _Row:
    unreadable = any(row["outcome"] == "unreadable" for row in rows)
    return {
        "answer_id": derived_id("imported answer", task, person),
        "task_id": task,
        "image_id": rows[0]["image_id"],
        "annotator_id": person,
        "outcome": "unreadable" if unreadable else "submitted",
        "superseded": False,
        "objects": sum(row["outcome"] == "object" for row in rows),
        "created_at": None,
        "updated_at": None,
        "lead_time_s": None,
        "model_version": None,
        "choices": [],
        "comment": None,
        "raw": json.dumps([]) if unreadable else None,
        "taxonomy_digest": None,
        "guideline_digest": None,
        "shown_id": None,
        "not_joined": IMPORTED,
    }


def _merged(rows: Sequence[_Row], server: Pieces | None, key: str) -> Pieces:
    """Both in the order of the key, in pieces."""
    answered = {(row["task_id"], row["annotator_id"]) for row in rows} if key == "answer_id" else set()

    def of_server() -> Iterator[Mapping[str, Any]]:
        for row in itertools.chain.from_iterable(server() if server is not None else ()):
            if (row["task_id"], row["annotator_id"]) in answered:
                raise AnnotationToolError(
                    f"{row['annotator_id']} answered image {row['image_id'][:12]} on the server, and the "
                    "same was imported under that name: import it under another --annotator, or remove it"
                )
            yield row

    def pieces() -> Iterator[Sequence[Mapping[str, Any]]]:
        both = heapq.merge(rows, of_server(), key=lambda row: str(row[key]))
        while piece := list(itertools.islice(both, _PIECE)):
            yield piece

    return pieces
