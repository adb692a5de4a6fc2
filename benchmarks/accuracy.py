"""How right near-duplicates are: a corpus that nothing was tuned on, and what chance brings at scale.

`python -m benchmarks.accuracy`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import charts, corpus_cache, dedupe_outcomes, photo_collages, result
from benchmarks.corpus import Row, Score, read_truth, score
from benchmarks.distinct_scenes import draw_features
from benchmarks.result import Target
from curate.dedupe.candidates import candidates, radius
from curate.dedupe.features import Features, Recipe, extract
from curate.dedupe.groups import Matches, group
from curate.dedupe.hamming_search import Pairs, pairs_within
from curate.dedupe.verify import Verified, verify
from curate.params import DedupeParams

NAME = "accuracy"
COMMAND = "python -m benchmarks.accuracy"
IMAGES = 300 if result.quick() else 6000
SEED = 2
SCENES = 2000 if result.quick() else 60_000
SCENES_SEED = 77
_BATCH = 64
_RADII = (4, 6, 8, 10, 12)
_ALONE = (0, 2, 4, 6, 8, 10, 12, 14, 16)
INTRO = """## Near-duplicates: accuracy

`python -m benchmarks.corpus OUT --seed {seed} --images {asked}` writes the corpus: {images:,} files,
{families:,} families of an original and two to four copies, each by another transform; photographs, graphics
and plain pictures. Parameters and rules were fixed on seed 11 with the transforms of another set
(`--transforms tune`), whose scenes are made of the other half of the photographs, and looked at once on a
third set (`--transforms check`), which showed that crops into corners and opaque stickers were missed; what
was added for them was again fixed on the first. This corpus was written and measured after that.
Counted are all pairs within a family, those of two copies of one original too.

"""
CHANCE = """
### What chance brings

{scenes:,} scenes, each drawn once, and all {pairs:,} pairs of them. Pairs that share {max_shared:.0%} or
more of their cells, by the map that every scene carries of where its pixels come from, show overlapping parts
of one photograph and are left out; all others are different pictures. Pairs grow with the square of the
number of images, so a million of them have {factor:,.0f} times as many.

