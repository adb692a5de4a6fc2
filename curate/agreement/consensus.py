"""What people agree on: one set of objects for each image that somebody looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import schema
from curate.agreement import (
    annotator_reliability,
    consensus_rows,
    edge_differences,
    joint_shapes,
    object_attributes,
    vote_patterns,
    vote_rules,
)
from curate.agreement.annotator_pairs import Pairs, Size
from curate.agreement.annotator_reliability import Reliability
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.agreement.settled_choices import SettledChoices
from curate.geometry.matching import Indices
from curate.records import derived_id

Values = NDArray[np.float64]
DISPUTES = ("presence", "category", "mask")
_VERDICTS = {"object": 0, "disputed": 1, "absent": 2}
ABSENT = _VERDICTS["absent"]
_OUTCOMES = pa.array(list(_VERDICTS), pa.string())
_REASONS = pa.array([None, *DISPUTES], pa.string())


@dataclass(frozen=True, slots=True)
class Rules:
    """What settles an object.

    Attributes:
        min_votes_share: Share of those who looked that must say the same, in [0.5, 1] (`votes.presence`).
        mask_iou_threshold: Least IoU of two masks of one object, in (0, 1].
    """

    min_votes_share: float = 0.5
    mask_iou_threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class Settled:
    """What people settled on of each of C clusters.

    Attributes:
        there: (C,) whether it is an object.
        absent: (C,) whether most did not draw it; neither = disputed.
        category: (C,) index into `Answers.names`.
        boxes: (C, 4) xyxy.
    """

    there: NDArray[np.bool_]
    absent: NDArray[np.bool_]
    category: Indices
    boxes: Values

    @staticmethod
    def nothing() -> Settled:
        """Settled attributes where there is no cluster."""
        none, no = np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.bool_)
        return Settled(no, no, none, np.zeros((0, 4)))


@dataclass(frozen=True, slots=True)
class Consensus:
    """What people settled on, and what it rests on.

    Attributes:
        annotations: The `annotations` table with origin "consensus"; outcome "object", "empty" or "disputed".
        objects: The `consensus_objects` table: of every object that anybody drew its votes, its confidence
            and the annotations it was made from, also of those that are not there by the votes.
        image_confidence: Probability that the objects of an image are those that are there, each rightly
            named; disputed objects left aside. Without images where it is not known.
        unseen: Objects that are expected to be there and that nobody drew, by image; empty where not known.
        reliability: Of the people.
        settled: The same of each cluster; decisions of an adjudication are not in it.
    """

    annotations: pa.Table
    objects: pa.Table
    image_confidence: Mapping[str, float]
    unseen: Mapping[str, float]
    reliability: Reliability
    settled: Settled

    def with_disputed_attributes(self) -> list[str]:
        """Images with a settled object of which people answered a question differently, sorted."""
        open_questions = pc.greater(pc.list_value_length(self.objects["disputed_attributes"]), 0)
        there = pc.equal(self.objects["outcome"], "object")
        return sorted(set(self.objects.filter(pc.and_(open_questions, there))["image_id"].to_pylist()))


def consensus(
    answers: Answers,
    pairs: Pairs,
    clusters: Clusters,
    *,
    sizes: Mapping[str, Size],
    tasks: Mapping[str, str],
    rules: Rules,
) -> Consensus:
    """One row per object that people settled on, or dispute; one row "empty" for an image where none is.

    Where one annotator drew an object it stays as drawn, its polygon too. Where several did, `votes` says
    which objects are there, which are not, and which are disputed: those have the outcome "disputed", and as
    `reject_reason` what is: "presence" (neither side has the votes), "category" or "mask". The category is
    the most probable one by who said what (`dawid_skene`); so are the attributes, of those who drew the
    object (`object_attributes`): one that they dispute has no value, and the object is settled all the same.
    The mask is the shape between two masks, or STAPLE's of more; the box is the mask's, or without masks the
    median of boxes weighed by how well each person's edges lie. `parent_id` stays where all were edited from
    one pre-annotation.

    Args:
        answers: What people drew.
        pairs: Their comparison.
        clusters: Of all objects.
        sizes: Width and height of every image, upright pixels.
        tasks: Task of every image.
        rules: What settles an object.

    Raises:
        RecordError: A mask is damaged or of another size than its image.
    """
    reliability = annotator_reliability.estimate(
        vote_patterns.collect(answers, clusters), edge_differences.collect(answers, pairs)
    )
    chosen = object_attributes.settle(
        object_attributes.given(answers, clusters), min_votes_share=rules.min_votes_share
    )
    return settle(answers, clusters, reliability, chosen, sizes=sizes, tasks=tasks, rules=rules)


def settle(
    answers: Answers,
    clusters: Clusters,
    reliability: Reliability,
    chosen: SettledChoices | None,
    *,
    sizes: Mapping[str, Size],
    tasks: Mapping[str, str],
    rules: Rules,
) -> Consensus:
    """Settle the objects of some images with the reliability that was estimated from these and others.

    Args:
        answers: What people drew on these images; people and categories are those of `reliability`.
        clusters: Of all objects of these images.
        reliability: Of the people.
        chosen: What is settled of the attributes of each cluster, by its number as text; None = nobody said
            anything of any object, on these images or others.
        sizes: Width and height of every image, upright pixels.
        tasks: Task of every image.
        rules: What settles an object.

    Raises:
        RecordError: A mask is damaged or of another size than its image.
    """
    share = rules.min_votes_share
    shapes = joint_shapes.fuse(
        answers, clusters, 1.0 / reliability.spread**2, sizes, mask_iou_threshold=rules.mask_iou_threshold
    )
    present, names = reliability.of_objects(answers, clusters)
    best = _likeliest(names, clusters, answers.names)
    sure = names[np.arange(len(clusters)), best]
    state, reason = _states(answers, clusters, best, sure, shapes.settled, share)
    confidence = np.where(state == ABSENT, 1.0 - present, present * sure)
    images = pa.array(answers.images, pa.string())
    categories = pa.array(answers.names, pa.string()).take(pa.array(best))
    objects: dict[str, Any] = {
        "annotation_id": consensus_rows.identities(answers, clusters, categories, shapes),
        "image_id": images.take(pa.array(clusters.image)),
        "outcome": _OUTCOMES.take(pa.array(state)),
        "reject_reason": _REASONS.take(pa.array(reason)),
        "category": categories,
        "bbox_xyxy": pa.FixedSizeListArray.from_arrays(pa.array(shapes.boxes.ravel()), 4),
        "rle": shapes.rles,
        "confidence": pa.array(confidence, pa.float32(), mask=np.isnan(confidence)),
        "votes": pa.array(clusters.sizes, pa.int32()),
        "annotators": pa.array(answers.looks[clusters.image], pa.int32()),
        "made_from": consensus_rows.made_from(answers, clusters),
        **object_attributes.columns(chosen, len(clusters)),
    }
    alone = clusters.sizes == 1
    first = clusters.members[clusters.starts[:-1]]
    of_people = {
        "polygon": answers.polygons.column.take(pa.array(first, mask=~alone)),
        "parent_id": consensus_rows.parents(answers, clusters),
    }
    seen = np.zeros(len(answers.images), dtype=np.bool_)
    seen[clusters.image[state != ABSENT]] = True
    empty = consensus_rows.empty(answers, np.flatnonzero(~seen))
    rows = pa.table(objects).cast(schema.CONSENSUS_OBJECTS.arrow)
    unseen = reliability.unseen(answers)
    drawn = pa.table({**objects, **of_people}).filter(pa.array(state != ABSENT))
    return Consensus(
        annotations=pa.concat_tables(
            [consensus_rows.as_annotations(drawn, tasks), consensus_rows.as_annotations(empty, tasks)]
        ),
        objects=pa.concat_tables([rows, consensus_rows.filled(empty, schema.CONSENSUS_OBJECTS.arrow)]),
        image_confidence=_image_confidence(answers, clusters, state, confidence, unseen),
        unseen=unseen,
        reliability=reliability,
        settled=Settled(state == _VERDICTS["object"], state == ABSENT, best, shapes.boxes.astype(np.float64)),
    )


def disputed(agreed: pa.Table) -> dict[str, str]:
    """What is disputed of the first disputed object of each image, by image.

    Args:
        agreed: The annotations of a consensus.
    """
    rows = agreed.filter(pc.equal(agreed["outcome"], "disputed"))
    found: dict[str, str] = {}
    for image_id, reason in zip(rows["image_id"].to_pylist(), rows["reject_reason"].to_pylist(), strict=True):
        found.setdefault(image_id, reason)
    return found


def _states(  # noqa: PLR0917 - one call
    answers: Answers,
    clusters: Clusters,
    best: Indices,
    sure: Values,
    mask_settled: NDArray[np.bool_],
    share: float,
) -> tuple[Indices, Indices]:
    """Each cluster's place in `_OUTCOMES`, and in `_REASONS` what is disputed."""
    looked = answers.looks[clusters.image]
    verdict = _looked_up(
        clusters.sizes,
        looked,
        lambda votes, people: _VERDICTS[vote_rules.presence(votes, people, min_votes_share=share)],
    )
    right = answers.category[clusters.members] == best[clusters.number]
    chosen = np.bincount(clusters.number, weights=right, minlength=len(clusters)).astype(np.intp)
    named = _looked_up(
        chosen,
        clusters.sizes,
        lambda votes, people: vote_rules.name_is_settled(votes, people, min_votes_share=share),
    )
    unsure = (named == 0) | ((sure <= 0.5) & (clusters.sizes > 1))
    there = verdict == _VERDICTS["object"]
    reason = np.where(there & unsure, 2, np.where(there & ~mask_settled, 3, 0))
    reason = np.where(verdict == _VERDICTS["disputed"], 1, reason)
    return np.where(reason > 0, _VERDICTS["disputed"], verdict), reason


