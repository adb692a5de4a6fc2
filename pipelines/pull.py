"""DVC stage pull: a snapshot of what people did."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import pull
from pipelines import entry
from pipelines.labelstudio import annotation_tool


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return pull.run(
        pull.PullParams(labelstudio=params.labelstudio, qa=params.qa),
        inputs=pull.Inputs(
            images=Path("data/dedupe/images.parquet"),
            plan=Path("data/select/plan.parquet"),
            receipt=Path("data/push/receipt.json"),
        ),
        outputs=pull.Outputs(table=Path("data/pull/annotations.parquet")),
        ports=pull.Ports(tool=annotation_tool(params.labelstudio)),
    )


if __name__ == "__main__":
    entry.run("pull", main)
