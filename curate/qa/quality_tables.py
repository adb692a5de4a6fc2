"""What quality control measured, as metrics and as tables for people and plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.intervals import Figure
from curate.qa import error_injection
from curate.qa.quality_figures import ARMS, Measured
from curate.qa.suggestion_edits import CategoryEdits

_DIGITS = 6  # what lies beyond is arithmetic
_FATES = ("accepted", "edited", "rejected")


def metrics(measured: Measured, names: Mapping[str, str]) -> dict[str, Any]:
    """All figures, each {value, low, high, n}, with a reason where there is no value or no interval.

    Args:
        measured: What was measured.
        names: What each labeler is called outside `data/`.
    """
    return {
        "gold": {
            **_figures(measured.gold),
            "labelers": {
                names.get(one.person, one.person): {
                    "answers": one.answers,
                    "state": one.state,
                    "f1": figure(one.f1),
                    "mean_iou": figure(one.mean_iou),
                    "category_accuracy": figure(one.category_accuracy),
                }
                for one in measured.labelers
            },
        },
        "gold_known_later": int(measured.looks.known_later.sum()),
        "time": _time(measured),
        "arms": {
            name: {"answers": arm.answers, **_figures(arm.figures)}
            for name, arm in zip(ARMS, measured.arms, strict=True)
        },
        "seeded_errors": _figures(measured.caught),
        "suggestions": {row.category: _edits(row) for row in measured.suggestions},
        "outdated": {"answers": len(measured.outdated.look), "unknown": measured.outdated.unknown},
        "not_joined": {"all": sum(measured.looks.not_joined.values()), **measured.looks.not_joined},
    }


def figure(one: Figure) -> dict[str, Any]:
    """A figure of a metrics file."""
    figure = {"value": _rounded(one.value), "low": _rounded(one.low), "high": _rounded(one.high), "n": one.n}
    return figure if one.reason is None else {**figure, "reason": one.reason}


def gold_answers(measured: Measured) -> pa.Table:
    """The running chart: one row per gold answer, by labeler and time."""
    run, scores = measured.run, measured.scores
    rows = run.look
    return pa.table(
        {
            **_who(measured, rows),
            "number": run.number,
            "drawn": scores.drawn[rows].astype(np.int64),
            "known": scores.known[rows].astype(np.int64),
            "right": scores.same[rows].astype(np.int64),
            "f1": _column(run.f1),
            "low": _column(run.low),
            "high": _column(run.high),
            "recent_f1": _column(run.recent),
        }
    )


def times(measured: Measured) -> pa.Table:
    """One row per answer: what the server says, and what counts."""
    looks = measured.looks
    rows = np.arange(len(looks))
    return pa.table(
        {
            **_who(measured, rows),
            "arm": np.array(ARMS, dtype=object)[looks.control.astype(np.int64)],
            "compared": measured.compared,
            "objects": measured.objects,
            "proposed": measured.proposed,
            "lead_time_s": _column(looks.seconds()),
            "seconds": _column(measured.times.seconds),
            "idle": measured.times.idle,
        }
    )


def seeded(measured: Measured) -> pa.Table:
    """One row per look at a planted error."""
    planted = measured.planted
    return pa.table(
        {
            **_who(measured, planted.look),
            "kind": pa.array(np.array(error_injection.KINDS, dtype=object)[planted.kind], pa.string()),
            "caught": measured.found,
        }
    )


def outdated(measured: Measured, paths: Mapping[str, str | None]) -> pa.Table:
    """One row per answer that was given under an older guideline or taxonomy, by image."""
    rows = measured.outdated.look
    who = _who(measured, rows)
    table = pa.table(
        {
            "image_id": who["image_id"],
            "path": pa.array([paths.get(key) for key in who["image_id"].to_pylist()], pa.string()),
            "task_id": who["task_id"],
            "annotator_id": who["annotator_id"],
            "created_at": who["created_at"],
            "older": pa.array(measured.outdated.reasons(), pa.string()),
            "objects": measured.objects[rows],
        }
    )
    return table.sort_by([("image_id", "ascending"), ("annotator_id", "ascending")])


def suggestions(measured: Measured) -> pa.Table:
    """One row per category: shares with their intervals, IoU of suggestion and final object."""
    names = ("accepted", "edited", "rejected", "renamed", "box_iou", "mask_iou")
    columns: dict[str, list[Any]] = {"category": [], "suggestions": [], "added": []}
    for row in measured.suggestions:
        columns["category"].append(row.category)
        columns["suggestions"].append(row.suggestions)
        columns["added"].append(row.added)
        for name in names:
            one: Figure = getattr(row, name)
            for end, value in (("", one.value), ("_low", one.low), ("_high", one.high)):
                columns.setdefault(name + end, []).append(_rounded(value))
    return pa.table(columns)


def fates(measured: Measured) -> pa.Table:
    """Table of the plot of suggestions: one row per category and fate."""
    rows = [
        (row.category, name, _rounded(one.value), _rounded(one.low), _rounded(one.high), one.n)
        for row in measured.suggestions
        for name, one in zip(_FATES, (row.accepted, row.edited, row.rejected), strict=True)
    ]
    names = ("category", "fate", "share", "low", "high", "n")
    return pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)})


def arms(measured: Measured) -> pa.Table:
    """Table of the plot of arms: seconds per image and figures of quality, one row per figure and arm."""
    rows = []
    for arm, of_arm in zip(ARMS, measured.arms, strict=True):
        named = {"seconds_an_image": of_arm.image_s, "seconds_an_object": of_arm.object_s, **of_arm.figures}
        rows += [(name, arm, one) for name, one in named.items()]
    return pa.table(
        {
            "figure": pa.array([name for name, _, _ in rows]),
            "arm": pa.array([arm for _, arm, _ in rows]),
            "value": pa.array([_rounded(one.value) for _, _, one in rows], pa.float64()),
            "low": pa.array([_rounded(one.low) for _, _, one in rows], pa.float64()),
            "high": pa.array([_rounded(one.high) for _, _, one in rows], pa.float64()),
            "n": pa.array([one.n for _, _, one in rows], pa.int64()),
        }
    )


def _time(measured: Measured) -> dict[str, Any]:
    looks, counted, saved = measured.looks, measured.times, measured.saved
    of_arm = {name: looks.control == bool(code) for code, name in enumerate(ARMS)}
    return {
        "saved": figure(saved.share),
        "saved_unadjusted": figure(saved.unadjusted),
        "labelers_in_both_arms": saved.labelers,
        **{
            name: {
                "image_s": figure(arm.image_s),
                "object_s": figure(arm.object_s),
                "adjusted_image_s": figure(adjusted),
                "idle": int(counted.idle[of_arm[name]].sum()),
                "limit_of_one_object_s": _rounded(limit),
            }
            for name, arm, adjusted, limit in zip(
                ARMS, measured.arms, saved.seconds, counted.limits, strict=True
            )
        },
        "unknown": int((np.isnan(counted.seconds) & ~counted.idle).sum()),
        "drafts_not_counted": looks.drafts,
        "replaced_answers_not_counted": looks.superseded,
    }


def _edits(row: CategoryEdits) -> dict[str, Any]:
    names = ("accepted", "edited", "rejected", "renamed", "box_iou", "mask_iou")
    return {
        "suggestions": row.suggestions,
        "added": row.added,
        **{name: figure(getattr(row, name)) for name in names},
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: figure(one) for name, one in figures.items()}


def _who(measured: Measured, rows: NDArray[np.int64]) -> dict[str, pa.ChunkedArray]:
    taken = measured.looks.table.take(pa.array(rows, pa.int64()))
    return {name: taken[name] for name in ("task_id", "image_id", "annotator_id", "created_at")}


def _column(values: NDArray[np.float64]) -> pa.Array:
    """Rounded, null where NaN."""
    return pc.round(pa.array(values, pa.float64(), from_pandas=True), _DIGITS)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
