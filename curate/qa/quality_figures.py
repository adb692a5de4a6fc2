"""Everything that quality control measures, from the tables of a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.arrow_columns import flags
from curate.intervals import Figure
from curate.params.quality import QualityParams
from curate.qa import (
    bootstrap_figures,
    control_comparison,
    gold,
    injected_error_recall,
    joined_answers,
    outdated_answers,
    suggestion_edits,
    timing,
)
from curate.qa.bootstrap_figures import Resampling
from curate.qa.control_comparison import CONTROL, SUGGESTED, Saved
from curate.qa.gold import Labeler, Run, Scores
from curate.qa.injected_error_recall import Planted
from curate.qa.joined_answers import Drawn, Flags, Looks
from curate.qa.outdated_answers import Outdated
from curate.qa.suggestion_edits import CategoryEdits
from curate.qa.timing import Times
from curate.shown.record import ShownRecord

ARMS = ("suggested", "control")
_NO_GOLD = "no gold image was answered in this arm"


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables that the figures are computed from.

    Attributes:
        plan: Of select: what is looked at today.
        answers: Of pull.
        annotations: Of pull: what people drew.
        record: Of what was shown.
        known: Known answers of gold images; without rows where there is no gold.
        images: image_id, width, height and drop_reason, of dedupe.
        categories: Names of the taxonomy, in its order.
        guideline: Digest of today's guideline; None = not known.
        taxonomy: Digest of today's taxonomy.
    """

    plan: pa.Table
    answers: pa.Table
    annotations: pa.Table
    record: ShownRecord
    known: pa.Table
    images: pa.Table
    categories: Sequence[str]
    guideline: str | None
    taxonomy: str | None


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: time and quality side by side with the other's.

    Attributes:
        answers: That were compared.
        image_s: Mean seconds per image.
        object_s: Seconds per object drawn: all seconds by all objects.
        figures: f1_gold, iou_gold, f1_between, iou_between, f1_model: see docs/lead.md.
    """

    answers: int
    image_s: Figure
    object_s: Figure
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures, and the columns that they came from."""

    looks: Looks
    objects: NDArray[np.int64]
    proposed: NDArray[np.int64]
    times: Times
    compared: Flags
    saved: Saved
    arms: tuple[Arm, Arm]
    scores: Scores
    run: Run
    gold: Mapping[str, Figure]
    labelers: list[Labeler]
    planted: Planted
    found: Flags
    caught: Mapping[str, Figure]
    suggestions: list[CategoryEdits]
    outdated: Outdated


def measure(tables: Tables, params: QualityParams) -> Measured:
    """Compute every figure of quality."""
    material = _Material.of(tables, params)
    looked, scores, times = material.looks, material.scores, material.times
    how = Resampling(params.bootstrap)
    timed = material.compared & ~np.isnan(times.seconds)
    planted = injected_error_recall.planted(looked, material.drawn.categories)
    found = injected_error_recall.caught(
        planted, material.drawn, material.proposed_objects, iou_threshold=params.iou_threshold
    )
    traced = suggestion_edits.trace(
        looked, material.drawn, material.shown, material.sizes, tolerance_px=params.tolerance_px
    )
    return Measured(
        looks=looked,
        objects=material.objects,
        proposed=material.proposed,
        times=times,
        compared=material.compared,
        saved=control_comparison.saved(
            times.seconds[timed],
            proposed=material.proposed[timed].astype(np.float64),
            control=looked.control[timed],
            person=looked.person[timed],
            image=looked.image[timed],
            how=how,
        ),
        arms=(_arm(SUGGESTED, material, params), _arm(CONTROL, material, params)),
        scores=scores,
        run=gold.running(looked, scores, window=params.gold_window),
        gold=gold.figures(scores, looked.image, np.flatnonzero(looked.gold), how),
        labelers=gold.by_labeler(
            looked, scores, level=params.gold_alert_f1, min_images=params.gold_min_images, how=how
        ),
        planted=planted,
        found=found,
        caught=injected_error_recall.by_kind(planted, found),
        suggestions=suggestion_edits.by_category(traced, looked, how),
        outdated=outdated_answers.find(looked, guideline=tables.guideline, taxonomy=tables.taxonomy),
    )


