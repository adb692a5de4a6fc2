"""Memory of ingest and dedupe as the images grow in number, and the cost of a delivery of 1% more.

`python -m benchmarks.growth`
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import charts, corpus_cache, process_cost, result, synthetic_index
from benchmarks.process_cost import Cost
from benchmarks.result import Target
from curate import params
from curate.dedupe import image_columns
from curate.dedupe.features import Recipe

NAME = "growth"
COMMAND = "python -m benchmarks.growth"
SIZES = (300, 1200) if result.quick() else (5_000, 15_000, 40_000)
MANY = 3_000 if result.quick() else 1_000_000
SIDE = 128  # pixels of the images
# Of those of a million: as small, and of the 0.3 megapixels from which on the speed of hashing is measured.
MANY_SIDES = (SIDE, 550)
RATED = (
    (100, 300) if result.quick() else (2_000, 12_000)
)  # whose hashing is timed, where `SIZES` has no such side
STAGES = ("ingest", "dedupe")
FIGURES = ("wall_s", "cpu_s", "peak_bytes", "peak_own_bytes")
INTRO = """## Growth

Fresh projects of {sizes} distinct JPEGs of {side} x {side} pixels ({kilobytes:.1f} kB): small ones, so
that what an image costs besides its decoding stands out. `ingest` and `dedupe` run as in a project, as
programs with their defaults; then 1% new images are laid beside the old ones and both run again. Memory
is the largest sum over all processes at one moment, shared pages counted once; *of its own* leaves out
pages of mapped files (the index is mapped), which the system may drop at will. One run of each size.

"""
MANY_INTRO = """
**{many:,} images**, twice: {sides} pixels per side. `ingest` reads {many:,} files, which differ in a comment
and share {pictures} pictures. Drawing as many different ones would take longer than all else, so `dedupe`
finds hashes and thumbnails of {many:,} made-up pictures in its index, as if it had hashed these files before:
what is measured of a fresh run is the search, the verification, the groups and the table. To hash them is
added at the rate at which runs on {rated} real ones differ ({hash_us} us per image, both
cores). The delivery of {new:,} is of real, distinct files in a folder of their own, and nothing of it is
left out.

