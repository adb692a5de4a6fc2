"""Stage vote: which model looks better, by comparisons of pairs, in rounds until the order is settled."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from curate import tables
from curate.errors import ParamsError, WaitingForPeopleError
from curate.params import VoteParams
from curate.ports.comparison import ComparisonTool, PulledVotes
from curate.records import StageReport
from curate.restoration import cast_votes, comparison_plan, pairwise_ranking, table_schemas
from curate.restoration.cast_votes import CastVote
from curate.restoration.comparison_pictures import ComparisonPictures
from curate.restoration.comparison_plan import Comparison
from curate.restoration.pairwise_ranking import Strength
from curate.restoration.simulated_raters import SimulatedRaters
from curate.stages import vote_people
from curate.stages.vote_people import Answers, People

_LOWER_IS_BETTER = ("flip", "lpips", "dists", "niqe_here", "blur", "ringing")
_PLAN = ("comparison_id", "pair_id", "left", "right", "kind")
_VOTES = ("comparison_id", "pair_id", "rater_id", "kind", "winner", "loser", "counts", "reason")
_RANKING = (
    "model",
    "strength",
    "low",
    "high",
    "votes",
    "complete",
    "raters",
)  # complete: no = people are still at it


_EDITED = "somebody changed the pictures on the server: nobody knows what was seen"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads: the tables of pairs, upscale and measure, with the files that they name."""

    pairs: Path
    upscaled: Path
    figures: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        plan: CSV of the comparisons in the order in which they are asked.
        votes: CSV of everybody's answers, under pseudonyms.
        ranking: CSV of the models, the strongest first.
        pictures: Folder of what people are shown; the server reads it.
        people: `data/people.csv`: who is called what.
    """

    plan: Path
    votes: Path
    ranking: Path
    pictures: Path
    people: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Tool with which people are asked; None = nobody is, or simulated raters are.

    `title` is that of the project of votes.
    """

    tool: ComparisonTool | None
    title: str


