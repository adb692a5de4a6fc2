"""DVC stage release_pairs: the paired set as a complete Hub folder."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import release_pairs


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return release_pairs.run(
        params.release,
        gates=params.gates,
        inputs=release_pairs.Inputs(
            pairs=Path("data/pairs/pairs.parquet"),
            summary=Path("data/measure/summary.csv"),
            published=Path("data/publish/last"),  # no dependency for DVC: it comes after this stage
        ),
        outputs=release_pairs.Outputs(folder=Path("data/release"), record=Path("data/splits.parquet")),
    )
