"""DVC stage autolabel: what Grounding DINO and SAM propose."""

from __future__ import annotations

import functools
from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import autolabel
from curate_pipelines import engines, models


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    settings = params.autolabel
    return autolabel.run(
        settings,
        inputs=autolabel.Inputs(
            images=Path("data/dedupe/images.parquet"),
            taxonomy=settings.taxonomy,
            imported=Path("labels/suggestions"),
        ),
        outputs=autolabel.Outputs(
            table=Path("data/autolabel/annotations.parquet"),
            shards=Path(".cache/autolabel"),
            plot=Path("plots/autolabel_scores.csv"),
            failures=Path("data/autolabel/failures.csv"),
        ),
        ports=autolabel.Ports(
            models=functools.partial(models.models, settings),
            engine=engines.model_engine(params.engine, settings.device, workers=settings.workers),
        ),
    )