def run(params: VoteParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Plan comparisons, ask people or simulated raters, and rank the models.

    Raises:
        WaitingForPeopleError: People have not answered yet, and `vote.allow_partial` is false. The outputs
            are written before, by what is there: nothing of an earlier plan stands beside the new one.
        ParamsError: Simulated raters shall go by a metric that was not measured.
        InputError: A picture has disappeared or is damaged.
        AnnotationToolError: The server is unreachable or refused.
        TableError: A table is missing.
        StorageError: The disk is full or refuses.
    """
    pairs = tables.read(
        inputs.pairs, table_schemas.IMAGE_PAIRS, columns=["pair_id", "image_id", "hr_path"]
    ).to_pylist()
    image_of = {row["pair_id"]: row["image_id"] for row in pairs}
    results = _results(inputs.upscaled)
    planned = _plan(params, results)
    if params.raters == "none" or not planned:
        _write_all(outputs, planned, [], [])
        return StageReport("vote", (("comparisons", len(planned)), ("votes", 0)), {"raters": params.raters})
    rank = functools.partial(_ranked, params, image_of)
    counts: list[tuple[str, int]] = [("comparisons", len(planned))]
    answers = None
    if ports.tool is not None:
        clean = {row["pair_id"]: Path(row["hr_path"]) for row in pairs}
        pictures = ComparisonPictures(outputs.pictures, results, clean, raters=params.number)
        rounds = cast_votes.rounds(planned, params.round_pairs)
        people = People(ports.tool, ports.title, outputs.people)
        answers = vote_people.ask(params, rounds, pictures.draft, rank, people)
        votes, asked = answers.votes, answers.rounds
    else:
        raters = _raters(params, inputs.figures)
        able = [one for one in planned if raters.knows(one)]
        counts += [("without a figure", len(planned) - len(able))] if len(able) < len(planned) else []
        votes, asked = _simulated(params, able, raters, rank)
    left_out = cast_votes.inattentive(votes, params.min_attention)
    found = rank(votes)
    complete = "yes" if answers is None or not answers.open_looks else "no"
    ranking = [[s.model, s.strength, s.low, s.high, s.votes, complete, params.raters] for s in found]
    _write_all(outputs, planned, _rows(votes, left_out, answers), ranking)
    counts.append(("votes", len(cast_votes.for_ranking(votes, image_of, left_out))))
    counts += _remarks(params, votes, left_out, answers)
    counts += _unranked(inputs.upscaled, found)
    metrics = _metrics(params, votes, left_out, found, asked, answers)
    metrics["settled"] = pairwise_ranking.is_settled(found, {model for _, model in results})
    report = StageReport("vote", tuple(counts), metrics)
    if answers is not None and answers.waiting is not None:
        raise WaitingForPeopleError(answers.waiting, report)
    return report


def _results(upscaled: Path) -> dict[tuple[str, str], Path]:
    """File by pair and model; what failed has none."""
    rows = tables.read(upscaled, table_schemas.UPSCALED, columns=["image_id", "model", "path"]).to_pylist()
    return {(row["image_id"], row["model"]): Path(row["path"]) for row in rows if row["path"] is not None}


def _plan(params: VoteParams, results: Iterable[tuple[str, str]]) -> list[Comparison]:
    models: dict[str, list[str]] = {}
    for pair, model in results:
        models.setdefault(pair, []).append(model)
    return comparison_plan.plan(
        models,
        max_pairs=params.max_pairs,
        round_pairs=params.round_pairs,
        repeat_share=params.repeat_share,
        attention_share=params.attention_share,
        seed=params.seed,
    )


def _ranked(params: VoteParams, image_of: Mapping[str, str], votes: Sequence[CastVote]) -> list[Strength]:
    """The models by the votes that count; none without any."""
    left_out = cast_votes.inattentive(votes, params.min_attention)
    counted = cast_votes.for_ranking(votes, image_of, left_out)
    if not counted:
        return []
    return pairwise_ranking.strengths(counted, resamples=params.bootstrap, seed=params.seed)


def _unranked(upscaled: Path, found: Sequence[Strength]) -> list[tuple[str, int]]:
    """Models that nobody compared, counted and named: those that failed, or whose turn has not come."""
    rows = tables.read(upscaled, table_schemas.UPSCALED, columns=["model"])
    names = sorted(set(rows["model"].to_pylist()) - {one.model for one in found})
    return [(f"models that are not ranked ({', '.join(names)})", len(names))] if names else []


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


def _simulated(
    params: VoteParams,
    able: Sequence[Comparison],
    raters: SimulatedRaters,
    rank: functools.partial[list[Strength]],
) -> tuple[list[CastVote], int]:
    """Votes, and how many rounds were asked."""
    rounds = cast_votes.rounds(able, params.round_pairs)
    votes = [
        [CastVote(one, rater, winner) for one, rater, winner in raters.ask(planned)] for planned in rounds
    ]

    def of_first(number: int) -> list[CastVote]:
        return [one for given in votes[:number] for one in given]

    asked = cast_votes.rounds_needed(rounds, lambda _: False, lambda number: rank(of_first(number)))
    return of_first(asked), asked


def _rows(
    votes: Sequence[CastVote], left_out: frozenset[str], answers: Answers | None
) -> list[list[str | None]]:
    """Rows of everything that people answered, with what does not count and why."""
    found = []
    for one in votes:
        failed = "the rater failed attention checks" if one.rater_id in left_out else None
        found.append(_row(one, "no side is chosen" if one.winner is None else failed))
    return found + [_row(one, _EDITED) for one in (answers.edited if answers is not None else ())]


def _row(one: CastVote, reason: str | None) -> list[str | None]:
    """`reason`: why it does not count."""
    asked, counts = one.comparison, "yes" if reason is None else "no"
    return [asked.comparison_id, asked.pair_id, one.rater_id, one.kind, one.winner, one.loser, counts, reason]


def _remarks(
    params: VoteParams, votes: Sequence[CastVote], left_out: frozenset[str], answers: Answers | None
) -> list[tuple[str, int]]:
    """What somebody should know of, counted and named."""
    chosen = [one.rater_id for one in votes if one.winner is not None]
    remarks = [
        (
            f"left out, of raters who failed attention checks ({', '.join(sorted(left_out))})",
            sum(rater in left_out for rater in chosen),
        )
    ]
    if params.attention_share and params.min_attention:
        unchecked = cast_votes.unchecked(votes)
        remarks.append(
            (
                f"of raters who met no attention check ({', '.join(unchecked)})",
                sum(rater in unchecked for rater in chosen),
            )
        )
    if answers is not None:
        pulled = answers.pulled
        remarks += [
            ("still open", answers.open_looks),
            ("skipped", pulled.skipped),
            ("unreadable", pulled.unreadable),
            ("made without a page, not read", pulled.unattended),
            ("of other pictures, not read", pulled.outside_plan),
            ("of pictures that were edited on the server, held back", len(pulled.edited)),
        ]
    return [(text, number) for text, number in remarks if number]


def _metrics(  # noqa: PLR0917 - one call
    params: VoteParams,
    votes: Sequence[CastVote],
    left_out: frozenset[str],
    found: Sequence[Strength],
    rounds: int,
    answers: Answers | None,
) -> dict[str, Any]:
    agreed, pairs = pairwise_ranking.agreement(cast_votes.for_ranking(votes, {}, left_out))
    every = [vote for one in votes if one.kind != "attention" for vote in one.votes(one.comparison.pair_id)]
    attention = cast_votes.attention(votes)
    return {
        "raters": params.raters,
        "rounds": rounds,
        "agreement": agreed,
        "agreement_pairs": pairs,
        "consistency": {
            k: {"same": s, "repeats": n} for k, (s, n) in pairwise_ranking.consistency(every).items()
        },
        "attention": {
            "passed": sum(one.passed for one in attention.values()),
            "asked": sum(one.asked for one in attention.values()),
            "by_rater": {name: {"passed": r.passed, "asked": r.asked} for name, r in attention.items()},
            "left_out": sorted(left_out),
            "without_check": cast_votes.unchecked(votes),
        },
        "strengths": {one.model: {"value": one.strength, "low": one.low, "high": one.high} for one in found},
        **({} if answers is None else _pulled(answers, answers.pulled)),
    }


def _pulled(answers: Answers, pulled: PulledVotes) -> dict[str, int]:
    names = ("superseded", "skipped", "unreadable", "unattended", "outside_plan")
    looks = {"looks": answers.wanted_looks - answers.open_looks, "looks_wanted": answers.wanted_looks}
    return {**looks, **{name: getattr(pulled, name) for name in names}, "edited": len(pulled.edited)}


def _write_all(
    outputs: Outputs,
    planned: Sequence[Comparison],
    votes: Sequence[Sequence[Any]],
    ranking: Sequence[Sequence[Any]],
) -> None:
    """The three tables together, so that they are of one plan."""
    _write(outputs.plan, _PLAN, ([getattr(one, name) for name in _PLAN] for one in planned))
    _write(outputs.votes, _VOTES, votes)
    _write(outputs.ranking, _RANKING, ranking)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
