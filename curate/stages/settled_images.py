"""Which images the consensus holds, which are held back, and which somebody must look at again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema
from curate.agreement import disagreement_queue
from curate.agreement.accepted_suggestions import accepted
from curate.agreement.consensus import DISPUTES, Consensus, disputed
from curate.agreement.disagreement_queue import Entry
from curate.agreement.image_scores import ImageScore
from curate.agreement.image_shards import LookedAt
from curate.agreement.label_errors import LabelError
from curate.agreement.settled_choices import SettledChoices
from curate.params import AgreementParams
from curate.qa.injected_error_hold import HeldBack
from curate.stages import plan_lookup
from curate.stages.plan_lookup import Planned

_UNREADABLE, _PLANTED, _NOT_JOINED, _SKIPPED, _ASKED = disagreement_queue.FIRST


@dataclass(frozen=True, slots=True)
class SettledImages:
    """What the stage agreement writes of images.

    Attributes:
        consensus: The `annotations` table: what people agree on, and accepted suggestions, without images
            that are held back.
        images: The `consensus_images` table: every image that somebody looked at, skipped, or that was
            accepted.
        queue: Images that somebody must look at again.
        unseen: Images that were accepted without a human, sorted.
        held_back: Why an image is not in the consensus though somebody answered, by image.
    """

    consensus: pa.Table
    images: pa.Table
    queue: list[Entry]
    unseen: list[str]
    held_back: Mapping[str, str]

    def counts(self) -> tuple[tuple[str, int], ...]:
        """Counts for the closing line, where there are any."""
        reasons = list(self.held_back.values())
        counts = (
            ("accepted without a human", len(self.unseen)),
            ("held back because somebody asked for a look", reasons.count(_ASKED)),
            ("with an unreadable answer, held back", reasons.count(_UNREADABLE)),
            ("with a planted error left in", reasons.count(_PLANTED)),
            ("held back because nobody knows what was shown", reasons.count(_NOT_JOINED)),
            ("disputed, held back", sum(reason in DISPUTES for reason in reasons)),
        )
        return tuple(entry for entry in counts if entry[1])


def settle(
    params: AgreementParams,
    *,
    plan: Planned,
    looked: LookedAt,
    agreed: Consensus,
    scores: Mapping[str, ImageScore],
    choices: SettledChoices,
    held: HeldBack,
    decided: Collection[str] = (),
    asked: Collection[str] = (),
    contradicted: Collection[str] = (),
    doubted: Mapping[str, Sequence[LabelError]] | None = None,
    suggestions: Path,
    taxonomies: Collection[str | None],
) -> SettledImages:
    """Leave out what must be held back, add what was accepted, and list what somebody must look at.

    Args:
        params: The section `agreement`.
        plan: Of the stage select.
        looked: Who looked at which image.
        agreed: What they agree on.
        scores: Of images that several looked at.
        choices: Settled image-level answers.
        held: Planted errors that were left in, and images of which nobody knows what was shown.
        decided: Images that were decided by adjudication; `agreed` and `choices` hold the decisions.
        asked: Images that somebody wants looked at before they are released.
        contradicted: Images of which a copy, which was dropped, is labelled otherwise.
        doubted: Labels that a model contradicts, and that are listed for it.
        suggestions: Table of the stage autolabel.
        taxonomies: Digests of those that people labelled by; None of a row without.
    """
    unseen = sorted(plan.accepted - looked.people.keys() - looked.unreadable - set(decided))
    doubts = disputed(agreed.annotations)
    held_back = _except(_held_back(params, plan, looked, held=held, doubts=doubts, asked=asked), decided)
    doubted = doubted or {}
    unsettled = dict.fromkeys(agreed.with_disputed_attributes(), "attribute")
    unsettled |= dict.fromkeys(sorted(choices.disputed), "answer")
    review = {
        **dict.fromkeys(sorted(doubted), "label_error"),
        **dict.fromkeys(sorted(contradicted), "duplicate"),
        **_to_review(params, looked, scores, doubts, unsettled),
    }
    open_still = dict.fromkeys(sorted(choices.disputed.keys() & set(decided)), "answer")
    reasons = {**_except(review, decided), **open_still, **held_back}
    made = accepted(plan_lookup.suggestions(suggestions, unseen), plan.tasks)
    kept = _without(_under_taxonomy(agreed.annotations, taxonomies), list(held_back))
    weights = disagreement_queue.rarity(agreed.objects["category"].drop_null().to_pylist())
    objects = _objects(agreed, weights)
    queue = disagreement_queue.ordered(
        {key: reason for key, reason in reasons.items() if key in plan.tasks},
        scores,
        held_back=held_back,
        objects=objects,
        usual=sum(objects.values()) / max(len(objects), 1),
        expected_wrong=_expected_wrong(agreed, weights, doubted),
    )
    listed = sorted(
        {*looked.people, *looked.skipped, *looked.unreadable, *choices.answers, *unseen, *decided}
    )
    images = _images(listed, looked, agreed, choices, reasons=reasons, held_back=held_back, decided=decided)
    return SettledImages(pa.concat_tables([kept, made]), images, queue, unseen, held_back)


def _except(reasons: Mapping[str, str], decided: Collection[str]) -> dict[str, str]:
    return {key: reason for key, reason in reasons.items() if key not in decided}


def _held_back(
    params: AgreementParams,
    plan: Planned,
    looked: LookedAt,
    *,
    held: HeldBack,
    doubts: Mapping[str, str],
    asked: Collection[str],
) -> dict[str, str]:
    unknown = held.unknown if params.without_record == "hold_back" else []
    found: dict[str, str] = {}
    for reason, image_ids in (
        (_UNREADABLE, sorted(looked.unreadable)),
        (_PLANTED, held.left_in),
        (_NOT_JOINED, unknown),
        (_ASKED, sorted(asked)),
    ):
        found |= {key: reason for key in image_ids if key in plan.tasks and key not in found}
    if params.disputed == "hold_back":
        found |= {key: reason for key, reason in sorted(doubts.items()) if key not in found}
    return found


def _to_review(
    params: AgreementParams,
    looked: LookedAt,
    scores: Mapping[str, ImageScore],
    doubts: Mapping[str, str],
    unsettled: Mapping[str, str],
) -> dict[str, str]:
    """Why somebody must look again, the weightiest reason of each image."""
    apart = {
        key: "low_f1"
        for key, score in scores.items()
        if score.f1 is not None and score.f1 < params.disagreement_f1
    }
    skipped = {key: "partly_skipped" if key in looked.people else _SKIPPED for key in looked.skipped}
    return {**apart, **skipped, **unsettled, **doubts}


def _objects(agreed: Consensus, weights: Mapping[str, float]) -> dict[str, float]:
    """What the objects that people drew on each image count; 0 where they drew none."""
    found: dict[str, float] = defaultdict(float)
    columns = (agreed.objects[name].to_pylist() for name in ("image_id", "category"))
    for image_id, category in zip(*columns, strict=True):
        found[image_id] += 0.0 if category is None else weights[category]
    return found


def _expected_wrong(
    agreed: Consensus, weights: Mapping[str, float], doubted: Mapping[str, Sequence[LabelError]]
) -> dict[str, float]:
    """What the objects count that are expected to be wrong or missing; all, where nothing is known."""
    found: dict[str, float] = defaultdict(float, agreed.unseen)
    columns = (agreed.objects[name].to_pylist() for name in ("image_id", "category", "confidence"))
    for image_id, category, confidence in zip(*columns, strict=True):
        if category is not None:
            found[image_id] += weights[category] * (1.0 if confidence is None else 1.0 - confidence)
    for image_id, errors in doubted.items():
        for one in errors:
            found[image_id] += weights.get(one.category or one.suggested or "", 1.0) * (
                one.probability or 0.0
            )
    return found


def _images(
    image_ids: Sequence[str],
    looked: LookedAt,
    agreed: Consensus,
    choices: SettledChoices,
    *,
    reasons: Mapping[str, str],
    held_back: Mapping[str, str],
    decided: Collection[str],
) -> pa.Table:
    rows = [
        {
            "image_id": key,
            "annotators": looked.people.get(key, 0) + (key in decided),
            "confidence": agreed.image_confidence.get(key) if key in looked.people else None,
            "review": reasons.get(key),
            "held_back": key in held_back,
            "decided": key in decided,
            "answers": sorted(choices.answers.get(key, {}).items()),
            "answers_confidence": sorted(choices.confidence.get(key, {}).items()),
        }
        for key in image_ids
    ]
    return pa.Table.from_pylist(rows, schema=schema.CONSENSUS_IMAGES.arrow)


def _without(rows: pa.Table, image_ids: Sequence[str]) -> pa.Table:
    wanted = pc.invert(pc.is_in(rows["image_id"], value_set=pa.array(image_ids, pa.string())))
    return rows.filter(wanted)


def _under_taxonomy(agreed: pa.Table, taxonomies: Collection[str | None]) -> pa.Table:
    """The consensus with the digest of the taxonomy that people labelled by; null where it was not one."""
    index = agreed.schema.get_field_index("taxonomy_digest")
    one = pa.scalar(next(iter(taxonomies)) if len(taxonomies) == 1 else None, pa.string())
    return agreed.set_column(index, agreed.schema.field(index), pa.repeat(one, agreed.num_rows))
