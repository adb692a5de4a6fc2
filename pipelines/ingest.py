"""DVC stage ingest: raw files in, one row per distinct image out. `--verify` reads unchanged files again."""

from __future__ import annotations

import argparse
from pathlib import Path

from curate.params import Params
from curate.records import StageReport
from curate.stages import ingest
from pipelines import engines, entry


def main(params: Params, *, verify: bool = False) -> StageReport:
    """Wire and run the stage."""
    settings = params.ingest.model_copy(update={"verify": True}) if verify else params.ingest
    return ingest.run(
        settings,
        inputs=ingest.Inputs(raw=settings.raw),
        outputs=ingest.Outputs(
            table=Path("data/ingest/images.parquet"),
            images=Path("data/ingest/images"),
            ledger=Path("data/ingest/ledger.sqlite"),
            cache=Path(".cache/remote"),
        ),
        ports=ingest.Ports(engine=engines.engine(params.engine), batch_size=params.engine.batch_size),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verify", action="store_true", help="read unchanged files again")
    wanted = parser.parse_args().verify
    entry.run("ingest", lambda params: main(params, verify=wanted))
