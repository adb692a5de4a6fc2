"""DVC stage pairs: clean sub-images with small and bad partners."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import pairs
from curate_pipelines import engines


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return pairs.run(
        params.pairs,
        dedupe=params.dedupe,
        release=params.release,
        inputs=pairs.Inputs(
            images=Path("data/dedupe/images.parquet"),
            diagnosed=Path("data/diagnose/images.parquet"),
            splits=Path("data/splits.parquet"),  # no dependency for DVC: it comes after this stage
            released=Path("data/release"),
        ),
        outputs=pairs.Outputs(
            folder=Path("data/pairs/images"),
            table=Path("data/pairs/pairs.parquet"),
            leaks=Path("data/pairs/leaks.csv"),
            index=Path("data/dedupe/index"),
        ),
        ports=pairs.Ports(engine=engines.engine(params.engine), batch_size=params.engine.batch_size),
    )
