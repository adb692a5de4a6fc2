"""Stage measure: every result against the clean image of its pair."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curate import tables
from curate.errors import InputError, MetricError
from curate.intervals import Figure
from curate.params import MeasureParams
from curate.params.upscale import BICUBIC
from curate.ports import Casualty, Engine, ImageMetric
from curate.records import StageReport
from curate.restoration import (
    fidelity,
    image_pixels,
    metric_files,
    metric_licenses,
    metric_summary,
    natural_scene,
    no_reference,
    pair_slices,
    table_schemas,
)
from curate.restoration.natural_scene import NaturalSceneModel

_BATCH = 8  # results that a worker takes at a time
_MAX_PIXELS = 2_000_000_000
_FITTED = 100  # clean images, at most, that the model of naturalness is fitted on
_EQUAL = "the two are equal: infinite"
# Reasons of the summary: few words for many reasons of the table, which name files and numbers.
_EXACT, _NOT_MEASURED = "equal to the original", "not measured"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads: the tables of pairs, upscale and diagnose, with the files that they name."""

    pairs: Path
    upscaled: Path
    diagnosed: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: A row per result and metric.
        summary: CSV of means with intervals by model, metric and slice.
        worst: CSV of the results that are worst by each metric, and that metrics dispute most.
    """

    table: Path
    summary: Path
    worst: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the stage needs.

    Attributes:
        load: Metrics of other packages by name, and why others are not there; called in each worker too.
        engine: Where they run.
    """

    load: Callable[[Sequence[str]], tuple[list[ImageMetric], dict[str, str]]]
    engine: Engine


@dataclass(frozen=True, slots=True)
class Result:
    """An upscaled image and what it should be."""

    model: str
    pair_id: str
    clean: Path
    path: Path
    border: int

    def __str__(self) -> str:
        return f"result {self.path}"


Measured = list[tuple[str, float | None, str | None]]  # metric, value, why there is none


