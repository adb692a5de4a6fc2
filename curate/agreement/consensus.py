"""What people agree on: one set of objects for each image that somebody looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate import schema
from curate.agreement import annotator_reliability, object_attributes, vote_rules
from curate.agreement.annotator_pairs import Pairs, Size
from curate.agreement.annotator_reliability import Reliability
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Cluster
from curate.agreement.fused_geometry import fuse_masks, weighted_median
from curate.agreement.settled_choices import SettledChoices
from curate.geometry import masks
from curate.records import derived_id

DISPUTES = ("presence", "category", "mask")


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
class Consensus:
    """What people settled on, and what it rests on.

    Attributes:
        annotations: The `annotations` table with origin "consensus"; outcome "object", "empty" or "disputed".
        objects: The `consensus_objects` table: of every object that anybody drew its votes, its confidence
            and the annotations it was made from, also of those that are not there by the votes.
        image_confidence: Probability that the objects of an image are those that are there, each rightly
            named; disputed objects left aside. Without images where it is not known.
        reliability: Of the people.
    """

    annotations: pa.Table
    objects: pa.Table
    image_confidence: Mapping[str, float]
    reliability: Reliability

    def with_disputed_attributes(self) -> list[str]:
        """Images with a settled object of which people answered a question differently, sorted."""
        open_questions = pc.greater(pc.list_value_length(self.objects["disputed_attributes"]), 0)
        there = pc.equal(self.objects["outcome"], "object")
        return sorted(set(self.objects.filter(pc.and_(open_questions, there))["image_id"].to_pylist()))


def consensus(
    answers: Answers,
    pairs: Pairs,
    clusters: Sequence[Cluster],
    *,
    sizes: Mapping[str, Size],
    tasks: Mapping[str, str],
    rules: Rules,
) -> Consensus:
    """One row an object that people settled on, or dispute; one row "empty" for an image where none is.

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
    owner = answers.owners()
    reliability = annotator_reliability.estimate(answers, pairs, clusters, owner)
    rows: list[dict[str, object]] = []
    remaining, seen = set(answers.by_image), Counter[str]()
    attributes = object_attributes.settle(
        answers.attributes, clusters, owner, min_votes_share=rules.min_votes_share
    )
    settle = _Settle(answers, owner, reliability, sizes, rules, attributes)
    for number, group in enumerate(clusters):
        row = settle.row(number, group)
        identity = str(row["annotation_id"])
        seen[identity] += 1  # the same object drawn twice by one person stays two rows
        if seen[identity] > 1:
            row["annotation_id"] = derived_id(identity, seen[identity])
        if row["outcome"] != "absent":
            remaining.discard(group.image_id)
        rows.append(row)
    empty = [_empty(image_id, answers.by_image[image_id]) for image_id in sorted(remaining)]
    there = [row for row in rows if row["outcome"] != "absent"]
    return Consensus(
        annotations=_annotations([*there, *empty], tasks),
        objects=pa.Table.from_pylist([*rows, *empty], schema=schema.CONSENSUS_OBJECTS.arrow),
        image_confidence=_image_confidence(rows, reliability),
        reliability=reliability,
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


@dataclass(frozen=True, slots=True)
class _Settle:
    answers: Answers
    owner: Sequence[str]
    reliability: Reliability
    sizes: Mapping[str, Size]
    rules: Rules
    attributes: SettledChoices

    def row(self, number: int, group: Cluster) -> dict[str, object]:
        """Everything about one cluster."""
        answers, members = self.answers, group.members
        names = self.reliability.names[number]
        best = _most_probable(names, group, self.reliability.categories)
        category = self.reliability.categories[best]
        box, rle, polygon = self._shape(group)
        state, reason = self._state(group, category, float(names[best]))
        parents = {answers.parents[i] for i in members}
        corners = (f"{value:.3f}" for value in box)
        present = float(self.reliability.present[number])
        probable = present * float(names[best])
        confidence = 1.0 - present if state == "absent" else probable
        return {
            "annotation_id": derived_id("consensus", group.image_id, category, *corners, rle or ""),
            "image_id": group.image_id,
            "outcome": state,
            "reject_reason": reason,
            "category": category,
            "bbox_xyxy": box.tolist(),
            "rle": rle,
            "polygon": polygon,
            "parent_id": parents.pop() if len(parents) == 1 else None,
            "confidence": None if np.isnan(confidence) else confidence,
            "votes": len(members),
            "annotators": len(answers.by_image[group.image_id]),
            "made_from": sorted(answers.annotation_ids[i] for i in members),
            "attributes": sorted(self.attributes.answers.get(str(number), {}).items()),
            "attributes_confidence": sorted(self.attributes.confidence.get(str(number), {}).items()),
            "disputed_attributes": self.attributes.disputed.get(str(number), []),
        }

    def _shape(self, group: Cluster) -> tuple[NDArray[np.float32], str | None, str | None]:
        """Box, mask and polygon."""
        answers, members = self.answers, group.members
        if len(members) == 1:
            (one,) = members
            return answers.boxes[one].astype(np.float32), answers.rles[one], answers.polygons[one]
        weights = self.reliability.weights([self.owner[i] for i in members])
        width, height = self.sizes[group.image_id]
        masked = [place for place, i in enumerate(members) if answers.rles[i] is not None]
        rles = [str(answers.rles[members[place]]) for place in masked]
        rle = fuse_masks(rles, weights[masked], width=width, height=height)
        around = None if rle is None else masks.bbox(rle, width=width, height=height)
        if around is not None:
            return np.array(around, dtype=np.float32), rle, None
        return weighted_median(answers.boxes[list(members)], weights).astype(np.float32), None, None

    def _state(self, group: Cluster, category: str, probability: float) -> tuple[str, str | None]:
        """Object, absent or disputed; and what is disputed."""
        answers, members, share = self.answers, group.members, self.rules.min_votes_share
        state = vote_rules.presence(
            len(members), len(answers.by_image[group.image_id]), min_votes_share=share
        )
        if state != "object":
            return state, "presence" if state == "disputed" else None
        chosen = sum(answers.categories[i] == category for i in members)
        named = vote_rules.name_is_settled(chosen, len(members), min_votes_share=share)
        if not named or (probability <= 0.5 and len(members) > 1):
            return "disputed", "category"
        rles = [rle for i in members if (rle := answers.rles[i]) is not None]
        width, height = self.sizes[group.image_id]
        overlap = masks.rle_iou(rles, rles, width=width, height=height).tolist()
        if not vote_rules.mask_is_settled(overlap, iou_threshold=self.rules.mask_iou_threshold):
            return "disputed", "mask"
        return "object", None


def _most_probable(names: NDArray[np.float64], group: Cluster, categories: Sequence[str]) -> int:
    """The best name; of equally good ones a hash of image and name decides, in favour of none."""
    best: list[int] = np.flatnonzero(names >= names.max() - 1e-9).tolist()
    return min(best, key=lambda index: derived_id(group.image_id, categories[index]))


def _image_confidence(rows: Sequence[Mapping[str, object]], reliability: Reliability) -> dict[str, float]:
    found = {image_id: float(np.exp(-reliability.unseen[image_id])) for image_id in reliability.unseen}
    for row in rows:
        image_id, confidence = str(row["image_id"]), row["confidence"]
        if row["outcome"] != "disputed" and isinstance(confidence, float) and image_id in found:
            found[image_id] *= confidence
    return found


def _empty(image_id: str, looked: Mapping[str, object]) -> dict[str, object]:
    return {
        "annotation_id": derived_id("consensus", image_id, "empty"),
        "image_id": image_id,
        "outcome": "empty",
        "votes": len(looked),
        "annotators": len(looked),
        "made_from": [],
    }


def _annotations(rows: Sequence[Mapping[str, object]], tasks: Mapping[str, str]) -> pa.Table:
    whole = [{**row, "origin": "consensus", "task_id": tasks[str(row["image_id"])]} for row in rows]
    return pa.Table.from_pylist(whole, schema=schema.ANNOTATIONS.arrow)
