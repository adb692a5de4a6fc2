"""Stage agreement: how much people agree, what they agree on, and which images need another look."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import pseudonyms, schema, tables
from curate.agreement import (
    adjudicated_images,
    bad_rows,
    consensus_plots,
    disagreement_queue,
    figures,
    image_answers,
    label_error_table,
    object_attributes,
    plots,
)
from curate.agreement.adjudicated_images import Decisions
from curate.agreement.annotator_pairs import Size
from curate.agreement.annotator_reliability import Reliability
from curate.agreement.bad_rows import Known
from curate.errors import TableError
from curate.intervals import Figure
from curate.labeling import taxonomy
from curate.params import AgreementParams
from curate.qa import injected_error_hold
from curate.qa.injected_error_hold import HeldBack
from curate.records import StageReport
from curate.shown import record
from curate.stages import (
    agreement_shards,
    curated_consensus,
    dropped_labels,
    plan_lookup,
    seen_scenes,
    settled_images,
)
from curate.stages.adjudication_decisions import as_answers
from curate.stages.adjudication_decisions import load as load_decisions
from curate.stages.agreement_shards import Everything, Job
from curate.stages.drawn_rows import DrawnRows

Ports = agreement_shards.Ports
_SEED = 0  # of the resamples: two runs give the same intervals


@dataclass(frozen=True, slots=True)
class Inputs:
    """Tables of earlier stages.

    Attributes:
        images: Of dedupe.
        suggestions: Of autolabel: what is released of images that nobody must look at.
        plan: Of select.
        annotations: Of pull.
        answers: Of pull.
        shown: Folder of the record of what was shown, of push.
        taxonomy: The user's file.
        decisions: Annotations of the adjudication, of pull; None = there is none.
        decision_answers: Its answers.
        decision_file: decisions.csv; None = there is none.
        imported: Folder of imported answers; those to dropped copies are held against the kept image's.
        detector: Folder of the model that suggested, with the record of its training; None = there is none.
        group_by: The parameter `release.group_by`.
    """

    images: Path
    suggestions: Path
    plan: Path
    annotations: Path
    answers: Path
    shown: Path
    taxonomy: Path
    decisions: Path | None = None
    decision_answers: Path | None = None
    decision_file: Path | None = None
    imported: Path | None = None
    detector: Path | None = None
    group_by: Sequence[str] = ()


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


def run(params: AgreementParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Compare what annotators drew on the same images, and settle on one set of objects per image.

    More images than `params.shard_size` are worked on in shards, on the engine, with the same result.

    Images that the plan accepts without a human get their suggestions. Images in which people left an error
    that was planted to see whether they look get none, nor do those of which an answer could not be read, or
    of which nobody knows what was shown: they are listed for another look.

    Raises:
        TableError: A table is missing or damaged, the plan names an image that is not kept, or rows cannot be
            used and `bad_rows` is "refuse".
        ParamsError: The taxonomy is missing or invalid.
        ModelError: The record of the detector's training is damaged.
        ReleaseError: `group_by` names an attribute that no image has.
        StorageError: An output cannot be written.
    """
    plan = plan_lookup.read(inputs.plan)
    tasks = plan.tasks
    sizes, paths, every_size = _images(inputs.images, tasks, inputs.plan)
    categories = taxonomy.load(inputs.taxonomy)
    names_known = {category.name for category in categories}
    decisions = adjudicated_images.read(
        *load_decisions(inputs.decisions, inputs.decision_answers),
        planned=tasks.keys(),
        categories=names_known,
        people=params.adjudicators,
    )
    held = _held(params, inputs, decisions, tasks)
    drawn = DrawnRows(inputs.annotations, held.replaced)
    said = image_answers.settle(
        tables.read(inputs.answers, schema.ANSWERS, columns=list(image_answers.COLUMNS)),
        planned=tasks.keys(),
        min_votes_share=params.min_votes_share,
    )
    job = Job(
        params,
        drawn,
        Known(every_size, names_known, tasks),
        _settings(params, {category.name: category.parent for category in categories}),
        {key: object_attributes.slices(list(found.items())) for key, found in said.answers.items()},
        outputs.consensus.with_name(".shards"),
    )
    everything = agreement_shards.run(job, ports)
    agreed, measured, found = everything.agreed, everything.measured, everything.found
    decisions = adjudicated_images.decided(decisions, agreed)
    decisions = decisions.only(decisions.rows.keys() - set(held.left_in), adjudicated_images.LEFT_IN)
    agreed = adjudicated_images.apply(agreed, decisions, tasks)
    adjudicated_images.answer(said, decisions)
    curated = curated_consensus.curate(
        agreed, inputs.decision_file, inputs.images, sizes=sizes, tasks=tasks, categories=names_known
    )
    agreed = curated.agreed
    dropped = dropped_labels.find(
        inputs.images,
        inputs.imported,
        functools.partial(_on_images, job),
        planned=tasks.keys(),
        iou_threshold=params.iou_threshold,
    )
    contradicted = label_error_table.compare(
        agreed.annotations,
        tables.read(inputs.suggestions, schema.ANNOTATIONS),
        iou_threshold=params.iou_threshold,
        learned=seen_scenes.learned(inputs.detector, inputs.images, inputs.group_by).all,
    )
    settled = settled_images.settle(
        params,
        plan=plan,
        looked=found.looked,
        agreed=agreed,
        scores=found.scores,
        said=said,
        held=held,
        decided=decisions.rows.keys(),
        asked=curated.asked,
        contradicted=dropped.conflicts.keys(),
        doubted=contradicted.doubted(params.label_error_probability),
        suggestions=inputs.suggestions,
        taxonomies=everything.taxonomies,
    )
    tables.write(settled.consensus, outputs.consensus, schema.ANNOTATIONS)
    with tables.stream(outputs.pairs, schema.PAIRS) as written:
        for piece in everything.pairs:
            written.write(piece)
    tables.write(agreed.objects, outputs.objects, schema.CONSENSUS_OBJECTS)
    tables.write(settled.images, outputs.images, schema.CONSENSUS_IMAGES)
    doubted = contradicted.told(params.label_error_probability)
    undecided = {key: why for why, found in sorted(decisions.left_out.items()) for key in found}
    queue = (
        entry.cells(
            paths[entry.image_id],
            undecided.get(entry.image_id, ""),
            (doubted if entry.reason == "label_error" else dropped.conflicts).get(entry.image_id, ""),
        )
        for entry in settled.queue
    )
    plots.write_csv(outputs.queue, disagreement_queue.HEADER, queue)
    plots.write_csv(outputs.label_errors, label_error_table.HEADER, contradicted.rows(paths))
    plots.write_csv(outputs.plots / "label_errors.csv", label_error_table.BY_KIND, contradicted.by_kind())
    consensus_plots.write(
        outputs.plots,
        found.confusion,
        settled=settled.consensus,
        objects=agreed.objects,
        images=settled.images,
    )
    names = pseudonyms.remember(outputs.people, sorted(everything.people))
    plots.write_csv(outputs.bad_rows, bad_rows.HEADER, bad_rows.listed(everything.bad, names))
    plots.write_csv(outputs.figures, plots.FIGURES, plots.table(measured, names))
    _write_plots(outputs.plots, everything, names)
    return StageReport(
        stage="agreement",
        counts=(
            ("images", len(found.looked.people)),
            ("seen by several", sum(people > 1 for people in found.looked.people.values())),
            ("pairs of objects", int(found.box_ious.sum())),
            ("consensus objects", pc.sum(pc.equal(settled.consensus["outcome"], "object")).as_py() or 0),
            ("to look at again", len(settled.queue)),
            ("without answer", len(tasks) - len(found.looked.people) - len(settled.unseen)),
            ("rows outside the plan", found.looked.outside_plan),
            *((("bad rows", len(everything.bad)),) if everything.bad else ()),
            *settled.counts(),
            *dropped.counts(),
            *((("decided by adjudication", len(decisions.rows)),) if decisions.rows else ()),
            *(
                (f"decisions that do not count, {why}", len(found))
                for why, found in sorted(decisions.left_out.items())
            ),
            *curated.counts(),
            *((f"not searched for label errors, {why}", n) for why, n in contradicted.left_out().items()),
        ),
        metrics={
            **_metrics(measured),
            "dropped_copies": dropped.metrics(),
            "labelers": _labelers(agreed.reliability, names),
            "label_errors": contradicted.metrics(),
            "label_errors_left_out": contradicted.left_out(),
            "adjudication": {"images": len(decisions.rows), "people": len(decisions.people())},
        },
    )


