"""DVC stage upscale: every model enlarges every small image."""

from __future__ import annotations

import functools
from pathlib import Path

from curate.adapters import upscalers
from curate.params import Params
from curate.records import StageReport
from curate.stages import upscale
from curate_pipelines import engines


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    settings = params.upscale
    return upscale.run(
        settings,
        release_license=params.release.license,
        inputs=upscale.Inputs(pairs=Path("data/pairs/pairs.parquet")),
        outputs=upscale.Outputs(
            table=Path("data/upscale/upscaled.parquet"), folder=Path("data/upscale/images")
        ),
        ports=upscale.Ports(
            load=functools.partial(
                upscalers.load,
                scale=settings.scale,
                device=settings.device,
                precision=settings.precision,
                diffusion=settings.diffusion,
            ),
            engine=engines.model_engine(params.engine, settings.device, workers=settings.workers),
        ),
    )
