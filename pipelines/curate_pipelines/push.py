"""DVC stage push: tasks with pre-annotations into Label Studio."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import push
from curate_pipelines.labelstudio import annotation_tool


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return push.run(
        params.labelstudio,
        inputs=push.Inputs(
            images=Path("data/dedupe/images.parquet"),
            annotations=Path("data/autolabel/annotations.parquet"),
            plan=Path("data/select/plan.parquet"),
            taxonomy=params.autolabel.taxonomy,
            images_root=Path("data/ingest/images"),
        ),
        outputs=push.Outputs(receipt=Path("data/push/receipt.json"), shown=Path("data/push/shown")),
        ports=push.Ports(tool=annotation_tool(params.labelstudio)),
    )
