"""What the stage agreement writes: its tables, the files for people and plots, and the closing line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from curate import pseudonyms, schema, tables
from curate.agreement import bad_rows, consensus_plots, disagreement_queue, label_error_table, plots
from curate.agreement.adjudicated_images import Decisions
from curate.agreement.annotator_reliability import Reliability
from curate.agreement.consensus import Consensus
from curate.agreement.label_error_table import LabelErrors
from curate.intervals import Figure
from curate.params import AgreementParams
from curate.records import StageReport
from curate.stages.agreement_shards import Everything
from curate.stages.curated_consensus import Curated
from curate.stages.dropped_labels import DroppedLabels
from curate.stages.settled_images import SettledImages


@dataclass(frozen=True, slots=True)
class Outputs:
    """`consensus` (annotations), `pairs`, `figures`, `queue`, `label_errors`, `bad_rows`, `plots` (a folder).

    `objects` and `images` say what the consensus rests on: tables consensus_objects and consensus_images.
    `people` says who is called what in the plots; None = numbered anew each time.
    """

    consensus: Path
    objects: Path
    images: Path
    pairs: Path
    figures: Path
    queue: Path
    label_errors: Path
    bad_rows: Path
    plots: Path
    people: Path | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What the stage found.

    Attributes:
        tasks: Planned images and why each is a task.
        paths: Files of kept images.
        everything: What people drew, settled, before any decision.
        agreed: The same with decisions.
        settled: What is in the consensus, what is held back, what must be looked at again.
        decisions: Of the adjudication.
        curated: Of decisions.csv.
        dropped: Imported labels of dropped copies.
        contradicted: Label errors.
    """

    tasks: Mapping[str, str]
    paths: Mapping[str, str]
    everything: Everything
    agreed: Consensus
    settled: SettledImages
    decisions: Decisions
    curated: Curated
    dropped: DroppedLabels
    contradicted: LabelErrors


def write(found: Findings, outputs: Outputs, params: AgreementParams) -> StageReport:
    """Write every output of the stage agreement.

    Args:
        found: What the stage found.
        outputs: Where it goes.
        params: What it was told.

    Raises:
        StorageError: An output cannot be written.
    """
    everything, settled = found.everything, found.settled
    names = pseudonyms.remember(outputs.people, sorted(everything.people))
    tables.write(settled.consensus, outputs.consensus, schema.ANNOTATIONS)
    with tables.stream(outputs.pairs, schema.PAIRS) as written:
        for piece in everything.pairs:
            written.write(piece)
    tables.write(found.agreed.objects, outputs.objects, schema.CONSENSUS_OBJECTS)
    tables.write(settled.images, outputs.images, schema.CONSENSUS_IMAGES)
    _write_queue(found, outputs.queue, params.label_error_probability)
    plots.write_csv(outputs.label_errors, label_error_table.HEADER, found.contradicted.rows(found.paths))
    plots.write_csv(outputs.bad_rows, bad_rows.HEADER, bad_rows.listed(everything.bad, names))
    plots.write_csv(outputs.figures, plots.FIGURES, plots.table(everything.measured, names))
    _write_plots(found, outputs.plots, names)
    limits = {name: getattr(params, name) for name in ("iou_threshold", "label_error_probability")}
    metrics = {**_metrics(found, names), "limits": limits}
    return StageReport(stage="agreement", counts=_counts(found), metrics=metrics)


def _write_queue(found: Findings, path: Path, label_error_probability: float) -> None:
    doubted = found.contradicted.told(label_error_probability)
    undecided = {key: why for why, keys in sorted(found.decisions.left_out.items()) for key in keys}
    rows = (
        entry.cells(
            found.paths[entry.image_id],
            undecided.get(entry.image_id, ""),
            (doubted if entry.reason == "label_error" else found.dropped.conflicts).get(entry.image_id, ""),
        )
        for entry in found.settled.queue
    )
    plots.write_csv(path, disagreement_queue.HEADER, rows)


