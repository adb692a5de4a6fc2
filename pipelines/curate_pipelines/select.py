"""DVC stage select: who must look at what."""

from __future__ import annotations

from pathlib import Path

from curate import embeddings
from curate.params import Params
from curate.records import StageReport
from curate.stages import select

PLAN = Path("data/select/plan.parquet")


def inputs(params: Params) -> select.Inputs:
    """What the stage reads, and what a preview of it reads."""
    return select.Inputs(
        images=Path("data/dedupe/images.parquet"),
        annotations=Path("data/autolabel/annotations.parquet"),
        taxonomy=params.autolabel.taxonomy,
        shown=Path("data/push/shown"),
        decisions=params.dedupe.decisions,
        embeddings=embeddings.PATH,
        pairs=Path("data/agreement/pairs.parquet"),
        imported=Path("labels/answers"),
    )


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return select.run(
        params.qa,
        inputs=inputs(params),
        outputs=select.Outputs(plan=PLAN, plots=Path("plots")),
    )
