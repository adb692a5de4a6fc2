"""How ingest grows with the number of files: its ledger, its memory, and a second run that finds nothing new.

`python -m benchmarks.ingest_overhead`
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks import process_cost, result
from curate.ingest.reader import Work
from curate.ingest.worker import Examined, ImageRow
from curate.params import IngestParams
from curate.stages import ingest

NAME = "ingest_overhead"
COMMAND = "python -m benchmarks.ingest_overhead"
SIZES = (1_000, 4_000) if result.quick() else (25_000, 100_000, 400_000)
FILES_PER_FOLDER = 1_000
REAL = b"one.png"
INTRO = """## The ledger of ingest

Files of a few bytes in folders of {folder:,}. *New* is what the list, the ledger and the table cost besides
reading and decoding: the engine hands back a made-up verdict a file. *Again* is a second run, which finds
nothing new. CPU times of one process, so that they hold on a busy machine too; memory is the largest of the
process, interpreter and libraries included. Peak memory grows until SQLite's page caches (2 x 32 MiB) and one
row group of the table are full, and not from there on.

"""


class _MadeUp:
    """An engine that reads one file; every other one gets a verdict, with a digest of its name."""

    def map_batches(
        self,
        setup: Callable[[], Callable[[Sequence[Any]], Sequence[Any]]],
        batches: Iterable[Sequence[Any]],
        *,
        label: str,
        total: int | None = None,
    ) -> Iterator[list[Any]]:
        """One list per batch."""
        del label, total
        function = setup()
        for batch in batches:
            yield [function([work])[0] if work.name == REAL else _made_up(work) for work in batch]


def measure() -> None:
    """Make each size's files, run twice, each in a fresh process."""
    rows = []
    for files in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _make(Path(folder) / "raw", files)
            new, new_cpu_s = process_cost.call(_run, folder=folder)
            again, again_cpu_s = process_cost.call(_run, folder=folder)
            ledger = (Path(folder) / "ledger.sqlite").stat().st_size
            rows.append(
                {
                    "files": files,
                    "new_us": new_cpu_s / files * 1e6,
                    "again_us": again_cpu_s / files * 1e6,
                    "new_peak_mib": new.peak_own_bytes / 2**20,
                    "again_peak_mib": again.peak_own_bytes / 2**20,
                    "ledger_bytes": ledger / files,
                }
            )
    result.save(NAME, {"rows": rows}, command=COMMAND)


def section() -> str:
    """The part of docs/benchmarks.md."""
    content = result.load(NAME)
    rows = [
        [
            f"{row['files']:,}",
            f"{row['new_us']:.0f}",
            f"{row['again_us']:.0f}",
            f"{1e6 / row['again_us']:,.0f}",
            f"{row['new_peak_mib']:.0f}",
            f"{row['again_peak_mib']:.0f}",
            f"{row['ledger_bytes']:.0f}",
        ]
        for row in content["rows"]
    ]
    header = (
        "files", "new, us per file", "again, us per file", "again, files/s", "new, MiB", "again, MiB",
        "ledger, bytes per file",
    )  # fmt: skip
    return (
        INTRO.format(folder=FILES_PER_FOLDER)
        + result.table(header, rows, numbers=len(header))
        + result.footer(content)
    )


def _make(raw: Path, files: int) -> None:
    for number in range(files):
        folder = raw / f"{number // FILES_PER_FOLDER:05d}"
        if number % FILES_PER_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"photo_{number:08d}.jpg").write_bytes(b"")
    Image.new("RGB", (64, 64)).save(raw / REAL.decode())  # ingest refuses a project without any image


def _run(*, folder: str) -> float:
    """CPU seconds of a run, in a process of its own."""
    root = Path(folder)
    before = time.process_time()
    ingest.run(
        IngestParams(),
        inputs=ingest.Inputs(root / "raw"),
        outputs=ingest.Outputs(
            root / "images.parquet", root / "images", root / "ledger.sqlite", root / "cache"
        ),
        ports=ingest.Ports(_MadeUp()),
    )
    return time.process_time() - before


def _made_up(work: Work) -> Examined:
    digest = hashlib.sha256(work.name).digest()
    row = ImageRow(
        digest, None, 0, None, None, "JPEG", 640, 480, None, 99_000, 1, None, 100.0, 50.0, 300.0,
        "too_small", "made up", failed=False,
    )  # fmt: skip
    return Examined(digest, (row,), None, None, failed=False)


if __name__ == "__main__":
    measure()
    print(section())
