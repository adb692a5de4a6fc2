"""DVC stage dedupe: near-duplicates found by hash, verified by pixels, one keeper a group."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import dedupe
from pipelines import engines, entry

KEPT = Path("data/dedupe")  # what stays between runs and is no output of DVC


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return dedupe.run(
        params.dedupe,
        inputs=dedupe.Inputs(images=Path("data/ingest/images.parquet")),
        outputs=dedupe.Outputs(
            table=Path("data/dedupe/images.parquet"),
            plot=Path("plots/dedupe_distances.csv"),
            index=Path("data/dedupe") / "index",  # kept between runs; no output of DVC,
        ),
        ports=dedupe.Ports(
            engine=engines.engine(params.engine),
            batch_size=params.engine.batch_size,
            spread=params.engine.kind == "ray",
        ),
    )


if __name__ == "__main__":
    entry.run("dedupe", main)
