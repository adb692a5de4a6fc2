"""Labels that a model contradicts, from the tables of the pipeline and as the rows that are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.agreement import label_errors, objectlab
from curate.agreement.label_errors import ImageView, LabelError
from curate.agreement.objectlab import Boxes
from curate.agreement.plots import Cell, cell, rounded

HEADER = (
    "image_id", "path", "kind", "probability", "category", "suggested", "score", "iou", "objectlab",
    "x1", "y1", "x2", "y2", "label_id", "suggestion_id",
)  # fmt: skip
BY_KIND = ("kind", "found", "expected")
_NOT_KEPT = "the boxes that the model dropped were not kept: autolabel.keep_rejects is false"
_NONE = "no image has both labels and a model's objects with scores"
_LEFT_OUT = "the detector was trained on them or their scene"
_LEARNED = "the detector was trained on every image that could be compared, or on its scene"
_WORDS: Mapping[str, str] = {
    "missed": "the model sees {suggested} (score {score:.2f}) where nothing is labelled",
    "spurious": "the model sees nothing where {category} is labelled",
    "category": "the model sees {suggested} (score {score:.2f}) where {category} is labelled",
    "location": "the model draws {category} elsewhere (IoU {iou:.2f})",
}
_Rows = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """What a model contradicts.

    Attributes:
        found: Every disagreement, the surest label errors first.
        objectlab: ObjectLab's score of each compared image: how likely its labels are right.
        why_not: Why nothing was compared; None where something was.
        unknown: Why the probabilities of a kind are not known, by kind.
        not_compared: Why nothing is known of a kind, by kind.
        learned: Number of images left out because the model has learned their labels.
    """

    found: Sequence[LabelError]
    objectlab: Mapping[str, float]
    why_not: str | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    not_compared: Mapping[str, str] = field(default_factory=dict)
    learned: int = 0

    def doubted(self, min_probability: float) -> dict[str, list[LabelError]]:
        """Label errors more probable than `min_probability`, by image_id."""
        images: dict[str, list[LabelError]] = defaultdict(list)
        for one in self.found:
            if one.probability is not None and one.probability > min_probability:
                images[one.image_id].append(one)
        return dict(images)

    def told(self, min_probability: float) -> dict[str, str]:
        """Label errors of each image in words: "the model sees bus (score 0.92) where car is labelled"."""
        return {
            image_id: "; ".join(_WORDS[one.kind].format(**_named(one)) for one in errors)
            for image_id, errors in self.doubted(min_probability).items()
        }

    def rows(self, paths: Mapping[str, str]) -> Iterator[tuple[Cell, ...]]:
        """Yield the rows of the table, in columns of `HEADER`."""
        for one in self.found:
            facts = (one.kind, cell(one.probability), one.category, one.suggested, rounded(one.score))
            corners = (rounded(edge) for edge in one.box)
            score = rounded(self.objectlab[one.image_id])
            place = (one.image_id, paths.get(one.image_id))
            yield (*place, *facts, rounded(one.iou), score, *corners, one.label_id, one.found_id)

    def by_kind(self) -> list[tuple[Cell, ...]]:
        """Rows of `BY_KIND`: disagreements, and how many of them are expected to be errors of labels."""
        return [
            (kind, cell(entry["found"]), cell(entry["expected"])) for kind, entry in self.metrics().items()
        ]

    def left_out(self) -> dict[str, int]:
        """Number of images that could be compared and were not, by reason in words."""
        return {_LEFT_OUT: self.learned} if self.learned else {}

    def metrics(self) -> dict[str, dict[str, Any]]:
        """Count disagreements and sum their probabilities by kind; null with a reason where not known."""
        found: dict[str, dict[str, Any]] = {}
        for kind in label_errors.KINDS:
            nothing = self.why_not or self.not_compared.get(kind)
            if nothing is not None:
                found[kind] = {"found": None, "expected": None, "reason": nothing}
                continue
            of_kind = [one.probability for one in self.found if one.kind == kind]
            known = [one for one in of_kind if one is not None]
            entry: dict[str, Any] = {"found": len(of_kind), "expected": rounded(sum(known))}
            if len(known) < len(of_kind):
                few = f"fewer than {label_errors.MIN_CASES} objects to compare"
                entry |= {"expected": None, "reason": self.unknown.get(kind, few)}
            found[kind] = entry
        return found


def compare(
    labels: pa.Table,
    model: pa.Table,
    *,
    iou_threshold: float,
    learned: Collection[str] = (),
    given: Collection[str] = (),
) -> LabelErrors:
    """Hold what people agree on against what the model found, image by image.

    Images with a disputed object are left out, since their labels are not known, and so are images that the
    model did not look at, or of which its objects have no score. Those that it was trained on are left out
    and counted: it confirms what it has learned. Whether a label shows nothing is not known where the boxes
    that the model dropped were not kept: an object that it half saw would count as one.

    Args:
        labels: The `annotations` table of a consensus.
        model: That of the stage autolabel.
        iou_threshold: Least IoU of one object.
        learned: image_ids of those that the model was trained on, or that show a scene of them.
        given: image_ids of those that a detector was given: it looked at all of them but those that have a
            row of outcome "failed", and where it found nothing at all there is no row.
    """
    failed = set(model.filter(pc.equal(model["outcome"], "failed"))["image_id"].to_pylist())
    labeled = set(pc.unique(labels["image_id"]).to_pylist())
    made: _Rows = {image_id: [] for image_id in labeled.intersection(given) - failed}
    made = {**made, **_by_image(model, ("object", "empty", "rejected"))}
    looked_at = pc.is_in(labels["image_id"], value_set=pa.array(list(made), pa.string()))
    drawn = _by_image(labels.filter(looked_at), ("object", "empty", "disputed"))
    known = [
        image_id
        for image_id, rows in sorted(drawn.items())
        if all(row["outcome"] != "disputed" for row in rows)
        and all(row["score"] is not None for row in made[image_id] if row["outcome"] == "object")
    ]
    views = [
        _view(image_id, drawn[image_id], made[image_id]) for image_id in known if image_id not in learned
    ]
    n_learned = len(known) - len(views)
    if not views:
        return LabelErrors([], {}, _LEARNED if n_learned else _NONE, learned=n_learned)
    scores = objectlab.image_scores([view.labels for view in views], [view.found for view in views])
    by_image = dict(zip((view.image_id for view in views), scores.tolist(), strict=True))
    compared = label_errors.compare(views, iou_threshold=iou_threshold)
    found = compared.found
    nothing: dict[str, str] = dict(compared.not_compared.items())
    if "rejected" in pc.unique(model["outcome"]).to_pylist():
        return LabelErrors(found, by_image, not_compared=nothing, learned=n_learned)
    found = sorted(
        (replace(one, probability=None) if one.kind == "spurious" else one for one in found),
        key=label_errors.rank,
    )
    unknown = {"spurious": _NOT_KEPT}
    return LabelErrors(found, by_image, unknown=unknown, not_compared=nothing, learned=n_learned)


def _named(one: LabelError) -> dict[str, Any]:
    numbers = {"score": one.score or 0.0, "iou": one.iou or 0.0}
    return {"category": one.category, "suggested": one.suggested, **numbers}


def _by_image(table: pa.Table, outcomes: Iterable[str]) -> _Rows:
    columns = ["annotation_id", "image_id", "outcome", "category", "bbox_xyxy", "score"]
    images: dict[str, list[dict[str, Any]]] = defaultdict(list)
    wanted = set(outcomes)
    for row in table.select(columns).to_pylist():
        if row["outcome"] in wanted:
            images[row["image_id"]].append(row)
    return images


def _view(image_id: str, drawn: Sequence[dict[str, Any]], made: Sequence[dict[str, Any]]) -> ImageView:
    labels = [row for row in drawn if row["outcome"] == "object"]
    found = [row for row in made if row["outcome"] == "object"]
    doubtful = [row["bbox_xyxy"] for row in made if row["outcome"] == "rejected"]
    return ImageView(
        image_id=image_id,
        labels=_boxes(labels),
        label_ids=[row["annotation_id"] for row in labels],
        found=_boxes(found),
        found_ids=[row["annotation_id"] for row in found],
        doubtful=np.array(doubtful, dtype=np.float64).reshape(-1, 4),
    )


def _boxes(rows: Sequence[dict[str, Any]]) -> Boxes:
    return Boxes(
        np.array([row["bbox_xyxy"] for row in rows], dtype=np.float64).reshape(-1, 4),
        np.array([row["category"] for row in rows], dtype=object),
        np.array([row["score"] or 0.0 for row in rows], dtype=np.float64),
    )
