"""How a SIMULATED labeler sees and draws: the truth, with small human faults. Nobody looked at these images.

Every choice comes from a generator seeded by labeler and image, so that the same labeler always answers an
image in the same way, in whatever order the images come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from curate.geometry import boxes, matching
from curate.records import BoolArray, Box

MISS_RATE = 0.02  # of true objects are overlooked
CONFUSION_RATE = 0.03  # of objects get another category
BOX_NOISE = 0.02  # standard deviation of an edge's error, as a share of the box's side
MASK_SHIFT = 1  # pixels, at most, in each direction
MATCH_IOU = 0.15  # a suggestion that overlaps a true object this much is meant for it
ACCEPT_IOU = 0.85  # a suggestion of the right category this near the truth is left as it is
BELIEF_RATE = 0.15  # of wrong suggestions are left as they are, because they were suggested
RELIANCE_RATE = 0.05  # of objects without a suggestion are overlooked, where others were suggested
_SECONDS_TO_LOOK, _SECONDS_TO_DRAW = 4.0, 18.0
_MAX_SUGGESTIONS = 100
_SECONDS_TO_CORRECT, _SECONDS_TO_ACCEPT, _SECONDS_TO_DELETE = 6.0, 1.5, 2.0


@dataclass(frozen=True, slots=True)
class TrueObject:
    """What is really there: category, box xyxy in upright pixels, mask (H, W)."""

    category: str
    box: Box
    mask: BoolArray


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A pre-annotation as the labeler sees it: region id, box xyxy in upright pixels, category."""

    region_id: str
    box: Box
    category: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the labeler leaves behind; `region_id` is the suggestion's where one was corrected."""

    region_id: str
    category: str
    box: Box
    mask: BoolArray


@dataclass(frozen=True, slots=True)
class Answer:
    """One labeler's answer to one image.

    Attributes:
        drawn: Objects drawn or corrected.
        left: Region ids of suggestions that stay as they are.
        lead_time_s: Made up from the number of actions.
    """

    drawn: tuple[Drawn, ...]
    left: tuple[str, ...]
    lead_time_s: float


def generator(email: str, image_id: str, seed: int) -> np.random.Generator:
    """The generator of one labeler and one image."""
    key = hashlib.sha256(f"{seed}\x1f{email}\x1f{image_id}".encode()).digest()
    return np.random.default_rng(np.frombuffer(key, dtype=np.uint32))


def look(
    rng: np.random.Generator,
    truth: Sequence[TrueObject],
    suggestions: Sequence[Suggestion],
    categories: Sequence[str],
) -> Answer:
    """Answer one image: leave good suggestions, correct others, delete false ones, draw what is missing.

    Suggestions pull: some wrong ones are believed, and some objects that nobody suggested are overlooked. The
    generator is asked for the same numbers whatever is suggested, so that what is drawn by hand stays the
    same.

    Args:
        rng: See `generator`.
        truth: What is there.
        suggestions: What the model proposed, in any order; none in the control arm.
        categories: Names a labeler may choose from, in a fixed order.
    """
    ordered = sorted(suggestions, key=lambda one: one.region_id)
    seen = [item for item in truth if rng.random() >= MISS_RATE]
    partner = partners(seen, ordered)
    believing = [rng.random() < BELIEF_RATE for _ in range(_MAX_SUGGESTIONS)]
    drawn, left = [], []
    seconds = _SECONDS_TO_LOOK
    for number, item in enumerate(seen):
        relies = rng.random() < RELIANCE_RATE
        own = _draw(rng, item, categories)
        at = partner.get(number)
        if at is None:
            if not (relies and ordered):
                drawn.append(own)
                seconds += _SECONDS_TO_DRAW
        elif is_good(ordered[at], item) or believing[at % _MAX_SUGGESTIONS]:
            left.append(ordered[at].region_id)
            seconds += _SECONDS_TO_ACCEPT
        else:
            drawn.append(replace(own, region_id=ordered[at].region_id))
            seconds += _SECONDS_TO_CORRECT
    for at in sorted(set(range(len(ordered))) - set(partner.values())):
        if believing[at % _MAX_SUGGESTIONS]:
            left.append(ordered[at].region_id)
            seconds += _SECONDS_TO_ACCEPT
        else:
            seconds += _SECONDS_TO_DELETE
    return Answer(tuple(drawn), tuple(left), round(seconds * float(rng.lognormal(0.0, 0.25)), 1))


def is_good(suggestion: Suggestion, item: TrueObject) -> bool:
    """Whether there is nothing to correct."""
    same = suggestion.category == item.category
    return same and bool(boxes.box_iou([suggestion.box], [item.box])[0, 0] >= ACCEPT_IOU)


def _draw(rng: np.random.Generator, item: TrueObject, categories: Sequence[str]) -> Drawn:
    """What the labeler draws by hand."""
    category = item.category
    if rng.random() < CONFUSION_RATE:
        category = str(rng.choice([name for name in categories if name != item.category] or [category]))
    height, width = item.mask.shape
    box = _shaky_box(rng, item.box, width, height)
    mask = _shaky_mask(rng, item.mask)
    return Drawn(f"sim-{rng.bytes(5).hex()}", category, box, mask if mask.any() else item.mask)


def partners(seen: Sequence[TrueObject], suggestions: Sequence[Suggestion]) -> dict[int, int]:
    """Number of the suggestion by that of the true object, one to one."""
    found = matching.match(
        [item.box for item in seen],
        [one.box for one in suggestions],
        [item.category for item in seen],
        [one.category for one in suggestions],
        iou_threshold=MATCH_IOU,
    )
    return {int(a): int(b) for a, b in zip(found.a, found.b, strict=True)}


def _shaky_box(rng: np.random.Generator, box: Box, width: int, height: int) -> Box:
    """The box with every edge a little off, inside the image, at least a pixel wide and high."""
    x1, y1, x2, y2 = box
    sides = np.array([x2 - x1, y2 - y1, x2 - x1, y2 - y1])
    moved = np.array(box) + rng.normal(0.0, BOX_NOISE, size=4) * sides
    moved = np.round(boxes.clip(moved[None], width=width, height=height)[0], 1)
    if moved[2] - moved[0] < 1 or moved[3] - moved[1] < 1:
        return box
    left, top, right, bottom = (float(value) for value in moved)
    return left, top, right, bottom


def _shaky_mask(rng: np.random.Generator, mask: BoolArray) -> BoolArray:
    """The mask a pixel too large, too small or as it is, and moved by at most `MASK_SHIFT` pixels."""
    kernel = np.ones((3, 3), np.uint8)
    drawn = mask.astype(np.uint8)
    change = int(rng.integers(-1, 2))
    if change > 0:
        drawn = cv2.dilate(drawn, kernel)
    elif change < 0:
        drawn = cv2.erode(drawn, kernel)
    dx, dy = (int(value) for value in rng.integers(-MASK_SHIFT, MASK_SHIFT + 1, size=2))
    height, width = mask.shape
    shift = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    return np.asarray(cv2.warpAffine(drawn, shift, (width, height), flags=cv2.INTER_NEAREST), dtype=np.bool_)
