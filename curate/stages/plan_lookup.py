"""What the plan says of the images, for the stage agreement: tasks, and accepted images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables

_COLUMNS = ("image_id", "task_id", "slot", "arm")


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan, by image.

    Attributes:
        tasks: Task of every image.
        accepted: Images that nobody is to look at.
    """

    tasks: Mapping[str, str]
    accepted: frozenset[str]


def read(path: Path) -> Planned:
    """Read the plan.

    Raises:
        TableError: It is missing or damaged.
    """
    plan = tables.read(path, schema.PLAN, columns=_COLUMNS)
    plan = plan.filter(pc.equal(plan["slot"], 0))
    return Planned(
        tasks=dict(zip(plan["image_id"].to_pylist(), plan["task_id"].to_pylist(), strict=True)),
        accepted=frozenset(plan.filter(pc.equal(plan["arm"], "accepted"))["image_id"].to_pylist()),
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
