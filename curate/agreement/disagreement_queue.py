"""Images on which somebody must decide, by what they cost the data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from curate.agreement.image_scores import ImageScore

HEADER = ("image_id", "path", "reason", "f1", "mean_iou", "cost", "held_back", "decision", "detail")
# Of images whose answers say nothing, whatever was drawn; of equal cost they stand first.
FIRST = ("unreadable", "planted_error", "not_joined", "skipped", "asked")
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Entry:
    """Image of the disagreement queue.

    Attributes:
        image_id: The image.
        reason: The first that applies: "unreadable" (what somebody drew is not known), "planted_error"
            (somebody left one in), "not_joined" (nobody knows what was shown), "skipped" (by all), "asked"
            (for a look, in decisions.csv),
            "presence", "category" or "mask" (a disputed object), "answer" (a disputed image-level answer),
            "attribute" (a disputed attribute of an object), "partly_skipped" (by some), "low_f1" (people drew
            different objects, and the votes settled which are there), "duplicate" (a copy, which was dropped,
            is labelled otherwise) or "label_error" (a model contradicts what they settled on).
        f1: Of its annotators; None where nobody drew anything, or only one looked.
        mean_iou: Of matched boxes; None without any.
        cost: Objects that the data set is expected to lack, or to have wrong, because of this image, those of
            rare categories counting more (`rarity`).
        held_back: Whether nothing of it is released.
    """

    image_id: str
    reason: str
    f1: float | None
    mean_iou: float | None
    cost: float
    held_back: bool

    def cells(self, path: str, decision: str = "", detail: str = "") -> tuple[str | float, ...]:
        """Values of `HEADER`; a figure that is not defined is the word.

        Args:
            path: Of the image.
            decision: Why a decision of the adjudication does not count; empty = there is none.
            detail: What else is to be known, in words.
        """
        values = (self.f1, self.mean_iou, self.cost)
        numbers = ("undefined" if value is None else round(value, _DIGITS) for value in values)
        return (self.image_id, path, self.reason, *numbers, str(self.held_back).lower(), decision, detail)


def rarity(categories: Iterable[str]) -> dict[str, float]:
    """How much an object of each category counts: 1, or more where it has fewer objects than the average one.

    Args:
        categories: One name an object.

    Returns:
        The square root of the mean number of objects of a category over its own number, at least 1.

    Source:
        The repeat factor of Gupta, Dollar and Girshick, "LVIS" (CVPR 2019), section 3, with the mean number
        of objects as its threshold.

    Examples:
        >>> rarity(["car"] * 14 + ["tram"] * 2)
        {'car': 1.0, 'tram': 2.0}
    """
    numbers = Counter(categories)
    mean = numbers.total() / max(len(numbers), 1)
    return {name: max(1.0, (mean / number) ** 0.5) for name, number in numbers.items()}


def ordered(
    reasons: Mapping[str, str],
    scores: Mapping[str, ImageScore],
    *,
    held_back: Iterable[str],
    objects: Mapping[str, float],
    usual: float,
    expected_wrong: Mapping[str, float],
) -> list[Entry]:
    """The queue by falling cost; of equal cost, images whose answers say nothing stand first.

    Args:
        reasons: By image.
        scores: Of images that several looked at.
        held_back: Images of which nothing is released.
        objects: What the objects that people drew on an image count; one that is held back costs them all,
            and at least 1.
        usual: The same of an average image, for those of which no drawing is known.
        expected_wrong: What the objects count that are expected to be wrong or missing in a released image.
    """
    held = set(held_back)
    entries = []
    for image_id, reason in reasons.items():
        score = scores.get(image_id)
        lost = image_id in held or reason in FIRST
        cost = max(1.0, objects.get(image_id, usual)) if lost else expected_wrong.get(image_id, 0.0)
        f1, mean_iou = (None, None) if score is None else (score.f1, score.mean_iou)
        entries.append(Entry(image_id, reason, f1, mean_iou, round(cost, _DIGITS), lost))
    rank = {reason: place for place, reason in enumerate(FIRST)}

    def place(entry: Entry) -> tuple[float, int, bool, str]:
        return -entry.cost, rank.get(entry.reason, len(rank)), not entry.held_back, entry.image_id

    return sorted(entries, key=place)
