"""A corpus with known near-duplicates: distinct scenes, families of copies, the truth, and how to score it.

    python -m benchmarks.corpus OUT --seed 1 --images 6000 --transforms report

writes OUT/images/*.jpg (png, webp) and OUT/truth.csv, one row per file. A family is an original and two to
four copies, each by another transform. Two thirds of the files belong to families. Scenes are 84% photographs
(`benchmarks.photo_collages`), 10% graphics and 6% plain pictures (`benchmarks.synthetic_graphics`), each
drawn again until it is distinct from every earlier one. `--transforms` also picks which half of the
photographs the scenes are made of.

Truth: all pairs within a family, copies of one original included. Recall by transform counts the pairs of an
original and its copy.
"""

from __future__ import annotations

import argparse
import csv
import math
import multiprocessing
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks import photo_collages, synthetic_graphics, transforms

UInt8Array = npt.NDArray[np.uint8]
KINDS: Final = ("photograph", "graphic", "plain")
_KIND_SHARES: Final = (0.84, 0.10, 0.06)
_COPIES: Final = (2, 3, 4)
_TRIES: Final = 30
_SKETCH_PIXELS: Final = 4096
_DRAWN_PIXELS: Final = 200_000  # more would show no more: the photographs have no finer detail


@dataclass(frozen=True, slots=True)
class Row:
    """One file of the corpus.

    Attributes:
        file: Name in images/.
        family: Number; a scene without copies is a family of one.
        transform: "original", or the name of what made the copy.
        kind: photograph, graphic or plain.
    """

    file: str
    family: int
    transform: str
    kind: str


@dataclass(frozen=True, slots=True)
class Score:
    """How found pairs compare with the truth.

    Attributes:
        precision: Of all found pairs.
        recall: Of all pairs within families.
        f1: Their harmonic mean.
        photographs: The same three over pairs of two photographs.
        by_transform: Share of original-copy pairs found, by transform.
        false: Found pairs of two families, by kind.
    """

    precision: float
    recall: float
    f1: float
    photographs: tuple[float, float, float]
    by_transform: dict[str, float]
    false: dict[str, int]


def score(found: Iterable[tuple[str, str]], truth: list[Row]) -> Score:
    """Compare found pairs of file names with the truth; order within a pair and repeats do not matter."""
    rows = {row.file: row for row in truth}
    pairs = {(a, b) if a < b else (b, a) for a, b in found if a != b}
    right = {pair for pair in pairs if rows[pair[0]].family == rows[pair[1]].family}
    wanted = set(_true_pairs(truth))
    false: dict[str, int] = dict.fromkeys((*KINDS, "mixed"), 0)
    for a, b in pairs - right:
        false[rows[a].kind if rows[a].kind == rows[b].kind else "mixed"] += 1
    hits: dict[str, list[bool]] = defaultdict(list)
    for a, b in wanted:
        for one, other in ((rows[a], rows[b]), (rows[b], rows[a])):
            if one.transform == "original":
                hits[other.transform].append((a, b) in right)
    of_photographs = [
        {pair for pair in group if all(rows[name].kind == "photograph" for name in pair)}
        for group in (pairs, right, wanted)
    ]
    return Score(
        *_figures(pairs, right, wanted),
        photographs=_figures(*of_photographs),
        by_transform={name: sum(found) / len(found) for name, found in sorted(hits.items())},
        false=false,
    )


def _figures(pairs: set[Any], right: set[Any], wanted: set[Any]) -> tuple[float, float, float]:
    precision = len(right) / len(pairs) if pairs else 1.0
    recall = len(right) / len(wanted) if wanted else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0


def _true_pairs(truth: list[Row]) -> Iterator[tuple[str, str]]:
    families: dict[int, list[str]] = defaultdict(list)
    for row in truth:
        families[row.family].append(row.file)
    for names in families.values():
        yield from combinations(sorted(names), 2)


