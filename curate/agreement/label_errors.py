"""Labels that a model contradicts: missed, spurious, misnamed and badly placed objects, the surest first.

A disagreement of model and label is the model's error or the label's. How often it is the label's is
estimated from the data themselves: **where the model is at its best it is taken to be right**, so what it
still contradicts there are errors of labels, and labels are no worse where the model is weak. Disagreements
are counted by how sure one can be of the model (`_Cases`), the share of them among the surest quarter is the
rate of label errors, and what lies above that rate elsewhere is the model's.

It cannot see what model and labels share: an error in a suggestion that a person took over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from curate.agreement.objectlab import Boxes
from curate.geometry.boxes import area, box_iou
from curate.geometry.matching import match
from curate.records import Box

Kind = Literal["missed", "spurious", "category", "location"]
KINDS: Final[tuple[Kind, ...]] = ("missed", "spurious", "category", "location")
MIN_CASES: Final = 100  # fewer cases of a kind say nothing of its rate
_BEST_SHARE, _MIN_BEST = 0.25, 30  # of the cases: where the model is at its best
_TOUCHES = (
    0.1  # IoU from which a box and a label that is nobody's are one object, badly placed by one of them
)
_WITHIN = (
    0.5  # of the smaller box: a box that lies so far inside of a label is a part of it, or the same again
)
_SPREADS = 3.0  # robust standard deviations of log(1 - IoU): farther off is badly placed
_MAD_TO_SD = 1.4826
_NEAREST = 1e-3  # 1 - IoU is at least so much
_NOTHING: Final[dict[Kind, str]] = {
    "missed": "the model found nothing that could be held against the labels",
    "spurious": "nothing is labelled that could be held against the model",
    "category": "no label lies on an object of the model",
    "location": f"fewer than {_MIN_BEST} labels that people drew or corrected lie on an object of the "
    "model of the same name: how exactly people draw is not known",
}


@dataclass(frozen=True, slots=True)
class ImageView:
    """One image as its labels and a model see it.

    Attributes:
        image_id: The image.
        labels: What is held to be true.
        label_ids: One per label.
        found: A model's objects, with scores.
        found_ids: One per object.
        doubtful: (N, 4) boxes of the model that are too unsure, or dropped for another: they show that
            something is there, and are never held against a label.
    """

    image_id: str
    labels: Boxes
    label_ids: Sequence[str]
    found: Boxes
    found_ids: Sequence[str]
    doubtful: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))


@dataclass(frozen=True, slots=True)
class LabelError:
    """A label that is likely wrong, or one that is likely lacking.

    Attributes:
        image_id: The image.
        kind: One of `KINDS`.
        probability: That it is the label that is wrong, in [0, 1]; None where there are too few cases to say.
        label_id: None for "missed".
        found_id: The model's object; None for "spurious".
        category: Of the label; None for "missed".
        suggested: Category that the model sees; None for "spurious".
        score: Of the model; None for "spurious".
        iou: Of label and model's box; None where there is one of them only.
        box: Of the label, or of the model's object for "missed".
    """

    image_id: str
    kind: Kind
    probability: float | None
    label_id: str | None
    found_id: str | None
    category: str | None
    suggested: str | None
    score: float | None
    iou: float | None
    box: Box


@dataclass(slots=True)
class _Cases:
    """Comparisons of one kind.

    Attributes:
        sureness: How far the model can be trusted in each: its score; for "spurious" the area of the label.
        wrong: Whether the two disagree.
        candidates: What to report of each that does; None where they agree.
    """

    sureness: list[float] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)
    candidates: list[LabelError | None] = field(default_factory=list)

    def add(self, sureness: float, candidate: LabelError | None) -> None:
        self.sureness.append(sureness)
        self.wrong.append(candidate is not None)
        self.candidates.append(candidate)


@dataclass(frozen=True, slots=True)
class Disagreements:
    """What came of a comparison.

    Attributes:
        found: Every disagreement, those first of which it is surest that the label is wrong.
        not_compared: Why nothing is known of a kind, by kind: that none was found says nothing then.
    """

    found: list[LabelError]
    not_compared: dict[Kind, str]


def find(views: Iterable[ImageView], *, iou_threshold: float = 0.5) -> list[LabelError]:
    """Every disagreement of a model and labels; see `compare`."""
    return compare(views, iou_threshold=iou_threshold).found


def compare(views: Iterable[ImageView], *, iou_threshold: float = 0.5) -> Disagreements:
    """Hold a model and labels against each other.

    Args:
        views: Images that somebody labelled and the model looked at.
        iou_threshold: Least IoU of one object, in (0, 1].
    """
    cases: dict[Kind, _Cases] = {kind: _Cases() for kind in KINDS}
    placed: list[tuple[float, float, LabelError]] = []
    for view in views:
        _compare(view, cases, placed, iou_threshold)
    _add_badly_placed(cases["location"], placed)
    found: list[LabelError] = []
    for kind in KINDS:
        found += _estimated(kind, cases[kind])
    not_compared = {kind: _NOTHING[kind] for kind in KINDS if not cases[kind].wrong}
    return Disagreements(sorted(found, key=rank), not_compared)


def _compare(
    view: ImageView,
    cases: dict[Kind, _Cases],
    placed: list[tuple[float, float, LabelError]],
    iou_threshold: float,
) -> None:
    labels, found = view.labels, view.found
    iou = box_iou(found.corners, labels.corners)
    pairs = _pairs(labels, found, iou_threshold)
    pairs += _pairs(labels, found, _TOUCHES, left=pairs)
    for a, b in pairs:
        same = found.names[a] == labels.names[b]
        score, overlap = float(found.scores[a]), float(iou[a, b])
        if overlap >= iou_threshold:
            cases["category"].add(score, None if same else _reported(view, "category", a, b, overlap))
            cases["missed"].add(score, None)
            cases["spurious"].add(_size(labels, b), None)
        if same:
            placed.append((score, overlap, _reported(view, "location", a, b, overlap)))
    for a in set(range(len(found.names))) - {a for a, _ in pairs}:
        if not _repeats(found.corners[a], labels.corners):
            cases["missed"].add(float(found.scores[a]), _reported(view, "missed", a, None, None))
    for b in set(range(len(labels.names))) - {b for _, b in pairs}:
        seen = box_iou(np.concatenate([found.corners, view.doubtful]), labels.corners[b : b + 1])
        if not (seen >= _TOUCHES).any():
            cases["spurious"].add(_size(labels, b), _reported(view, "spurious", None, b, None))


def _pairs(
    labels: Boxes, found: Boxes, threshold: float, *, left: Sequence[tuple[int, int]] = ()
) -> list[tuple[int, int]]:
    """Objects of the model and labels that are one, of those that are in no pair of `left`."""
    taken_a, taken_b = {a for a, _ in left}, {b for _, b in left}
    a = [i for i in range(len(found.names)) if i not in taken_a]
    b = [i for i in range(len(labels.names)) if i not in taken_b]
    if not (a and b):
        return []
    matched = match(
        found.corners[a], labels.corners[b], found.names[a].tolist(), labels.names[b].tolist(),
        iou_threshold=threshold,
    )  # fmt: skip
    return [(a[i], b[j]) for i, j in zip(matched.a.tolist(), matched.b.tolist(), strict=True)]


def _repeats(box: NDArray[np.float64], others: NDArray[np.float64]) -> bool:
    """Whether a box lies mostly inside of another one, or that one inside of it."""
    corner, end = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(end - corner, 0, None).prod(axis=1)
    return bool((shared > _WITHIN * np.minimum(area(box[None])[0], area(others))).any())


def _size(labels: Boxes, at: int) -> float:
    return float(area(labels.corners[at : at + 1])[0])


def _reported(view: ImageView, kind: Kind, a: int | None, b: int | None, iou: float | None) -> LabelError:
    found, labels = view.found, view.labels
    x1, y1, x2, y2 = (found.corners[a] if b is None else labels.corners[b]).tolist()
    return LabelError(
        image_id=view.image_id,
        kind=kind,
        probability=None,
        label_id=None if b is None else view.label_ids[b],
        found_id=None if a is None else view.found_ids[a],
        category=None if b is None else str(labels.names[b]),
        suggested=None if a is None else str(found.names[a]),
        score=None if a is None else float(found.scores[a]),
        iou=iou,
        box=(x1, y1, x2, y2),
    )


def _add_badly_placed(cases: _Cases, placed: Sequence[tuple[float, float, LabelError]]) -> None:
    """Pairs of one name: those lie apart whose IoU is far from the usual one.

    What is usual is that of boxes that people drew or corrected. One taken over from the model as it was says
    nothing of how exactly people draw. Where few were drawn nothing is said.
    """
    gaps = np.log(np.maximum(1 - np.array([overlap for _, overlap, _ in placed]), _NEAREST))
    drawn = gaps[gaps > np.log(_NEAREST)]
    if len(drawn) < _MIN_BEST:
        return
    middle = float(np.median(drawn))
    spread = _MAD_TO_SD * float(np.median(np.abs(drawn - middle)))
    for gap, (score, _, reported) in zip(gaps.tolist(), placed, strict=True):
        cases.add(score, reported if gap > middle + _SPREADS * spread else None)


def _estimated(kind: Kind, cases: _Cases) -> list[LabelError]:
    """The candidates with the probability that the label is wrong."""
    if len(cases.wrong) < MIN_CASES:
        return [one for one in cases.candidates if one is not None]
    levels, level, counts = np.unique(-np.array(cases.sureness), return_inverse=True, return_counts=True)
    wrong = np.bincount(level, weights=np.array(cases.wrong, dtype=np.float64), minlength=len(levels))
    wanted = max(_MIN_BEST, round(_BEST_SHARE * len(level)))
    best = slice(0, int(np.searchsorted(np.cumsum(counts), wanted)) + 1)
    rate = (float(wrong[best].sum()) + 0.5) / (float(counts[best].sum()) + 1)
    share = np.clip(isotonic_regression(wrong / counts, weights=counts).x, rate, None)
    objects = (1 - share) / (1 - rate) if kind == "missed" else 1.0  # of what the model finds, some are none
    probability = rate * objects / share
    return [
        replace(candidate, probability=sure)
        for candidate, sure in zip(cases.candidates, probability[level].tolist(), strict=True)
        if candidate is not None
    ]


def rank(one: LabelError) -> tuple[float, float, str, str]:
    """What orders label errors: the surest first, those of unknown probability last."""
    sure = -1.0 if one.probability is None else one.probability
    return -sure, -(one.score or 0.0), one.image_id, one.label_id or one.found_id or ""