"""


def measure() -> None:
    """Measure the accuracy of every case and save it."""
    recipe = Recipe.of(DedupeParams())
    folder = corpus_cache.families(IMAGES, seed=SEED)
    truth = read_truth(folder)
    paths = [folder / "images" / row.file for row in truth]
    features = _joined([extract(paths[at : at + _BATCH], recipe) for at in range(0, len(paths), _BATCH)])
    found = candidates(features, recipe, None)
    verified = verify(features, found, recipe, min_correlation=DedupeParams().min_correlation)
    ours = score(_named(truth, _taken(found, verified.same)), truth)
    grouped = score(_named(truth, _of_groups(features, found, verified)), truth)
    alone = {bits: score(_named(truth, pairs_within(features.hashes, bits)), truth) for bits in _ALONE}
    best = max(alone, key=lambda bits: alone[bits].f1)
    content = {
        "images": len(truth),
        "asked": IMAGES,
        "seed": SEED,
        "families": len({row.family for row in truth if row.transform != "original"}),
        "corpus": folder.name,
        "radius": radius(len(truth), recipe),
        "min_correlation": DedupeParams().min_correlation,
        "ours": asdict(ours),
        "groups": asdict(grouped),
        "by_radius": _by_radius(features, recipe, truth),
        "alone": {str(bits): asdict(figures) for bits, figures in alone.items()},
        "best_alone": best,
        "candidates": len(found.first),
        "chance": _chance(recipe),
        "versions": result.versions("numpy", "scipy", "pillow", "simplejpeg", "imagehash", "numba"),
    }
    result.save(NAME, content, command=COMMAND, targets=_targets(ours))
    dedupe_outcomes.measure()


def _targets(ours: Score) -> list[Target]:
    return [
        Target("F1 of pairs on the report corpus", 0.97, ours.f1, ""),
        Target("precision on photographs", 0.995, ours.photographs[0], ""),
    ]


def _joined(parts: list[Features]) -> Features:
    names = parts[0].columns()
    return Features.from_columns(
        {name: np.concatenate([part.columns()[name] for part in parts]) for name in names}
    )


def _taken(pairs: Pairs, chosen: NDArray[np.bool_]) -> Pairs:
    return Pairs(pairs.first[chosen], pairs.second[chosen], pairs.hamming[chosen])


def _named(truth: list[Row], pairs: Pairs) -> list[tuple[str, str]]:
    both = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    return [(truth[first].file, truth[second].file) for first, second in both]


def _of_groups(features: Features, pairs: Pairs, verified: Verified) -> Pairs:
    """All pairs within groups as the stage makes them, larger pictures being better ones."""
    order = np.argsort(-features.size.astype(np.int64).prod(axis=1), kind="stable")
    rank = np.argsort(order)
    a, b = rank[pairs.first], rank[pairs.second]
    every = Matches(
        np.minimum(a, b), np.maximum(a, b), pairs.hamming, verified.correlation, verified.relation
    )
    nobody = np.zeros((0, 2), dtype=np.int64)
    grouping = group(
        every.take(verified.same),
        linkage="keeper",
        variants="keep",
        keep=np.zeros(len(order), dtype=np.bool_),
        same=nobody,
        different=nobody,
    )
    members: dict[int, list[int]] = defaultdict(list)
    for place, name in enumerate(grouping.group.tolist()):
        members[name].append(int(order[place]))
    together = [pair for rows in members.values() for pair in combinations(rows, 2)]
    first, second = np.array(together, dtype=np.int64).reshape(-1, 2).T
    return Pairs(first, second, np.zeros(len(first), dtype=np.uint16))


def _by_radius(features: Features, recipe: Recipe, truth: list[Row]) -> dict[str, Any]:
    """Scores if the radius were that of more images."""
    found = {}
    for bits in _RADII:
        pairs = candidates(features, recipe, bits)
        same = verify(features, pairs, recipe, min_correlation=DedupeParams().min_correlation).same
        found[str(bits)] = asdict(score(_named(truth, _taken(pairs, same)), truth))
    return found


def _chance(recipe: Recipe) -> dict[str, Any]:
    """False pairs among different scenes, by the hash alone, by all hashes, and after verification."""
    features, cells = draw_features(SCENES, seed=SCENES_SEED, recipe=recipe, processes=2)
    rows = {}
    for bits in _RADII:
        alone = _distinct(cells, pairs_within(features.hashes, bits))
        every = candidates(features, recipe, bits)
        checked = verify(features, every, recipe, min_correlation=DedupeParams().min_correlation)
        rows[str(bits)] = {
            "alone": int(alone.sum()),
            "candidates": int(_distinct(cells, every).sum()),
            "verified": int(_distinct(cells, _taken(every, checked.same)).sum()),
            "left_out": int((~_distinct(cells, every)).sum()),
        }
    return {
        "scenes": SCENES,
        "seed": SCENES_SEED,
        "pairs": SCENES * (SCENES - 1) // 2,
        "max_shared": photo_collages.MAX_SHARED,
        "factor": 1e12 / SCENES**2,
        "by_radius": rows,
    }


def _distinct(cells: NDArray[np.float32], pairs: Pairs) -> NDArray[np.bool_]:
    """(P,) whether the scenes of each pair are different pictures."""
    both = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    shares = [float(photo_collages.shared(cells[a], cells[b][None])[0]) for a, b in both]
    return np.array(shares, dtype=np.float32) < photo_collages.MAX_SHARED


def section() -> str:
    """The Markdown of the last results."""
    content = result.load(NAME)
    best = content["alone"][str(content["best_alone"])]
    text = INTRO.format(**content) + result.target_table(result.targets(content)) + "\n"
    lines = [
        _line(
            f"curate, pairs (radius {content['radius']}, min_correlation {content['min_correlation']})",
            content["ours"],
        ),
        _line("curate, all pairs within the groups that follow", content["groups"]),
        _line(f"pHash alone at its best radius here, {content['best_alone']}", best),
    ]
    header = ["", "precision", "recall", "F1", "precision on photographs", "F1 on photographs"]
    text += result.table(header, lines, numbers=5) + "\nShare of copies found, by transform:\n\n"
    names = sorted(content["ours"]["by_transform"])
    shares = [
        [name, *(f"{part['by_transform'][name]:.3f}" for part in (content["ours"], best))] for name in names
    ]
    text += result.table(["transform", "curate", "pHash alone"], shares, numbers=2)
    text += "\nFalse pairs of curate: " + _listed(content["ours"]["false"]) + ".\n"
    return text + _chance_section(content) + result.footer(content) + "\n" + dedupe_outcomes.section()


def _line(name: str, figures: dict[str, Any]) -> list[str]:
    photographs = figures["photographs"]
    parts = (figures["precision"], figures["recall"], figures["f1"], photographs[0], photographs[2])
    return [name, *(f"{part:.4f}" for part in parts)]


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _chance_section(content: dict[str, Any]) -> str:
    chance, factor = content["chance"], content["chance"]["factor"]
    by_radius = dict(sorted(chance["by_radius"].items(), key=lambda item: int(item[0])))
    lines = [
        [
            bits,
            *(f"{row[name]:,}" for name in ("alone", "candidates", "verified")),
            *(f"{row[name] * factor:,.0f}" for name in ("alone", "candidates", "verified")),
            f"{content['by_radius'][bits]['recall']:.3f}",
            f"{content['by_radius'][bits]['f1']:.3f}",
        ]
        for bits, row in by_radius.items()
    ]
    header = ["radius", "pHash alone", "candidates", "after verification"]
    header += [f"{name}, of a million" for name in ("pHash", "candidates", "verified")]
    header += ["recall above", "F1 above"]
    radii = [int(bits) for bits in by_radius]
    series: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        label: (radii, [max(row[name] * factor, 0.1) for row in by_radius.values()])
        for label, name in (("pHash alone", "alone"), ("candidates", "candidates"), ("verified", "verified"))
    }
    chart = charts.lines(
        "false-pairs",
        "False pairs among a million different images",
        x="radius, bits of 64",
        y="pairs",
        series=series,
        log=True,
    )
    return CHANCE.format(**chance) + result.table(header, lines, numbers=8) + f"\n{chart}\n"


if __name__ == "__main__":
    measure()
    print(section())
