"""DVC stage pull: a snapshot of what people did."""

from __future__ import annotations

from pathlib import Path

from curate.adapters.labelstudio import connection
from curate.adapters.labelstudio.tool import LabelStudioTool
from curate.params import Params
from curate.records import StageReport
from curate.stages import pull
from pipelines import entry


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return pull.run(
        params,
        inputs=pull.Inputs(
            images=Path("data/dedupe/images.parquet"),
            plan=Path("data/select/plan.parquet"),
            receipt=Path("data/push/receipt.json"),
        ),
        outputs=pull.Outputs(table=Path("data/pull/annotations.parquet")),
        ports=pull.Ports(tool=LabelStudioTool(connection.resolve(Path()), params.labelstudio)),
    )


if __name__ == "__main__":
    entry.run("pull", main)
