"""`curate report` of a restoration project: one self-contained page from the photographs to the votes.

No network and no clock: two runs on the same project write the same bytes.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from curate import tables
from curate.params.upscale import BICUBIC
from curate.report import charts, measured_page, restoration_inputs, upscale_examples
from curate.report.drawing import words
from curate.report.inputs import Measure, cell
from curate.report.restoration_inputs import RestorationFacts, Texts
from curate.restoration.image_faults import FAULTS

_SECTIONS: Final = (
    ("truth", "Sharper is not truer"), ("figures", "Figures"), ("examples", "Side by side"),
    ("votes", "Votes"), ("slices", "By kind of image"), ("images", "Images"), ("weights", "Weights"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean of one model: with its interval, on the scale of its metric, and against bicubic.

    Attributes:
        model: Which.
        mean: Over images.
        difference: To bicubic on the same images.
        not_measured: Results without it.
        place: Value, low and high on a scale of 0 to 1 that all models of the metric share.
    """

    model: str
    mean: Measure
    difference: Measure
    not_measured: int
    place: tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class MetricTable:
    """Means of all models by one metric.

    Attributes:
        name: As the field calls it.
        higher_is_better: None where nothing was measured.
        looked_at: What it looked at, in words.
        license: Of the metric.
        why_not: Why nothing was measured; None = it was.
        left_out: Pairs in no model's mean, of which models and why, in words; empty = none.
        figures: Of each model.
    """

    name: str
    higher_is_better: bool | None
    looked_at: str
    license: str
    why_not: str | None
    left_out: str
    figures: tuple[Figure, ...]


def write(root: Path, out: Path) -> Path:
    """Write the page; beside it a JSON file with the same figures, and the page of the worst results.

    Args:
        root: The project's folder.
        out: The page, replaced in one step.

    Raises:
        TableError: No stage has run, or a file of the project is damaged.
        ParamsError: params.yaml is wrong.
        StorageError: The page cannot be written.
    """
    facts = restoration_inputs.load(root)
    worst = out.with_name(f"{out.stem}-worst.html")
    if (root / measured_page.LISTED).exists():
        measured_page.write(root, worst)
    content = _content(facts, out, worst)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(words=words, number=_number, count=_count)
    environment.globals.update(interval=charts.interval, bar=charts.bar)
    data = out.with_suffix(".json")
    page = environment.get_template("restoration.html.j2").render(content, json_name=data.name)
    with tables.replacing(out) as partial:
        partial.write_text(page, encoding="utf-8")
    with tables.replacing(data) as partial:
        plain = json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False)
        partial.write_text(plain + "\n", encoding="utf-8")
    return out


def _content(facts: RestorationFacts, out: Path, worst: Path) -> dict[str, Any]:
    losses = upscale_examples.losses(facts)
    return {
        "name": facts.params.release.name,
        "version": facts.metrics.get("release_pairs", {}).get("version"),
        "sections": _SECTIONS,
        "simulated": any(row.get("raters") == "simulated" for row in facts.ranking),
        "images": len({row["image_id"] for row in facts.pairs.values()}),
        "pairs": len(facts.pairs),
        "splits": dict(sorted(Counter(row["split"] for row in facts.pairs.values()).items())),
        "presets": sorted({(row["preset"], row["scale"]) for row in facts.pairs.values()}),
        "models": facts.models,
        "results": len(facts.results),
        "losses": losses,
        "loss": upscale_examples.sharper_but_less_true(facts),
        "tables": [_metric(facts, name) for name in _metrics(facts)],
        "slices": _slices(facts.summary),
        "examples": upscale_examples.examples(facts),
        "ranking": _ranking(facts.ranking),
        "vote": facts.metrics.get("vote", {}),
        "vote_remarks": _remarks(facts),
        "funnel": _funnel(facts),
        "diagnosed": len(facts.diagnosed),
        "without_fault": sum(not row["faults"] and not row["unknown"] for row in facts.diagnosed),
        "not_wholly_known": sum(bool(row["unknown"]) for row in facts.diagnosed),
        "faults": _faults(facts, out),
        "weights": _weights(facts),
        "worst_page": _link(worst, out),
    }


def _metrics(facts: RestorationFacts) -> list[str]:
    """Metrics that the last run measured or params.yaml asks for since, in the order of params.yaml."""
    measured = {row["metric"]: None for row in facts.summary}
    return list(dict.fromkeys([*facts.params.measure.metrics, *measured])) if measured else []


def _metric(facts: RestorationFacts, name: str) -> MetricTable:
    rows = [row for row in facts.summary if row["slice"] == "all" and row["metric"] == name]
    measured = facts.metrics.get("measure", {})
    bounds = [
        value for row in rows for key in ("mean", "low", "high") if (value := cell(row, key)) is not None
    ]
    first, last = (min(bounds), max(bounds)) if bounds else (0.0, 0.0)

    def place(value: float | None) -> float | None:
        return None if value is None else (value - first) / (last - first) if last > first else 0.5

    figures = tuple(
        Figure(
            row["model"],
            _measure(row, "mean", "low", "high"),
            _measure(row, "difference", "difference_low", "difference_high"),
            int(row["not_measured"]),
            (place(cell(row, "mean")), place(cell(row, "low")), place(cell(row, "high"))),
        )
        for row in sorted(rows, key=lambda row: (row["model"] != BICUBIC, row["model"]))
    )
    looked = facts.measured.get(name)
    return MetricTable(
        name,
        measured.get("higher_is_better", {}).get(name),
        "" if looked is None else _looked_at(looked),
        measured.get("licenses", {}).get(name, ""),
        measured.get("not_measured", {}).get(name) if rows else "asked for since: run `dvc repro measure`",
        next((_left_out(row) for row in rows if cell(row, "left_out")), ""),
        figures,
    )


