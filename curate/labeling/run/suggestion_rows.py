"""From the raw boxes and masks of an image to its rows: thresholds, suppression, clean-up. No model here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from curate.geometry import masks
from curate.labeling import mask_cleanup, nms, prompts
from curate.params import AutolabelParams, MaskParams
from curate.records import Annotation, BoolArray, Category, Detections, FloatArray, Outcome, derived_id


@dataclass(frozen=True, slots=True)
class Sifted:
    """The boxes of one image.

    Attributes:
        suggested: Those that stay, best first.
        rejected: The others.
        reasons: Why each of the others does not; of `nms.REASONS`.
    """

    suggested: Detections
    rejected: Detections
    reasons: tuple[str, ...]


def sift(
    raw: Sequence[Detections], names: Mapping[str, str], rules: nms.Rules, *, keep_rejects: bool
) -> Sifted:
    """Tell which of the raw boxes of an image stay.

    Args:
        raw: One per text, with the prompts as categories; a row per box and prompt.
        names: The category of each prompt.
        rules: What a box must be to stay.
        keep_rejects: Whether the others are wanted: those from the lowest threshold of all on.
    """
    found = prompts.joined(raw)
    found = replace(found, categories=tuple(names[prompt] for prompt in found.prompts))
    found = prompts.one_prompt_per_box(found, rules.thresholds)
    lowest = min(rules.thresholds.values())
    found = found.take(np.flatnonzero(found.scores >= np.float32(lowest)))
    stays, reasons = nms.sift(found, rules)
    dropped = [i for i, reason in enumerate(reasons) if reason is not None] if keep_rejects else []
    return Sifted(
        found.take(stays),
        found.take(np.array(dropped, dtype=np.intp)),
        tuple(reason for i in dropped if (reason := reasons[i]) is not None),
    )


def rules(params: AutolabelParams, categories: Sequence[Category]) -> nms.Rules:
    """The rules of a run."""
    return nms.Rules(
        thresholds={category.name: category.threshold for category in categories},
        min_side=params.min_side,
        iou=params.nms_iou,
        containment=params.containment,
        across=params.across,
        max_boxes=params.max_boxes,
    )


def kept_mask(plane: BoolArray, raw: str, box: FloatArray, limits: MaskParams) -> str | None:
    """The mask of a row.

    Args:
        plane: (H, W), as the segmenter gave it.
        raw: The same as COCO compressed counts.
        box: (4,) xyxy pixels that it was made from.
        limits: Of clean-up.

    Returns:
        COCO compressed counts; None where the mask is empty or misses its box.
    """
    mask = mask_cleanup.clean(plane, max_hole=limits.max_hole, max_island=limits.max_island)
    if not mask_cleanup.fits_box(mask, box, min_iou=limits.min_box_iou):
        return None
    return raw if mask is plane else masks.encode(mask)


def of_image(
    image_id: str, sifted: Sifted, rles: Sequence[str | None], *, version: str, taxonomy_digest: str
) -> Iterator[Annotation]:
    """A row per suggestion, with its mask; then one per box that is none.

    Args:
        image_id: Of the image.
        sifted: Its boxes.
        rles: The mask of each suggestion; None = box only.
        version: Of the models.
        taxonomy_digest: Of the taxonomy.
    """
    found = sifted.suggested
    image = (image_id, version, taxonomy_digest)
    for index, rle in enumerate(rles):
        yield _row(image, found, index, rle=rle)
    seen = set()
    for index, reason in enumerate(sifted.reasons):
        row = _row(image, sifted.rejected, index, reason=reason)
        if row.annotation_id not in seen:  # two texts may find the very same box
            seen.add(row.annotation_id)
            yield row


def failed(image_id: str, reason: str, *, version: str | None, taxonomy_digest: str) -> Annotation:
    """The row of an image that could not be looked at."""
    return Annotation(
        annotation_id=derived_id("failed", image_id),
        image_id=image_id,
        origin="model",
        model_version=version,
        outcome="failed",
        reject_reason=reason,
        taxonomy_digest=taxonomy_digest,
    )


def _row(
    image: tuple[str, str, str],
    found: Detections,
    index: int,
    *,
    rle: str | None = None,
    reason: str | None = None,
) -> Annotation:
    """A suggestion, or with a reason one that is none."""
    category, prompt = found.categories[index], found.prompts[index]
    x1, y1, x2, y2 = (float(value) for value in found.boxes[index])
    outcome: Outcome = "object" if reason is None else "rejected"
    identity = () if reason is None else (outcome, prompt, reason)
    image_id, version, taxonomy_digest = image
    return Annotation(
        annotation_id=derived_id(image_id, version, category, x1, y1, x2, y2, *identity),
        image_id=image_id,
        origin="model",
        category=category,
        bbox_xyxy=(x1, y1, x2, y2),
        rle=rle,
        score=float(found.scores[index]),
        prompt=prompt,
        outcome=outcome,
        reject_reason=reason,
        model_version=version,
        taxonomy_digest=taxonomy_digest,
    )
