"""Stage quality: how well and how fast people label, and what suggestions are worth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from curate import pseudonyms, schema, tables
from curate.errors import TableError
from curate.labeling import taxonomy
from curate.params.quality import QualityParams
from curate.qa import answer_times, gold_pool, quality_figures, quality_tables
from curate.qa.quality_figures import Measured
from curate.records import StageReport
from curate.shown import record

_IMAGE_COLUMNS = (*gold_pool.IMAGE_COLUMNS, "path")
_ROW_COLUMNS = (
    "annotation_id", "image_id", "annotator_id", "category", "bbox_xyxy", "rle", "parent_id", "task_id",
    "outcome",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inputs:
    """Tables of earlier stages.

    Attributes:
        images: Of dedupe.
        shown: Folder of the record of what was shown, of push.
        plan: Of select.
        annotations: Of pull.
        answers: Of pull.
        receipt: Of push: which guideline and taxonomy count today.
        taxonomy: The categories.
        gold: The parameter `qa.gold`; None = there is none.
    """

    images: Path
    shown: Path
    plan: Path
    annotations: Path
    answers: Path
    receipt: Path
    taxonomy: Path
    gold: Path | None


@dataclass(frozen=True, slots=True)
class Outputs:
    """`folder` of tables for the labelling lead, `plots` folder of CSV, `people` as for pull."""

    folder: Path
    plots: Path
    people: Path | None = None


def run(params: QualityParams, *, inputs: Inputs, outputs: Outputs) -> StageReport:
    """Measure, and write tables, plots and figures.

    Raises:
        TableError: A table, the receipt or the record of what was shown is missing or damaged.
        InputError: The gold is missing, damaged, or of unknown images or categories.
        StorageError: An output cannot be written.
    """
    images = tables.read(inputs.images, schema.IMAGES, columns=_IMAGE_COLUMNS)
    read = _read(inputs, images)
    measured = quality_figures.measure(read, params)
    names = pseudonyms.remember(outputs.people, read.answers["annotator_id"].unique().to_pylist())
    paths = dict(zip(images["image_id"].to_pylist(), images["path"].to_pylist(), strict=True))
    for name, table in (
        ("gold", quality_tables.gold_answers(measured)),
        ("seeded_errors", quality_tables.seeded(measured)),
        ("suggestions", quality_tables.suggestions(measured)),
        ("outdated", quality_tables.outdated(measured, paths)),
    ):
        _write_csv(table, outputs.folder / f"{name}.csv")
    with tables.replacing(outputs.folder / "times.parquet") as partial:
        pq.write_table(quality_tables.times(measured), partial, compression="zstd")
    running = quality_tables.gold_answers(measured)
    who = pa.array([names.get(person) for person in running["annotator_id"].to_pylist()], pa.string())
    running = running.set_column(running.column_names.index("annotator_id"), "annotator_id", who)
    for name, table in (
        ("quality_gold", running.select(["annotator_id", "number", "f1", "low", "high", "recent_f1"])),
        ("quality_suggestions", quality_tables.fates(measured)),
        ("quality_arms", quality_tables.arms(measured)),
        ("answer_times", answer_times.by_period(measured, names)),
    ):
        _write_csv(table, outputs.plots / f"{name}.csv")
    return _report(measured, names, params)


def _read(inputs: Inputs, images: pa.Table) -> quality_figures.Tables:
    names = [category.name for category in taxonomy.load(inputs.taxonomy)]
    receipt = _receipt(inputs.receipt)
    return quality_figures.Tables(
        plan=tables.read(inputs.plan, schema.PLAN),
        answers=tables.read(inputs.answers, schema.ANSWERS),
        annotations=tables.read(inputs.annotations, schema.ANNOTATIONS, columns=_ROW_COLUMNS),
        record=record.load(inputs.shown),
        known=gold_pool.load(inputs.gold, images, names),
        images=images,
        categories=names,
        guideline=receipt.get("guideline"),
        taxonomy=receipt.get("taxonomy"),
    )


def _receipt(path: Path) -> dict[str, str | None]:
    """What push showed to the labelers last."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: content.get(name) for name in ("guideline", "taxonomy")}
    except (OSError, ValueError, AttributeError) as error:
        raise TableError(f"{path} cannot be read ({error}): run dvc repro --force push") from error


def _write_csv(table: pa.Table, path: Path) -> None:
    options = pa.csv.WriteOptions(quoting_style="needed")
    with tables.replacing(path) as partial:
        pa.csv.write_csv(table, partial, options)


def _report(measured: Measured, names: Mapping[str, str], params: QualityParams) -> StageReport:
    looks = measured.looks
    lost, later = sum(looks.not_joined.values()), int(looks.known_later.sum())
    return StageReport(
        stage="quality",
        counts=(
            ("answers", len(looks)),
            ("skipped", looks.skipped),
            ("on gold", int(looks.gold.sum())),
            *((("on images that were no gold then, not scored", later),) if later else ()),
            ("labelers below the gold level", sum(one.state == "alert" for one in measured.labelers)),
            ("planted errors seen", len(measured.found)),
            ("caught", int(measured.found.sum())),
            ("under an older guideline or taxonomy", len(measured.outdated.look)),
            *((("not joined to what was shown", lost),) if lost else ()),
        ),
        metrics={
            **quality_tables.metrics(measured, names),
            "limits": {"gold_alert_f1": params.gold_alert_f1},
        },
    )