def _write_plots(found: Findings, folder: Path, names: Mapping[str, str]) -> None:
    measured, sums = found.everything.measured, found.everything.found
    plots.write_csv(folder / "label_errors.csv", label_error_table.BY_KIND, found.contradicted.by_kind())
    plots.write_csv(folder / "agreement_by_category.csv", plots.BY_CATEGORY, plots.by_category(measured))
    plots.write_csv(folder / "iou_histogram.csv", plots.HISTOGRAM, plots.histogram(sums.box_ious))
    plots.write_csv(folder / "annotator_pairs.csv", plots.BY_ANNOTATORS, plots.by_annotators(measured, names))
    consensus_plots.write(
        folder,
        sums.confusion,
        settled=found.settled.consensus,
        objects=found.agreed.objects,
        images=found.settled.images,
    )


def _counts(found: Findings) -> tuple[tuple[str, int], ...]:
    everything, settled, decisions = found.everything, found.settled, found.decisions
    looked = everything.found.looked
    left_out = [(why, len(keys)) for why, keys in sorted(decisions.left_out.items())]
    return (
        ("images", len(looked.people)),
        ("seen by several", sum(people > 1 for people in looked.people.values())),
        ("pairs of objects", int(everything.found.box_ious.sum())),
        ("consensus objects", pc.sum(pc.equal(settled.consensus["outcome"], "object")).as_py() or 0),
        ("to look at again", len(settled.queue)),
        ("without answer", len(found.tasks) - len(looked.people) - len(settled.unseen)),
        ("rows outside the plan", looked.outside_plan),
        *((("bad rows", len(everything.bad)),) if everything.bad else ()),
        *settled.counts(),
        *found.dropped.counts(),
        *((("decided by adjudication", len(decisions.rows)),) if decisions.rows else ()),
        *((f"decisions that do not count, {why}", number) for why, number in left_out),
        *found.curated.counts(),
        *((f"not searched for label errors, {why}", n) for why, n in found.contradicted.left_out().items()),
    )


def _metrics(found: Findings, names: Mapping[str, str]) -> dict[str, object]:
    decisions, contradicted = found.decisions, found.contradicted
    return {
        **_of_everything(found.everything.measured),
        "dropped_copies": found.dropped.metrics(),
        "labelers": _labelers(found.agreed.reliability, names),
        "label_errors": contradicted.metrics(),
        "label_errors_left_out": contradicted.left_out(),
        "adjudication": {"images": len(decisions.rows), "people": len(decisions.people())},
    }


def _of_everything(measured: plots.Figures) -> dict[str, object]:
    """Figures of everything as {value, low, high, n}, with a reason where there is no value or interval."""
    whole = {name: _figure(found) for (name, by, _), found in measured.items() if by == "all"}
    f1 = {
        name: plots.rounded(found.value)
        for (figure, by, name), found in measured.items()
        if (figure, by) == ("f1", "category")
    }
    return {**whole, "f1_by_category": f1}


def _figure(figure: Figure) -> dict[str, float | int | str | None]:
    numbers = {name: plots.rounded(getattr(figure, name)) for name in ("value", "low", "high", "se")}
    return {**numbers, "n": figure.n, **({} if figure.reason is None else {"reason": figure.reason})}


def _labelers(reliability: Reliability, names: Mapping[str, str]) -> dict[str, dict[str, float | None]]:
    """How far each person can be relied on, by pseudonym; null where no image was seen by several."""
    columns = {
        "sensitivity": reliability.sensitivity,
        "precision": reliability.precision,
        "reliability": reliability.score,
        "edge_spread": reliability.spread,
    }
    return {
        names.get(person, person): {
            name: None if np.isnan(values[row]) else plots.rounded(float(values[row]))
            for name, values in columns.items()
        }
        for row, person in enumerate(reliability.annotators)
    }
