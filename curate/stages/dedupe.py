"""Stage dedupe: which images show the same picture, one keeper a group; every row stays.

Images that the index lacks are hashed; candidates, verification and groups are made anew each time from the
index, so that the result depends on the images and the parameters alone.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import schema, tables
from curate.dedupe import candidates as search
from curate.dedupe import decisions, dedupe_columns, groups, hashes, index, known, roster, verify
from curate.dedupe.candidates import Searcher
from curate.dedupe.comparison import Found, Side
from curate.dedupe.decisions import Resolved
from curate.dedupe.dedupe_columns import CRASHES, HUMAN, NEAR_DUPLICATE, Verdicts
from curate.dedupe.features import Recipe
from curate.dedupe.groups import RELATIONS, Matches
from curate.dedupe.keepers import Comparisons, Merits
from curate.dedupe.roster import Roster
from curate.dedupe.search.neighbours import Pairs, plan
from curate.dedupe.spreading import Spread, bytes_here
from curate.params import DedupeParams
from curate.ports import Casualty, Engine
from curate.records import StageReport
from curate.stages import fingerprints, keeper_evidence, semantic
from curate.stages.keeper_evidence import Looking
from curate.stages.semantic import Encoder

_MEMORY_SHARE: Final = 0.5  # of this machine's, for a search
_LONG_S: Final = 60.0  # core seconds of a search that is announced


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads: the `images` table of ingest and the files it names."""

    images: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: The images table.
        plot: CSV `hamming,pairs,verified`: candidates of that distance or one bit more.
        index: Folder that is kept between runs; see `curate.dedupe.index`.
        embeddings: Another such, for the step by meaning.
    """

    table: Path
    plot: Path
    index: Path
    embeddings: Path | None = None


def _say(line: str) -> None:
    print(f"dedupe: {line}", file=sys.stderr)  # noqa: T201


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside.

    Attributes:
        engine: Decodes and hashes.
        batch_size: Images a worker takes at a time.
        say: Takes a line for the user.
        encoder: For the step by meaning; None = no such step.
        spread: Whether the engine has more machines than this one: they search for candidates too.
    """

    engine: Engine
    batch_size: int = 64
    say: Callable[[str], None] = _say
    encoder: Encoder | None = None
    spread: bool = False


