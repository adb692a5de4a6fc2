"""DVC stage measure: every result against the clean image of its pair."""

from __future__ import annotations

from pathlib import Path

from curate.adapters import image_metrics
from curate.params import Params
from curate.records import StageReport
from curate.stages import measure
from curate_pipelines import engines


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return measure.run(
        params.measure,
        inputs=measure.Inputs(
            pairs=Path("data/pairs/pairs.parquet"),
            upscaled=Path("data/upscale/upscaled.parquet"),
            diagnosed=Path("data/diagnose/images.parquet"),
        ),
        outputs=measure.Outputs(
            table=Path("data/measure/figures.parquet"),
            summary=Path("data/measure/summary.csv"),
            worst=Path("data/measure/worst.csv"),
        ),
        ports=measure.Ports(load=image_metrics.load, engine=engines.engine(params.engine)),
    )
