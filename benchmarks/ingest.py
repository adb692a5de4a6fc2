"""Speed of ingest on JPEGs, against the loop over Pillow that people write and against decoding alone.

`python -m benchmarks.ingest`
"""

from __future__ import annotations

import functools
import hashlib
import io
import multiprocessing
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image, ImageOps
from PIL import __version__ as pillow_version

from benchmarks import corpus_cache, process_cost, result
from benchmarks.process_cost import Cost
from benchmarks.result import Target
from curate import system
from curate.engines.local import LocalEngine
from curate.images.upright_srgb import Limits, upright
from curate.params import IngestParams
from curate.stages import ingest

NAME = "ingest"
COMMAND = "python -m benchmarks.ingest"
SEED = 11
CORPUS = 345 if result.quick() else 3450
# Files, those of the run that shows the start-up, rounds.
IMAGES, FEW, TURNS, ROUNDS = (200, 32, 8, 1) if result.quick() else (2500, 32, 60, 3)
STAGE, ALONE, LIBRARY, PILLOW, COLORS, LUMA = (
    "curate ingest",
    "curate ingest, one process",
    "curate, files only",
    "Pillow",
    "decode to RGB alone",
    "decode of luma alone",
)
INTRO = """## Ingest

{images:,} upright JPEGs of 0.3 to 1.2 megapixels, {kilobytes:.0f} kB on average, are taken up anew: each
file is read, hashed (sha256), decoded to its last bit by a decoder that forgives nothing, measured
(brightness, contrast, sharpness) and linked; the ledger and the table are written. *Files only* is the same
without engine, links, ledger and table. *Pillow* is `Image.open(path).load()`, which reads no EXIF and
accepts some damaged files. The two decoders alone are the limit: libjpeg-turbo by simplejpeg, nothing but
reading and decoding; curate reads the colors too, but makes pixels of the luma only, at half size.

Everybody uses {cores} processes but the row that says so. Each run is a fresh process, in turn, {rounds}
times; medians. *start* is a run on {few} files; images/s are the files beyond these over the time beyond
that, and images/s per core over the processor time beyond that, which the targets compare.

"""
TURNED = """
A JPEG that EXIF turns costs more: {turned} of the same files, saved turned, take {anew_ms:.1f} ms of a core
each to be turned and encoded anew at quality 95 without subsampling; the copies have {anew_bytes:.2f} times
the bytes, and their luma is off by {anew_levels:.2f} levels on average. With `lossless: png` they take
{png_ms:.1f} ms and {png_bytes:.2f} times the bytes, and nothing is lost.

"""


def measure() -> None:
    """Run every contender on all files and on a few, in turn, and save."""
    pictures = corpus_cache.families(CORPUS, seed=SEED) / "images"
    with tempfile.TemporaryDirectory(dir=result.CACHE) as scratch:
        folders = {count: Path(scratch) / str(count) for count in (FEW, IMAGES)}
        for count, folder in folders.items():
            _link(pictures, folder, count)
        contenders: dict[str, Callable[[Path], tuple[Cost, str]]] = {
            STAGE: functools.partial(_stage, scratch=Path(scratch), alone=False),
            ALONE: functools.partial(_stage, scratch=Path(scratch), alone=True),
            **{name: functools.partial(_loop, name) for name in _LOOPS},
        }
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
        for contender in contenders.values():  # compiles, and warms the file cache for all
            contender(folders[IMAGES])
        for _ in range(ROUNDS):
            for name, contender in contenders.items():
                runs[name].append(_pair(contender, folders))
        files = list(folders[IMAGES].iterdir())
        size = sum(path.stat().st_size for path in files)
        turned = turned_cost(sorted(files)[:TURNS])
    content = {
        "images": IMAGES,
        "few": FEW,
        "rounds": ROUNDS,
        "cores": system.cores(),
        "mean_bytes": size / IMAGES,
        "turned": turned,
        "rows": {name: _summary(entries) for name, entries in runs.items()},
        "runs": runs,
        "versions": result.versions("pillow", "simplejpeg", "numpy", "numba"),
    }
    result.save(NAME, content, command=COMMAND, targets=_targets(runs))


def _pair(contender: Callable[[Path], tuple[Cost, str]], folders: dict[int, Path]) -> dict[str, Any]:
    """One run on the few files and one on all; what lies between them is the work."""
    few, _ = contender(folders[FEW])
    cost, version = contender(folders[IMAGES])
    work, processor = max(cost.wall_s - few.wall_s, 1e-9), max(cost.cpu_s - few.cpu_s, 1e-9)
    return {
        "version": version,
        "rate": (IMAGES - FEW) / work,
        "core_rate": (IMAGES - FEW) / processor,
        "wall_s": cost.wall_s,
        "start_s": few.wall_s,
        "peak_bytes": cost.peak_bytes,
    }


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    figures = ("rate", "core_rate", "wall_s", "start_s", "peak_bytes")
    return {
        "version": runs[0]["version"],
        **{name: result.median(run[name] for run in runs) for name in figures},
    }


def _stage(folder: Path, *, scratch: Path, alone: bool) -> tuple[Cost, str]:
    with tempfile.TemporaryDirectory(dir=scratch) as target:
        return process_cost.call(run_stage, raw=folder, target=target, alone=alone)


def run_stage(raw: str, target: str, alone: bool) -> str:
    """The whole stage with default parameters, from nothing; runs in a fresh process."""
    place = Path(target)
    ingest.run(
        IngestParams(raw=Path(raw)),
        inputs=ingest.Inputs(raw=Path(raw)),
        outputs=ingest.Outputs(
            table=place / "images.parquet", images=place / "images", ledger=place / "ledger.sqlite"
        ),
        ports=ingest.Ports(engine=LocalEngine(system.cores(), in_process=alone)),
    )
    return "this tree"


