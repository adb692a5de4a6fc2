"""Stage upscale: every model of params.yaml enlarges every image."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import tables
from curate.errors import InputError
from curate.params import UpscaleParams
from curate.ports import Casualty, Engine, Upscaler
from curate.records import StageReport
from curate.restoration import table_schemas, upscale_files, weights_license
from curate.restoration.upscale_files import NotUpscaled, Outcome, Upscaled, UpscaleTask

_BATCH = 4  # images that a worker takes at a time: the next one is read while the model works


@dataclass(frozen=True, slots=True)
class Inputs:
    """`pairs`: the table of the stage pairs, with the files it names."""

    pairs: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: A row per pair and model.
        folder: A folder per model, a PNG per pair; it outlives a kill, and what is in it is not made again.
    """

    table: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the stage needs.

    Attributes:
        load: A model by its setting; called once in each worker, so it must be picklable.
        engine: Where the models run.
    """

    load: Callable[[str], Upscaler]
    engine: Engine


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image to be upscaled: its id, its file, and the name of each result without an ending."""

    image_id: str
    path: Path
    name: str


def run(
    params: UpscaleParams, *, release_license: str, inputs: Inputs, outputs: Outputs, ports: Ports
) -> StageReport:
    """Enlarge the small image of every pair by every model; files of pairs that are gone are removed.

    Raises:
        ParamsError, InputError, ModelError, StorageError: As `upscale_all`.
        TableError: The table of pairs is missing.
    """
    pairs = tables.read(inputs.pairs, table_schemas.IMAGE_PAIRS, columns=["pair_id", "lr_path"]).to_pylist()
    images = [SourceImage(row["pair_id"], Path(row["lr_path"]), row["pair_id"]) for row in pairs]
    rows = upscale_all(
        params, images, folder=outputs.folder.joinpath, ports=ports, release_license=release_license
    )
    tables.write_rows(rows, outputs.table, table_schemas.UPSCALED)
    wanted = {Path(row["path"]) for row in rows if row["path"] is not None}
    for path in outputs.folder.glob("*/*.png"):
        if path not in wanted:
            path.unlink()
    failed = Counter(row["reason"] for row in rows if row["outcome"] == "failed")
    counts = (("models", len(params.models)), ("images", len(images)), ("failed", failed.total()))
    licenses = {row["model"]: row["model_license"] for row in rows}
    versions = {row["model"]: row["model_version"] for row in rows if row["model_version"]}
    metrics = {"model_licenses": licenses, "model_versions": versions, "failed_by_reason": dict(failed)}
    return StageReport("upscale", counts, metrics)


def upscale_all(
    params: UpscaleParams,
    images: Sequence[SourceImage],
    *,
    folder: Callable[[str], Path],
    ports: Ports,
    release_license: str | None,
) -> list[dict[str, Any]]:
    """Every model on every image; what is done already is not done again.

    Args:
        params: Which models, and how.
        images: No name twice.
        folder: Of the results, by the model's name.
        ports: The outside.
        release_license: Of the release that the results go into; None = of none.

    Returns:
        Rows of `curate.table_schemas.UPSCALED`, by model and image.

    Raises:
        ParamsError: The license of weights is not known, or does not go with that of the release; see
            `weights_license.refuse_for_release`.
        InputError: More than `params.max_failures` images of one model fail.
        ModelError: A model cannot be loaded.
        StorageError: The disk is full or refuses.
    """
    licenses = {
        name: weights_license.license_of(name, model, params.licenses.get(name))
        for name, model in params.models.items()
    }
    if release_license is not None:
        weights_license.refuse_for_release(licenses, release_license, params.commercial_use)
    rows = []
    for name, model in sorted(params.models.items()):
        tasks = [UpscaleTask(one.image_id, one.path, folder(name) / f"{one.name}.png") for one in images]
        made = _by_model(params, tasks, functools.partial(ports.load, model), ports.engine, name)
        rows += [_row(name, licenses[name], outcome) for outcome in made]
    return rows


def _by_model(
    params: UpscaleParams,
    tasks: Sequence[UpscaleTask],
    load: Callable[[], Upscaler],
    engine: Engine,
    name: str,
) -> Iterator[Outcome]:
    batches = [tasks[start : start + _BATCH] for start in range(0, len(tasks), _BATCH)]
    results = engine.map_batches(
        functools.partial(upscale_files.upscaling, load, params),
        batches,
        label=f"upscale by {name}, images",
        total=len(tasks),
    )
    failed: list[NotUpscaled] = []
    for batch, outcomes in zip(batches, results, strict=True):
        for task, result in zip(batch, outcomes, strict=True):
            outcome = _survived(task, result)
            if isinstance(outcome, NotUpscaled):
                failed.append(outcome)
                _refuse_many(failed, params.max_failures, name)
            yield outcome


def _survived(task: UpscaleTask, result: Outcome | Casualty) -> Outcome:
    if not isinstance(result, Casualty):
        return result
    detail = f"image {task.source} ended its worker {result.tries} times ({result.how})"
    return NotUpscaled(task, "killed_worker", detail)


def _refuse_many(failed: Sequence[NotUpscaled], max_failures: int, model: str) -> None:
    if len(failed) <= max_failures:
        return
    counts = ", ".join(f"{n} {reason}" for reason, n in sorted(Counter(one.reason for one in failed).items()))
    raise InputError(
        f"more than upscale.max_failures = {max_failures} images failed by {model} ({counts}); the first: "
        f"{failed[0].detail}. What is done is kept"
    )


def _row(model: str, license: str, outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(
        ("path", "width", "height", "scale", "model_version", "ran_on", "source_sha256")
    )
    row |= {"reason": None, "detail": None, "model": model, "model_license": license}
    row |= {"image_id": outcome.task.image_id, "source": outcome.task.source.as_posix()}
    if isinstance(outcome, Upscaled):
        return row | {
            "outcome": "upscaled",
            "path": outcome.task.target.as_posix(),
            "width": outcome.width,
            "height": outcome.height,
            "scale": outcome.scale,
            "model_version": outcome.model_version,
            "ran_on": outcome.ran_on,
            "source_sha256": outcome.source_sha256,
        }
    return row | {"outcome": "failed", "reason": outcome.reason, "detail": outcome.detail}
