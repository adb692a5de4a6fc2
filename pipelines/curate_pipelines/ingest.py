"""DVC stage ingest: raw files in, one row per distinct image out."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import ingest
from curate_pipelines import engines


def main(params: Params, *, verify: bool = False) -> StageReport:
    """Wire and run the stage; `verify` reads unchanged files again."""
    settings = params.ingest.model_copy(update={"verify": True}) if verify else params.ingest
    return ingest.run(
        settings,
        inputs=ingest.Inputs(raw=settings.raw),
        outputs=ingest.Outputs(
            table=Path("data/ingest/images.parquet"),
            images=Path("data/ingest/images"),
            ledger=Path("data/ingest/ledger.sqlite"),
            cache=Path(".cache/remote"),
        ),
        ports=ingest.Ports(engine=engines.engine(params.engine), batch_size=params.engine.batch_size),
    )
