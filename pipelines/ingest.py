"""DVC stage ingest: raw files in, one row a distinct image out."""

from __future__ import annotations

from pathlib import Path

from curate.engines.local import LocalEngine
from curate.params import Params
from curate.records import StageReport
from curate.stages import ingest
from pipelines import entry


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return ingest.run(
        params.ingest,
        inputs=ingest.Inputs(raw=params.ingest.raw),
        outputs=ingest.Outputs(table=Path("data/ingest/images.parquet"), images=Path("data/ingest/images")),
        ports=ingest.Ports(engine=LocalEngine(workers=params.ingest.workers)),
    )


if __name__ == "__main__":
    entry.run("ingest", main)
