"""Speed of hashing from files on disk and listing pairs, against peers and against decoding alone.

`python -m benchmarks.hashing`
"""

from __future__ import annotations

import functools
import multiprocessing
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import simplejpeg

from benchmarks import corpus_cache, environments, process_cost, result
from benchmarks.process_cost import Cost, FailedRunError
from benchmarks.result import Target
from curate import system
from curate.dedupe import features, pair_cache
from curate.engines.local import LocalEngine
from curate.params import DedupeParams
from curate.stages import dedupe

NAME = "hashing"
COMMAND = "python -m benchmarks.hashing"
SEED = 11
# Files, those of the run that shows the start-up, rounds.
# The few must fill a batch for every worker, so that all of them have started.
IMAGES, FEW, ROUNDS = (300, 130, 1) if result.quick() else (3000, 256, 3)
FILES = 345 if result.quick() else 3450  # of the corpus; not all are JPEGs of the size
# Distances at which each peer does best on the corpus of `benchmarks.peers`; they hardly change its time.
PEERS = {"imagehash": 12.0, "imagededup": 10.0, "czkawka": 10.0, "fastdup": 0.1, "cleanvision": 0.0}
WANTED = {"imagehash": 6.0, "imagededup": 5.0, "czkawka": 3.0, "fastdup": 11.0}
HASHES = "curate, hashes alone"
FAST, EXACT = "curate, hashes and pairs", "curate, hashes and pairs, decode: exact"
WHOLE, LIMIT = "curate, whole stage", "scaled decode alone"
INTRO = """## Hashing from disk

{images:,} JPEGs of 0.3 to 1.2 megapixels, {kilobytes:.0f} kB on average, with families of near-duplicates
among them. *Hashes alone*, by the code of the stage with default parameters: EXIF orientation, hashes of the
mirrored picture and of parts, thumbnails, the index. *Hashes and pairs* goes on with the search and with
verification, which costs by the pair: two thirds of the files have copies here. All peers list pairs, by
hashes alone.
imagehash is a loop in one process, compared in NumPy; all others use every core. *Scaled decode alone* is
what libjpeg-turbo can do: as many processes read the files and decode luma to at least {min_side} pixels on
each side, nothing else. curate decodes luma and colors by the same library.

Everybody is a fresh process, in turn, {rounds} times; medians. *start* is a run on {few} files
(interpreter, imports, compiled code from its cache, worker processes); images/s are the files beyond these
over the time beyond that.

"""
PAIRS_INTRO = """*Whole stage* goes on where peers stop: it looks at pairs in full to tell which picture is
the original. That costs by the pair, not by the image: {looked:,} pairs here, at {pair_ms:.0f} ms of a core.
What was found is kept for the next run.

"""
Contender = Callable[[Path], tuple[Cost, str]]


def measure() -> None:
    """Run every contender on all files and on a few, in turn, and save."""
    pictures = corpus_cache.families(FILES, seed=SEED) / "images"
    with tempfile.TemporaryDirectory(dir=result.CACHE) as scratch:
        folders = {count: Path(scratch) / str(count) for count in (FEW, IMAGES)}
        for count, folder in folders.items():
            corpus_cache.jpegs(pictures, folder / "images", count)
            corpus_cache.images_table(folder / "images", folder / "images.parquet")
        contenders: dict[str, Contender] = {
            HASHES: functools.partial(_stage, decode="fast", pairs=False),
            FAST: functools.partial(_stage, decode="fast"),
            EXACT: functools.partial(_stage, decode="exact"),
            WHOLE: _whole,
            LIMIT: _limit,
            **{name: functools.partial(_peer, name) for name in PEERS},
        }
        failed: dict[str, str] = {}
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
        # Compiles, fills caches, and tells who cannot run; reading the files warms the file cache for all.
        for name, contender in contenders.items():
            try:
                contender(folders[FEW])
            except FailedRunError as error:
                failed[name] = str(error).splitlines()[-1]
        for _ in range(ROUNDS):
            for name, contender in contenders.items():
                if name not in failed:
                    try:
                        runs[name].append(_pair(contender, folders))
                    except FailedRunError as error:
                        failed[name] = str(error).splitlines()[-1]
        size = sum(path.stat().st_size for path in (folders[IMAGES] / "images").iterdir())
    whole = {name: entries for name, entries in runs.items() if name not in failed}
    rows = {name: _summary(entries) for name, entries in whole.items()}
    content = {
        "images": IMAGES,
        "few": FEW,
        "rounds": ROUNDS,
        "mean_bytes": size / IMAGES,
        "min_side": features._MIN_SIDE,
        "rows": rows,
        "failed": failed,
        "runs": whole,
        "versions": result.versions("imagehash", "simplejpeg", "pillow", "numpy", "numba"),
    }
    result.save(NAME, content, command=COMMAND, targets=_targets(rows, failed))


