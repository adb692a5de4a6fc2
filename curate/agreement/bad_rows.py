"""Rows of people's work that cannot be what they say: found, listed, and cut, left out or refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from curate.agreement.annotator_pairs import Size
from curate.errors import RecordError, TableError
from curate.geometry import boxes, masks

Policy = Literal["clip", "skip", "refuse"]
HEADER = ("annotation_id", "image_id", "annotator", "problem", "action")
_SHOWN = 5  # rows that a refusal names


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that was found.

    Attributes:
        annotation_id: Of the row.
        image_id: Its image.
        annotator_id: Who drew it.
        problem: "unknown_image", "no_area", "outside" (over the border), "unknown_category", "mask_size" or
            "annotator_twice" (the person's answer to another task of the image).
        action: "clipped", "left_out", "unreadable" (the whole answer says nothing, the image is held back) or
            "kept".
    """

    annotation_id: str
    image_id: str
    annotator_id: str
    problem: str
    action: str


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are held against.

    Attributes:
        sizes: Width and height of every image, upright pixels; None of one that was never readable.
        categories: Names of the taxonomy; None = any.
        tasks: Task of every planned image.
    """

    sizes: Mapping[str, Size | None]
    categories: Collection[str] | None = None
    tasks: Mapping[str, str] = field(default_factory=dict)


def sort_out(annotations: pa.Table, known: Known, *, policy: Policy) -> tuple[pa.Table, list[BadRow]]:
    """Find bad rows, and do with them what the policy says.

    - `clip`: boxes over the border are cut there. An object that has no area, or a mask of another size,
      makes its person's answer to the image unreadable: the image is held back. A category that the taxonomy
      does not name stays: the release refuses it by name.
    - `skip`: such rows are left out, and what else the person drew counts.
    - `refuse`: they are an error.

    Rows on images that nobody knows, and a person's answer to another task of an image, are left out by the
    first two: of two answers that to the planned task counts, or else the later one.

    Args:
        annotations: The `annotations` table of pull.
        known: What rows are held against.
        policy: See above.

    Returns:
        The rows that count, and what was found, by annotation_id.

    Raises:
        TableError: Under `refuse`, with how many rows of which kind and the first of them.
    """
    rows = annotations.to_pylist()
    found: list[BadRow] = []
    late = _answered_twice(rows, known)
    kept: list[dict[str, Any]] = []
    for row in rows:
        problem = "annotator_twice" if row["annotation_id"] in late else _problem(row, known)
        if problem is None:
            kept.append(row)
            continue
        action = _action(problem, policy)
        found.append(
            BadRow(row["annotation_id"], row["image_id"], row["annotator_id"] or "", problem, action)
        )
        if action not in {"left_out", "refused"}:
            kept.append({**row, **_changed(row, action, known.sizes[row["image_id"]])})
    if policy == "refuse" and found:
        raise TableError(_told(found))
    found.sort(key=lambda bad: bad.annotation_id)
    if not found:
        return annotations, found
    return pa.Table.from_pylist(kept, schema=annotations.schema), found


def _changed(row: Mapping[str, Any], action: str, size: Size | None) -> dict[str, Any]:
    """The cells of a row that an action changes."""
    if action == "unreadable":
        return {"outcome": "unreadable", "category": None, "bbox_xyxy": None, "rle": None, "polygon": None}
    if action == "clipped" and size is not None:
        return {"bbox_xyxy": boxes.clip([row["bbox_xyxy"]], width=size[0], height=size[1])[0].tolist()}
    return {}


def _problem(row: Mapping[str, Any], known: Known) -> str | None:
    if row["image_id"] not in known.sizes:
        return "unknown_image"
    size = known.sizes[row["image_id"]]
    if size is None or row["outcome"] != "object" or row["bbox_xyxy"] is None:
        return None
    inside = boxes.clip([row["bbox_xyxy"]], width=size[0], height=size[1])
    if not boxes.area(inside)[0] > 0:  # NaN too
        return "no_area"
    wrong = None if row["rle"] is None else _problem_of_mask(row["rle"], size)
    if wrong is not None:
        return wrong
    if known.categories is not None and row["category"] not in known.categories:
        return "unknown_category"
    return None if (inside[0] == row["bbox_xyxy"]).all() else "outside"


def _problem_of_mask(rle: str, size: Size) -> str | None:
    try:
        runs = masks.run_lengths(rle)
    except RecordError:
        return "mask_size"
    if int(runs.sum()) != size[0] * size[1]:
        return "mask_size"
    return None if runs[1::2].sum() else "no_area"


def _action(problem: str, policy: Policy) -> str:
    if policy == "refuse":
        return "refused"
    if problem == "outside":
        return "clipped"
    if problem in {"unknown_image", "annotator_twice"} or policy == "skip":
        return "left_out"
    return "kept" if problem == "unknown_category" else "unreadable"


def _answered_twice(rows: Iterable[Mapping[str, Any]], known: Known) -> set[str]:
    """Rows of answers that another one of the same person to the same image replaces."""
    answers: dict[tuple[str, str], dict[str, list[Mapping[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        answers[row["image_id"], row["annotator_id"] or ""][row["task_id"] or ""].append(row)
    late: set[str] = set()
    for (image_id, _), tasks in answers.items():
        if len(tasks) == 1:
            continue
        planned = known.tasks.get(image_id)
        *_, counts = sorted((task == planned, max(map(_time, drawn)), task) for task, drawn in tasks.items())
        late |= {row["annotation_id"] for task, drawn in tasks.items() if task != counts[2] for row in drawn}
    return late


def _time(row: Mapping[str, Any]) -> str:
    return str(row["updated_at"] or row["created_at"] or "")


def _told(found: Iterable[BadRow]) -> str:
    by_problem: dict[str, list[str]] = defaultdict(list)
    for bad in found:
        by_problem[bad.problem].append(bad.annotation_id)
    parts = [
        f"{len(ids)} {problem} ({', '.join(ids[:_SHOWN])}{', ...' if len(ids) > _SHOWN else ''})"
        for problem, ids in sorted(by_problem.items())
    ]
    return (
        f"annotations that cannot be used: {'; '.join(parts)}. Correct them on the server and pull again, or "
        "set agreement.bad_rows to clip or skip"
    )
