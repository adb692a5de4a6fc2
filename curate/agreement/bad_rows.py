"""Rows of people's work that cannot be what they say: found, listed, and cut, left out or refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.agreement.annotator_pairs import Size
from curate.agreement.by_annotator import box_column
from curate.errors import RecordError, TableError
from curate.geometry import boxes, masks
from curate.geometry.matching import Indices

Policy = Literal["clip", "skip", "refuse"]
HEADER = ("annotation_id", "image_id", "annotator", "problem", "action")
_SHOWN = 5  # rows that a refusal names
_CHUNK_MASKS = 100_000


@dataclass(frozen=True, slots=True)
class BadRow:
    """Row that cannot count, with what is wrong and what is done with it.

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
    kept, found = find(annotations, known, policy=policy)
    refuse(found, policy=policy)
    return kept, found


def refuse(found: Sequence[BadRow], *, policy: Policy) -> None:
    """Stop if there are bad rows and the policy is to refuse them.

    Raises:
        TableError: With how many rows of which kind and the first of them.
    """
    if policy == "refuse" and found:
        raise TableError(_told(found))


def find(annotations: pa.Table, known: Known, *, policy: Policy) -> tuple[pa.Table, list[BadRow]]:
    """Find the bad rows of some of the images as `sort_out` does, but refuse none: they are listed."""
    late = _answered_twice(annotations, known)
    doubtful = np.union1d(_doubtful(annotations, known), late)
    found: list[BadRow] = []
    kept: list[dict[str, Any]] = []
    places: list[int] = []
    for place, row in zip(doubtful.tolist(), annotations.take(pa.array(doubtful)).to_pylist(), strict=True):
        problem = "annotator_twice" if place in late else _problem(row, known)
        if problem is not None:
            action = _action(problem, policy)
            who = row["annotator_id"] or ""
            found.append(BadRow(row["annotation_id"], row["image_id"], who, problem, action))
            if action in {"left_out", "refused"}:
                continue
            row.update(_changed(row, action, known.sizes[row["image_id"]]))
        kept.append(row)
        places.append(place)
    found.sort(key=lambda bad: bad.annotation_id)
    if not found:
        return annotations, found
    sound = np.setdiff1d(np.arange(annotations.num_rows), doubtful)
    changed = pa.Table.from_pylist(kept, schema=annotations.schema)
    order = np.argsort(np.concatenate([sound, np.array(places, dtype=np.intp)]))
    return pa.concat_tables([annotations.take(pa.array(sound)), changed]).take(pa.array(order)), found


def _doubtful(annotations: pa.Table, known: Known) -> Indices:
    """Rows that are to be looked at one by one; all others are as they should be."""
    encoded = annotations["image_id"].combine_chunks().dictionary_encode()
    ids = encoded.dictionary.to_pylist()
    unknown = np.array([key not in known.sizes for key in ids], dtype=np.bool_)
    size = np.array([known.sizes.get(key) or (0, 0) for key in ids], dtype=np.int64).reshape(-1, 2)
    image = encoded.indices.to_numpy(zero_copy_only=False)
    wrong = unknown[image]
    corners = box_column(annotations)
    drawn = np.asarray(
        pc.equal(annotations["outcome"], "object").to_numpy(zero_copy_only=False), dtype=np.bool_
    )
    drawn &= ~np.isnan(corners).all(axis=1) & (size[image, 0] > 0)
    inside = (corners[:, :2] >= 0).all(axis=1) & (corners[:, 2:] <= size[image]).all(axis=1)
    wrong |= drawn & ~(inside & (corners[:, :2] < corners[:, 2:]).all(axis=1))
    if known.categories is not None:
        names = pa.array(list(known.categories), pa.string())
        wrong |= drawn & ~pc.is_in(annotations["category"], value_set=names).to_numpy(zero_copy_only=False)
    masked = drawn & annotations["rle"].is_valid().to_numpy(zero_copy_only=False)
    if masked.any():
        wrong[_wrong_masks(annotations["rle"], np.flatnonzero(masked), size[image])] = True
    return np.flatnonzero(wrong)


def _wrong_masks(column: pa.ChunkedArray, rows: Indices, size: Indices) -> Indices:
    """Rows among `rows` whose mask is damaged, of another size, or empty."""
    from curate.agreement import mask_runs  # noqa: PLC0415 - loads numba

    found = [np.zeros(0, dtype=np.intp)]
    for start in range(0, len(rows), _CHUNK_MASKS):
        part = rows[start : start + _CHUNK_MASKS]
        width, height = size[part].T
        rles = column.take(pa.array(part)).combine_chunks()
        runs = mask_runs.read(rles, np.ascontiguousarray(height))
        found.append(part[(runs.pixels != width * height) | (runs.area == 0)])
    return np.concatenate(found)


def listed(bad: Sequence[BadRow], names: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Rows of `HEADER`, with what people are called outside `data/`."""
    return [
        (
            one.annotation_id,
            one.image_id,
            names.get(one.annotator_id, one.annotator_id),
            one.problem,
            one.action,
        )
        for one in bad
    ]


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


def _answered_twice(annotations: pa.Table, known: Known) -> Indices:
    """Rows of answers that another one of the same person to the same image replaces."""
    image, person, task = (_codes(annotations[name]) for name in ("image_id", "annotator_id", "task_id"))
    looks = image * (person.max(initial=0) + 1) + person
    answered = np.unique(looks * (task.max(initial=0) + 1) + task) // (task.max(initial=0) + 1)
    twice = np.unique(answered[1:][answered[1:] == answered[:-1]])
    rows = np.flatnonzero(np.isin(looks, twice)) if len(twice) else np.zeros(0, dtype=np.intp)
    answers: dict[tuple[str, str | None], dict[str, list[tuple[int, Mapping[str, Any]]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for place, row in zip(rows.tolist(), annotations.take(pa.array(rows)).to_pylist(), strict=True):
        answers[row["image_id"], row["annotator_id"]][row["task_id"] or ""].append((place, row))
    late: list[int] = []
    for (image_id, _), tasks in answers.items():
        planned = known.tasks.get(image_id)
        *_, counts = sorted(
            (task == planned, max(_time(row) for _, row in drawn), task) for task, drawn in tasks.items()
        )
        late += [place for task, drawn in tasks.items() if task != counts[2] for place, _ in drawn]
    return np.array(sorted(late), dtype=np.intp)


def _codes(column: pa.ChunkedArray) -> Indices:
    """A number for each distinct text; 0 for none."""
    codes = pc.fill_null(column.combine_chunks().dictionary_encode().indices, -1).to_numpy(
        zero_copy_only=False
    )
    return np.asarray(codes + 1, dtype=np.int64)


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
