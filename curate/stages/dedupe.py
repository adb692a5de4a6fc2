"""Stage dedupe: which images show the same picture, one keeper per group; every row stays.

Images that the index lacks are hashed, images that are new are compared with all others; groups are made anew
each time. So the result depends on the images and the parameters alone.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import decision_file, schema, tables
from curate.dedupe import (
    candidates,
    decisions,
    dedupe_columns,
    feature_index,
    groups,
    hamming_search,
    image_columns,
    pair_cache,
    plots,
    quality_limits,
    verify,
)
from curate.dedupe.color_figures import NAMES as COLOR_FIGURES
from curate.dedupe.color_figures import color_figures
from curate.dedupe.decisions import Resolved
from curate.dedupe.dedupe_columns import Verdicts
from curate.dedupe.duplicate_pairs import Side
from curate.dedupe.features import Features, Recipe
from curate.dedupe.groups import Matches
from curate.dedupe.hamming_search import Pairs
from curate.dedupe.image_columns import ImageColumns
from curate.dedupe.keepers import Comparisons, KeeperColumns
from curate.dedupe.quality_limits import Poor
from curate.params import DedupeParams
from curate.ports import Casualty, Engine
from curate.records import StageReport
from curate.stages import dedupe_metrics, keeper_evidence, semantic, update_index
from curate.stages.semantic import AlikeByMeaning
from curate.stages.vector_store import VectorStore

Rows = NDArray[np.int64]
_PIECE = 65_536  # images whose colors are in memory at once


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
        index: Folder that is kept between runs; see `curate.dedupe.feature_index`.
    """

    table: Path
    plot: Path
    index: Path


def _say(line: str) -> None:
    print(f"dedupe: {line}", file=sys.stderr)  # noqa: T201


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the stage needs.

    Attributes:
        engine: Decodes and hashes.
        vectors: For the step by meaning; None = no such step.
        batch_size: Images that a worker takes at a time.
        say: Takes a line for the user.
    """

    engine: Engine
    vectors: VectorStore | None = None
    batch_size: int = 64
    say: Callable[[str], None] = _say


def run(params: DedupeParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Hash what is new, group all, and drop all but each group's keeper.

    Raises:
        InputError: An image of the table has disappeared or is damaged, or a decision makes no sense.
        ParamsError: A preferred source that no image comes from.
        QuadraticSearchError: The radius is too wide for so many images.
        TableError: The table is missing or of another version.
        StorageError: The disk is full or refuses, or another process writes to the index.
    """
    recipe = Recipe.of(params)
    job = _begin(params, inputs, outputs, ports)
    radius = _radius(params, recipe, int(job.wanted.sum()), ports.say)
    hashed = _hash(job, recipe)
    settings = pair_cache.Settings(recipe, radius, params.min_correlation)
    found, n_new = pair_cache.compare(
        hashed.side, hashed.content_ids, settings, hashed.folder / "pairs.arrow"
    )
    comparisons, n_unseen = _find_originals(job, recipe, hashed, found.matches)
    ranked = _rank(job, hashed, comparisons)
    matches = found.matches.renamed(ranked.place[hashed.rows])
    meaning = _meaning(job, ranked)
    if meaning is not None:
        matches = _with_meaning(matches, meaning, ranked)
    grouping = groups.group(
        matches,
        linkage=params.linkage,
        variants=params.variants,
        keep=ranked.keeper_columns.keep,
        same=_placed(job.decided.same, ranked.place),
        different=_placed(job.decided.different, ranked.place),
    )
    evidence = comparisons.renamed(ranked.place[hashed.rows])
    result = Verdicts(
        ids=job.table.ids,
        place=ranked.place,
        compared=ranked.rows,
        keeper_columns=ranked.keeper_columns,
        phash=ranked.phash,
        grouping=grouping,
        comparisons=evidence,
        scores=evidence.scores(len(ranked.rows)),
        ties=dedupe_columns.ties(grouping, matches, ranked.hashes),
        prefer=params.prefer,
        dropped=job.decided.drop,
        lost=hashed.lost,
        poor=hashed.poor,
        colors=hashed.colors,
    )
    reasons = _write_table(result, inputs.images, outputs.table)
    plots.write_distances(found.by_hamming, found.matches.hamming, outputs.plot)
    counts = {"hashed": hashed.n_new, "reused": len(hashed.rows) - hashed.n_new, "compared_anew": n_new}
    counts["originals_unknown"] = n_unseen
    further = {"radius": radius, **counts, "decisions": dedupe_metrics.decision_counts(job.decided)}
    further["limits"] = {
        "min_correlation": params.min_correlation,
        "min_cosine": params.semantic.min_cosine,
    }
    if meaning is not None:
        further["by_meaning"] = meaning.figures()
    return dedupe_metrics.report(result, reasons, found, further)