def run(params: MeasureParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Measure every result; what cannot be measured has a row that says why.

    Raises:
        InputError: There is no result of these pairs.
        ParamsError: A slice is neither a column of the pairs nor a fault or band of diagnose.
        TableError: A table is missing.
        StorageError: The disk is full or refuses.
    """
    pairs = {row["pair_id"]: row for row in tables.read(inputs.pairs, table_schemas.IMAGE_PAIRS).to_pylist()}
    columns = pair_slices.columns(params.slices, pairs, inputs.diagnosed)
    results = list(_results(params, pairs, inputs.upscaled))
    if not results:
        raise InputError(f"{inputs.upscaled} has no result of the pairs: run upscale again")
    loaded, missing = ports.load(_others(params))
    natural, why_not = _model(params, pairs)
    # These words stand in tables, metrics and the report, which travel: whose machine it was is nobody's.
    home = str(Path.home())
    missing = {name: reason.replace(home, "~") for name, reason in (missing | why_not).items()}
    rows = [
        row
        for result, found in _measured(params, results, ports, missing, natural)
        for row in _rows(params, result, found)
    ]
    rows += [
        _row(params, result, name, None, reason) for result in results for name, reason in missing.items()
    ]
    tables.write_rows(rows, outputs.table, table_schemas.MEASURED)
    better = _directions(params, [*loaded, *no_reference.metrics(params.metrics, natural)])
    report = _report(params, rows, columns, better=better, outputs=outputs)
    licenses = {name: metric_licenses.of(name) for name in params.metrics}
    fitted = {"niqe_here_patches": natural.patches} if natural else {}
    metrics = {**report.metrics, "not_measured": missing, "licenses": licenses, **fitted}
    return replace(report, metrics=metrics)


def _results(params: MeasureParams, pairs: Mapping[str, Any], upscaled: Path) -> Iterator[Result]:
    for row in tables.read(upscaled, table_schemas.UPSCALED).to_pylist():
        pair = pairs.get(row["image_id"])
        if pair is not None and row["path"] is not None:
            border = pair["scale"] if params.border is None else params.border
            yield Result(row["model"], row["image_id"], Path(pair["hr_path"]), Path(row["path"]), border)


def _others(params: MeasureParams) -> list[str]:
    return [name for name in params.metrics if name not in (*fidelity.FIGURES, *no_reference.NAMES)]


def _model(
    params: MeasureParams, pairs: Mapping[str, Mapping[str, Any]]
) -> tuple[NaturalSceneModel | None, dict[str, str]]:
    """What the clean images are like, where that is asked for; or why it cannot be said."""
    if natural_scene.NAME not in params.metrics:
        return None, {}
    paths = sorted({Path(row["hr_path"]) for row in pairs.values()})
    some = paths[:: -(-len(paths) // _FITTED)]
    try:
        return natural_scene.fit(_pixels(path) for path in some), {}
    except (MetricError, InputError) as error:
        return None, {natural_scene.NAME: str(error)}


def _measured(
    params: MeasureParams,
    results: Sequence[Result],
    ports: Ports,
    missing: Mapping[str, str],
    natural: NaturalSceneModel | None,
) -> Iterator[tuple[Result, Measured]]:
    batches = [results[start : start + _BATCH] for start in range(0, len(results), _BATCH)]
    made = ports.engine.map_batches(
        functools.partial(measuring, ports.load, params, natural),
        batches,
        label="measure, results",
        total=len(results),
    )
    for batch, found in zip(batches, made, strict=True):
        for result, one in zip(batch, found, strict=True):
            if isinstance(one, Casualty):
                asked = [name for name in params.metrics if name not in missing]
                yield result, [(name, None, f"ended its worker ({one.how})") for name in asked]
            else:
                yield result, one


def measuring(
    load: Callable[[Sequence[str]], tuple[list[ImageMetric], dict[str, str]]],
    params: MeasureParams,
    natural: NaturalSceneModel | None,
) -> Callable[[Sequence[Result]], list[Measured]]:
    """Set a worker up."""
    loaded, _ = load(_others(params))
    others = [*loaded, *no_reference.metrics(params.metrics, natural)]
    return functools.partial(_measure_all, params, others)


def _measure_all(
    params: MeasureParams, others: Sequence[ImageMetric], results: Sequence[Result]
) -> list[Measured]:
    return [_measure(params, others, result) for result in results]


def _measure(params: MeasureParams, others: Sequence[ImageMetric], result: Result) -> Measured:
    own: list[ImageMetric] = [
        fidelity.Fidelity(name, color=params.color, border=result.border)
        for name in params.metrics
        if name in fidelity.FIGURES
    ]
    metrics = [*own, *others]
    try:
        clean, image = (_pixels(path) for path in (result.clean, result.path))
    except InputError as error:
        return [(metric.name, None, str(error)) for metric in metrics]
    return [(metric.name, *_value(metric, clean, image)) for metric in metrics]


def _pixels(path: Path) -> Any:
    found = image_pixels.read(path, max_pixels=_MAX_PIXELS)
    if found.bits != 8:
        raise InputError(f"image {path} has {found.bits} bits a sample: metrics compare 8")
    return found.color


def _value(metric: ImageMetric, clean: Any, image: Any) -> tuple[float | None, str | None]:
    try:
        value = metric.measure(clean, image)
    except MetricError as error:
        return None, str(error)
    if value == math.inf:
        return None, _EQUAL
    return (value, None) if math.isfinite(value) else (None, f"the figure is no number ({value})")


def _rows(params: MeasureParams, result: Result, found: Measured) -> Iterator[dict[str, Any]]:
    for name, value, reason in found:
        yield _row(params, result, name, value, reason)


def _row(
    params: MeasureParams, result: Result, name: str, value: float | None, reason: str | None
) -> dict[str, Any]:
    own = name in fidelity.FIGURES
    return {
        "model": result.model,
        "pair_id": result.pair_id,
        "metric": name,
        "value": value,
        "reason": reason,
        "color": params.color if own else "rgb",
        "border": result.border if own else 0,
    }


def _directions(params: MeasureParams, others: Sequence[ImageMetric]) -> dict[str, bool]:
    return {
        **{name: True for name in params.metrics if name in fidelity.FIGURES},
        **{metric.name: metric.higher_is_better for metric in others},
    }


def _report(
    params: MeasureParams,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Mapping[str, str]],
    *,
    better: Mapping[str, bool],
    outputs: Outputs,
) -> StageReport:
    values: dict[tuple[str, str], dict[str, float]] = {}
    reasons: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        place = (row["model"], row["metric"])
        found = values.setdefault(place, {})
        if row["value"] is not None:
            found[row["pair_id"]] = row["value"]
        else:
            why = _EXACT if row["reason"] == _EQUAL else _NOT_MEASURED
            reasons.setdefault(place, {})[row["pair_id"]] = why
    models = {model for model, _ in values}
    summary = metric_summary.summarize(
        values,
        columns,
        reasons=reasons,
        slices=params.slices,
        baseline=BICUBIC if BICUBIC in models else None,
        resamples=params.bootstrap,
        seed=params.seed,
    )
    metric_files.write_summary(outputs.summary, summary)
    metric_files.write_worst(outputs.worst, values, better, max_results=params.worst)
    whole = [row for row in summary if row.slice == "all"]
    by_model = {
        model: {row.metric: _figure(row.mean) for row in whole if row.model == model}
        for model in sorted(models)
    }
    left_out = {row.metric: row.why_left_out for row in whole if row.why_left_out}
    not_measured = sum(row["value"] is None for row in rows)
    counts = (
        ("results", len({(row["model"], row["pair_id"]) for row in rows})),
        ("figures", len(rows) - not_measured),
        ("not measured", not_measured),
    )
    metrics = {"models": by_model, "higher_is_better": dict(better), "left_out_of_means": left_out}
    return StageReport("measure", counts, metrics)


def _figure(figure: Figure) -> dict[str, Any]:
    return {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n}