"""


def measure() -> None:
    """Grow projects of each size by 1% and save what both stages took."""
    runs = []
    result.CACHE.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=result.CACHE) as folder:
            runs.append(_grow(Path(folder), size))
    many = [_million(side, runs) for side in MANY_SIDES]
    content = {
        "runs": runs, "many": many, "side": SIDE, "slopes": _slopes(runs), "stages": list(STAGES)
    }  # fmt: skip
    result.save(NAME, content, command=COMMAND, targets=_targets(many))


def _million(side: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """`_grow_many` for images of a side; how fast they are hashed is measured first where it is not known."""
    rated = runs
    if side != SIDE:
        rated = []
        for size in RATED:
            with tempfile.TemporaryDirectory(dir=result.CACHE) as folder:
                rated.append(_grow(Path(folder), size, side))
    with tempfile.TemporaryDirectory(dir=result.CACHE) as folder:
        return _grow_many(Path(folder), MANY, side, rated)


def _settle(project: Path) -> None:
    """Defaults, without the files of the demo."""
    settings = yaml.safe_load((result.ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["ingest"] |= {"raw": "data/raw", "sources": None}
    settings["dedupe"] |= {"decisions": None, "prefer": []}
    (project / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def _grow(project: Path, size: int, side: int = SIDE) -> dict[str, Any]:
    """Ingest and dedupe `size` images, then 1% more."""
    raw = project / "data/raw"
    corpus_cache.small(raw, size, side=side)
    _settle(project)
    found: dict[str, Any] = {"images": size, "mean_bytes": _size(raw) / size}
    found["fresh"] = _both(project)
    found["index_bytes"] = _size(project / "data/dedupe/index")
    found["ledger_bytes"] = sum(path.stat().st_size for path in (project / "data/ingest").glob("ledger*"))
    found["searched"] = _searched(project)
    # Stages read nothing of each other's output when nothing changed: this is the floor of a delivery.
    corpus_cache.small(raw, size // 100, first=size, side=side)
    found["added"], found["again"] = _both(project), _both(project)
    shutil.rmtree(project / "data")
    return found


def _grow_many(project: Path, size: int, side: int, rated: list[dict[str, Any]]) -> dict[str, Any]:
    """Grow a project as `_grow` does, with made-up hashes and thumbnails of the first `size` images."""
    raw = project / "data/raw"
    corpus_cache.copies(raw, size, side=side)
    _settle(project)
    mean_bytes = _size(raw) / size
    ingested = _figures(_run(project, "ingest"))
    ids = image_columns.read(project / "data/ingest/images.parquet").ids
    recipe = Recipe.of(params.load(project / "params.yaml").dedupe)
    synthetic_index.fill(project / "data/dedupe/index", recipe, ids, side=side, processes=2)
    searched = _figures(_run(project, "dedupe"))
    hashing = _hashing(rated[0], rated[-1])
    fresh = {**searched, **{name: searched[name] + size * hashing[name] for name in hashing}}
    corpus_cache.small(raw, size // 100, first=size, side=side)
    added, again = _both(project), _both(project)
    shutil.rmtree(project / "data")
    return {
        "images": size, "side": side, "rated": [rated[0]["images"], rated[-1]["images"]],
        "mean_bytes": mean_bytes,
        "fresh": {"ingest": ingested, "dedupe": fresh}, "searched": searched,
        "hash_wall_s": hashing["wall_s"], "added": added, "again": again,
    }  # fmt: skip


def _hashing(few: dict[str, Any], many: dict[str, Any]) -> dict[str, float]:
    """Seconds per image, from two runs: what starting takes is in both."""
    more = many["images"] - few["images"]

    def seconds(run: dict[str, Any], figure: str) -> float:
        return float(run["fresh"]["dedupe"][figure] - run["searched"][figure])

    return {name: max(seconds(many, name) - seconds(few, name), 0.0) / more for name in ("wall_s", "cpu_s")}


def _searched(project: Path) -> dict[str, float]:
    """Dedupe of images that are all hashed, but were not compared."""
    for kept in (project / "data/dedupe/index").glob("*/pairs.arrow"):
        kept.unlink()
    return _figures(_run(project, "dedupe"))


def _both(project: Path) -> dict[str, dict[str, float]]:
    return {stage: _figures(_run(project, stage)) for stage in STAGES}


def _run(project: Path, stage: str) -> Cost:
    return process_cost.run([sys.executable, "-m", "curate", "run", stage], cwd=project)


def _figures(cost: Cost) -> dict[str, float]:
    return {name: float(getattr(cost, name)) for name in FIGURES}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _slopes(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Least-squares lines over the sizes: seconds and bytes at no image at all, and per image."""
    sizes = [run["images"] for run in runs]
    slopes: dict[str, Any] = {}
    for kind in ("fresh", "added"):
        for stage in STAGES:
            for figure in ("wall_s", "peak_bytes", "peak_own_bytes"):
                slope, base = np.polyfit(sizes, [run[kind][stage][figure] for run in runs], 1)
                slopes[f"{kind} {stage} {figure}"] = {"base": float(base), "slope": float(slope)}
    return slopes


def _share(run: dict[str, Any], figure: str = "wall_s") -> float:
    """Per cent of the full time that 1% more takes."""
    return 100 * _total(run["added"], figure) / _total(run["fresh"], figure)


def _total(stages: dict[str, Any], figure: str) -> float:
    return float(sum(stages[stage][figure] for stage in STAGES))


def _targets(many: list[dict[str, Any]]) -> list[Target]:
    def target(run: dict[str, Any]) -> Target:
        side = run["side"]
        what = f"1% more at {run['images']:,} images of {side} x {side} pixels, ingest and dedupe"
        return Target(what, 90, _total(run["added"], "wall_s"), "s", at_most=True)

    return [target(run) for run in many]


