"""DVC stage dedupe: near-duplicates found by hash, verified by pixels, one keeper a group."""

from __future__ import annotations

import functools
from pathlib import Path

from curate.adapters.transformers_embedder import TransformersEmbedder
from curate.params import Params
from curate.records import StageReport
from curate.stages import dedupe
from curate.stages.semantic import Encoder
from curate_pipelines import engines


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return dedupe.run(
        params.dedupe,
        inputs=dedupe.Inputs(images=Path("data/ingest/images.parquet")),
        outputs=dedupe.Outputs(
            table=Path("data/dedupe/images.parquet"),
            plot=Path("plots/dedupe_distances.csv"),
            index=Path("data/dedupe/index"),  # both are kept between runs and are no outputs of DVC
            embeddings=Path("data/dedupe/embeddings"),
        ),
        ports=dedupe.Ports(
            engine=engines.engine(params.engine),
            encoder=_encoder(params),
            batch_size=params.engine.batch_size,
        ),
    )


def _encoder(params: Params) -> Encoder | None:
    """The model of the step by meaning, if params.yaml names one."""
    settings = params.dedupe.semantic
    if settings.model is None:
        return None
    return Encoder(
        load=functools.partial(TransformersEmbedder, settings),
        engine=engines.model_engine(params.engine, settings.device),
        batch_size=settings.batch_size,
    )