def _pair(contender: Contender, folders: dict[int, Path]) -> dict[str, Any]:
    """One run on the few files and one on all; what lies between them is the work."""
    few, _ = contender(folders[FEW])
    cost, version = contender(folders[IMAGES])
    return {
        "version": version,
        "wall_s": cost.wall_s,
        "cpu_ms": 1000 * (cost.cpu_s - few.cpu_s) / (IMAGES - FEW),
        "start_s": few.wall_s,
        "peak_bytes": cost.peak_bytes,
    }


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians; the rate from the medians of both runs, for start-up varies more than the work."""
    medians = {name: result.median(run[name] for run in runs) for name in runs[0] if name != "version"}
    seconds = max(medians["wall_s"] - medians["start_s"], 1e-9)
    return {"version": runs[0]["version"], "rate": (IMAGES - FEW) / seconds, **medians}


def _peer(name: str, folder: Path) -> tuple[Cost, str]:
    answer = environments.ask(name, folder / "images", PEERS[name])
    return answer.cost, answer.peer


def _stage(folder: Path, *, decode: str, pairs: bool = True) -> tuple[Cost, str]:
    table = folder / "images.parquet"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        return process_cost.call(run_steps, table=table, scratch=scratch, decode=decode, pairs=pairs)


def _whole(folder: Path) -> tuple[Cost, str]:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        return process_cost.call(run_whole, table=folder / "images.parquet", scratch=scratch)


def run_steps(table: str, scratch: str, decode: str, pairs: bool) -> str:
    """The first steps of the stage, in a fresh process: hashes, then pairs by search and verification."""
    params = DedupeParams.model_validate({"decode": decode})
    job = dedupe._begin(params, *_places(table, scratch))
    recipe = features.Recipe.of(params)
    radius = dedupe._radius(params, recipe, int(job.wanted.sum()), job.ports.say)
    hashed = dedupe._hash(job, recipe)
    if pairs:
        settings = pair_cache.Settings(recipe, radius, params.min_correlation)
        pair_cache.compare(hashed.side, hashed.content_ids, settings, hashed.folder / "pairs.arrow")
    return "this tree"


def run_whole(table: str, scratch: str) -> str:
    """The stage with its defaults, in a fresh process; returns how many pairs it looked at in full."""
    inputs, outputs, ports = _places(table, scratch)
    dedupe.run(DedupeParams(), inputs=inputs, outputs=outputs, ports=ports)
    with pa.memory_map(str(outputs.index / "originals.arrow")) as file:
        return str(pa.ipc.open_file(file).read_all().num_rows)


def _places(table: str, scratch: str) -> tuple[dedupe.Inputs, dedupe.Outputs, dedupe.Ports]:
    target = Path(scratch)
    outputs = dedupe.Outputs(
        table=target / "images.parquet",
        plot=target / "plot.csv",
        index=target / "index",
    )
    return dedupe.Inputs(images=Path(table)), outputs, dedupe.Ports(engine=LocalEngine())


def _limit(folder: Path) -> tuple[Cost, str]:
    return process_cost.call(run_limit, folder=folder / "images")


def run_limit(folder: str) -> str:
    """Read every file and decode its luma at reduced size, in as many processes; nothing else."""
    paths = sorted(Path(folder).iterdir())
    with multiprocessing.get_context("fork").Pool(system.cores()) as pool:
        done = sum(pool.imap_unordered(_decode, paths, chunksize=64))
    if done != len(paths):
        raise RuntimeError("not every file was decoded")
    return f"simplejpeg {simplejpeg.__version__}"


def _decode(path: Path) -> bool:
    min_side = features._MIN_SIDE
    pixels = simplejpeg.decode_jpeg(path.read_bytes(), "GRAY", min_height=min_side, min_width=min_side)
    return bool(pixels.size)


def _targets(rows: dict[str, dict[str, Any]], failed: dict[str, str]) -> list[Target]:
    def ratio(ours: str, other: str) -> float | None:
        return rows[ours]["rate"] / rows[other]["rate"] if ours in rows and other in rows else None

    found = [
        Target(f"{ours.removeprefix('curate, ')}, from disk, against {name}", wanted, ratio(ours, name), "x",
               note="did not run" if name in failed else "")
        for ours in (HASHES, FAST)
        for name, wanted in WANTED.items()
    ]  # fmt: skip
    exact = ratio(EXACT, "imagehash")
    found.append(Target("the same, bit for bit (`decode: exact`), against imagehash", 2.5, exact, "x"))
    share = ratio(HASHES, LIMIT)
    found.append(
        Target(
            "hashes alone, share of the speed of scaled decoding",
            70,
            None if share is None else 100 * share,
            "%",
        )
    )
    return found


def section() -> str:
    """The Markdown of the last results."""
    content = result.load(NAME)
    rows, ours = content["rows"], content["rows"].get(FAST)
    lines = []
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["rate"]):
        lines.append(
            [
                _title(name, row["version"]),
                result.figure(row["rate"]),
                "" if ours is None or name == FAST else f"{ours['rate'] / row['rate']:.2f}x",
                f"{row['start_s']:.1f}",
                f"{row['wall_s']:.1f}",
                f"{row['cpu_ms']:.2f}",
                result.figure(row["peak_bytes"] / 2**20),
            ]
        )
    header = ["", "images/s", "curate is", "start, s", "all files, s", "processor, ms per image", "peak, MiB"]
    text = INTRO.format(**content, kilobytes=content["mean_bytes"] / 1000)
    if WHOLE in rows:
        looked = int(rows[WHOLE]["version"])
        more = (rows[WHOLE]["cpu_ms"] - rows[FAST]["cpu_ms"]) * (content["images"] - content["few"])
        text += PAIRS_INTRO.format(looked=looked, pair_ms=more / looked)
    text += result.table(header, lines, numbers=6)
    for name, reason in content["failed"].items():
        text += f"\n{name} is missing: {reason}\n"
    return f"{text}\n{result.target_table(result.targets(content))}\n{result.footer(content)}"


def _title(name: str, version: str) -> str:
    if name == LIMIT:
        return f"{name}, {version}"
    return version if name in PEERS else f"**{name}**"


if __name__ == "__main__":
    measure()
    print(section())