def _left_out(row: Texts) -> str:
    number = int(row["left_out"])
    return f"{number:,} pair{'s' * (number != 1)} in no mean ({row['why_left_out']})"


def _looked_at(row: Mapping[str, Any]) -> str:
    what = "luma (Y of BT.601)" if row["color"] == "y" else "RGB"
    return f"{what}, {row['border']} pixels of border left out" if row["border"] else f"{what}, all of it"


def _measure(row: Texts, value: str, low: str, high: str) -> Measure:
    return Measure(cell(row, value), cell(row, low), cell(row, high), int(cell(row, "n") or 0))


def _slices(summary: Sequence[Texts]) -> list[dict[str, Any]]:
    """A table per slice with more than one value: rows are values, columns model and metric."""
    found = []
    for name in dict.fromkeys(row["slice"] for row in summary if row["slice"] != "all"):
        rows = [row for row in summary if row["slice"] == name and row["mean"]]
        values = sorted({row["slice_value"] for row in rows})
        if len(values) < 2:
            continue
        columns = list(dict.fromkeys((row["metric"], row["model"]) for row in rows))
        cells = {
            (row["slice_value"], row["metric"], row["model"]): _measure(row, "mean", "low", "high")
            for row in rows
        }
        found.append({"name": name, "values": values, "columns": sorted(columns), "cells": cells})
    return found


def _ranking(rows: Sequence[Texts]) -> list[dict[str, Any]]:
    bounds = [
        value for row in rows for key in ("strength", "low", "high") if (value := cell(row, key)) is not None
    ]
    first, last = (min(bounds), max(bounds)) if bounds else (0.0, 0.0)
    found = []
    for row in sorted(rows, key=lambda row: -(cell(row, "strength") or 0)):
        figure = Measure(
            cell(row, "strength"), cell(row, "low"), cell(row, "high"), int(cell(row, "votes") or 0)
        )
        place = tuple(
            None if value is None or last <= first else (value - first) / (last - first)
            for value in (figure.value, figure.low, figure.high)
        )
        found.append({"model": row["model"], "strength": figure, "place": place, "raters": row["raters"]})
    return found


def _remarks(facts: RestorationFacts) -> dict[str, int]:
    """What the stage vote counted besides comparisons and votes, such as votes that are left out."""
    counts = facts.metrics.get("vote", {}).get("counts", {})
    return {name: number for name, number in counts.items() if name not in ("comparisons", "votes")}


def _funnel(facts: RestorationFacts) -> list[tuple[str, int | None]]:
    """Count images on the way from raw files to pairs."""
    return [
        ("raw files", facts.count("ingest", "files")),
        ("images", facts.count("ingest", "images")),
        ("kept after dedupe", facts.count("dedupe", "kept")),
        ("left out by fault", facts.count("pairs", "images_left_out_by_fault")),
        ("left out, in the test set", facts.count("pairs", "images_in_the_test_set")),
        ("with pairs", len({row["image_id"] for row in facts.pairs.values()}) or None),
    ]


def _faults(facts: RestorationFacts, out: Path) -> list[dict[str, Any]]:
    """Rows of faults by the limits of the run that found them, whatever params.yaml says now.

    A fault without a limit was not looked at.
    """
    limits = facts.metrics.get("diagnose", {}).get("limits") or {}
    found = []
    for fault in FAULTS:
        sheet = _link(facts.root / f"data/diagnose/sheets/{fault.name}.html", out)
        row: dict[str, Any] = {"name": fault.name, "figure": fault.figure, "limit": None, "sheet": sheet}
        limit = limits.get(fault.name, "a limit that is not known")
        if limit is not None:
            told = limit if isinstance(limit, str) else f"{limit:g}"
            row["limit"] = f"{'above' if fault.limit.startswith('max_') else 'below'} {told}"
            row["images"] = sum(fault.name in one["faults"] for one in facts.diagnosed)
            row["unknown"] = sum(fault.figure in one["unknown"] for one in facts.diagnosed)
        found.append(row)
    return found


def _weights(facts: RestorationFacts) -> list[tuple[str, str, str]]:
    found = {(row["model"], row["model_version"], row["model_license"]) for row in facts.results.values()}
    return sorted(found)


def _link(path: Path, out: Path) -> str | None:
    return os.path.relpath(path, out.parent).replace(os.sep, "/") if path.exists() else None


def _number(value: float | None, digits: int = 3) -> str:
    return "undefined" if value is None else f"{value:.{digits}f}"


def _count(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Figures without pictures."""
    loss = content["loss"]
    return {
        **{
            name: content[name]
            for name in (
                "name",
                "version",
                "simulated",
                "images",
                "pairs",
                "splits",
                "models",
                "results",
                "faults",
            )
        },
        "losses_to_bicubic": {model: list(one) for model, one in content["losses"].items()},
        "sharper_but_less_true": None
        if loss is None
        else {name: getattr(loss, name) for name in ("model", "pair_id", "psnr", "sharpness")},
        "figures": {
            table.name: {
                "why_not": table.why_not,
                "left_out": table.left_out,
                "looked_at": table.looked_at,
                "license": table.license,
                "models": {
                    one.model: {
                        "value": one.mean.value,
                        "low": one.mean.low,
                        "high": one.mean.high,
                        "n": one.mean.n,
                    }
                    for one in table.figures
                },
            }
            for table in content["tables"]
        },
        "ranking": [
            {
                "model": row["model"],
                "strength": row["strength"].value,
                "low": row["strength"].low,
                "high": row["strength"].high,
                "raters": row["raters"],
            }
            for row in content["ranking"]
        ],
        "examples": [one.pair_id for one in content["examples"]],
    }
