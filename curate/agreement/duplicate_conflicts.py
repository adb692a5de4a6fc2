"""What two people's labels of one picture, once as a copy that was dropped, say differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curate.geometry.boxes import as_boxes, box_iou
from curate.geometry.matching import match
from curate.records import Box

_MAX_STRETCH = 0.02  # that the sides of two copies may differ in their proportions: whole pixels
_NEAR_IOU = 0.1  # from here on two unmatched boxes of one category mean one object, drawn elsewhere


@dataclass(frozen=True, slots=True)
class Drawn:
    """One object: its category, and its box in upright pixels of its image."""

    category: str
    box: Box


def placed(
    objects: Sequence[Drawn], relation: str, size: tuple[int, int], kept: tuple[int, int]
) -> list[Drawn] | None:
    """The objects of a copy where they lie on the image that was kept.

    Args:
        objects: In pixels of the copy.
        relation: How the copy shows that image, as `dup_relation` says.
        size: Width and height of the copy.
        kept: Those of the image that was kept.

    Returns:
        None where that is not known: of a copy that is turned, cropped or bordered, or is the same by
        meaning only.

    Examples:
        >>> placed([Drawn("car", (0, 0, 10, 20))], "mirrored", (100, 50), (200, 100))
        [Drawn(category='car', box=(180.0, 0.0, 200.0, 40.0))]
    """
    across, down = kept[0] / size[0], kept[1] / size[1]
    if relation not in ("same", "mirrored") or abs(across / down - 1) > _MAX_STRETCH:
        return None
    found = []
    for one in objects:
        x1, y1, x2, y2 = (value * scale for value, scale in zip(one.box, (across, down) * 2, strict=True))
        if relation == "mirrored":
            x1, x2 = kept[0] - x2, kept[0] - x1
        found.append(Drawn(one.category, (x1, y1, x2, y2)))
    return found


def differences(copied: Sequence[Drawn], kept: Sequence[Drawn], *, iou_threshold: float) -> list[str]:
    """What the labels of a copy say otherwise than those of the image that was kept, in words.

    Args:
        copied: Objects of the copy, placed on the image that was kept.
        kept: Its own.
        iou_threshold: From where on two boxes are one object.

    Returns:
        A sentence a difference: another category, a box that lies elsewhere, an object that one side lacks.

    Examples:
        >>> car, bus = Drawn("car", (0, 0, 10, 10)), Drawn("bus", (50, 0, 60, 10))
        >>> differences([car], [car, bus], iou_threshold=0.5)
        ['bus at 50, 0, 60, 10 is missing on the copy']
    """
    matched = _match(copied, kept, iou_threshold)
    words = [
        f"{kept[b].category} at {_at(kept[b])} is {copied[a].category} on the copy"
        for a, b in matched
        if copied[a].category != kept[b].category
    ]
    rest_copied = [one for at, one in enumerate(copied) if at not in {a for a, _ in matched}]
    rest_kept = [one for at, one in enumerate(kept) if at not in {b for _, b in matched}]
    near = [
        (a, b)
        for a, b in _match(rest_copied, rest_kept, _NEAR_IOU)
        if rest_copied[a].category == rest_kept[b].category
    ]
    for a, b in near:
        iou = float(box_iou([rest_copied[a].box], [rest_kept[b].box])[0, 0])
        words.append(
            f"{rest_kept[b].category} at {_at(rest_kept[b])} lies at {_at(rest_copied[a])} on the copy "
            f"(IoU {iou:.2f})"
        )
    words += [
        f"{one.category} at {_at(one)} is missing on the copy"
        for at, one in enumerate(rest_kept)
        if at not in {b for _, b in near}
    ]
    words += [
        f"{one.category} at {_at(one)} is on the copy only"
        for at, one in enumerate(rest_copied)
        if at not in {a for a, _ in near}
    ]
    return words


def _match(copied: Sequence[Drawn], kept: Sequence[Drawn], iou_threshold: float) -> list[tuple[int, int]]:
    found = match(
        as_boxes([one.box for one in copied]),
        as_boxes([one.box for one in kept]),
        [one.category for one in copied],
        [one.category for one in kept],
        iou_threshold=iou_threshold,
    )
    return list(zip(found.a.tolist(), found.b.tolist(), strict=True))


def _at(one: Drawn) -> str:
    return ", ".join(f"{value:g}" for value in np.round(one.box, 1))
