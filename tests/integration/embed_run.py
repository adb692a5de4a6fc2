"""A run of the stage embed in a process of its own, with real workers and a slow fake encoder.

`python -m tests.integration.embed_run LOG DELAY_S WORKERS`, in the project's folder.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from curate.engines.local import LocalEngine
from curate.labeling.run.embedding_worker import Encoder
from curate.params import EmbeddingsParams
from curate.stages import embed
from tests.fakes import FakeEmbedder

SHARD = 16


def encoder(log: Path, delay_s: float) -> Encoder:
    return Encoder(FakeEmbedder(log=log, delay_s=delay_s))


def main(log: Path, delay_s: float, workers: int) -> None:
    out = Path("out")
    embed.run(
        EmbeddingsParams(model="fake", shard_size=SHARD),
        inputs=embed.Inputs(Path("images.parquet"), Path("none.parquet"), Path("none.parquet")),
        outputs=embed.Outputs(
            out / "table.parquet", out / "objects.parquet", out / "figures.parquet",
            out / "look_alikes.csv", out / "failures.csv", Path("cache"),
        ),
        ports=embed.Ports(functools.partial(encoder, log, delay_s), LocalEngine(workers)),
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
