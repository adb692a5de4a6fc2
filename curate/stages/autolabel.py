"""Stage autolabel: a detector proposes boxes, a segmenter turns them into masks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.errors import InputError
from curate.labeling import taxonomy
from curate.labeling.fitted_precision import Promise
from curate.labeling.run import labeler, shard_assignment, shard_files
from curate.labeling.run.failures import Failures
from curate.labeling.run.models import Models
from curate.labeling.run.score_histograms import Scores
from curate.labeling.run.shard_dispatch import Collected
from curate.params import AutolabelParams
from curate.ports import Engine
from curate.records import StageReport
from curate.stages import imported_suggestions
from curate.stages.imported_suggestions import ImportedSuggestions


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads.

    Attributes:
        images: The table of dedupe, with the files it names.
        taxonomy: taxonomy.yaml.
        imported: Folder of tables of suggestions that were imported; need not be there.
    """

    images: Path
    taxonomy: Path
    imported: Path = Path("labels/suggestions")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: Annotations of origin "model".
        shards: Folder of raw boxes, raw masks and finished parts; it outlives a kill, and what is in it is
            not computed again.
        plot: CSV of `bin,count` and a column per category: boxes by score, `bin` is the lower edge.
        failures: CSV of the images that no model could look at: image_id, path, reason, detail.
    """

    table: Path
    shards: Path
    plot: Path
    failures: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the stage needs.

    Attributes:
        models: Loads them; called once in each worker of the engine, so it must be picklable (importable by
            name, or a `functools.partial` of such) unless the engine works in this process.
        engine: Where they run.
    """

    models: Callable[[], Models]
    engine: Engine


def run(params: AutolabelParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Propose boxes and masks for every kept image. An image without a box has no row.

    Work is done in shards, of which new images make new ones of `params.shard_size`. A run that was killed
    repeats at most one of them a worker and ends in the same table. So does a run on another engine: what a
    worker gets is always a whole shard. An image that cannot be read, is too large, or kills its worker has a
    row of outcome "failed". Imported suggestions stand beside those of the models, or (`params.detector.kind`
    none) alone.

    Raises:
        InputError: No image is kept, or more than `params.max_failures` fail.
        ParamsError: taxonomy.yaml is malformed, or a prompt too long for the detector.
        ModelError: The models cannot do it here.
        TableError: The images table is missing or of another version.
        StorageError: The disk is full or refuses.
    """
    categories = taxonomy.load(inputs.taxonomy)
    kept = shard_assignment.assign(
        _kept(inputs.images), outputs.shards / "shard_assignment.parquet", params.shard_size
    )
    shards = outputs.shards / "shards"
    collected = Collected(Failures(params.max_failures), max_pixels=params.max_pixels)
    with_models = params.detector.kind != "none"
    if with_models:
        results = ports.engine.map_batches(
            functools.partial(labeler.labeling, ports.models, params, categories, shards),
            collected.offer(kept),
            label="autolabel, images",
            total=kept.num_rows,
        )
        for result in results:
            collected.take(result)
    collected.failures.write(outputs.failures)
    scores = Scores(categories)
    digest = taxonomy.digest(categories)
    imported = imported_suggestions.read(inputs.imported, kept["image_id"], categories, digest)
    collected.write(outputs.table, taxonomy_digest=digest, scores=scores, imported=imported.tables)
    scores.write(outputs.plot)
    live = set(pc.unique(kept["shard"]).to_pylist())
    if with_models:
        shard_files.remove_stale(shards, live=live, keys=collected.keys, labels=collected.parts)
    promised = taxonomy.promise(inputs.taxonomy)
    strange = promised is not None and collected.version and not promised.made_for(collected.version)
    return _report(
        kept.num_rows, collected, scores, imported,
        keep_rejects=params.keep_rejects, fitted_for_another=promised if strange else None,
    )  # fmt: skip


def _kept(path: Path) -> pa.Table:
    """The columns of `ImageFile`, but for the shard, of the kept rows."""
    columns = ["image_id", "path", "width", "height", "upright_sha256", "drop_reason"]
    rows = tables.read(path, schema.IMAGES, columns=columns)
    kept = rows.filter(pc.is_null(rows["drop_reason"])).drop_columns("drop_reason")
    if not kept.num_rows:
        raise InputError(
            f"{path} keeps no image: look at its drop_reason column, then run ingest and dedupe again"
        )
    return kept


def _report(
    images: int,
    collected: Collected,
    scores: Scores,
    imported: ImportedSuggestions,
    *,
    keep_rejects: bool,
    fitted_for_another: Promise | None,
) -> StageReport:
    failed, fitted = len(collected.failures), fitted_for_another
    counts = (
        ("images", images),
        ("boxes", sum(scores.boxes.values())),
        ("images without a box", images - collected.with_boxes - failed),
        ("failed", failed),
        *imported.counts(),
        *((("thresholds that were fitted for another model", len(fitted.thresholds)),) if fitted else ()),
    )
    metrics = {
        "boxes_by_category": scores.boxes,
        "mean_score_by_category": scores.means,
        "mean_score": scores.mean,
        "model_version": collected.version,
        **({"rejected": scores.rejected} if keep_rejects and scores.rejected else {}),
        **({"thresholds_fitted_for": list(fitted.model_versions)} if fitted else {}),
        **({"failed_by_reason": collected.failures.by_reason()} if failed else {}),
    }
    return StageReport("autolabel", counts, metrics)
