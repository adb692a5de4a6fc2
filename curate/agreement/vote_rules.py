"""When people have settled that an object is there, that it is not, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from curate.errors import RecordError

Verdict = Literal["object", "absent", "disputed"]
_EPSILON = 1e-9  # 2 of 3 is two thirds, whatever the last bit says
_TWO = 2  # people who must have chosen a name, where more than one drew the object


def presence(votes: int, annotators: int, *, min_votes_share: float) -> Verdict:
    """Whether an object is there, by the votes of those who looked at its image.

    Both answers need the same: at least `min_votes_share` of those who looked, and more than half of them.
    Between the two nothing is settled. Who skipped the image has no vote.

    Args:
        votes: How many drew it, 1 to `annotators`.
        annotators: How many looked.
        min_votes_share: In [0.5, 1].

    Raises:
        RecordError: More votes than people, or a share below a half: both answers could hold at once.

    Examples:
        >>> [presence(1, people, min_votes_share=0.5) for people in (1, 2, 3)]
        ['object', 'disputed', 'absent']
    """
    if not 0 <= votes <= annotators or annotators < 1:
        raise RecordError(f"expected votes of 0 to {annotators} people, got {votes}")
    if not 0.5 <= min_votes_share <= 1:
        raise RecordError(f"expected min_votes_share in [0.5, 1], got {min_votes_share}")
    needed = min_votes_share * annotators - _EPSILON

    def settled(people: int) -> bool:
        return 2 * people > annotators and people >= needed

    return "object" if settled(votes) else "absent" if settled(annotators - votes) else "disputed"


def name_is_settled(chosen: int, members: int, *, min_votes_share: float) -> bool:
    """Whether the name of an object holds, by how many of those who drew it chose it.

    At least two people, or the only one who drew it; and at least `min_votes_share` of them. A tie can be
    settled, because names are weighed (`annotator_reliability`); one person is never right against two.
    """
    return chosen >= min(members, _TWO) and chosen >= min_votes_share * members - _EPSILON


def mask_is_settled(mask_iou: Sequence[Sequence[float]], *, iou_threshold: float) -> bool:
    """Whether the masks of an object show one thing: more than half of them overlap with one among them.

    Args:
        mask_iou: (M, M) IoU of every mask with every mask, 1 on the diagonal; M may be 0 or 1.
        iou_threshold: Least IoU of two masks of one thing.
    """
    masks = len(mask_iou)
    alike = [sum(iou >= iou_threshold for iou in row) for row in mask_iou]
    return masks == 0 or 2 * max(alike) > masks
