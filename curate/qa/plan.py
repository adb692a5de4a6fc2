"""Who must look at what: one row a task and labeler slot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from curate.records import derived_id

_HASH_BITS = 64


@dataclass(frozen=True, slots=True)
class Slot:
    """One look by one labeler; a row of the `plan` table.

    Attributes:
        task_id: Key of the task.
        slot: 0 for the first labeler, up to overlap - 1.
        image_id: Image to look at.
        reason: "review" for the first labeler, "overlap" for the others.
    """

    task_id: str
    slot: int
    image_id: str
    reason: str
    detail: str | None = None
    arm: str = "suggested"
    priority: int = 0
    labeler: str | None = None
    seeded_kind: str | None = None
    seeded_id: str | None = None

    def row(self) -> dict[str, str | int | None]:
        """The slot as a row of the `plan` table."""
        return {name: getattr(self, name) for name in self.__slots__}


def task_key(image_id: str) -> str:
    """The key of an image's task, the same on every server."""
    return derived_id("task", image_id)


def in_overlap(image_id: str, *, seed: int, share: float) -> bool:
    """True for about `share` of all images; each is decided alone, so that growth changes none."""
    position = int(derived_id("overlap", seed, image_id)[: _HASH_BITS // 4], 16) / (1 << _HASH_BITS)
    return position < share


def review_plan(image_ids: Iterable[str], *, overlap: int, overlap_share: float, seed: int) -> list[Slot]:
    """Every image is looked at by one person, a share of them by `overlap` people, blind to each other.

    Args:
        image_ids: Kept images.
        overlap: Labelers an overlap image, at least 1.
        overlap_share: Share of images in [0, 1].
        seed: Another one chooses other overlap images.

    Returns:
        The slots, ordered by task and slot.
    """
    slots = []
    for image_id in image_ids:
        people = overlap if in_overlap(image_id, seed=seed, share=overlap_share) else 1
        for number in range(people):
            reason = "overlap" if number else "review"
            slots.append(Slot(task_key(image_id), number, image_id, reason))
    return sorted(slots, key=lambda slot: (slot.task_id, slot.slot))


def labelers_wanted(task_ids: Iterable[str]) -> Mapping[str, int]:
    """How many people must look, by task, from the `task_id` column of the plan."""
    wanted: dict[str, int] = {}
    for task_id in task_ids:
        wanted[task_id] = wanted.get(task_id, 0) + 1
    return wanted
