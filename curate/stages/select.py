"""Stage select: who must look at what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.errors import InputError
from curate.params import QaParams
from curate.qa import plan
from curate.records import StageReport


@dataclass(frozen=True, slots=True)
class Inputs:
    """Tables of the stages before."""

    images: Path
    annotations: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """The plan table."""

    plan: Path


def run(params: QaParams, *, inputs: Inputs, outputs: Outputs) -> StageReport:
    """Plan one task a kept image, and more labelers for a share of them.

    Raises:
        InputError: No image was kept.
        TableError: An input is missing or of another schema version.
    """
    images = tables.read(inputs.images, schema.IMAGES, columns=["image_id", "drop_reason"]).to_pylist()
    kept = [row["image_id"] for row in images if row["drop_reason"] is None]
    if not kept:
        raise InputError(f"{inputs.images} has no image that was kept: see its drop_reason column")
    rows = tables.read(inputs.annotations, schema.ANNOTATIONS, columns=["image_id", "outcome"])
    suggested = set(rows.filter(pc.is_in(rows["outcome"], pa.array(["object", "empty"])))["image_id"].to_pylist())
    slots = plan.review_plan(
        kept, overlap=params.overlap, overlap_share=params.overlap_share, seed=params.seed
    )
    tables.write_rows([slot.row() for slot in slots], outputs.plan, schema.PLAN)
    shared = sum(slot.slot == 1 for slot in slots)
    return StageReport(
        "select",
        (("tasks", len(kept)), ("overlap tasks", shared), ("labeler slots", len(slots))),
        {"overlap_share": shared / len(kept), "images_seen_by_model": len(suggested.intersection(kept))},
    )
