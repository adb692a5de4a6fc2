"""DVC stage quality: how well and how fast people label."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import quality


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return quality.run(
        params.quality,
        inputs=quality.Inputs(
            images=Path("data/dedupe/images.parquet"),
            shown=Path("data/push/shown"),
            plan=Path("data/select/plan.parquet"),
            annotations=Path("data/pull/annotations.parquet"),
            answers=Path("data/pull/answers.parquet"),
            receipt=Path("data/push/receipt.json"),
            taxonomy=params.autolabel.taxonomy,
            gold=params.qa.gold,
        ),
        outputs=quality.Outputs(
            folder=Path("data/quality"), plots=Path("plots"), people=Path("data/people.csv")
        ),
    )
