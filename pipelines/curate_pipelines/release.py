"""DVC stage release: leakage-free splits and a complete Hub folder."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import release
from curate.stages.split_leaks import Search
from curate.stages.vector_leaks import Vectors
from curate_pipelines import engines


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    bound = params.embeddings.max_split_cosine
    return release.run(
        params.release,
        gates=params.gates,
        inputs=release.Inputs(
            images=Path("data/dedupe/images.parquet"),
            consensus=Path("data/agreement/consensus.parquet"),
            consensus_objects=Path("data/agreement/objects.parquet"),
            consensus_images=Path("data/agreement/images.parquet"),
            figures=Path("data/agreement/figures.csv"),
            taxonomy=params.autolabel.taxonomy,
            agreement_metrics=Path("metrics/agreement.json"),
            quality_metrics=Path("metrics/quality.json"),
            annotations=Path("data/autolabel/annotations.parquet"),
            published=Path("data/publish/last"),  # no dependency for DVC: it comes after this stage
        ),
        outputs=release.Outputs(
            folder=Path("data/release"),
            record=Path("data/splits.parquet"),
            gates=Path("metrics/gates.json"),
            secret=Path("data/release_secret"),
        ),
        ports=release.Ports(
            leaks=Search(
                params.dedupe,
                Path("data/dedupe/index"),
                engines.engine(params.engine),
                params.engine.batch_size,
                Vectors(Path("data/embeddings/embeddings.parquet"), bound) if bound is not None else None,
            )
        ),
        labelers=params.qa.labelers,
    )
