"""The charts of the page, each from a file in plots/ that `dvc plots` shows too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from curate.report import vega_charts
from curate.report.drawing import words
from curate.report.inputs import Facts, cell
from curate.report.objects_overlay import looks
from curate.report.slices import Slice

Row = Mapping[str, Any]


def charts(facts: Facts, slices: Sequence[Slice]) -> dict[str, Markup]:
    """Charts by name; one without data is empty."""
    return {
        "progress": _progress(facts),
        "pace": _pace(facts),
        "accuracy": _accuracy(facts),
        "objects_per_image": _objects(facts),
        "box_sizes": _sizes(facts),
        "confidence": _confidence(facts),
        "overlap": _overlap(facts),
        **{f"by {one.by}": _by(one) for one in slices},
    }


def _progress(facts: Facts) -> Markup:
    rows = periods(facts)
    total, values = 0, []
    for row in rows:
        total += row["answers"]
        values.append({"period": row["label"], "answers": total})
    return _if(values, lambda: vega_charts.columns(
        values, "period", "answers", title="Answers so far, by time", x_title="", y_title="answers so far"
    ))  # fmt: skip


def _pace(facts: Facts) -> Markup:
    rows = _by_person(facts, lambda row: (row["seconds"], row["timed"]))
    return _lines(rows, facts, "Seconds per image, by time", "seconds per image", share=False)


def _accuracy(facts: Facts) -> Markup:
    rows = _by_person(facts, lambda row: (2 * row["gold_right"], row["gold_drawn"] + row["gold_known"]))
    return _lines(rows, facts, "F1 on gold, by time", "F1 on gold", share=True)


def _lines(rows: Sequence[Row], facts: Facts, title: str, y_title: str, *, share: bool) -> Markup:
    people = sorted({row["who"] for row in rows})
    colors = {who: look.color for who, look in looks(people, facts.colors.values()).items()}
    return _if(rows, lambda: vega_charts.lines(
        rows, "period", "value", "who", colors=colors, title=title, x_title="", y_title=y_title, share=share
    ))  # fmt: skip


def periods(facts: Facts) -> list[dict[str, Any]]:
    """Sums over all people by time, with a short label."""
    labels = _labels(facts)
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in facts.plots.get("answer_times", ()):
        for name in row.keys() - {"period", "annotator_id"}:
            found[row["period"]][name] += cell(row, name) or 0.0
    return [
        {"period": period, "label": labels[period], **{name: round(value) for name, value in sums.items()}}
        for period, sums in sorted(found.items())
    ]


def _by_person(facts: Facts, ratio: Any) -> list[dict[str, Any]]:
    rows = []
    labels = _labels(facts)
    for row in facts.plots.get("answer_times", ()):
        over, under = ratio(
            {name: cell(row, name) or 0.0 for name in row.keys() - {"period", "annotator_id"}}
        )
        if under:
            rows.append(
                {"period": labels[row["period"]], "who": row["annotator_id"], "value": round(over / under, 3)}
            )
    return rows


def _labels(facts: Facts) -> dict[str, str]:
    """What each time is called: its month and day, or its time of day, after what tells it from others."""
    times = {row["period"]: row["period"].partition("T") for row in facts.plots.get("answer_times", ())}
    days = {day for day, _, _ in times.values()}
    first = 0 if len({day[:4] for day in days}) > 1 else len("2026-")
    return {
        period: clock if clock and len(days) == 1 else f"{day[first:]} {clock}".rstrip()
        for period, (day, _, clock) in times.items()
    }


def _objects(facts: Facts) -> Markup:
    rows = [
        {"objects": row.get("objects", ""), "images": int(cell(row, "images") or 0)}
        for row in facts.plots.get("objects_per_image", ())
    ]
    return _if(rows, lambda: vega_charts.columns(
        rows, "objects", "images", title="Images by number of objects", x_title="objects", y_title="images"
    ))  # fmt: skip


def _sizes(facts: Facts) -> Markup:
    found = facts.plots.get("box_sizes", ())
    rows = [
        {
            "side": row.get("bin", ""),
            "category": words(row.get("category", "")),
            "objects": int(cell(row, "count") or 0),
        }
        for row in found
    ]
    names = dict.fromkeys(row.get("category", "") for row in found)
    colors = {words(name): facts.colors.get(name, "#888888") for name in names}
    return _if(rows, lambda: vega_charts.stacked(
        rows, "side", "objects", "category", colors=colors, title="Objects by the side of their box",
        x_title="side of a square of the box's area, pixels", y_title="objects",
    ))  # fmt: skip


def _confidence(facts: Facts) -> Markup:
    rows = [
        {"bin": row.get("bin", ""), "objects": int(cell(row, "count") or 0)}
        for row in facts.plots.get("confidence", ())
        if row.get("of") == "object"
    ]
    return _if(rows, lambda: vega_charts.columns(
        rows, "bin", "objects", title="Settled objects by confidence", x_title="confidence from",
        y_title="objects",
    ))  # fmt: skip


def _overlap(facts: Facts) -> Markup:
    rows = [
        {"iou": row.get("bin", ""), "boxes": int(cell(row, "count") or 0)}
        for row in facts.plots.get("iou_histogram", ())
    ]
    return _if(rows, lambda: vega_charts.columns(
        rows, "iou", "boxes", title="Matched boxes by IoU", x_title="IoU from", y_title="pairs of boxes"
    ))  # fmt: skip


def _by(one: Slice) -> Markup:
    if "F1" not in one.columns:
        return Markup("")
    at = one.columns.index("F1")
    rows = [
        {"name": words(name), "value": figures[at].value, "low": figures[at].low, "high": figures[at].high}
        for name, figures in one.rows
        if figures[at].value is not None
    ]
    title = f"F1 of two people, {one.title.lower()}, with 95% intervals"
    return _if(rows, lambda: vega_charts.intervals(rows, title=title, x_title="F1"))


def _if(rows: Sequence[Row], draw: Any) -> Markup:
    chart: Markup = draw() if rows else Markup("")
    return chart
