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
from curate.agreement import votes
from curate.agreement.by_annotator import Answers
from curate.agreement.pairs import Pairs, Size
from curate.geometry import masks
from curate.geometry.boxes import box_iou
from curate.records import derived_id

DISPUTES = ("presence", "category", "mask")
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Cluster:
    """Objects that mean one thing, at most one an annotator; `members` are indices into `Answers`."""

    image_id: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What settles an object.

    Attributes:
        min_votes_share: Share of those who looked that must say the same, in [0.5, 1] (`votes.presence`).
        mask_iou_threshold: Least IoU of two masks of one object, in (0, 1].
    """

    min_votes_share: float = 0.5
    mask_iou_threshold: float = 0.5


def cluster(answers: Answers, pairs: Pairs, *, iou_threshold: float) -> list[Cluster]:
    """Group what different annotators drew of the same object.

    Starts from the matched pairs, best first (same category, then higher IoU, then content), and joins two
    groups if they share no annotator and every box of one overlaps every box of the other by at least the
    threshold: no chains. With two annotators the groups are exactly the matches.

    Args:
        answers: What people drew.
        pairs: Their comparison by `compare`, at the same threshold.
        iou_threshold: Least box IoU of two boxes of a group.

    Returns:
        Every object in exactly one cluster, ordered by image and content. The order of the input rows does
        not matter.
    """
    owner: dict[int, str] = {}
    for annotators in answers.by_image.values():
        for person, drawn in annotators.items():
            owner.update(dict.fromkeys(drawn.tolist(), person))
    matched = [
        (answers.categories[a] != answers.categories[b], -iou, min(a, b), max(a, b))
        for a, b, iou in zip(pairs.a, pairs.b, pairs.box_iou, strict=True)
        if iou is not None
    ]
    groups: dict[int, tuple[int, ...]] = {index: (index,) for index in owner}
    for _, _, a, b in sorted(matched):
        first, second = groups[a], groups[b]
        if {owner[i] for i in first} & {owner[i] for i in second}:
            continue
        overlaps = box_iou(answers.boxes[list(first)], answers.boxes[list(second)])
        if (overlaps >= iou_threshold).all():
            joined = tuple(sorted((*first, *second)))
            groups.update(dict.fromkeys(joined, joined))
    clusters = []
    for image_id, annotators in answers.by_image.items():
        indices = sorted(index for drawn in annotators.values() for index in drawn.tolist())
        distinct = dict.fromkeys(groups[index] for index in indices)
        clusters += [Cluster(image_id, members) for members in distinct]
    return clusters


def consensus(
    answers: Answers,
    clusters: Sequence[Cluster],
    *,
    sizes: Mapping[str, Size],
    tasks: Mapping[str, str],
    rules: Rules,
) -> pa.Table:
    """One row an object that people settled on, or dispute; one row "empty" for an image where none is.

    An image that one annotator looked at takes over that annotator's objects. Where several looked, `votes`
    says which objects are there, which are not, and which are disputed: those have the outcome "disputed",
    and as `reject_reason` what is: "presence" (neither side has the votes), "category" or "mask". The
    category is the one most of them chose; a tie is drawn by a hash of image and category (repeatable, and in
    favour of no category). The box is the coordinate-wise median (of two: the mean); the mask has the pixels
    that at least half of the masks hold. `parent_id` stays where all were edited from one pre-annotation.

    Args:
        answers: What people drew.
        clusters: Of all objects, by `cluster`.
        sizes: Width and height of every image, upright pixels.
        tasks: Task of every image.
        rules: What settles an object.

    Returns:
        The `annotations` table with origin "consensus".

    Raises:
        RecordError: A mask is damaged or of another size than its image.
    """
    rows: dict[str, list[object]] = {name: [] for name in _COLUMNS}
    remaining = set(answers.by_image)
    seen: Counter[str] = Counter()
    for group in clusters:
        category = _category(answers, group)
        state, reason = _settled(answers, group, category, sizes[group.image_id], rules)
        if state == "absent":
            continue
        remaining.discard(group.image_id)
        box = _box(answers, group)
        rle = _mask(answers, group, sizes[group.image_id])
        identity = derived_id(
            "consensus", group.image_id, category, *(f"{value:.3f}" for value in box), rle or ""
        )
        seen[identity] += 1  # the same object drawn twice by one person stays two rows
        if seen[identity] > 1:
            identity = derived_id(identity, seen[identity])
        parents = {answers.parents[i] for i in group.members}
        parent = parents.pop() if len(parents) == 1 else None
        _append(rows, (identity, group.image_id, category, box, rle, parent, state, reason))
    for image_id in sorted(remaining):
        identity = derived_id("consensus", image_id, "empty")
        _append(rows, (identity, image_id, None, None, None, None, "empty", None))
    return _table(rows, tasks)


def _settled(
    answers: Answers, group: Cluster, category: str, size: Size, rules: Rules
) -> tuple[votes.Verdict, str | None]:
    """Object, absent or disputed; and what is disputed: presence, category or mask."""
    members = len(group.members)
    state = votes.presence(
        members, len(answers.by_image[group.image_id]), min_votes_share=rules.min_votes_share
    )
    if state != "object":
        return state, "presence" if state == "disputed" else None
    chosen = sum(answers.categories[i] == category for i in group.members)
    if not votes.name_is_settled(chosen, members, min_votes_share=rules.min_votes_share) or (
        2 * chosen <= members
    ):
        return "disputed", "category"
    rles = [rle for i in group.members if (rle := answers.rles[i]) is not None]
    overlap = masks.rle_iou(rles, rles, width=size[0], height=size[1]).tolist()
    if not votes.mask_is_settled(overlap, iou_threshold=rules.mask_iou_threshold):
        return "disputed", "mask"
    return "object", None


def category_votes(
    answers: Answers, clusters: Sequence[Cluster], categories: Sequence[str]
) -> NDArray[np.float64]:
    """How many members of each cluster chose each category: (clusters, categories)."""
    column = {name: index for index, name in enumerate(categories)}
    counts = np.zeros((len(clusters), len(categories)))
    for row, group in enumerate(clusters):
        for member in group.members:
            counts[row, column[answers.categories[member]]] += 1
    return counts


_COLUMNS = (
    "annotation_id",
    "image_id",
    "category",
    "bbox_xyxy",
    "rle",
    "parent_id",
    "outcome",
    "reject_reason",
)


def disputed(agreed: pa.Table) -> dict[str, str]:
    """What is disputed of the first disputed object of each image, by image.

    Args:
        agreed: What `consensus` returned.
    """
    rows = agreed.filter(pc.equal(agreed["outcome"], "disputed"))
    found: dict[str, str] = {}
    for image_id, reason in zip(rows["image_id"].to_pylist(), rows["reject_reason"].to_pylist(), strict=True):
        found.setdefault(image_id, reason)
    return found


def _append(rows: dict[str, list[object]], values: tuple[object, ...]) -> None:
    for name, value in zip(_COLUMNS, values, strict=True):
        rows[name].append(value)


def _table(rows: dict[str, list[object]], tasks: Mapping[str, str]) -> pa.Table:
    count = len(rows["annotation_id"])
    columns = {
        **rows,
        "origin": ["consensus"] * count,
        "task_id": [tasks[str(image_id)] for image_id in rows["image_id"]],
    }
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in schema.ANNOTATIONS.arrow
    ]
    return pa.Table.from_arrays(arrays, schema=schema.ANNOTATIONS.arrow)


def _category(answers: Answers, group: Cluster) -> str:
    chosen = Counter(answers.categories[i] for i in group.members)
    most = max(chosen.values())
    return min(
        (name for name, count in chosen.items() if count == most),
        key=lambda name: derived_id(group.image_id, name),
    )


def _box(answers: Answers, group: Cluster) -> NDArray[np.float32]:
    boxes = answers.boxes[list(group.members)]
    few = len(boxes) <= _PAIR  # of one or two the median is the mean, which is much faster
    return np.asarray(boxes.sum(axis=0) / len(boxes) if few else np.median(boxes, axis=0), dtype=np.float32)


def _mask(answers: Answers, group: Cluster, size: Size) -> str | None:
    rles = [rle for i in group.members if (rle := answers.rles[i]) is not None]
    return masks.majority(rles, width=size[0], height=size[1])
