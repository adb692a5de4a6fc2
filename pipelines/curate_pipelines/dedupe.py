"""DVC stage dedupe: near-duplicates found by hash, verified by pixels, one keeper per group."""

from __future__ import annotations

import functools
from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import dedupe, vector_store
from curate.stages.vector_store import VectorStore
from curate_pipelines import encoders, engines


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return dedupe.run(
        params.dedupe,
        inputs=dedupe.Inputs(images=Path("data/ingest/images.parquet")),
        outputs=dedupe.Outputs(
            table=Path("data/dedupe/images.parquet"),
            plot=Path("plots/dedupe_distances.csv"),
            index=Path("data/dedupe/index"),  # kept between runs and no output of DVC
        ),
        ports=dedupe.Ports(
            engine=engines.engine(params.engine),
            vectors=_vectors(params),
            batch_size=params.engine.batch_size,
        ),
    )


def _vectors(params: Params) -> VectorStore | None:
    """Store of vectors for the step by meaning, if params.yaml names a model; beside those of embed."""
    settings = params.dedupe.semantic
    if settings.model is None:
        vector_store.forget(encoders.VECTORS, "dedupe")
        return None
    return VectorStore(
        encoders.VECTORS,
        functools.partial(encoders.semantic_encoder, settings),
        engines.model_engine(params.engine, settings.device),
    )