def _loop(name: str, folder: Path) -> tuple[Cost, str]:
    return process_cost.call(run_loop, name=name, folder=folder)


def run_loop(name: str, folder: str) -> str:
    """One function over all files, in as many processes as there are cores."""
    paths = sorted(Path(folder).iterdir())
    function, version = _LOOPS[name]
    with multiprocessing.get_context("fork").Pool(system.cores()) as pool:
        done = sum(pool.imap_unordered(function, paths, chunksize=16))
    if done != len(paths):
        raise RuntimeError("not every file was decoded")
    return version


def _library(path: Path) -> bool:
    data = path.read_bytes()
    limits = Limits(min_side=64, max_pixels=100_000_000, max_aspect=8.0)
    digest = hashlib.sha256(data).digest()
    return bool(digest and upright(data, limits, frames="first", jpeg_quality=95))


def _pillow(path: Path) -> bool:
    image = Image.open(path)
    image.load()
    return True


def _colors(path: Path) -> bool:
    return bool(simplejpeg.decode_jpeg(path.read_bytes(), strict=False).size)


def _luma(path: Path) -> bool:
    return bool(simplejpeg.decode_jpeg(path.read_bytes(), "GRAY", strict=False).size)


_LOOPS: dict[str, tuple[Callable[[Path], bool], str]] = {
    LIBRARY: (_library, "this tree"),
    PILLOW: (_pillow, f"Pillow {pillow_version}"),
    COLORS: (_colors, f"simplejpeg {simplejpeg.__version__}"),
    LUMA: (_luma, f"simplejpeg {simplejpeg.__version__}"),
}


def _link(source: Path, target: Path, count: int) -> None:
    """Link the first upright JPEGs of 0.3 to 1.2 megapixels."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        every = Path(folder) / "all"
        corpus_cache.jpegs(source, every, count + count // 6)
        upright_files = [path for path in sorted(every.iterdir()) if not _is_turned(path)]
        if len(upright_files) < count:
            raise RuntimeError(f"only {len(upright_files)} upright JPEGs, {count} are wanted")
        target.mkdir()
        for path in upright_files[:count]:
            path.rename(target / path.name)


def _is_turned(path: Path) -> bool:
    with Image.open(path) as image:
        return bool(image.getexif().get(0x0112, 1) != 1)


def turned_cost(paths: list[Path]) -> dict[str, float]:
    """Turning with JPEG and PNG copies, in this process: milliseconds, share of the bytes, levels of luma."""
    sums: defaultdict[str, float] = defaultdict(float)
    for path in paths[:1] + paths:
        if path == paths[0]:  # the first is done twice: once to load the libraries
            sums.clear()
        with Image.open(path) as image:
            data = _saved(image.convert("RGB"), quality=90, exif=_rotated())
        with Image.open(io.BytesIO(data)) as image:
            shown = np.asarray(ImageOps.exif_transpose(image).convert("L"), dtype=np.int16)
        for name, lossless in (("anew", False), ("png", True)):
            began = time.process_time()
            content = _kept(data, lossless=lossless)
            sums[f"{name}_ms"] += 1000 * (time.process_time() - began)
            sums[f"{name}_bytes"] += len(content) / len(data)
            sums[f"{name}_levels"] += float(np.abs(_luma_of(content) - shown).mean())
    return {"turned": len(paths), **{name: total / len(paths) for name, total in sums.items()}}


def _kept(data: bytes, *, lossless: bool) -> bytes:
    limits = Limits(min_side=64, max_pixels=100_000_000, max_aspect=8.0)
    [found] = upright(data, limits, frames="first", jpeg_quality=95, lossless=lossless)
    return found.content or data


def _rotated() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 5  # which needs no whole number of blocks
    return exif


def _saved(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _luma_of(data: bytes) -> np.ndarray[Any, np.dtype[np.int16]]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L"), dtype=np.int16)


def _targets(runs: dict[str, list[dict[str, Any]]]) -> list[Target]:
    def ratio(other: str) -> float:
        pairs = zip(runs[ALONE], runs[other], strict=True)
        return result.median(mine["core_rate"] / theirs["core_rate"] for mine, theirs in pairs)

    return [
        Target("ingest, whole stage, against a loop over Pillow, per core", 1.3, ratio(PILLOW), "x"),
        Target("share of the speed of decoding to RGB alone, per core", 70, 100 * ratio(COLORS), "%"),
    ]


def section() -> str:
    """The Markdown of the last results."""
    content = result.load(NAME)
    rows, ours = content["rows"], content["rows"][ALONE]
    lines = [
        [
            f"**{name}**" if name in (STAGE, ALONE, LIBRARY) else f"{name}, {row['version']}",
            result.figure(row["rate"]),
            # The workers of an engine are not the benchmark's children: their time cannot be told.
            "" if name == STAGE else result.figure(row["core_rate"]),
            "" if name in (STAGE, ALONE) else f"{ours['core_rate'] / row['core_rate']:.2f}x",
            f"{row['start_s']:.1f}",
            f"{row['wall_s']:.1f}",
            result.figure(row["peak_bytes"] / 2**20),
        ]
        for name, row in sorted(rows.items(), key=lambda item: -item[1]["rate"])
    ]
    header = [
        "",
        "images/s",
        "images/s per core",
        "curate ingest is, per core",
        "start, s",
        "all files, s",
        "peak, MiB",
    ]
    text = INTRO.format(**content, kilobytes=content["mean_bytes"] / 1000)
    text += result.table(header, lines, numbers=6) + TURNED.format(**content["turned"])
    return f"{text}\n{result.target_table(result.targets(content))}\n{result.footer(content)}"


if __name__ == "__main__":
    measure()
    print(section())
