"""DVC stage embed: vectors of images and of objects."""

from __future__ import annotations

import functools
from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import embed
from curate_pipelines import encoders, engines


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    settings = params.embeddings
    return embed.run(
        settings,
        inputs=embed.Inputs(
            images=Path("data/dedupe/images.parquet"),
            suggestions=Path("data/autolabel/annotations.parquet"),
            consensus=Path("data/agreement/consensus.parquet"),
        ),
        outputs=embed.Outputs(
            table=Path("data/embeddings/embeddings.parquet"),
            objects=Path("data/embeddings/objects.parquet"),
            figures=Path("data/embeddings/figures.parquet"),
            look_alikes=Path("data/embeddings/look_alikes.csv"),
            failures=Path("data/embeddings/failures.csv"),
            vectors=encoders.VECTORS,
        ),
        ports=embed.Ports(
            encoder=functools.partial(encoders.encoder, settings),
            engine=engines.model_engine(params.engine, settings.device, workers=settings.workers),
        ),
    )