def _looked_up(first: Indices, second: Indices, rule: Callable[[int, int], int]) -> Indices:
    """A rule of two small numbers, worked out once for each pair of them."""
    wide = int(second.max(initial=0)) + 1
    pairs, inverse = np.unique(first * wide + second, return_inverse=True)
    values = np.array([rule(*divmod(pair, wide)) for pair in pairs.tolist()], dtype=np.intp)
    return values[inverse] if len(pairs) else np.zeros(0, dtype=np.intp)


def _likeliest(names: Values, clusters: Clusters, categories: Sequence[str]) -> Indices:
    """The best name of each; of equally good ones a hash of image and name decides, in favor of none."""
    best = names.argmax(axis=1)
    good = names >= names.max(axis=1, keepdims=True) - 1e-9
    for row in np.flatnonzero(good.sum(axis=1) > 1).tolist():
        image_id = clusters.images[clusters.image[row]]
        places: list[int] = np.flatnonzero(good[row]).tolist()
        best[row] = min(places, key=lambda place: derived_id(image_id, categories[place]))
    return np.asarray(best, dtype=np.intp)


def _image_confidence(
    answers: Answers, clusters: Clusters, state: Indices, confidence: Values, unseen: Mapping[str, float]
) -> dict[str, float]:
    if not unseen:
        return {}
    found = np.exp(-np.array([unseen[image_id] for image_id in answers.images]))
    known = (state != _VERDICTS["disputed"]) & ~np.isnan(confidence)
    np.multiply.at(found, clusters.image[known], confidence[known])
    return dict(zip(answers.images, found.tolist(), strict=True))