@dataclass(frozen=True, slots=True)
class _Job:
    """What the steps share.

    Attributes:
        params: As given; the next three likewise.
        table: The images.
        decided: What people decided about them.
        wanted: (N,) bool, rows of the table to compare.
    """

    params: DedupeParams
    inputs: Inputs
    outputs: Outputs
    ports: Ports
    table: ImageColumns
    decided: Resolved
    wanted: NDArray[np.bool_]


def _begin(params: DedupeParams, inputs: Inputs, outputs: Outputs, ports: Ports) -> _Job:
    """Read the table and the decisions."""
    made = decisions.load(params.decisions) if params.decisions else []
    named = {
        name for one in made for name in (one.image, one.other) if name and not decision_file.is_id(name)
    }
    table = image_columns.read(inputs.images, prefer=params.prefer, places=named)
    decided = decisions.resolve(made, params.decisions or Path(), table.ids, table.places)
    # What an earlier stage dropped keeps that reason.
    drop = {row: one for row, one in decided.drop.items() if table.usable[row]}
    wanted = table.usable.copy()
    wanted[list(drop)] = False
    return _Job(params, inputs, outputs, ports, table, replace(decided, drop=drop), wanted)


def _radius(params: DedupeParams, recipe: Recipe, count: int, say: Callable[[str], None]) -> int:
    """Bits between candidates, checked before any image is decoded."""
    radius = candidates.radius(count, recipe) if params.max_hamming is None else params.max_hamming
    if params.max_hamming is None and radius < candidates.radius(1, recipe):
        say(f"candidates within {radius} bits, as there are {count:,} images (dedupe.max_hamming)")
    if recipe.hash != "colorhash":  # a few bits of a word: no evenly spread hash
        hamming_search.require_selective(count, radius)
    return radius


@dataclass(frozen=True, slots=True)
class _Hashed:
    """Images to compare.

    Attributes:
        rows: (M,) int64 of the table, in its order.
        side: Their features, in that order.
        content_ids: (N, 32) uint8, of all rows of the index.
        lost: Images that killed their worker, by row of the table.
        poor: Reason and detail of images of too low quality, by row of the table.
        colors: (N,) figures of the table's rows by name; NaN = not known.
        n_new: Images that the index lacked.
        folder: Of the index; it goes when its rows no longer count.
    """

    rows: Rows
    side: Side
    content_ids: NDArray[np.uint8]
    lost: Mapping[int, Casualty]
    poor: Mapping[int, Poor]
    colors: Mapping[str, NDArray[np.float32]]
    n_new: int
    folder: Path


def _hash(job: _Job, recipe: Recipe) -> _Hashed:
    """Bring the index up to date and take the features from it."""
    hashing = update_index.hashing(recipe, job.ports.engine, job.ports.batch_size)
    with feature_index.writing(job.outputs.index, update_index.contents(recipe)) as (features, wrong):
        if wrong:
            job.ports.say(f"the index is made anew: {wrong}")
        before = len(features)
        lost = hashing.update(features, job.inputs.images, job.wanted, job.table.content_ids)
    usable = job.wanted.copy()
    usable[list(lost)] = False
    stored = update_index.features(features)
    decoded = np.flatnonzero(usable)
    at = features.find(job.table.content_ids[decoded])
    colors = _colors(stored, decoded, at, len(usable))
    judged = usable.copy()
    judged[job.decided.keep] = False  # a person saw it
    poor = quality_limits.find(job.params.quality, job.inputs.images, judged, colors)
    usable[list(poor)] = False
    side = Side(stored, at[usable[decoded]])
    count, contents = len(features) - before, np.asarray(features.content_ids)
    return _Hashed(np.flatnonzero(usable), side, contents, lost, poor, colors, count, features.folder)


