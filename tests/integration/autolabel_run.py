"""A run of the stage autolabel in a process of its own, with real workers and a slow fake detector.

`python -m tests.integration.autolabel_run LOG DELAY_S WORKERS`, in the project's folder.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from curate.engines.local import LocalEngine
from curate.labeling.run.models import Models
from curate.params import AutolabelParams
from curate.stages import autolabel
from tests.fakes import FakeDetector

SHARD = 64


def models(log: Path, delay_s: float) -> Models:
    return Models(FakeDetector(log=log, delay_s=delay_s))


def main(log: Path, delay_s: float, workers: int) -> None:
    autolabel.run(
        AutolabelParams(shard_size=SHARD),
        inputs=autolabel.Inputs(images=Path("images.parquet"), taxonomy=Path("taxonomy.yaml")),
        outputs=autolabel.Outputs(
            Path("out/table.parquet"), Path("cache"), Path("out/plot.csv"), Path("out/failures.csv")
        ),
        ports=autolabel.Ports(functools.partial(models, log, delay_s), LocalEngine(workers)),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