def run(params: DedupeParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Hash what is new, group all, and drop all but each group's keeper.

    Raises:
        InputError: An image of the table has disappeared or is damaged, or a decision makes no sense.
        ParamsError: A preferred source that no image comes from, or a hash that has not so many bits.
        QuadraticSearchError: The radius is too wide for so many images.
        TableError: The table is missing or of another version.
        StorageError: The disk is full or refuses, or another process writes to the index.
    """
    recipe = Recipe.of(params)
    listed, said = _read(params, inputs.images)
    fit = listed.fit.copy()
    fit[list(said.drop)] = False
    job = _Job(params, inputs, outputs, ports, listed, said, fit)
    radius = _radius(params, recipe, int(fit.sum()), ports.say)
    images = _hash(job, recipe)
    found, new = known.compare(
        images.side,
        recipe,
        max_hamming=radius,
        min_correlation=params.min_correlation,
        kept=images.folder / "compared.bin",
        searcher=_searcher(job, recipe, len(images.rows), radius, images.folder / "search"),
    )
    merits = _merits(listed, said)
    comparisons = _originals(job, recipe, images, found.matches)
    order = merits.take(images.rows).best_first(comparisons)
    best = images.rows[order]
    place = np.full(len(fit), -1, dtype=np.int64)
    place[best] = np.arange(len(best))
    hashes_of = images.side.stored.hashes[images.side.rows[order]]
    matches = _with_meaning(job, found.matches.renamed(place[images.rows]), hashes_of, place)
    merits = merits.take(best)
    grouping = groups.group(
        matches,
        linkage=params.linkage,
        variants=params.variants,
        keep=merits.keep,
        same=_placed(said.same, place),
        different=_placed(said.different, place),
    )
    result = Verdicts(
        listed.ids,
        place,
        best,
        merits,
        images.side.stored.phash[images.side.rows[order]],
        grouping,
        comparisons.renamed(np.argsort(order)),
        dedupe_columns.ties(grouping, matches, hashes_of),
        params.prefer,
        said.drop,
        images.lost,
    )
    reasons = _write_table(result, inputs.images, outputs.table)
    _write_plot(found, outputs.plot)
    fresh = {"hashed": images.hashed, "reused": len(best) - images.hashed, "compared_anew": new}
    return _report(result, reasons, found, {"radius": radius, **fresh, "decisions": _counts(said)})


@dataclass(frozen=True, slots=True)
class _Job:
    """What the steps share; `fit` are the rows to compare."""

    params: DedupeParams
    inputs: Inputs
    outputs: Outputs
    ports: Ports
    listed: Roster
    said: Resolved
    fit: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Hashed:
    """Images to compare.

    Attributes:
        rows: (M,) int64 of the table, in its order.
        side: Their features, in that order.
        lost: Images that killed their worker, by row of the table.
        hashed: Images that the index lacked.
        folder: Of the generation of the index: it goes when rows of the index move.
    """

    rows: NDArray[np.int64]
    side: Side
    lost: Mapping[int, Casualty]
    hashed: int
    folder: Path


def _hash(job: _Job, recipe: Recipe) -> _Hashed:
    """Bring the index up to date and take the features from it."""
    filling = fingerprints.hashing(recipe, job.ports.engine, job.ports.batch_size)
    with index.writing(job.outputs.index, fingerprints.contents(recipe)) as (shelf, wrong):
        if wrong:
            job.ports.say(f"the index is made anew: {wrong}")
        before = len(shelf)
        lost = filling.update(shelf, job.inputs.images, job.fit, job.listed.ids)
        fit = job.fit.copy()
        fit[list(lost)] = False
        rows = np.flatnonzero(fit)
        side = Side(fingerprints.features(shelf), shelf.find(job.listed.ids[rows]))
        return _Hashed(rows, side, lost, len(shelf) - before, shelf.folder)


def _originals(job: _Job, recipe: Recipe, images: _Hashed, matches: Matches) -> Comparisons:
    """Evidence for the original of each two images of which one may be dropped for the other."""
    pairs = keeper_evidence.wanted(matches, job.params.variants)
    on_disk = Pairs(images.side.rows[pairs.first], images.side.rows[pairs.second], pairs.hamming)
    looking = Looking(
        job.ports.engine, job.inputs.images, job.listed.ids, job.outputs.index / "originals.arrow"
    )
    found = looking.compare(
        images.rows[pairs.first],
        images.rows[pairs.second],
        verify.placements(images.side.stored, on_disk, recipe),
    )
    return replace(found, first=pairs.first, second=pairs.second)


def _searcher(job: _Job, recipe: Recipe, count: int, radius: int, folder: Path) -> Searcher:
    """This machine, or the engine's workers: on a cluster, and where one search would not fit the memory."""
    memory = int(_MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    bits = 64 * hashes.words(recipe.hash, recipe.bits)
    needed = max(bytes_here(count, min(radius, bits), bits), bytes_here(count, min(radius, 64), 64))
    if not job.ports.spread and needed <= memory:
        return search.here
    if needed > memory:
        line = f"the search would take {needed / 2**30:,.1f} GiB here: it is cut into shards for the workers"
        job.ports.say(line)
    return Spread(job.ports.engine, folder, memory // (os.cpu_count() or 1))


def _with_meaning(
    job: _Job, matches: Matches, hashes: NDArray[np.uint64], place: NDArray[np.int64]
) -> Matches:
    """The matches, and those by meaning that pixels did not show, if an encoder is there."""
    if job.ports.encoder is None or job.outputs.embeddings is None:
        return matches
    fit = place >= 0
    pairs, lost = semantic.pairs(
        job.ports.encoder,
        job.outputs.embeddings,
        job.inputs.images,
        fit,
        job.listed.ids,
        min_cosine=job.params.semantic.min_cosine,
    )
    if lost:
        job.ports.say(f"{len(lost):,} images killed the encoder's worker and are compared by pixels only")
    a, b = place[pairs.first], place[pairs.second]
    differing = np.bitwise_count(hashes[a] ^ hashes[b]).sum(axis=1, dtype=np.uint16)
    return groups.with_semantic(matches, np.minimum(a, b), np.maximum(a, b), differing, pairs.cosine)


def _read(params: DedupeParams, path: Path) -> tuple[Roster, Resolved]:
    """The table and what people decided about its images."""
    made = decisions.load(params.decisions) if params.decisions else []
    named = {name for one in made for name in (one.image, one.other) if name and not decisions.is_id(name)}
    listed = roster.read(path, prefer=params.prefer, places=named)
    said = decisions.resolve(made, params.decisions or Path(), listed.ids, listed.places)
    # What an earlier stage dropped keeps that reason.
    return listed, replace(said, drop={row: one for row, one in said.drop.items() if listed.fit[row]})


def _radius(params: DedupeParams, recipe: Recipe, count: int, say: Callable[[str], None]) -> int:
    """Bits between candidates, checked before any image is decoded."""
    radius = search.radius(count, recipe) if params.max_hamming is None else params.max_hamming
    if params.max_hamming is None and radius < search.radius(1, recipe):
        say(f"candidates within {radius} bits, as there are {count:,} images (dedupe.max_hamming)")
    bits = 64 * hashes.words(recipe.hash, recipe.bits)
    if recipe.hash != "colorhash":  # a few bits of a word: no evenly spread hash
        planned = plan(count, min(radius, bits), bits)
        planned.require_selective()
        if planned.core_seconds > _LONG_S:
            say(f"the search will take about {planned.core_seconds / 60:,.0f} minutes of a core")
    return radius


def _merits(listed: Roster, said: Resolved) -> Merits:
    keep = listed.merits.keep.copy()
    keep[said.keep] = True
    return replace(listed.merits, keep=keep)


def _placed(pairs: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of rows as pairs of places, as far as both images are compared."""
    placed = place[pairs].reshape(-1, 2)
    both: NDArray[np.int64] = placed[(placed >= 0).all(axis=1)]
    return both


def _write_table(result: Verdicts, source: Path, target: Path) -> Counter[str]:
    """Stream the table through; how often each reason to drop an image occurs."""
    reasons: Counter[str] = Counter()
    with tables.stream(target, schema.IMAGES) as stream:
        for piece in tables.pieces(source, schema.IMAGES):
            done = result.complete(piece, stream.num_rows)
            for counted in pc.value_counts(done["drop_reason"].drop_null()):
                reasons[counted["values"].as_py()] += counted["counts"].as_py()
            stream.write(done)
    return reasons


def _write_plot(found: Found, path: Path) -> None:
    near = found.by_hamming
    most = int(np.flatnonzero(near).max(initial=0))
    every = np.pad(near, (0, 2))
    verified = np.bincount(found.matches.hamming, minlength=most + 2)
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["hamming", "pairs", "verified"])
        # In steps of two: a median sets just half of the bits, so nearly all distances are even.
        for bits in range(0, most + 1, 2):
            writer.writerow([bits, every[bits : bits + 2].sum(), verified[bits : bits + 2].sum()])


def _counts(said: Resolved) -> Mapping[str, int]:
    paired = {"same": len(said.same), "different": len(said.different)}
    return {"keep": len(said.keep), "drop": len(said.drop), **paired, "of_absent_images": said.absent}


def _report(result: Verdicts, reasons: Counter[str], found: Found, further: Mapping[str, Any]) -> StageReport:
    gone = result.ties.gone
    sizes = np.bincount(result.grouping.group)
    relations = Counter(RELATIONS[kind] for kind in result.ties.relation[gone].tolist())
    counts = [
        ("images", len(result.ids)),
        ("kept", len(result.ids) - sum(reasons.values())),
        ("near-duplicates dropped", reasons[NEAR_DUPLICATE]),
        ("groups", int((sizes > 1).sum())),
    ]
    variants = int((result.ties.variant_of >= 0).sum())
    counts += [("variants kept", variants)] * bool(variants)
    people, crashed = reasons[HUMAN], reasons[CRASHES]
    counts += [("dropped by people", people)] * bool(people) + [("crashed a decoder", crashed)] * bool(
        crashed
    )
    metrics = {
        **further,
        "dropped_by_reason": dict(sorted(reasons.items())),
        "duplicates_by_relation": dict(sorted(relations.items())),
        "variants_kept": variants,
        "candidate_pairs": found.candidates,
        "verified_pairs": len(found.matches.first),
        "largest_group": int(sizes[sizes > 1].max(initial=0)),
    }
    return StageReport("dedupe", tuple(counts), metrics)