@dataclass(frozen=True, slots=True)
class _Material:
    """The tables joined: columns that every figure is made from."""

    looks: Looks
    drawn: Drawn
    shown: Drawn  # what was on the page
    proposed_objects: Drawn  # what models proposed then, shown or not
    scores: Scores  # against known answers
    against_model: Scores
    objects: NDArray[np.int64]
    proposed: NDArray[np.int64]
    times: Times
    compared: Flags
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, tables: Tables, params: QualityParams) -> _Material:
        looked = joined_answers.collect(
            tables.answers, tables.record, tables.known["image_id"].combine_chunks()
        )
        count = len(looked)
        names = sorted(
            {
                *joined_answers.category_names(tables.annotations, tables.record.suggestions, tables.known),
                *tables.categories,
            }
        )
        drawn = joined_answers.drawn(looked, tables.annotations, names)
        shown = joined_answers.suggested(looked, tables.record, "suggestions_digest", names)
        proposed = joined_answers.suggested(looked, tables.record, "proposed_digest", names)
        known = joined_answers.on_images(looked, tables.known, names)
        objects = np.bincount(drawn.objects.group, minlength=count)
        return cls(
            looks=looked,
            drawn=drawn,
            shown=shown,
            proposed_objects=proposed,
            scores=gold.score(count, drawn, known, iou_threshold=params.iou_threshold),
            against_model=gold.score(count, drawn, proposed, iou_threshold=params.iou_threshold),
            objects=objects,
            proposed=np.bincount(proposed.objects.group, minlength=count),
            times=timing.without_idle(
                looked.seconds(), objects, looked.control, idle_cap_s=params.idle_cap_s
            ),
            compared=_comparable(looked, tables),
            sizes=_sizes(looked, tables.images),
        )


def _arm(arm: int, material: _Material, params: QualityParams) -> Arm:
    looked, how = material.looks, Resampling(params.bootstrap)
    of_arm = looked.control == (arm == CONTROL)
    rows = np.flatnonzero(of_arm & material.compared & ~np.isnan(material.times.seconds))
    image, seconds = looked.image[rows], material.times.seconds[rows]
    between = control_comparison.between_labelers(
        looked, material.drawn, arm, rows=~looked.seeded, how=how, iou_threshold=params.iou_threshold
    )
    on_gold = np.flatnonzero(of_arm & looked.known & ~looked.seeded)
    against_gold = gold.figures(material.scores, looked.image, on_gold, how)
    if not len(on_gold):
        nothing = Figure(None, None, None, 0, _NO_GOLD)
        against_gold = {"f1": nothing, "mean_iou": nothing}
    compared = np.flatnonzero(of_arm & material.compared)
    return Arm(
        answers=len(compared),
        image_s=bootstrap_figures.ratio(seconds, np.ones(len(rows)), image, how, scale="positive"),
        object_s=bootstrap_figures.ratio(
            seconds, material.objects[rows].astype(np.float64), image, how, scale="positive"
        ),
        figures={
            "f1_gold": against_gold["f1"],
            "iou_gold": against_gold["mean_iou"],
            "f1_between": between[0],
            "iou_between": between[1],
            "f1_model": gold.figures(material.against_model, looked.image, compared, how)["f1"],
        },
    )


def _comparable(all_looks: Looks, tables: Tables) -> Flags:
    """Answers of images that are random samples of the same images, so that their arms can be compared.

    Where everything that is kept is looked at (gold aside), those are all but answers to gold and planted
    errors. Where images were picked because they are uncertain or rare, only those of the random audit
    sample stand for the rest. Images whose answer is known are left out of both arms, whenever it became so.
    """
    reason = all_looks.shown["reason"]
    ordinary = ~all_looks.known & ~all_looks.seeded & ~flags(pc.equal(reason, "gold"))
    kept = tables.images.filter(pc.is_null(tables.images["drop_reason"]))["image_id"]
    kept = kept.filter(pc.invert(pc.is_in(kept, value_set=tables.known["image_id"].unique())))
    looked_at = tables.plan.filter(pc.not_equal(tables.plan["arm"], "accepted"))["image_id"]
    if pc.all(pc.is_in(kept, value_set=looked_at.unique())).as_py():
        return np.asarray(ordinary, dtype=np.bool_)
    drawn = tables.plan.filter(pc.equal(tables.plan["reason"], "audit"))["image_id"].unique()
    audit = flags(pc.equal(reason, "audit")) | flags(pc.is_in(all_looks.table["image_id"], value_set=drawn))
    return np.asarray(ordinary & (all_looks.control | audit), dtype=np.bool_)


def _sizes(all_looks: Looks, images: pa.Table) -> NDArray[np.int64]:
    """(images, 2) width and height by code; 0 where an image is not known any more."""
    place = pc.index_in(
        pa.array(all_looks.images, pa.string()), value_set=images["image_id"].combine_chunks()
    )
    rows = images.take(place)
    return np.stack(
        [pc.fill_null(rows[side], 0).to_numpy().astype(np.int64) for side in ("width", "height")], axis=1
    )
