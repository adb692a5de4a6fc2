"""DVC stage select: who must look at what."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import select


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return select.run(
        params.qa,
        inputs=select.Inputs(
            images=Path("data/dedupe/images.parquet"),
            annotations=Path("data/autolabel/annotations.parquet"),
            taxonomy=params.autolabel.taxonomy,
            shown=Path("data/push/shown"),
            decisions=params.dedupe.decisions,
        ),
        outputs=select.Outputs(plan=Path("data/select/plan.parquet"), plots=Path("plots")),
    )
