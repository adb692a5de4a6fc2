"""Stage agreement: how much people agree, what they agree on, and which images need another look."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from curate import schema, tables
from curate.agreement import (
    adjudicated_images,
    bad_rows,
    figures,
    image_answers,
    label_error_table,
    object_attributes,
)
from curate.agreement.adjudicated_images import Decisions
from curate.agreement.annotator_pairs import Size
from curate.agreement.bad_rows import Known
from curate.agreement.consensus import Consensus
from curate.errors import TableError
from curate.labeling import taxonomy
from curate.params import AgreementParams
from curate.qa import injected_error_hold
from curate.qa.injected_error_hold import HeldBack
from curate.records import StageReport
from curate.shown import record
from curate.stages import (
    agreement_outputs,
    agreement_shards,
    curated_consensus,
    dropped_labels,
    plan_lookup,
    seen_scenes,
    settled_images,
)
from curate.stages.adjudication_decisions import as_answers
from curate.stages.adjudication_decisions import load as load_decisions
from curate.stages.agreement_outputs import Findings
from curate.stages.agreement_shards import Job
from curate.stages.drawn_rows import DrawnRows

Outputs = agreement_outputs.Outputs
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
    choices = image_answers.settle(
        tables.read(inputs.answers, schema.ANSWERS, columns=list(image_answers.COLUMNS)),
        planned=tasks.keys(),
        min_votes_share=params.min_votes_share,
    )
    job = Job(
        params,
        drawn,
        Known(every_size, names_known, tasks),
        _settings(params, {category.name: category.parent for category in categories}),
        {key: object_attributes.slices(list(found.items())) for key, found in choices.answers.items()},
        outputs.consensus.with_name(".shards"),
    )
    everything = agreement_shards.run(job, ports)
    lines = curated_consensus.load(inputs.decision_file, inputs.images)
    decisions = _in_force(adjudicated_images.decided(decisions, everything.agreed), held, lines)
    agreed = adjudicated_images.apply(everything.agreed, decisions, tasks)
    adjudicated_images.answer(choices, decisions)
    curated = curated_consensus.curate(agreed, lines, sizes=sizes, tasks=tasks, categories=names_known)
    agreed = curated.agreed
    dropped = dropped_labels.find(
        inputs.images,
        inputs.imported,
        functools.partial(_on_images, job),
        planned=tasks.keys(),
        iou_threshold=params.iou_threshold,
    )
    contradicted = _contradicted(params, inputs, agreed, paths)
    settled = settled_images.settle(
        params,
        plan=plan,
        looked=everything.found.looked,
        agreed=agreed,
        scores=everything.found.scores,
        choices=choices,
        held=held,
        decided=decisions.rows.keys(),
        asked=curated.asked,
        contradicted=dropped.conflicts.keys(),
        doubted=contradicted.doubted(params.label_error_probability),
        suggestions=inputs.suggestions,
        taxonomies=everything.taxonomies,
    )
    found = Findings(tasks, paths, everything, agreed, settled, decisions, curated, dropped, contradicted)
    return agreement_outputs.write(found, outputs, params)


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


def _in_force(decisions: Decisions, held: HeldBack, lines: curated_consensus.Lines) -> Decisions:
    """Decisions, but of images in which a planted error was left, and of those asked for again since."""
    decisions = decisions.only(decisions.rows.keys() - set(held.left_in), adjudicated_images.LEFT_IN)
    again = adjudicated_images.older_than(decisions, curated_consensus.asked_at(lines))
    return decisions.only(decisions.rows.keys() - again, adjudicated_images.ASKED_AGAIN)


def _contradicted(
    params: AgreementParams, inputs: Inputs, agreed: Consensus, paths: Mapping[str, str]
) -> label_error_table.LabelErrors:
    """Labels that the model contradicts, aside from images that it learned from."""
    return label_error_table.compare(
        agreed.annotations,
        tables.read(inputs.suggestions, schema.ANNOTATIONS),
        iou_threshold=params.iou_threshold,
        learned=seen_scenes.learned(inputs.detector, inputs.images, inputs.group_by).all,
        given=paths.keys() if inputs.detector is not None else (),
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
