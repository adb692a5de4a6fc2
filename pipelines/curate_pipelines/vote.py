"""DVC stage vote: which model looks better, by comparisons of pairs."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import vote


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return vote.run(
        params.vote,
        inputs=vote.Inputs(
            pairs=Path("data/pairs/pairs.parquet"),
            upscaled=Path("data/upscale/upscaled.parquet"),
            figures=Path("data/measure/figures.parquet"),
        ),
        outputs=vote.Outputs(
            plan=Path("data/vote/plan.csv"),
            votes=Path("data/vote/votes.csv"),
            ranking=Path("data/vote/ranking.csv"),
        ),
    )
