"""Thresholds fitted from a project's tables: what the command `curate thresholds fit` does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.errors import ParamsError, TableError
from curate.labeling import (
    fitted_precision,
    judged_suggestions,
    suggestion_outcomes,
    taxonomy,
    thresholds,
    write_thresholds,
)
from curate.labeling.fitted_precision import Promise
from curate.labeling.thresholds import Fit, Target
from curate.records import Category
from curate.shown import record

_COLUMNS = (
    "annotation_id", "image_id", "annotator_id", "category", "bbox_xyxy", "score", "parent_id", "outcome",
    "taxonomy_digest", "model_version", "origin", "task_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fitting:
    """Fitted thresholds and what they make of taxonomy.yaml.

    Attributes:
        target: What was promised.
        fits: One per category.
        taxonomy: The file.
        before: Its text.
        after: Its text with the fitted thresholds, and the record of what they keep.
        left_out: Number of answers that judge nothing, by reason.
    """

    target: Target
    fits: tuple[Fit, ...]
    taxonomy: Path
    before: str
    after: str
    left_out: Mapping[str, int]

    def write(self) -> None:
        """Replace the file in one step.

        Raises:
            StorageError: It cannot be written.
        """
        with tables.replacing(self.taxonomy) as partial:
            partial.write_text(self.after, encoding="utf-8")

    def lines(self) -> Iterator[str]:
        """A line per category, what was promised, and the difference to the file."""
        for found in self.fits:
            yield from _lines(found)
        if self.left_out:
            reasons = (f"{number:,} {reason}" for reason, number in self.left_out.items())
            yield f"left out: answers {', '.join(reasons)}"
        whom = "all categories together" if self.target.together else "each category"
        yield (
            f"promised: precision {self.target.precision:g} with confidence {self.target.confidence:g} for "
            f"{whom}, as people judged the suggestions that were made"
        )
        if self.before != self.after:
            yield write_thresholds.unified_diff(self.before, self.after, self.taxonomy).rstrip("\n")


def run(
    model: Path,
    answers: Path,
    file: Path,
    *,
    target: Target,
    iou_threshold: float,
    shown: Path,
    pulled: Path,
    trained_on: Collection[str] = (),
    related: Collection[str] = (),
) -> Fitting:
    """Fit thresholds; writes nothing.

    What people answered judges the suggestions that models proposed when they began
    (`curate.labeling.judged_suggestions`); gold and consensus judge those of today, except on images that
    were accepted without a human.

    Args:
        model: Table of today's suggestions.
        answers: Table of what people drew; or gold, or consensus.
        file: taxonomy.yaml.
        target: The promise.
        iou_threshold: From this IoU on a suggestion is the object that was drawn.
        shown: Folder of the record of what was shown.
        pulled: The `answers` table of pull.
        trained_on: image_ids that the detector was trained on: there it does better than anywhere else, so
            they judge nothing.
        related: image_ids of others that show a scene of one of those; nor do they.

    Raises:
        ParamsError: A share outside (0, 1), a confidence of 0.5 or less, or a taxonomy that is malformed.
        TableError: A table is missing or damaged, holds no suggestion with a score, or nobody has judged any.
    """
    _refuse_shares(target, iou_threshold)
    categories = taxonomy.load(file)
    suggestions = tables.read(model, schema.ANNOTATIONS, columns=_COLUMNS)
    suggestions = suggestions.filter(
        pc.and_(pc.equal(suggestions["outcome"], "object"), pc.is_valid(suggestions["score"]))
    )
    if not suggestions.num_rows:
        raise TableError(f"{model} holds no suggestion with a score: there is nothing to fit")
    answer_rows = tables.read(answers, schema.ANNOTATIONS, columns=_COLUMNS)
    answered = set(answer_rows["image_id"].unique().to_pylist())
    learned = {
        "to images that the detector was trained on": len(answered & set(trained_on)),
        "to images of a scene that the detector was trained on": len(answered & set(related)),
    }
    # In a consensus, images that were accepted without a human stand as the model's own suggestions.
    its_own = set(answer_rows.filter(pc.is_valid(answer_rows["model_version"]))["image_id"].to_pylist())
    learned["to images that nobody looked at"] = len(its_own - {*trained_on, *related})
    seen = pa.array(sorted({*trained_on, *related, *its_own}), pa.string())
    suggestions, answer_rows = _unseen(suggestions, seen), _unseen(answer_rows, seen)
    versions = fitted_precision.models_of(suggestions["model_version"].unique().to_pylist())
    lowest: Mapping[str, float] = _lowest(suggestions, categories)
    left_out: Mapping[str, int] = {}
    if "human" in answer_rows["origin"].unique().to_pylist():
        given = _unseen(tables.read(pulled, schema.ANSWERS, columns=judged_suggestions.ANSWER_COLUMNS), seen)
        of_then = judged_suggestions.begun_under(
            record.load(shown), shown, given, answer_rows, categories=categories, versions=versions
        )
        suggestions, answer_rows = of_then.model, of_then.answers
        lowest, left_out = of_then.lowest, of_then.left_out
        if not answer_rows.num_rows:
            reasons = "; ".join(f"{number:,} {reason}" for reason, number in left_out.items())
            raise TableError(
                f"no answer judges a suggestion of today's model ({reasons or 'nobody has answered'}): "
                "label some, then run dvc repro pull"
            )
    left_out = {**left_out, **{why: number for why, number in learned.items() if number}}
    judged = suggestion_outcomes.judge(suggestions, answer_rows, iou_threshold=iou_threshold)
    fits = thresholds.fit(categories, judged, lowest, target)
    before = file.read_text(encoding="utf-8")
    fitted = {
        found.category: found.threshold
        for found in fits
        if found.threshold is not None and found.threshold != found.before
    }
    after = write_thresholds.with_thresholds(before, fitted, file)
    kept = _promise(target, fits, versions)
    return Fitting(target, tuple(fits), file, before, fitted_precision.written(after, kept, file), left_out)


def _unseen(rows: pa.Table, seen: pa.Array) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows["image_id"], value_set=seen)))


def _promise(target: Target, fits: Sequence[Fit], versions: tuple[str, ...]) -> Promise | None:
    """What the fit is a promise of; None where no threshold keeps it."""
    found = {fit.category: fit.threshold for fit in fits if fit.threshold is not None}
    if not found:
        return None
    return Promise(
        precision=target.precision,
        confidence=target.confidence,
        together=target.together,
        model_versions=versions,
        thresholds=found,
    )


def _refuse_shares(target: Target, iou_threshold: float) -> None:
    for name, value in (
        ("precision", target.precision),
        ("confidence", target.confidence),
        ("iou", iou_threshold),
    ):
        if not 0 < value < 1:
            raise ParamsError(f"--{name} = {value:g} is refused: it must lie between 0 and 1")
    if target.confidence <= 0.5:
        raise ParamsError(
            f"--confidence = {target.confidence:g} is refused: it must lie between 0.5 and 1, as a "
            "promise that is kept half the time is none"
        )


def _lowest(suggestions: pa.Table, categories: Sequence[Category]) -> dict[str, float]:
    """Lowest score that suggestions were made with: the thresholds of this taxonomy, else the lowest."""
    if suggestions["taxonomy_digest"].unique().to_pylist() == [taxonomy.digest(categories)]:
        return {category.name: category.threshold for category in categories}
    grouped = suggestions.group_by("category").aggregate([("score", "min")])
    return dict(zip(grouped["category"].to_pylist(), grouped["score_min"].to_pylist(), strict=True))


def _lines(found: Fit) -> Iterator[str]:
    if found.boxes == 0:
        yield f"{found.category}: {found.before:g} stays: none of its suggestions was judged"
        return
    share = f"{found.right:,} of {found.boxes:,} right in {found.images:,} images"
    if found.threshold is None:
        more = (
            f"about {found.images_needed:,} judged images would show it"
            if found.images_needed is not None
            else "more images are not likely to show it: try better prompts or another model"
        )
        yield (
            f"{found.category}: {found.before:g} stays, no threshold is shown to be precise enough "
            f"({share} from {found.floor:g} on); {more}"
        )
        return
    yield f"{found.category}: {found.before:g} -> {found.threshold:g}: {share}, at least {found.at_least:.3f}"
    if np.isfinite(found.recall):
        yield (
            f"{found.category}: recall {found.recall_before:.3f} -> {found.recall:.3f} of "
            f"{found.objects:,} drawn objects; judged from {found.floor:g} on, nothing was suggested below"
        )
