"""Memory of ingest and dedupe as the images grow in number, and the cost of a delivery of 1% more.

`python -m benchmarks.growth`
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import charts, corpora, process, result
from benchmarks.process import Cost
from benchmarks.result import Target

NAME = "growth"
COMMAND = "python -m benchmarks.growth"
SIZES = (300, 1200) if result.quick() else (5_000, 15_000, 40_000)
SIDE = 128  # pixels of the images
STAGES = ("ingest", "dedupe")
MILLION = 1_000_000
INTRO = """## Growth

Fresh projects of {sizes} distinct JPEGs of {side} x {side} pixels ({kilobytes:.1f} kB): small ones, so
that what an image costs besides its decoding stands out. `ingest` and `dedupe` run as in a project, as
programs with their defaults; then 1% new images are laid beside the old ones and both run again. Memory
is the largest sum over all processes at one moment, shared pages counted once; *of its own* leaves out
pages of mapped files (the index is mapped), which the system may drop at will. One run of each size.

"""


def measure() -> None:
    """Grow projects of each size by 1% and save what both stages took."""
    runs = []
    result.CACHE.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=result.CACHE) as folder:
            runs.append(_grow(Path(folder), size))
    content = {"runs": runs, "side": SIDE, "slopes": _slopes(runs), "stages": list(STAGES)}
    result.save(NAME, content, command=COMMAND, targets=_targets(runs))


def _grow(project: Path, size: int) -> dict[str, Any]:
    """Ingest and dedupe `size` images, then 1% more."""
    raw = project / "data/raw"
    corpora.small(raw, size, side=SIDE)
    params = yaml.safe_load((result.ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["ingest"] |= {"raw": "data/raw", "sources": None}
    params["dedupe"] |= {"decisions": None, "prefer": []}
    (project / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    found: dict[str, Any] = {"images": size}
    found["mean_bytes"] = _size(raw) / size
    found["fresh"] = {stage: _figures(_run(project, stage)) for stage in STAGES}
    found["index_bytes"] = _size(project / "data/dedupe/index")
    found["ledger_bytes"] = sum(path.stat().st_size for path in (project / "data/ingest").glob("ledger*"))
    # Stages read nothing of each other's output when nothing changed: this is the floor of a delivery.
    corpora.small(raw, size // 100, first=size, side=SIDE)
    found["added"] = {stage: _figures(_run(project, stage)) for stage in STAGES}
    found["again"] = {stage: _figures(_run(project, stage)) for stage in STAGES}
    shutil.rmtree(project / "data")
    return found


def _run(project: Path, stage: str) -> Cost:
    return process.run([sys.executable, "-m", f"pipelines.{stage}"], cwd=project)


def _figures(cost: Cost) -> dict[str, float]:
    return {
        "wall_s": cost.wall_s,
        "cpu_s": cost.cpu_s,
        "peak_bytes": cost.peak_bytes,
        "peak_own_bytes": cost.peak_own_bytes,
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _slopes(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Least-squares lines over the sizes: seconds and bytes at no image at all, and an image."""
    sizes = [run["images"] for run in runs]
    slopes: dict[str, Any] = {}
    for kind in ("fresh", "added"):
        for stage in STAGES:
            for figure in ("wall_s", "peak_bytes", "peak_own_bytes"):
                slope, base = np.polyfit(sizes, [run[kind][stage][figure] for run in runs], 1)
                slopes[f"{kind} {stage} {figure}"] = {"base": float(base), "slope": float(slope)}
    return slopes


def _share(run: dict[str, Any]) -> float:
    """Per cent of the full time that 1% more takes."""
    return 100 * _seconds(run["added"]) / _seconds(run["fresh"])


def _seconds(stages: dict[str, Any]) -> float:
    return float(sum(stages[stage]["wall_s"] for stage in STAGES))


def _at(slopes: dict[str, Any], kind: str, count: int) -> float:
    """Seconds of both stages at `count` images, by the fitted lines."""
    fitted = [slopes[f"{kind} {stage} wall_s"] for stage in STAGES]
    return float(sum(line["base"] + line["slope"] * count for line in fitted))


def _targets(runs: list[dict[str, Any]]) -> list[Target]:
    largest, slopes = runs[-1], _slopes(runs)
    share = 100 * _at(slopes, "added", MILLION) / _at(slopes, "fresh", MILLION)
    return [
        Target(
            f"1% more at {largest['images']:,} images, of the full time", 5, _share(largest), "%", True
        ),
        Target(
            "1% more at a million, of the full time", 5, share, "%", at_most=True,
            note="by the line through the sizes measured",
        ),
    ]  # fmt: skip


def section() -> str:
    """The Markdown of the last results."""
    content = result.load(NAME)
    runs, slopes = content["runs"], content["slopes"]
    sizes = ", ".join(f"{run['images']:,}" for run in runs)
    text = INTRO.format(sizes=sizes, side=content["side"], kilobytes=runs[0]["mean_bytes"] / 1000)
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
    text += result.table(header, lines, numbers=6)
    for stage in STAGES:
        own, every = (slopes[f"fresh {stage} {name}"]["slope"] for name in ("peak_own_bytes", "peak_bytes"))
        on_disk = runs[-1]["index_bytes"] / runs[-1]["images"]
        text += f"\n{stage}: {own:,.0f} bytes of its own an image, {every:,.0f} with mapped files"
        text += ".\n" if stage == "ingest" else f"; the index on disk has {on_disk:,.0f}.\n"
    shares = ", ".join(f"{_share(run):.1f}% ({run['images']:,})" for run in runs)
    text += (
        f"\n1% more took {shares} of the full time of both stages. The lines through these sizes give "
        f"{_at(slopes, 'fresh', MILLION):,.0f} s for a fresh million of such images and "
        f"{_at(slopes, 'added', MILLION):,.0f} s for 1% more; a million was not run.\n\n"
    )
    across = [run["images"] for run in runs]
    series = {
        stage: (across, [run["fresh"][stage]["peak_own_bytes"] / 2**20 for run in runs]) for stage in STAGES
    }
    text += charts.lines(
        "memory", "Peak memory of its own", x="images", y="MiB", series=series, log=False
    )  # fmt: skip
    return f"{text}\n{result.target_table(result.targets(content))}\n{result.footer(content)}"


if __name__ == "__main__":
    measure()
    print(section())
