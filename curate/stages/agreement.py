"""Stage agreement: how much people agree, what they agree on, and which images need another look."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate import pseudonyms, schema, tables
from curate.agreement import figures, plots
from curate.agreement.accepted import accepted
from curate.agreement.by_annotator import Answers, sort_out
from curate.agreement.consensus import DISPUTES, Rules, cluster, consensus, disputed
from curate.agreement.figures import Tally
from curate.agreement.pairs import Pairs, Size, compare
from curate.errors import TableError
from curate.intervals import Figure
from curate.params import AgreementParams
from curate.progress import track
from curate.qa import injected_error_hold
from curate.qa.injected_error_hold import HeldBack
from curate.records import StageReport
from curate.shown import record
from curate.stages import plan_lookup
from curate.stages.plan_lookup import Planned

_UNREADABLE, _PLANTED, _NOT_JOINED = "unreadable", "planted_error", "not_joined"
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
    """

    images: Path
    suggestions: Path
    plan: Path
    annotations: Path
    answers: Path
    shown: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """`consensus` (annotations table), `pairs` (pairs table), `queue` (CSV), `plots` (folder of CSV).

    `people` says who is called what in the plots; None = numbered anew each time.
    """

    consensus: Path
    pairs: Path
    queue: Path
    plots: Path
    people: Path | None = None


def run(params: AgreementParams, *, inputs: Inputs, outputs: Outputs) -> StageReport:
    """Compare what annotators drew on the same images, and settle on one set of objects an image.

    Images that the plan accepts without a human get their suggestions. Images in which people left an error
    that was planted to see whether they look get none, nor do those of which an answer could not be read, or
    of which nobody knows what was shown: they are listed for another look.

    Raises:
        TableError: A table is missing or damaged, or the plan names an image that is not kept.
        StorageError: An output cannot be written.
    """
    plan = plan_lookup.read(inputs.plan)
    tasks = plan.tasks
    sizes, paths = _kept_images(inputs.images, tasks, inputs.plan)
    annotations = tables.read(inputs.annotations, schema.ANNOTATIONS)
    held = injected_error_hold.find(
        record.load(inputs.shown),
        tables.read(inputs.answers, schema.ANSWERS, columns=injected_error_hold.ANSWER_COLUMNS),
        annotations,
        iou_threshold=params.iou_threshold,
    )
    annotations = _without_answers(annotations, held.replaced)
    answers = sort_out(annotations, planned=tasks.keys())
    overlapped = answers.overlapped()
    pairs = compare(
        answers,
        track(overlapped, total=len(overlapped), label="agreement"),
        sizes,
        iou_threshold=params.iou_threshold,
    )
    clusters = cluster(answers, pairs, iou_threshold=params.iou_threshold)
    rules = Rules(params.min_votes_share, params.mask_iou_threshold)
    agreed = consensus(answers, clusters, sizes=sizes, tasks=tasks, rules=rules)
    tallied = figures.tally(answers, pairs, clusters, resamples=params.bootstrap, seed=_SEED)
    doubts = disputed(agreed)
    queue = plots.queue(tallied, answers, paths, doubts, least_f1=params.disagreement_f1)
    agreed = _under_taxonomy(agreed, annotations)
    settled = _settled(params, inputs, plan, agreed, held, answers=answers)
    queue = plots.with_held_back(queue, settled.held_back, paths)
    tables.write(settled.table, outputs.consensus, schema.ANNOTATIONS)
    tables.write(pairs.table(answers), outputs.pairs, schema.PAIRS)
    plots.write_csv(outputs.queue, plots.QUEUE, queue)
    names = pseudonyms.remember(outputs.people, annotations["annotator_id"].unique().to_pylist())
    _write_plots(outputs.plots, tallied, pairs, names)
    return StageReport(
        stage="agreement",
        counts=(
            ("images", len(answers.by_image)),
            ("seen by several", len(overlapped)),
            ("pairs of objects", sum(iou is not None for iou in pairs.box_iou)),
            ("consensus objects", pc.sum(pc.equal(settled.table["outcome"], "object")).as_py() or 0),
            ("to look at again", len(queue)),
            ("without answer", len(tasks) - len(answers.by_image) - len(settled.unseen)),
            ("rows outside the plan", answers.outside_plan),
            *settled.counts(),
        ),
        metrics=_metrics(tallied),
    )


def _kept_images(path: Path, tasks: Mapping[str, str], plan: Path) -> tuple[dict[str, Size], dict[str, str]]:
    columns = ["image_id", "width", "height", "path", "drop_reason"]
    table: pa.Table = tables.read(path, schema.IMAGES, columns=columns)
    sizes: dict[str, Size] = {}
    paths: dict[str, str] = {}
    for image_id, width, height, file, reason in zip(
        *(table.column(name).to_pylist() for name in columns), strict=True
    ):
        if reason is None:
            sizes[image_id], paths[image_id] = (width, height), file
    missing = sorted(tasks.keys() - sizes.keys())
    if missing:
        raise TableError(
            f"{plan} names {len(missing)} images that {path} does not keep, the first is {missing[0]}: "
            "run dvc repro select, push and pull again"
        )
    return sizes, paths


