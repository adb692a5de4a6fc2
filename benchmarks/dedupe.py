"""Near-duplicates: the stage against the loop over imagehash that people write today.

`python -m benchmarks.dedupe`
"""

from __future__ import annotations

import itertools
import tempfile
from importlib.metadata import version
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from benchmarks.result import Result, compare
from curate import schema, tables
from curate.dedupe.neighbours import pairs_within
from curate.engines.local import LocalEngine
from curate.params import DedupeParams, IngestParams
from curate.stages import dedupe, ingest
from demo.backgrounds import draw_background
from demo.photographs import PHOTOGRAPHS

IMAGES = 3000
HASHES = 100_000
MAX_HAMMING = 8
REPEATS = 3
COMMAND = "python -m benchmarks.dedupe"


def stage_against_loop(folder: Path) -> Result:
    """Hash and group upright images: our stage, and imagehash with every pair compared, on equal files."""
    rng = np.random.default_rng(0)
    raw = folder / "raw"
    raw.mkdir()
    for index in range(IMAGES):
        picture = Image.fromarray(draw_background(rng, (640, 480), sorted(PHOTOGRAPHS)))
        picture.save(raw / f"{index:05d}.jpg", quality=90)
    images, table = folder / "images", folder / "images.parquet"
    ingest.run(
        IngestParams(raw=raw),
        inputs=ingest.Inputs(raw=raw),
        outputs=ingest.Outputs(table=table, images=images),
        ports=ingest.Ports(engine=LocalEngine(workers=0)),
    )
    paths = [Path(path) for path in tables.read(table, schema.IMAGES)["path"].to_pylist()]

    def ours() -> None:
        dedupe.run(
            DedupeParams(max_hamming=MAX_HAMMING),
            inputs=dedupe.Inputs(images=table),
            outputs=dedupe.Outputs(table=folder / "deduped.parquet", plot=folder / "plot.csv"),
            ports=dedupe.Ports(engine=LocalEngine(workers=0)),
        )

    def theirs() -> list[tuple[int, int]]:
        found = [imagehash.phash(Image.open(path)) for path in paths]
        return [
            (a, b)
            for a, b in itertools.combinations(range(len(found)), 2)
            if found[a] - found[b] <= MAX_HAMMING
        ]

    return compare(
        "dedupe_stage",
        f"hash and compare {IMAGES:,} JPEGs of 640 x 480",
        f"loop over imagehash {version('imagehash')}, all pairs",
        ours=ours,
        theirs=theirs,
        repeats=REPEATS,
        command=COMMAND,
    )


def search_against_brute_force() -> Result:
    """All pairs within a radius: our search, and NumPy comparing a row with all later ones."""
    hashes = np.random.default_rng(0).integers(0, 2**64, HASHES, dtype=np.uint64)

    def theirs() -> int:
        return sum(
            int(np.count_nonzero(np.bitwise_count(hashes[i + 1 :] ^ hashes[i]) <= MAX_HAMMING))
            for i in range(len(hashes))
        )

    if len(pairs_within(hashes, MAX_HAMMING).first) != theirs():
        raise RuntimeError("the two searches differ")
    return compare(
        "neighbour_search",
        f"all pairs within {MAX_HAMMING} bits among {HASHES:,} hashes",
        f"numpy {version('numpy')}, every row with all later ones",
        ours=lambda: pairs_within(hashes, MAX_HAMMING),
        theirs=theirs,
        repeats=REPEATS,
        command=COMMAND,
    )


def main() -> list[Result]:
    """Run both comparisons."""
    with tempfile.TemporaryDirectory() as folder:
        return [stage_against_loop(Path(folder)), search_against_brute_force()]


if __name__ == "__main__":
    for result in main():
        print(result.line())
