"""Stage select: who must look at what."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate import schema, tables
from curate.errors import InputError, ParamsError, TableError
from curate.labeling import fitted_precision, taxonomy
from curate.params import QaParams
from curate.qa import gold_pool, plan, sampling, strata, suggestions, uncertainty
from curate.qa.choice import criteria
from curate.qa.sampling import Flags, Floats
from curate.qa.strata import Membership, Pool
from curate.records import Category, StageReport
from curate.shown import record
from curate.stages import choice_evidence, decided_images

_REASONS = (
    "gold", "control", "audit", "asked", "uncertain", "chosen", "rare", "review", "overlap", "accepted",
)  # fmt: skip
_COLUMNS = ("image_id", "width", "height", "drop_reason")


@dataclass(frozen=True, slots=True)
class Inputs:
    """Tables of the stages before, taxonomy.yaml, and what was shown so far.

    The record of push is read as it stands, where there is one: like the plan itself it tells what people
    have, and is no dependency, because push comes after; nor are `pairs`, of an earlier round's agreement,
    and `imported`, the folder of imported answers, which decide about the next round only. `decisions` is
    decisions.csv, `embeddings` the table of the stage embed; None = there is none.
    """

    images: Path
    annotations: Path
    taxonomy: Path
    shown: Path
    decisions: Path | None = None
    embeddings: Path | None = None
    pairs: Path | None = None
    imported: Path | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """`plan`, the table, which is read too where it exists; `plots`, a folder of CSV."""

    plan: Path
    plots: Path


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that is not written yet.

    Attributes:
        pool: The kept images and what is known of them.
        members: Which of them each part of the plan asks for.
        plan: The table.
        earlier: The plan as it was; None = there was none.
    """

    pool: Pool
    members: Membership
    plan: pa.Table
    earlier: pa.Table | None


def run(params: QaParams, *, inputs: Inputs, outputs: Outputs) -> StageReport:
    """Plan who looks at what; an earlier plan goes on.

    Raises:
        InputError: No image was kept, or the gold cannot be used, or an example of the choice names no image.
        ParamsError: The taxonomy is malformed; acceptance without fitted thresholds; a weight without what it
            needs; too few people.
        TableError: A table is missing, damaged or of another schema version.
        StorageError: An output cannot be written.
    """
    made = planned(params, inputs=inputs, path=outputs.plan)
    tables.write(made.plan, outputs.plan, schema.PLAN)
    report = _report(made)
    _write_plot(outputs.plots / "select_reasons.csv", made.plan)
    return report


def planned(params: QaParams, *, inputs: Inputs, path: Path) -> Planned:
    """What `run` would write to `path`, where the earlier plan is read.

    Raises:
        CurateError: As `run`, but nothing is written.
    """
    categories = taxonomy.load(inputs.taxonomy)
    min_scores = _min_scores(params, categories, inputs) if params.auto_accept else None
    earlier = _earlier(path)
    pool = _pool(params, inputs, categories, min_scores, earlier)
    members = strata.membership(pool)
    return Planned(pool, members, plan.make(pool, members, earlier), earlier)


def _pool(
    params: QaParams,
    inputs: Inputs,
    categories: tuple[Category, ...],
    min_scores: Floats | None,
    earlier: pa.Table | None,
) -> Pool:
    names = tuple(category.name for category in categories)
    columns = gold_pool.IMAGE_COLUMNS if params.gold is not None else _COLUMNS
    images = tables.read(inputs.images, schema.IMAGES, columns=columns)
    answered = gold_pool.load(params.gold, images, names)["image_id"] if params.gold is not None else None
    kept = images.filter(pc.is_null(images["drop_reason"])).select(["image_id", "width", "height"])
    del images
    if not kept.num_rows:
        raise InputError(f"{inputs.images} has no image that was kept: see its drop_reason column")
    ids = kept["image_id"].combine_chunks()
    thresholds = np.array([category.threshold for category in categories])
    sizes = np.stack([kept[name].to_numpy() for name in ("width", "height")], axis=1).astype(np.int64)
    telling_from = thresholds - params.near_score
    found = suggestions.read(inputs.annotations, ids, sizes, names, min_scores=telling_from)
    return Pool(
        ids=ids.to_pylist(),
        names=names,
        thresholds=thresholds,
        found=found,
        doubt=uncertainty.judge(
            found, len(ids), thresholds, near=params.near_score, mask_iou=params.mask_iou
        ),
        gold=_among(ids, answered),
        planted=_among(ids, _given(inputs.shown, planted=True)),
        asked=_among(ids, _asked(inputs)),
        given=_among(ids, _given(inputs.shown)) | _among(ids, _imported(inputs.imported)),
        earlier=plan.main_reasons(earlier, ids),
        min_scores=min_scores,
        evidence=choice_evidence.load(
            params.choose,
            choice_evidence.Sources(inputs.images, inputs.shown, inputs.embeddings, inputs.pairs),
            ids.to_pylist(),
            earlier,
        ),
        failed=suggestions.failed(inputs.annotations, ids),
        params=params,
    )


