"""DVC stage dedupe: near-duplicates found by pHash, one keeper a group."""

from __future__ import annotations

from pathlib import Path

from curate.engines.local import LocalEngine
from curate.params import Params
from curate.records import StageReport
from curate.stages import dedupe
from pipelines import entry


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return dedupe.run(
        params.dedupe,
        inputs=dedupe.Inputs(images=Path("data/ingest/images.parquet")),
        outputs=dedupe.Outputs(
            table=Path("data/dedupe/images.parquet"), plot=Path("plots/dedupe_distances.csv")
        ),
        ports=dedupe.Ports(engine=LocalEngine(workers=params.dedupe.workers)),
    )


if __name__ == "__main__":
    entry.run("dedupe", main)