@dataclass(frozen=True, slots=True)
class _Settled:
    """The consensus as it is written; images without a human, and those held back, with the reason."""

    table: pa.Table
    unseen: list[str]
    held_back: Mapping[str, str]

    def counts(self) -> tuple[tuple[str, int], ...]:
        """For the closing line, where there are any."""
        reasons = list(self.held_back.values())
        counts = (
            ("accepted without a human", len(self.unseen)),
            ("with an unreadable answer, held back", reasons.count(_UNREADABLE)),
            ("with a planted error left in", reasons.count(_PLANTED)),
            ("held back because nobody knows what was shown", reasons.count(_NOT_JOINED)),
            ("disputed, held back", sum(reason in DISPUTES for reason in reasons)),
        )
        return tuple(entry for entry in counts if entry[1])


def _settled(
    params: AgreementParams,
    inputs: Inputs,
    plan: Planned,
    agreed: pa.Table,
    held: HeldBack,
    *,
    answers: Answers,
) -> _Settled:
    """What people agree on, and accepted suggestions; without images that are held back."""
    unseen = sorted(plan.accepted - answers.by_image.keys() - answers.unreadable)
    made = plan_lookup.suggestions(inputs.suggestions, unseen)
    unknown = held.unknown if params.without_record == "hold_back" else []
    reasons = ((_UNREADABLE, sorted(answers.unreadable)), (_PLANTED, held.left_in), (_NOT_JOINED, unknown))
    held_back: dict[str, str] = {}
    for reason, image_ids in reasons:
        held_back |= {key: reason for key in image_ids if key in plan.tasks and key not in held_back}
    doubts = disputed(agreed) if params.disputed == "hold_back" else {}
    held_back |= {key: reason for key, reason in sorted(doubts.items()) if key not in held_back}
    whole = pa.concat_tables([_without(agreed, list(held_back)), accepted(made, plan.tasks)])
    return _Settled(whole, unseen, held_back)


def _without_answers(annotations: pa.Table, replaced: Collection[tuple[str, str]]) -> pa.Table:
    """The rows of all answers but some, which are named by task and labeler."""
    if not replaced:
        return annotations
    keys = zip(annotations["task_id"].to_pylist(), annotations["annotator_id"].to_pylist(), strict=True)
    return annotations.filter(pa.array([key not in replaced for key in keys], pa.bool_()))


def _without(rows: pa.Table, image_ids: Sequence[str]) -> pa.Table:
    wanted = pc.invert(pc.is_in(rows["image_id"], value_set=pa.array(image_ids, pa.string())))
    return rows.filter(wanted)


def _under_taxonomy(agreed: pa.Table, annotations: pa.Table) -> pa.Table:
    """The consensus with the digest of the taxonomy that people labelled by; null where it was not one."""
    index = agreed.schema.get_field_index("taxonomy_digest")
    digests = annotations.column("taxonomy_digest").unique()
    one = digests[0] if len(digests) == 1 else pa.scalar(None, pa.string())
    return agreed.set_column(index, agreed.schema.field(index), pa.repeat(one, agreed.num_rows))


def _write_plots(folder: Path, tallied: Tally, pairs: Pairs, names: Mapping[str, str]) -> None:
    plots.write_csv(folder / "agreement_by_category.csv", plots.BY_CATEGORY, plots.by_category(tallied))
    plots.write_csv(folder / "iou_histogram.csv", plots.HISTOGRAM, plots.histogram(pairs))
    plots.write_csv(folder / "annotator_pairs.csv", plots.BY_ANNOTATORS, plots.by_annotators(tallied, names))


def _metrics(tallied: Tally) -> dict[str, object]:
    """Figures as {value, low, high, n}; a null value means undefined: n says that there was nothing."""
    named = {
        "f1": figures.f1(tallied, 0),
        "mean_box_iou": figures.mean_box_iou(tallied, 0),
        "mean_mask_iou": figures.mean_mask_iou(tallied, 0),
        "kappa": figures.kappa(tallied, 0),
        "kappa_with_missed": figures.kappa(tallied, 1),
        "alpha": figures.alpha(tallied),
    }
    by_category = {
        name: plots.rounded(figures.f1(tallied, 1 + index).value)
        for index, name in enumerate(tallied.categories)
    }
    return {**{name: _figure(figure) for name, figure in named.items()}, "f1_by_category": by_category}


def _figure(figure: Figure) -> dict[str, float | int | None]:
    return {
        "value": plots.rounded(figure.value),
        "low": plots.rounded(figure.low),
        "high": plots.rounded(figure.high),
        "n": figure.n,
    }
