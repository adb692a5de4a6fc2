"""Agreement on some of the images at a time, with results that are those of all at once, bit for bit.

What people are like is estimated from everything they drew, so the images are gone through twice. `compare`
matches what people drew on some images, and counts what estimates rest on; `whole` makes the estimates from
the counts of all; `settle` settles the images by them, and adds up what figures are computed from. An image
is in one shard as a whole, and shards follow each other in the order of image ids.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.agreement import (
    annotator_reliability,
    bad_rows,
    consensus,
    consensus_plots,
    edge_differences,
    figures,
    image_scores,
    object_attributes,
    plots,
    total_counts,
    vote_patterns,
)
from curate.agreement.annotator_pairs import Pairs
from curate.agreement.annotator_pairs import compare as compare_people
from curate.agreement.annotator_reliability import Reliability
from curate.agreement.bad_rows import BadRow, Known, Policy
from curate.agreement.by_annotator import Answers, recoded, sort_out
from curate.agreement.clusters import Clusters, cluster
from curate.agreement.consensus import Rules
from curate.agreement.edge_differences import EdgeDifferences
from curate.agreement.figures import Added, Settings
from curate.agreement.image_scores import ImageScore
from curate.agreement.object_attributes import Given
from curate.agreement.settled_choices import SettledChoices
from curate.agreement.total_counts import TotalCounts
from curate.agreement.vote_patterns import VotePatterns


@dataclass(frozen=True, slots=True)
class Compared:
    """What people drew on the images of a shard, compared: what `settle` begins with."""

    known: Known
    answers: Answers
    pairs: Pairs
    clusters: Clusters


@dataclass(frozen=True, slots=True)
class Seen:
    """What estimates rest on, of a shard.

    Attributes:
        votes: Who said what of how many objects.
        edges: How far apart they drew.
        counts: As if these images were all.
        clusters: Joint objects.
        given: Attributes of objects, by number of the joint object.
        bad: Rows that cannot be.
        people: Everybody with a row.
        taxonomies: Digests of the taxonomies that people labelled by; None of a row without.
    """

    votes: VotePatterns
    edges: EdgeDifferences
    counts: TotalCounts
    clusters: int
    given: Given
    bad: list[BadRow]
    people: set[str]
    taxonomies: set[str | None]


@dataclass(frozen=True, slots=True)
class Estimated:
    """What is known of all images, for one shard.

    Attributes:
        reliability: Of the people.
        counts: Of all images, and where those of the shard begin.
        chosen: Settled attributes of the shard's joint objects; None = nobody gave any, on no image.
    """

    reliability: Reliability
    counts: TotalCounts
    chosen: SettledChoices | None


@dataclass(slots=True)
class LookedAt:
    """Numbers of who looked at which images.

    Attributes:
        people: How many looked, by image that anybody looked at.
        skipped: How many skipped it, by image that somebody skipped.
        unreadable: Images of which somebody's answer could not be read.
        outside_plan: Rows left out because their image is not in the plan.
    """

    people: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    outside_plan: int = 0


@dataclass(slots=True)
class Found:
    """What was found on some images, beside the tables; shards are joined in order.

    Attributes:
        added: What figures are computed from.
        looked: Who looked.
        scores: Of images that several looked at.
        image_confidence: See `consensus.Consensus`.
        unseen: See there.
        confusion: See `consensus_plots.confusion`.
        box_ious: Matched pairs by bin (`plots.iou_counts`).
    """

    added: Added
    looked: LookedAt
    scores: dict[str, ImageScore]
    image_confidence: dict[str, float]
    unseen: dict[str, float]
    confusion: Counter[tuple[str, str]]
    box_ious: NDArray[np.int64]

    def join(self, other: Found) -> None:
        """Add what was found on the next images."""
        self.added.join(other.added)
        self.looked.people |= other.looked.people
        self.looked.skipped |= other.looked.skipped
        self.looked.unreadable |= other.looked.unreadable
        self.looked.outside_plan += other.looked.outside_plan
        self.scores |= other.scores
        self.image_confidence |= other.image_confidence
        self.unseen |= other.unseen
        self.confusion += other.confusion
        self.box_ious = self.box_ious + other.box_ious


@dataclass(frozen=True, slots=True)
class ShardTables:
    """Rows of a shard: `annotations` and `consensus_objects` of the consensus, and `pairs`."""

    annotations: pa.Table
    objects: pa.Table
    pairs: pa.Table


def compare(
    annotations: pa.Table, known: Known, *, iou_threshold: float, policy: Policy
) -> tuple[Compared, Seen]:
    """Compare what people drew on some images.

    Args:
        annotations: Every row on these images.
        known: What rows are held against; `tasks` are the planned ones of these images.
        iou_threshold: Least IoU of a match.
        policy: Of bad rows; they are listed, and nothing is refused here (`bad_rows.refuse`).

    Raises:
        TableError: A row without annotator, or an object without category or box.
        RecordError: A mask is damaged or of another size than its image.
    """
    sound, bad = bad_rows.find(annotations, known, policy=policy)
    answers = sort_out(sound, planned=known.tasks.keys())
    pairs = compare_people(answers, answers.overlapped(), _sizes(known), iou_threshold=iou_threshold)
    clusters = cluster(answers, pairs)
    seen = Seen(
        vote_patterns.collect(answers, clusters),
        edge_differences.collect(answers, pairs),
        total_counts.count(answers, clusters),
        len(clusters),
        object_attributes.given(answers, clusters),
        bad,
        set(sound["annotator_id"].unique().to_pylist()),
        set(sound["taxonomy_digest"].unique().to_pylist()),
    )
    return Compared(known, answers, pairs, clusters), seen


def whole(seen: Sequence[Seen], *, min_votes_share: float) -> list[Estimated]:
    """What is known of all images, for each shard in order."""
    reliability = annotator_reliability.estimate(
        vote_patterns.together([one.votes for one in seen]),
        edge_differences.together([one.edges for one in seen]),
    )
    given: Given = defaultdict(dict)
    first = 0
    for one in seen:
        for question, choices in one.given.items():
            given[question] |= {(str(first + int(key)), who): what for (key, who), what in choices.items()}
        first += one.clusters
    chosen = object_attributes.settle(given, min_votes_share=min_votes_share)
    counts = total_counts.together([one.counts for one in seen])
    estimated, first = [], 0
    for one, where in zip(seen, counts, strict=True):
        estimated.append(Estimated(reliability, where, _renumbered(chosen, first, one.clusters)))
        first += one.clusters
    return estimated


def settle(
    compared: Compared,
    estimated: Estimated,
    *,
    rules: Rules,
    settings: Settings,
    image_slices: Mapping[str, Sequence[str]],
) -> tuple[ShardTables, Found]:
    """Settle the images of a shard.

    Args:
        compared: What people drew on them.
        estimated: What is known of all.
        rules: What settles an object.
        settings: How figures are computed.
        image_slices: Slices by attribute that an image belongs to as a whole, by image.

    Raises:
        RecordError: A mask is damaged or of another size than its image.
    """
    sizes = _sizes(compared.known)
    people, names = estimated.reliability.annotators, estimated.reliability.categories
    answers, of_person = recoded(compared.answers, people, names)
    pairs = replace(
        compared.pairs, first=of_person[compared.pairs.first], second=of_person[compared.pairs.second]
    )
    clusters = compared.clusters
    agreed = consensus.settle(
        answers,
        clusters,
        estimated.reliability,
        estimated.chosen,
        sizes=sizes,
        tasks=compared.known.tasks,
        rules=rules,
    )
    added = figures.add(
        answers, pairs, clusters, sizes, settings, agreed.settled, estimated.counts, image_slices
    )
    looked = LookedAt(
        dict(zip(answers.images, answers.looks.tolist(), strict=True)),
        dict(answers.skipped),
        set(answers.unreadable),
        answers.outside_plan,
    )
    found = Found(
        added,
        looked,
        dict(image_scores.of_images(answers, pairs)),
        dict(agreed.image_confidence),
        dict(agreed.unseen),
        consensus_plots.confusion(answers, pairs),
        plots.iou_counts(pairs),
    )
    return ShardTables(agreed.annotations, agreed.objects, pairs.table(answers)), found


def _sizes(known: Known) -> dict[str, tuple[int, int]]:
    return {image_id: size for image_id, size in known.sizes.items() if size is not None}


def _renumbered(chosen: SettledChoices | None, first: int, number: int) -> SettledChoices | None:
    """What is settled of some joint objects, under their numbers within a shard."""
    if chosen is None:
        return None
    found = SettledChoices()
    for key in range(number):
        before, now = str(first + key), str(key)
        if before in chosen.answers:
            found.answers[now] = chosen.answers[before]
        if before in chosen.confidence:
            found.confidence[now] = chosen.confidence[before]
        if before in chosen.disputed:
            found.disputed[now] = chosen.disputed[before]
    return found