def _held(
    params: AgreementParams,
    inputs: Inputs,
    decisions: Decisions,
    tasks: Mapping[str, str],
) -> HeldBack:
    """Planted errors that were left in; a decision is one more answer."""
    drawn, decided = as_answers(decisions, tasks)
    columns = list(injected_error_hold.ANSWER_COLUMNS)
    answers = tables.read(inputs.answers, schema.ANSWERS, columns=columns)
    shown = record.load(inputs.shown)
    return injected_error_hold.find(
        shown,
        pa.concat_tables([answers.select(columns), decided.select(columns)]),
        pa.concat_tables([DrawnRows(inputs.annotations).of("task_id", shown.tasks_with_errors()), drawn]),
        iou_threshold=params.iou_threshold,
    )


def _images(
    path: Path, tasks: Mapping[str, str], plan: Path
) -> tuple[dict[str, Size], dict[str, str], dict[str, Size | None]]:
    """Sizes and paths of kept images, and sizes of all; None where one was never readable."""
    columns = ["image_id", "width", "height", "path", "drop_reason"]
    table: pa.Table = tables.read(path, schema.IMAGES, columns=columns)
    sizes: dict[str, Size] = {}
    paths: dict[str, str] = {}
    every_size: dict[str, Size | None] = {}
    for image_id, width, height, file, reason in zip(
        *(table.column(name).to_pylist() for name in columns), strict=True
    ):
        every_size[image_id] = None if width is None or height is None else (width, height)
        if reason is None:
            sizes[image_id], paths[image_id] = (width, height), file
    missing = sorted(tasks.keys() - sizes.keys())
    if missing:
        raise TableError(
            f"{plan} names {len(missing)} images that {path} does not keep, the first is {missing[0]}: "
            "run dvc repro select, push and pull again"
        )
    return sizes, paths, every_size


def _on_images(job: Job, image_ids: Sequence[str]) -> pa.Table:
    """The rows of people's work on some images, without bad ones."""
    rows, _ = bad_rows.find(job.drawn.of("image_id", image_ids), job.known, policy=job.params.bad_rows)
    return rows


def _settings(params: AgreementParams, parents: Mapping[str, str | None]) -> figures.Settings:
    return figures.Settings(
        iou_threshold=params.iou_threshold,
        min_votes_share=params.min_votes_share,
        contours=params.contours,
        resamples=params.bootstrap,
        seed=_SEED,
        parents=parents,
    )


def _write_plots(folder: Path, everything: Everything, names: Mapping[str, str]) -> None:
    measured = everything.measured
    plots.write_csv(folder / "agreement_by_category.csv", plots.BY_CATEGORY, plots.by_category(measured))
    plots.write_csv(folder / "iou_histogram.csv", plots.HISTOGRAM, plots.histogram(everything.found.box_ious))
    plots.write_csv(folder / "annotator_pairs.csv", plots.BY_ANNOTATORS, plots.by_annotators(measured, names))


def _metrics(measured: plots.Figures) -> dict[str, object]:
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