def read_truth(folder: Path) -> list[Row]:
    """The rows of OUT/truth.csv."""
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        return [
            Row(row["file"], int(row["family"]), row["transform"], row["kind"])
            for row in csv.DictReader(file)
        ]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A family to be drawn: its number, kind, seed, copies and size."""

    family: int
    kind: str
    seed: tuple[int, int, int]
    copies: tuple[str, ...]
    pixels: int
    which: str


def write(
    folder: Path, *, seed: int, images: int, which: str, pixels: tuple[int, int], processes: int = 2
) -> list[Row]:
    """Write a corpus; the same bytes for the same arguments, whatever the processes.

    Args:
        folder: Made; must not hold another corpus.
        seed: Of every choice.
        images: Files in all, about.
        which: Set of transforms, and half of the photographs: tune, check or report.
        pixels: Least and most pixels of an original.
        processes: That draw.
    """
    (folder / "images").mkdir(parents=True)
    plans = _plans(seed, images, which, pixels)
    attempts = _distinct(plans, processes)
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = pool.map(_write_family, [folder] * len(plans), plans, attempts, chunksize=8)
        rows = [row for part in parts for row in part]
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "family", "transform", "kind"])
        writer.writerows([row.file, row.family, row.transform, row.kind] for row in rows)
    return rows


def _plans(seed: int, images: int, which: str, pixels: tuple[int, int]) -> list[_Plan]:
    rng = np.random.default_rng(seed)
    plans: list[_Plan] = []
    planned = in_families = 0
    while planned < images:
        kind = str(rng.choice(KINDS, p=_KIND_SHARES))
        names = list(transforms.PLAIN if kind == "plain" else transforms.SETS[which])
        count = int(rng.choice(_COPIES)) if in_families <= planned * 2 / 3 else 0
        copies = tuple(rng.choice(names, size=min(count, len(names)), replace=False).tolist())
        size = int(math.exp(rng.uniform(*np.log(pixels))))
        plans.append(_Plan(len(plans), kind, (seed, len(plans), 0), copies, size, which))
        planned += 1 + len(copies)
        in_families += 1 + len(copies) if copies else 0
    return plans


def _draw(plan: _Plan, attempt: int) -> UInt8Array:
    """Pixels of an original."""
    rng = np.random.default_rng((*plan.seed, attempt))
    if plan.kind == "photograph":
        scene = photo_collages.draw(rng, photo_collages.HALVES[plan.which], min(plan.pixels, _DRAWN_PIXELS))
        grow = math.sqrt(plan.pixels / (scene.pixels.shape[0] * scene.pixels.shape[1]))
        larger = cv2.resize(scene.pixels, None, fx=grow, fy=grow, interpolation=cv2.INTER_CUBIC)
        grain = rng.standard_normal(larger.shape[:2], dtype=np.float32)[:, :, None] * rng.uniform(1, 4)
        grainy: UInt8Array = np.clip(larger + grain, 0, 255).astype(np.uint8)
        return grainy
    width = round(math.sqrt(plan.pixels * float(rng.choice([1.0, 4 / 3, 1.5, 0.75]))))
    draw = synthetic_graphics.draw_graphic if plan.kind == "graphic" else synthetic_graphics.draw_plain
    return draw(rng, width, plan.pixels // width)


def _sketch(plan: _Plan, attempt: int = 0) -> npt.NDArray[Any]:
    """What tells whether a scene is distinct: cells of a photograph, 64 x 64 pixels of the others."""
    if plan.kind == "photograph":  # a small drawing has the same cells
        rng = np.random.default_rng((*plan.seed, attempt))
        return photo_collages.draw(rng, photo_collages.HALVES[plan.which], _SKETCH_PIXELS).cells
    pixels = _draw(plan, attempt)
    return np.asarray(cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA))


def _distinct(plans: list[_Plan], processes: int) -> list[int]:
    """Which attempt at each plan is distinct from all that come before it."""
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        sketches = list(pool.map(_sketch, plans, chunksize=16))
    kept: dict[bool, npt.NDArray[Any]] = {
        True: np.zeros((len(plans), photo_collages.CELLS, photo_collages.CELLS, 4), dtype=np.float32),
        False: np.zeros((len(plans), 64, 64, 3), dtype=np.uint8),
    }
    counts = {True: 0, False: 0}
    attempts: list[int] = []
    for plan, first in zip(plans, sketches, strict=True):
        drawn, photographic = first, plan.kind == "photograph"
        for attempt in range(_TRIES):
            drawn = first if attempt == 0 else _sketch(plan, attempt)
            if _is_new(drawn, kept[photographic][: counts[photographic]], photographic=photographic):
                break
        else:
            raise RuntimeError(f"scene {plan.family} resembles an earlier one after {_TRIES} tries")
        kept[photographic][counts[photographic]] = drawn
        counts[photographic] += 1
        attempts.append(attempt)
    return attempts


def _is_new(sketch: npt.NDArray[Any], earlier: npt.NDArray[Any], *, photographic: bool) -> bool:
    if photographic:
        return bool((photo_collages.shared(sketch, earlier) < photo_collages.MAX_SHARED).all())
    return bool(synthetic_graphics.differ(sketch, earlier).all())


def _write_family(folder: Path, plan: _Plan, attempt: int) -> list[Row]:
    cv2.setNumThreads(1)
    original = _draw(plan, attempt)
    rng = np.random.default_rng((*plan.seed, 1 << 20))
    files = [("original", transforms.encode(original, quality=int(rng.integers(82, 96))))]
    files += [(name, transforms.make(name, plan.which, rng, original)) for name in plan.copies]
    rows = []
    for name, file in files:
        # Names say nothing about families, in case somebody's tool looks at them.
        row = Row(f"{rng.integers(1 << 62):016x}{file.extension}", plan.family, name, plan.kind)
        (folder / "images" / row.file).write_bytes(file.content)
        rows.append(row)
    return rows


def main() -> None:
    """Write a corpus from the command line."""
    parser = argparse.ArgumentParser(description="Write a corpus of images with known near-duplicates.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--transforms", choices=sorted(transforms.SETS), default="report")
    parser.add_argument("--pixels", type=int, nargs=2, default=(300_000, 1_200_000))
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    rows = write(
        asked.folder,
        seed=asked.seed,
        images=asked.images,
        which=asked.transforms,
        pixels=tuple(asked.pixels),
        processes=asked.processes,
    )
    print(f"{len(rows)} files in {asked.folder}/images, the truth in {asked.folder}/truth.csv")


if __name__ == "__main__":
    main()