def _colors(stored: Features, rows: Rows, at: Rows, count: int) -> dict[str, NDArray[np.float32]]:
    """Figures of color of all `count` rows of the table, of which `rows` stand `at` places of the index."""
    colors: dict[str, NDArray[np.float32]] = {
        name: np.full(count, np.nan, dtype=np.float32) for name in COLOR_FIGURES
    }
    for start in range(0, len(rows), _PIECE):
        some = slice(start, start + _PIECE)
        for name, values in zip(COLOR_FIGURES, color_figures(stored.color[at[some]]), strict=True):
            colors[name][rows[some]] = values
    return colors


def _find_originals(job: _Job, recipe: Recipe, hashed: _Hashed, matches: Matches) -> tuple[Comparisons, int]:
    """Evidence for the original of each two images of which one may be dropped for the other.

    And over how many of these pairs a worker died.
    """
    pairs = keeper_evidence.wanted(matches, job.params.variants)
    stored = hashed.side.rows[pairs.first], hashed.side.rows[pairs.second]
    placement = verify.placements(hashed.side.stored, Pairs(*stored, pairs.hamming), recipe)
    kept = job.outputs.index / "originals.arrow"
    contents = job.table.content_ids
    looking = keeper_evidence.Looking(job.ports.engine, job.inputs.images, contents, kept, recipe)
    found = looking.compare(hashed.rows[pairs.first], hashed.rows[pairs.second], placement)
    return replace(found, first=pairs.first, second=pairs.second), found.n_lost


@dataclass(frozen=True, slots=True)
class _Ranked:
    """The compared images, best first: the order in which keepers are chosen.

    Attributes:
        rows: (M,) int64 of the table.
        place: (N,) int64 of each row of the table in this order; -1 = not compared.
        keeper_columns: What the order follows from, in this order; the next ones likewise.
        hashes: (M, 1) uint64, of the recipe's name.
        phash: (M,) uint64.
    """

    rows: Rows
    place: Rows
    keeper_columns: KeeperColumns
    hashes: NDArray[np.uint64]
    phash: NDArray[np.uint64]


def _rank(job: _Job, hashed: _Hashed, comparisons: Comparisons) -> _Ranked:
    keep = job.table.keeper_columns.keep.copy()
    keep[job.decided.keep] = True
    keeper_columns = replace(job.table.keeper_columns, keep=keep).take(hashed.rows)
    order = keeper_columns.best_first(comparisons)
    rows = hashed.rows[order]
    place = np.full(len(job.wanted), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    stored, at = hashed.side.stored, hashed.side.rows[order]
    return _Ranked(rows, place, keeper_columns.take(order), stored.hashes[at][:, None], stored.phash[at])


def _meaning(job: _Job, ranked: _Ranked) -> AlikeByMeaning | None:
    """What is alike by meaning, where that is asked for."""
    if job.ports.vectors is None:
        return None
    compared, bound = ranked.place >= 0, job.params.semantic.min_cosine
    return semantic.find(job.ports.vectors, job.inputs.images, compared, job.table.ids, min_cosine=bound)


def _with_meaning(matches: Matches, meaning: AlikeByMeaning, ranked: _Ranked) -> Matches:
    """The matches, and those by meaning that pixels did not show."""
    near = meaning.pairs
    a, b = ranked.place[near.first], ranked.place[near.second]
    differing = np.bitwise_count(ranked.hashes[a] ^ ranked.hashes[b]).sum(axis=1, dtype=np.uint16)
    return groups.with_semantic(matches, np.minimum(a, b), np.maximum(a, b), differing, near.cosine)


def _placed(pairs: Rows, place: Rows) -> Rows:
    """Pairs of rows as pairs of places, as far as both images are compared."""
    placed = place[pairs].reshape(-1, 2)
    both: Rows = placed[(placed >= 0).all(axis=1)]
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
