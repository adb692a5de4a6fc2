"""Stage vote: which model looks better, by comparisons of pairs, in rounds until the order is settled."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from curate import tables
from curate.errors import ParamsError
from curate.params import VoteParams
from curate.records import StageReport
from curate.restoration import comparison_plan, pairwise_ranking, table_schemas
from curate.restoration.comparison_plan import Comparison
from curate.restoration.pairwise_ranking import Strength, Vote
from curate.restoration.simulated_raters import SimulatedRaters

_LOWER_IS_BETTER = ("flip", "lpips", "dists", "niqe_here", "blur", "ringing")
_PLAN = ("comparison_id", "image_id", "left", "right", "kind")
_VOTES = ("comparison_id", "image_id", "rater_id", "kind", "winner", "loser")
_RANKING = ("model", "strength", "low", "high", "votes", "raters")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads: the tables of pairs, upscale and measure."""

    pairs: Path
    upscaled: Path
    figures: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes, as CSV: the comparisons in their order, the votes, and the ranking."""

    plan: Path
    votes: Path
    ranking: Path


def run(params: VoteParams, *, inputs: Inputs, outputs: Outputs) -> StageReport:
    """Plan comparisons, ask simulated raters if that is wanted, and rank the models.

    Raises:
        ParamsError: Raters shall go by a metric that was not measured.
        TableError: A table is missing.
        StorageError: The disk is full or refuses.
    """
    rows = tables.read(
        inputs.upscaled, table_schemas.UPSCALED, columns=["image_id", "model", "path"]
    ).to_pylist()
    results: dict[str, list[str]] = {}
    for row in rows:
        if row["path"] is not None:
            results.setdefault(row["image_id"], []).append(row["model"])
    planned = comparison_plan.plan(
        results,
        images=params.images,
        repeat_share=params.repeat_share,
        attention_share=params.attention_share,
        seed=params.seed,
    )
    _write(outputs.plan, _PLAN, ([getattr(one, name) for name in _PLAN] for one in planned))
    if params.raters == "none" or not planned:
        _write(outputs.votes, _VOTES, [])
        _write(outputs.ranking, _RANKING, [])
        return StageReport("vote", (("comparisons", len(planned)), ("votes", 0)), {"raters": params.raters})
    raters = _raters(params, inputs.figures)
    able = [one for one in planned if raters.knows(one)]
    votes, found, rounds = _asked(params, able, raters, _images(inputs.pairs))
    _write(outputs.votes, _VOTES, ([*row] for row in votes))
    ranking = [[s.model, s.strength, s.low, s.high, s.votes, params.raters] for s in found]
    _write(outputs.ranking, _RANKING, ranking)
    counts = (
        ("comparisons", len(planned)),
        *([("without a figure", len(planned) - len(able))] if len(able) < len(planned) else []),
        ("votes", len(_votes(votes))),
    )
    return StageReport("vote", counts, _metrics(params, votes, found, rounds))


Row = tuple[str, str, str, str, str, str]  # of _VOTES


def _images(pairs: Path) -> dict[str, str]:
    """The image of each pair: what is resampled, as pairs of one image depend on each other."""
    rows = tables.read(pairs, table_schemas.IMAGE_PAIRS, columns=["pair_id", "image_id"]).to_pylist()
    return {row["pair_id"]: row["image_id"] for row in rows}


def _raters(params: VoteParams, figures: Path) -> SimulatedRaters:
    table = tables.read(figures, table_schemas.MEASURED, columns=["model", "pair_id", "metric", "value"])
    table = table.filter(pc.and_(pc.equal(table["metric"], params.metric), pc.is_valid(table["value"])))
    values = {(row["pair_id"], row["model"]): row["value"] for row in table.to_pylist()}
    if not values:
        raise ParamsError(f"vote.metric = {params.metric!r} was not measured: choose one of measure.metrics")
    return SimulatedRaters(
        values,
        higher_is_better=params.metric not in _LOWER_IS_BETTER,
        noise=params.noise,
        number=params.number,
        seed=params.seed,
    )


def _asked(
    params: VoteParams, planned: Sequence[Comparison], raters: SimulatedRaters, image_of: Mapping[str, str]
) -> tuple[list[Row], list[Strength], int]:
    """Votes, the ranking, and the number of rounds that it took."""
    images = list(dict.fromkeys(one.image_id for one in planned))
    rows: list[Row] = []
    found: list[Strength] = []
    rounds = 0
    for start in range(0, len(images), params.round_images):
        rounds += 1
        of_round = set(images[start : start + params.round_images])
        asked = [one for one in planned if one.image_id in of_round]
        for one, rater, winner in raters.ask(asked):
            loser = one.right if winner == one.left else one.left
            rows.append((one.comparison_id, one.image_id, rater, one.kind, winner, loser))
        votes = [replace(one, image_id=image_of.get(one.image_id, one.image_id)) for one in _votes(rows)]
        if votes:
            found = pairwise_ranking.strengths(votes, resamples=params.bootstrap, seed=params.seed)
        if rounds > 1 and pairwise_ranking.is_settled(found):
            break
    return rows, found, rounds


def _votes(rows: Sequence[Row]) -> list[Vote]:
    """Those that count for the ranking: no attention checks, and of a repeat the first answer."""
    return [
        Vote(image, rater, winner, loser) for _, image, rater, kind, winner, loser in rows if kind == "vote"
    ]


def _metrics(
    params: VoteParams, rows: Sequence[Row], found: Sequence[Strength], rounds: int
) -> Mapping[str, Any]:
    agreed, pairs = pairwise_ranking.agreement(_votes(rows))
    every = [
        Vote(image, rater, win, lose) for _, image, rater, kind, win, lose in rows if kind != "attention"
    ]
    attention = [win == comparison_plan.CLEAN for _, _, _, kind, win, _ in rows if kind == "attention"]
    return {
        "raters": params.raters,
        "rounds": rounds,
        "settled": pairwise_ranking.is_settled(found),
        "agreement": agreed,
        "agreement_pairs": pairs,
        "consistency": {
            k: {"same": s, "repeats": n} for k, (s, n) in pairwise_ranking.consistency(every).items()
        },
        "attention": {"passed": sum(attention), "asked": len(attention)},
        "strengths": {one.model: {"value": one.strength, "low": one.low, "high": one.high} for one in found},
    }


def _write(path: Path, header: Sequence[str], rows: Iterator[list[Any]] | Sequence[Sequence[Any]]) -> None:
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