def _among(ids: pa.Array, some: pa.ChunkedArray | None) -> Flags:
    if some is None:
        return np.zeros(len(ids), dtype=np.bool_)
    flags = pc.is_in(ids, value_set=some.combine_chunks())
    return np.asarray(flags.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _asked(inputs: Inputs) -> pa.ChunkedArray | None:
    """Images that somebody wants a person to look at."""
    if inputs.decisions is None:
        return None
    made = decided_images.load(inputs.decisions, inputs.images, "select")
    return pa.chunked_array([pa.array(sorted(made), pa.string())])


def _given(folder: Path, *, planted: bool = False) -> pa.ChunkedArray:
    """Images that were, or may have been, put before people; only those with a planted error if asked."""
    shown = record.load(folder, required=False).shown
    there = pc.fill_null(shown["reached"], True)
    if planted:
        there = pc.and_(pc.is_valid(shown["seeded_kind"]), there)
    return shown.filter(there)["image_id"]


def _imported(folder: Path | None) -> pa.ChunkedArray:
    """Images to which somebody's answer was imported."""
    empty = schema.ANNOTATIONS.arrow.empty_table().select(["image_id"])
    files = sorted(folder.glob("*.parquet")) if folder is not None else []
    read = (tables.read(file, schema.ANNOTATIONS, columns=["image_id"]) for file in files)
    return pa.concat_tables([empty, *read])["image_id"]


def _earlier(path: Path) -> pa.Table | None:
    """The plan as it was; None without one, or of an older version of the schema with other columns."""
    if not path.exists():
        return None
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(
            f"{path} is damaged ({error}): restore it (dvc checkout), or delete it to plan anew"
        ) from error
    return table if table.schema.equals(schema.PLAN.arrow) else None


def _min_scores(params: QaParams, categories: tuple[Category, ...], inputs: Inputs) -> Floats:
    """(C,) score from which a box of each category needs no human; infinite where nothing was promised.

    Raises:
        ParamsError: No promise, a weaker one, or one about other thresholds or another model.
    """
    promised = taxonomy.promise(inputs.taxonomy)
    fit = f"run `curate thresholds fit --precision {params.accept_precision:g} --write`, then dvc repro"
    if promised is None:
        raise ParamsError(f"qa.auto_accept needs thresholds that were fitted with a bound: {fit}")
    if promised.precision < params.accept_precision:
        raise ParamsError(
            f"qa.auto_accept: the thresholds of {inputs.taxonomy} were fitted for a precision of "
            f"{promised.precision:g}, and qa.accept_precision is {params.accept_precision:g}: {fit}"
        )
    versions = tables.read(inputs.annotations, schema.ANNOTATIONS, columns=["model_version"])
    strange = set(fitted_precision.models_of(versions["model_version"].unique().to_pylist())) - set(
        promised.model_versions
    )
    if strange:
        raise ParamsError(
            f"qa.auto_accept: the thresholds of {inputs.taxonomy} were fitted for another model than "
            f"{min(strange)}: label a sample of its suggestions, then {fit}"
        )
    return np.array(
        [c.threshold + params.accept_margin if promised.holds(c) else math.inf for c in categories],
        dtype=np.float64,
    )


def _report(done: Planned) -> StageReport:
    pool, members, made, earlier = done.pool, done.members, done.plan, done.earlier
    params, images = pool.params, len(pool.ids)
    looked = plan.looked_at(made)
    first = looked.filter(pc.equal(looked["slot"], 0))
    by_reason = _counts(made.filter(pc.equal(made["slot"], 0))["reason"])
    several = int(pc.sum(pc.equal(looked["slot"], 1)).as_py() or 0)
    needed = sampling.needed(images, params.margin, params.confidence)
    drawn = int(members.drawn.sum())
    margin = sampling.margin(drawn, images, params.confidence)
    return StageReport(
        "select",
        (
            ("tasks", first.num_rows),
            ("overlap tasks", several),
            ("labeler slots", looked.num_rows),
            *((reason, by_reason[reason]) for reason in _REASONS if by_reason.get(reason)),
            ("audit images needed", needed),
            *((("that no model could look at", pool.failed),) if pool.failed else ()),
            *((("without a vector", without),) if (without := _without_vector(pool)) else ()),
            *((("earlier rounds, which disagreement needs", 0),) if _no_earlier_round(pool) else ()),
        ),
        {
            "overlap_share": several / max(1, first.num_rows),
            "images_with_a_suggestion": int(pool.suggested.sum()),
            "images_no_model_could_look_at": pool.failed,
            "by_reason": by_reason,
            "by_arm": _counts(made.filter(pc.equal(made["slot"], 0))["arm"]),
            "seeded_errors": _counts(first["seeded_kind"].drop_null()),
            "not_in_the_plan": images - len(pc.unique(made["image_id"])),
            "choice": _choice(pool, members, by_reason.get("chosen", 0)),
            "gold_of_later_rounds": int(members.waiting.sum()),
            "gold_with_a_planted_error": int((pool.gold & pool.planted).sum()),
            "audit": {
                "drawn": drawn,
                "needed": needed,
                "wanted_margin": params.margin,
                "margin": None if math.isnan(margin) else margin,
                "confidence": params.confidence,
            },
        },
        this_run=(("left the earlier plan", left),) if (left := _left(made, earlier)) else (),
    )


def _without_vector(pool: Pool) -> int:
    """Kept images that cannot be chosen because a criterion needs a vector of them."""
    there = pool.evidence.with_vector if pool.evidence is not None else None
    return int((~there).sum()) if there is not None else 0


def _choice(pool: Pool, members: Membership, chosen: int) -> dict[str, Any]:
    """The weighted choice: its size, and what each criterion had to say in the images that are chosen now."""
    params, picks = pool.params.choose, members.picks
    if pool.evidence is None:
        return {}
    return {
        "budget": sampling.size(params.budget, len(pool.ids), name="qa.choose.budget"),
        "chosen": chosen,
        "without_a_vector": _without_vector(pool),
        "earlier_round": bool(pool.evidence.disagreement),
        "shares": {
            name: sum(pick.shares.get(name, 0.0) for pick in picks) / len(picks)
            for name in criteria.weights(params)
        }
        if picks
        else {},
    }


def _no_earlier_round(pool: Pool) -> bool:
    """Whether the choice asks where people disagreed, and nobody can have yet."""
    asked = "disagreement" in criteria.weights(pool.params.choose)
    return asked and pool.evidence is not None and not pool.evidence.disagreement


def _left(made: pa.Table, earlier: pa.Table | None) -> int:
    """Tasks that people had by the earlier plan and have no more."""
    if earlier is None:
        return 0
    before = pc.unique(plan.looked_at(earlier)["task_id"])
    still = pc.is_in(before, value_set=plan.looked_at(made)["task_id"].combine_chunks())
    return len(before) - int(pc.sum(still).as_py() or 0)


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {
        entry["values"]: entry["counts"] for entry in sorted(pc.value_counts(column).to_pylist(), key=str)
    }


def _write_plot(path: Path, made: pa.Table) -> None:
    """Labeler slots by reason; an accepted image has a row and no labeler."""
    counts = _counts(made["reason"])
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("reason", "looks"))
        writer.writerows((reason, counts[reason]) for reason in _REASONS if counts.get(reason))
