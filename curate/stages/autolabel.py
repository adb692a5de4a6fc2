"""Stage autolabel: a detector proposes boxes, a segmenter turns them into masks."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.errors import InputError, ModelError, TableError
from curate.images import load
from curate.labeling import labeler, taxonomy
from curate.labeling.labeler import ImageFile, Models, Shard
from curate.params import AutolabelParams
from curate.ports import Casualty, Engine
from curate.records import Category, FloatArray, StageReport, derived_id

Result = TypeVar("Result")

_BINS = 20  # of the score histogram


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads: the `images` table of dedupe with the files it names, and taxonomy.yaml."""

    images: Path
    taxonomy: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: Annotations of origin "model".
        shards: Folder of finished parts; it outlives a kill, and what is in it is not computed again.
        plot: CSV of `bin,count` and a column a category: boxes by score, `bin` is the lower edge.
    """

    table: Path
    shards: Path
    plot: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside.

    Attributes:
        models: Loads them; called once in each worker of the engine, so it must be picklable (importable by
            name, or a `functools.partial` of such) unless the engine works in this process.
        engine: Where they run.
    """

    models: Callable[[], Models]
    engine: Engine


def run(params: AutolabelParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Propose boxes and masks for every kept image. An image without a box has no row.

    Work is done in shards of `params.shard_size` images, each written whole; a run that was killed repeats at
    most one of them a worker and ends in the same table. So does a run on another engine: what a worker gets
    is always a whole shard.

    Raises:
        InputError: An image of the table has disappeared or is damaged; no image is kept.
        ParamsError: taxonomy.yaml is malformed, or a prompt too long for the detector.
        ModelError: The models cannot do it here.
        TableError: The images table is missing or of another version.
        StorageError: The disk is full or refuses.
    """
    categories = taxonomy.load(inputs.taxonomy)
    images = _kept(inputs.images)
    setting = (labeler.Loader(ports.models), params, categories)
    model_version, digest = _described(setting, ports.engine)
    paths = _shard_paths(images, params.shard_size, digest, outputs.shards)
    _make_shards(
        [number for number, path in enumerate(paths) if not _is_whole(path)],
        paths,
        images,
        setting,
        ports.engine,
    )
    table = pa.concat_tables([tables.read(path, schema.ANNOTATIONS) for path in paths])
    tables.write(table, outputs.table, schema.ANNOTATIONS)
    suggested = table.filter(pc.equal(table.column("outcome"), "object"))
    by_category = _scores(suggested, categories)
    _write_plot(by_category, outputs.plot)
    _remove_stale(outputs.shards, keep=paths)
    with_boxes = pc.count_distinct(suggested.column("image_id")).as_py()
    rejected = _rejected(table) if params.keep_rejects else {}
    return _report(images.num_rows, with_boxes, by_category, model_version, rejected)


def _kept(path: Path) -> pa.Table:
    """image_id, path, width and height of the kept rows, by image_id."""
    columns = ["image_id", "path", "width", "height", "drop_reason"]
    rows = tables.read(path, schema.IMAGES, columns=columns)
    kept = rows.filter(pc.is_null(rows.column("drop_reason"))).drop_columns("drop_reason").combine_chunks()
    if not kept.num_rows:
        raise InputError(
            f"{path} keeps no image: look at its drop_reason column, then run ingest and dedupe again"
        )
    for value in kept.column("path"):  # also those whose shard is there already
        if not Path(value.as_py()).is_file():
            raise load.disappeared(Path(value.as_py()))
    return kept


def _described(setting: tuple[Any, ...], engine: Engine) -> tuple[str, str]:
    """The models' version and the digest of what labels, from a worker: this machine may have no GPU."""
    describing = functools.partial(labeler.describing, *setting)
    ((described,),) = engine.map_batches(describing, [[None]], label="autolabel, loading the models")
    return _survived(described, "loading")


def _make_shards(
    numbers: Sequence[int], paths: Sequence[Path], images: pa.Table, setting: tuple[Any, ...], engine: Engine
) -> None:
    size = setting[1].shard_size
    shards = (
        Shard(paths[n], tuple(ImageFile(**row) for row in images.slice(n * size, size).to_pylist()))
        for n in numbers
    )
    labeling = functools.partial(labeler.labeling, *setting)
    done = engine.map_batches(
        labeling, ([shard] for shard in shards), label=f"autolabel, shards of {size}", total=len(numbers)
    )
    for number, (result,) in zip(numbers, done, strict=True):
        _survived(result, str(paths[number]))


def _shard_paths(images: pa.Table, size: int, digest: str, folder: Path) -> list[Path]:
    """The file of each shard: another one whenever its images or what would label them change."""
    paths = []
    for start in range(0, images.num_rows, size):
        part = images.slice(start, size).to_pydict()
        names = (f"{image_id} {path}" for image_id, path in zip(part["image_id"], part["path"], strict=True))
        paths.append(folder / f"{derived_id(digest, *names)}.parquet")
    return paths


def _survived(result: Result | Casualty, when: str) -> Result:
    if isinstance(result, Casualty):
        raise ModelError(
            f"the models killed their process {result.tries} times ({result.how}) at {when}: give it more "
            "memory, or set autolabel.detector.batch_size lower; what is done is kept"
        )
    return result


def _is_whole(shard: Path) -> bool:
    if not shard.exists():
        return False
    try:
        tables.read(shard, schema.ANNOTATIONS)
    except TableError:  # of an older schema, or damaged by the disk: it is computed again
        return False
    return True


def _remove_stale(folder: Path, *, keep: Sequence[Path]) -> None:
    try:
        for path in folder.iterdir():
            if path.suffix in (".parquet", ".partial") and path not in keep:
                path.unlink()
    except OSError as error:
        raise tables.storage_error(error, folder) from error


def _scores(table: pa.Table, categories: Sequence[Category]) -> dict[str, FloatArray]:
    """Scores of all boxes by category, in the taxonomy's order."""
    by_name = {}
    for category in categories:
        own = table.filter(pc.equal(table.column("category"), category.name))
        by_name[category.name] = own.column("score").to_numpy()
    return by_name


def _rejected(table: pa.Table) -> dict[str, int]:
    """Boxes that are no suggestion, by reason."""
    counts = pc.value_counts(table.column("reject_reason").drop_null())
    return {row["values"]: row["counts"] for row in sorted(counts.to_pylist(), key=lambda row: row["values"])}


def _write_plot(by_category: Mapping[str, FloatArray], path: Path) -> None:
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["bin", "count", *by_category])
        in_bin = [_bins(scores) for scores in by_category.values()]
        for number in range(_BINS):
            counts = [bins[number] for bins in in_bin]
            writer.writerow([f"{number / _BINS:.2f}", sum(counts), *counts])


def _bins(scores: FloatArray) -> list[int]:
    # The smallest step over float32's rounding: a score of 0.9 belongs to the bin that begins there.
    lower = (scores.astype(np.float64) * _BINS + 1e-6).astype(np.int64)
    counts: list[int] = np.bincount(np.minimum(lower, _BINS - 1), minlength=_BINS).tolist()
    return counts


def _report(
    images: int,
    with_boxes: int,
    by_category: Mapping[str, FloatArray],
    model_version: str,
    rejected: Mapping[str, int],
) -> StageReport:
    total = np.concatenate(list(by_category.values()))
    counts = (("images", images), ("boxes", len(total)), ("images without a box", images - with_boxes))
    metrics = {
        "boxes_by_category": {name: len(scores) for name, scores in by_category.items()},
        "mean_score_by_category": {name: _mean(scores) for name, scores in by_category.items()},
        "mean_score": _mean(total),
        "model_version": model_version,
        **({"rejected": rejected} if rejected else {}),
    }
    return StageReport("autolabel", counts, metrics)


def _mean(scores: FloatArray) -> float | None:
    return round(float(scores.astype(np.float64).mean()), 6) if len(scores) else None