def section() -> str:
    """The Markdown of the last results."""
    content = result.load(NAME)
    runs, slopes, many = content["runs"], content["slopes"], content["many"]
    sizes = ", ".join(f"{run['images']:,}" for run in runs)
    text = INTRO.format(sizes=sizes, side=content["side"], kilobytes=runs[0]["mean_bytes"] / 1000)
    text += _table(runs)
    for stage in STAGES:
        own, every = (slopes[f"fresh {stage} {name}"]["slope"] for name in ("peak_own_bytes", "peak_bytes"))
        on_disk = runs[-1]["index_bytes"] / runs[-1]["images"]
        text += f"\n{stage}: {own:,.0f} bytes of its own per image, {every:,.0f} with mapped files"
        text += ".\n" if stage == "ingest" else f"; the index on disk has {on_disk:,.0f}.\n"
    shares = ", ".join(f"{_share(run):.1f}% ({run['images']:,})" for run in runs)
    text += f"\n1% more took {shares} of the full time of both stages.\n" + _of_many(many, runs[-1])
    across = [run["images"] for run in runs]
    series = {
        stage: (across, [run["fresh"][stage]["peak_own_bytes"] / 2**20 for run in runs]) for stage in STAGES
    }
    text += charts.lines(
        "memory", "Peak memory of its own", x="images", y="MiB", series=series, log=False
    )  # fmt: skip
    return f"{text}\n{result.target_table(result.targets(content))}\n{result.footer(content)}"


def _of_many(many: list[dict[str, Any]], largest: dict[str, Any]) -> str:
    text = MANY_INTRO.format(
        many=many[0]["images"], sides=_and(str(run["side"]) for run in many), pictures=corpus_cache.PICTURES,
        rated=", and on ".join("{:,} and {:,}".format(*run["rated"]) for run in many),
        new=many[0]["images"] // 100,
        hash_us=_and(f"{1e6 * run['hash_wall_s']:.0f}" for run in many),
    )  # fmt: skip
    for run in many:
        searched, whole = run["searched"]["wall_s"], run["fresh"]["dedupe"]["wall_s"]
        shares = f"{_share(run):.1f}% of the full time ({_share(run, 'cpu_s'):.1f}% of the processor's)"
        text += (
            f"{run['side']} pixels, {run['mean_bytes'] / 1000:.1f} kB:\n\n{_table([run])}\nAll but hashing "
            f"took {searched:,.0f} s of the {whole:,.0f} s of dedupe. 1% more took {shares} of both "
            f"stages.\n\n"
        )
    # Made-up images are in no decoder's memory, so that of the search is the one to divide.
    own, less = many[0]["searched"]["peak_own_bytes"], largest["searched"]["peak_own_bytes"]
    each = (own - less) / (many[0]["images"] - largest["images"])
    return (
        f"{text}Between {largest['images']:,} and {many[0]['images']:,} images dedupe's peak grows by "
        f"{each:,.0f} bytes of its own per image.\n\n"
    )


def _and(words: Iterable[str]) -> str:
    return " and ".join(words)


def _table(runs: list[dict[str, Any]]) -> str:
    lines = []
    for run in runs:
        for stage in STAGES:
            fresh, added, again = (run[kind][stage] for kind in ("fresh", "added", "again"))
            lines.append(
                [
                    f"{run['images']:,}",
                    stage,
                    f"{fresh['wall_s']:.1f}",
                    result.figure(run["images"] / fresh["wall_s"]),
                    f"{fresh['peak_bytes'] / 2**20:.0f}",
                    f"{fresh['peak_own_bytes'] / 2**20:.0f}",
                    f"{added['wall_s']:.1f}",
                    f"{again['wall_s']:.1f}",
                ]
            )
    header = ["images", "stage", "s", "images/s", "peak, MiB", "of its own, MiB", "+1%, s", "+0, s"]
    return result.table(header, lines, numbers=6)


if __name__ == "__main__":
    measure()
    print(section())
