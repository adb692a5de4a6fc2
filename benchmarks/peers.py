"""Accuracy of the peers on the corpus that ours is reported on, each at the distance that suits it best.

`python -m benchmarks.peers`
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import charts, corpus_cache, environments, result
from benchmarks.corpus import Row, Score, read_truth, score
from benchmarks.process_cost import FailedRunError

NAME = "peers"
COMMAND = "python -m benchmarks.peers"
OURS = "curate"
IMAGES = 300 if result.quick() else 6000
SEED = 2
_LIMIT_S = 60 if result.quick() else 240
INTRO = """## Accuracy of the peers

The corpus that curate is reported on above: {images:,} files, seed {seed}, transforms that nothing of ours
was tuned on. Each peer is shown at the distance at which its own F1 on this very corpus is best, which
favors it: curate's parameters were fixed on another seed and other transforms. Found pairs are compared
with all pairs within families. fastdup's license forbids commercial use; it is only measured.

"""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Distances to try, in the peer's unit.

    Attributes:
        unit: What the distances are.
        distances: Ascending.
        each: True = its groups change with the distance: run it for each. False = run it for the widest and
            take the pairs up to each.
        files: At most so many files, in whole families; 0 = all. For what compares every pair in Python.
    """

    unit: str
    distances: tuple[float, ...]
    each: bool = False
    files: int = 0


SWEEPS = {
    "imagehash": Sweep("bits of 64", (4, 6, 8, 10, 12, 14, 16, 18)),
    "imagededup": Sweep("bits of 64", (4, 6, 8, 10, 12, 14, 16, 18)),
    "czkawka": Sweep("bits of 64", (7, 10, 13), each=True),
    "fastdup": Sweep("1 - cosine", (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25)),
    "cleanvision": Sweep("equal hashes", (0,)),
    "difpy": Sweep("mean squared error", (40, 80), each=True, files=400),
}


def measure() -> None:
    """Run every peer on the corpus and save its best figures."""
    folder = corpus_cache.families(IMAGES, seed=SEED)
    truth = read_truth(folder)
    rows: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    for name, sweep in SWEEPS.items():
        try:
            with _part(folder, truth, sweep.files) as (images, part):
                rows[name] = _sweep(name, sweep, images, part)
        except FailedRunError as error:
            failed[name] = str(error).splitlines()[-1]
    content = {"images": len(truth), "seed": SEED, "corpus": folder.name, "rows": rows, "failed": failed}
    result.save(NAME, content, command=COMMAND)


@contextmanager
def _part(folder: Path, truth: list[Row], files: int) -> Iterator[tuple[Path, list[Row]]]:
    """The first families of a corpus in a folder of links, or all of it."""
    if not 0 < files < len(truth):
        yield folder / "images", truth
        return
    families = {row.family for row in truth[:files]}
    part = [row for row in truth if row.family in families]
    with tempfile.TemporaryDirectory(dir=result.CACHE) as scratch:
        for row in part:
            os.link(folder / "images" / row.file, Path(scratch) / row.file)
        yield Path(scratch), part


def _sweep(name: str, sweep: Sweep, folder: Path, truth: list[Row]) -> dict[str, Any]:
    """The best distance of a peer, and its F1 at all of them."""
    widest = sweep.distances[-1]
    curve: dict[str, float] = {}
    best: tuple[float, float, Score] | None = None
    answer = None
    for distance in sweep.distances:
        if answer is None or sweep.each:
            answer = environments.ask(name, folder, distance if sweep.each else widest, timeout_s=_LIMIT_S)
        # A group may hold pairs that are further apart than what joined it.
        found = [pair[:2] for pair in answer.pairs if sweep.each or pair[2] <= distance]
        figures = score(found, truth)
        curve[f"{distance:g}"] = figures.f1
        if best is None or figures.f1 > best[1]:
            best = (distance, figures.f1, figures)
    if answer is None or best is None:
        raise FailedRunError("no distance to try")
    figures = best[2]
    return {
        "version": answer.peer,
        "files": len(truth),
        "unit": sweep.unit,
        "distance": best[0],
        "f1_by_distance": curve,
        "precision": figures.precision,
        "recall": figures.recall,
        "f1": figures.f1,
        "photographs": figures.photographs,
        "by_transform": figures.by_transform,
    }


def section() -> str:
    """The Markdown of the last results, with curate's own on the same files."""
    content = result.load(NAME)
    rows = {**_ours(content["corpus"]), **content["rows"]}
    rows = dict(sorted(rows.items(), key=lambda item: -item[1]["f1"]))
    lines = [
        [
            _title(row, content["images"]),
            row["unit"] if name in (OURS, "cleanvision") else f"{row['distance']:g} ({row['unit']})",
            f"{row['precision']:.3f}",
            f"{row['recall']:.3f}",
            f"**{row['f1']:.3f}**",
            f"{row['photographs'][2]:.3f}",
        ]
        for name, row in rows.items()
    ]
    header = ["", "best at", "precision", "recall", "F1", "F1 on photographs"]
    text = str(INTRO.format(**content)) + result.table(header, lines, numbers=4)
    for name, reason in content["failed"].items():
        text += f"\n{name} is missing: {reason}\n"
    chart = charts.bars(
        "peers", "F1 on pairs", [*rows], [round(row["f1"], 3) for row in rows.values()], ours=[OURS]
    )
    text += f"\n{chart}\nShare of copies found, by transform:\n\n{_by_transform(rows)}"
    return f"{text}\n{result.footer(content)}"


def _ours(corpus: str) -> dict[str, Any]:
    """Our row, if its accuracy was measured on that corpus."""
    try:
        content = result.load("accuracy")
    except FileNotFoundError:
        return {}
    if content["corpus"] != corpus:
        return {}
    return {OURS: {**content["ours"], "version": "**curate**", "unit": "default parameters", "files": None}}


def _title(row: dict[str, Any], images: int) -> str:
    part = row["files"] is not None and row["files"] < images
    return str(row["version"]) + (f", first {row['files']} files" if part else "")


def _by_transform(rows: dict[str, Any]) -> str:
    names = sorted({name for row in rows.values() for name in row["by_transform"]})
    lines = [
        [
            name,
            *(
                f"{row['by_transform'][name]:.2f}" if name in row["by_transform"] else ""
                for row in rows.values()
            ),
        ]
        for name in names
    ]
    return result.table(["transform", *rows], lines, numbers=len(rows))


if __name__ == "__main__":
    measure()
    print(section())
