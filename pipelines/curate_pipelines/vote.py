"""DVC stage vote: which model looks better, by comparisons of pairs."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import vote, vote_people
from curate_pipelines.labelstudio import comparison_tool

PICTURES = Path("data/ingest/vote")  # the server serves folders below data/ingest only


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    asked = params.vote.raters == "labelstudio"
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
            pictures=PICTURES,
            people=Path("data/people.csv"),
        ),
        ports=vote.Ports(
            tool=comparison_tool(params.labelstudio, PICTURES) if asked else None,
            title=vote_people.title(params.labelstudio.project),
        ),
    )
