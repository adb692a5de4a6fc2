"""DVC stage pull: a snapshot of what people did."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import adjudication_decisions, pull
from curate_pipelines.labelstudio import adjudication_reader, annotation_reader


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return pull.run(
        pull.PullParams(labelstudio=params.labelstudio, qa=params.qa),
        inputs=pull.Inputs(
            images=Path("data/dedupe/images.parquet"),
            plan=Path("data/select/plan.parquet"),
            shown=Path("data/push/shown"),
            taxonomy=params.autolabel.taxonomy,
            adjudication=Path("data/adjudication/shown"),
        ),
        outputs=pull.Outputs(
            table=Path("data/pull/annotations.parquet"),
            answers=Path("data/pull/answers.parquet"),
            people=Path("data/people.csv"),
            decisions=adjudication_decisions.DecisionTables(
                annotations=Path("data/adjudication/annotations.parquet"),
                answers=Path("data/adjudication/answers.parquet"),
            ),
        ),
        ports=pull.Ports(
            reader=annotation_reader(params.labelstudio),
            adjudication=adjudication_reader(params.labelstudio),
        ),
    )
