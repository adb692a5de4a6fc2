"""What the plan says of the images, for the stage agreement: tasks, accepted images, planted errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.qa import error_injection
from curate.records import Annotation

_COLUMNS = ("image_id", "task_id", "slot", "arm", "seeded_kind", "seeded_id")


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan, by image.

    Attributes:
        tasks: Task of every image.
        accepted: Images that nobody is to look at.
        seeded: Kind and annotation_id of the planted error of each image that has one.
    """

    tasks: Mapping[str, str]
    accepted: frozenset[str]
    seeded: Mapping[str, tuple[str, str]]


def read(path: Path) -> Planned:
    """Read the plan.

    Raises:
        TableError: It is missing or damaged.
    """
    plan = tables.read(path, schema.PLAN, columns=_COLUMNS)
    plan = plan.filter(pc.equal(plan["slot"], 0))
    seeded = plan.filter(pc.is_valid(plan["seeded_kind"]))
    kinds = (seeded[name].to_pylist() for name in ("image_id", "seeded_kind", "seeded_id"))
    return Planned(
        tasks=dict(zip(plan["image_id"].to_pylist(), plan["task_id"].to_pylist(), strict=True)),
        accepted=frozenset(plan.filter(pc.equal(plan["arm"], "accepted"))["image_id"].to_pylist()),
        seeded={image: (kind, seeded_id) for image, kind, seeded_id in zip(*kinds, strict=True)},
    )


def suggestions(path: Path, image_ids: Sequence[str]) -> pa.Table:
    """The suggestions on some images, read piece by piece.

    Raises:
        TableError: The table of the stage autolabel is missing or damaged.
    """
    if not image_ids:
        return schema.ANNOTATIONS.arrow.empty_table()
    wanted = pa.array(sorted(image_ids), pa.string())
    parts = []
    for piece in tables.pieces(path, schema.ANNOTATIONS):
        here = pc.is_in(piece["image_id"], value_set=wanted)
        parts.append(piece.filter(pc.and_(here, pc.equal(piece["outcome"], "object"))))
    return pa.concat_tables(parts) if parts else schema.ANNOTATIONS.arrow.empty_table()


def errors_left_in(
    planned: Planned,
    made: pa.Table,
    agreed: pa.Table,
    sizes: Mapping[str, tuple[int, int]],
    *,
    lookers: Mapping[str, int],
    names: Sequence[str],
    iou_threshold: float,
) -> list[str]:
    """Images whose planted error the consensus still holds, sorted: they are not fit to be released.

    Where a suggestion was left out and two people draw nothing, there was nothing: models are wrong too.

    Args:
        planned: The plan.
        made: Suggestions on images with a planted error, or on more.
        agreed: The consensus.
        sizes: Width and height of every image.
        lookers: Number of people who looked, by image.
        names: Categories of the taxonomy.
        iou_threshold: From this IoU on two boxes show the same object.
    """
    answered = set(agreed["image_id"].to_pylist()) & planned.seeded.keys()
    before, after = _by_image(made, answered), _by_image(agreed, answered)
    left = []
    for image_id in sorted(answered):
        kind, seeded_id = planned.seeded[image_id]
        if kind == "missing" and lookers[image_id] > 1:
            continue
        width, height = sizes[image_id]
        rows = before.get(image_id, [])
        shown = error_injection.plant(rows, kind, seeded_id, names=names, width=width, height=height)
        drawn = after.get(image_id, [])
        if error_injection.left_in(
            kind, seeded_id, before=rows, shown=shown, drawn=drawn, iou_threshold=iou_threshold
        ):
            left.append(image_id)
    return left


def _by_image(rows: pa.Table, image_ids: set[str]) -> dict[str, list[Annotation]]:
    """Objects as records; only those of the few images with a planted error."""
    wanted = pa.array(sorted(image_ids), pa.string())
    here = pc.and_(pc.is_in(rows["image_id"], value_set=wanted), pc.equal(rows["outcome"], "object"))
    grouped: dict[str, list[Annotation]] = {}
    for row in rows.filter(here).to_pylist():
        grouped.setdefault(row["image_id"], []).append(Annotation.from_row(row))
    return grouped
