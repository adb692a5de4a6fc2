"""DVC stage diagnose: what is wrong with each kept image."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.report import diagnosis_sheets
from curate.stages import diagnose
from curate_pipelines import engines


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return diagnose.run(
        params.diagnose,
        inputs=diagnose.Inputs(images=Path("data/dedupe/images.parquet")),
        outputs=diagnose.Outputs(
            table=Path("data/diagnose/images.parquet"), sheets=Path("data/diagnose/sheets")
        ),
        ports=diagnose.Ports(engine=engines.engine(params.engine), sheets=diagnosis_sheets.write),
    )
