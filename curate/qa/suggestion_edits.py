"""What became of the suggestions: accepted, edited, rejected; and what people added.

By descent: an object that a labeler left of a suggestion carries its id as `parent_id`, however far it was
moved. Only answers that began from suggestions take part, without those that carry a planted error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.geometry.grouped_matching import paired_iou
from curate.geometry.masks import rle_iou
from curate.intervals import Figure, wilson
from curate.qa import bootstrap_figures
from curate.qa.bootstrap_figures import Resampling
from curate.qa.joined_answers import Drawn, Flags, Looks

Values = NDArray[np.float64]
FATES = ("accepted", "edited", "rejected")
ACCEPTED, EDITED, REJECTED = range(3)


@dataclass(frozen=True, slots=True)
class Edits:
    """One row per suggestion that a labeler saw; arrays (S,), and added objects apart.

    Attributes:
        look: Row of `Looks`.
        category: Code of the suggestion's category.
        fate: `ACCEPTED`, `EDITED` or `REJECTED`.
        renamed: Whether the category was changed; then it is edited.
        box_iou: Of suggestion and final object; NaN where rejected.
        mask_iou: Likewise; NaN where either has no mask.
        added: Category codes of objects that descend from no suggestion.
        categories: Names by code.
    """

    look: NDArray[np.int64]
    category: NDArray[np.int64]
    fate: NDArray[np.int64]
    renamed: Flags
    box_iou: Values
    mask_iou: Values
    added: NDArray[np.int64]
    categories: list[str]


@dataclass(frozen=True, slots=True)
class CategoryEdits:
    """The figures of one category of suggestions, or of all ("all")."""

    category: str
    suggestions: int
    accepted: Figure
    edited: Figure
    rejected: Figure
    renamed: Figure
    box_iou: Figure
    mask_iou: Figure
    added: int


def trace(
    looks: Looks, drawn: Drawn, shown: Drawn, sizes: NDArray[np.int64], *, tolerance_px: float
) -> Edits:
    """Follow every suggestion into the labeler's answer.

    A suggestion is accepted where its category is unchanged, no edge of its box moved by more than the
    tolerance, and its mask has the same pixels (a suggestion without mask: the answer has none either).

    Args:
        looks: All answers.
        drawn: Their objects.
        shown: Suggestions of the images, once a look.
        sizes: (images, 2) width and height by image code, upright pixels.
        tolerance_px: How far an edge may move.
    """
    part = ~looks.control & ~looks.seeded
    seen = np.flatnonzero(part[shown.objects.group])
    look = shown.objects.group[seen]
    keys = _keys(shown.table["annotation_id"].take(pa.array(seen)), look)
    left = np.flatnonzero(part[drawn.objects.group])
    parents = _keys(drawn.table["parent_id"].take(pa.array(left)), drawn.objects.group[left])
    place = pc.fill_null(pc.index_in(keys, value_set=parents), -1).to_numpy(zero_copy_only=False)
    kept = place >= 0
    final = left[place[kept]]
    before, after = shown.objects, drawn.objects
    moved = np.abs(before.boxes[seen[kept]] - after.boxes[final]).max(axis=1, initial=0.0) > tolerance_px
    renamed = before.categories[seen[kept]] != after.categories[final]
    mask, repainted = _masks(shown, drawn, seen[kept], final, sizes[looks.image[look[kept]]])
    fate = np.full(len(seen), REJECTED)
    fate[kept] = np.where(moved | renamed | repainted, EDITED, ACCEPTED)
    descends = pc.is_in(parents, value_set=keys).to_numpy(zero_copy_only=False)
    return Edits(
        look=look,
        category=before.categories[seen],
        fate=fate,
        renamed=_spread(kept, renamed.astype(np.float64)) > 0,
        box_iou=_spread(kept, paired_iou(before.boxes[seen[kept]], after.boxes[final])),
        mask_iou=_spread(kept, mask),
        added=after.categories[left[~descends]],
        categories=drawn.categories,
    )


def by_category(edits: Edits, looks: Looks, how: Resampling) -> list[CategoryEdits]:
    """All suggestions, then each category that was suggested or added, by name."""
    result = [
        _figures(
            "all", edits, np.ones(len(edits.look), np.bool_), added=len(edits.added), looks=looks, how=how
        )
    ]
    for code, name in enumerate(edits.categories):
        rows, added = edits.category == code, int((edits.added == code).sum())
        if rows.any() or added:
            result.append(_figures(name, edits, rows, added=added, looks=looks, how=how))
    return result


def _figures(
    name: str, edits: Edits, rows: Flags, *, added: int, looks: Looks, how: Resampling
) -> CategoryEdits:
    image = looks.image[edits.look[rows]]
    parts = [edits.fate[rows] == fate for fate in range(len(FATES))] + [edits.renamed[rows]]
    columns = np.stack([*parts, np.ones(int(rows.sum()))], axis=1).astype(np.float64)
    sums = bootstrap_figures.resampled(columns, image, how)

    def share(column: int) -> Figure:
        if sums.images >= bootstrap_figures.MIN_IMAGES:
            return sums.figure(lambda drawn: drawn[..., column] / drawn[..., -1], scale="share")
        return wilson(int(columns[:, column].sum()), len(columns))

    def mean(values: Values) -> Figure:
        known = rows & ~np.isnan(values)
        ones = np.ones(int(known.sum()))
        return bootstrap_figures.ratio(values[known], ones, looks.image[edits.look[known]], how)

    return CategoryEdits(
        category=name,
        suggestions=int(rows.sum()),
        accepted=share(ACCEPTED),
        edited=share(EDITED),
        rejected=share(REJECTED),
        renamed=share(len(FATES)),
        box_iou=mean(edits.box_iou),
        mask_iou=mean(edits.mask_iou),
        added=added,
    )


def _masks(
    shown: Drawn, drawn: Drawn, before: NDArray[np.int64], after: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[Values, Flags]:
    """Mask IoU of suggestions and what became of them, NaN without two masks; and which masks changed."""
    first = shown.table["rle"].take(pa.array(before)).combine_chunks()
    second = drawn.table["rle"].take(pa.array(after)).combine_chunks()
    bare = _there(first) | _there(second)
    same = pc.fill_null(pc.equal(first, second), False).to_numpy(zero_copy_only=False)
    iou = np.where(same, 1.0, np.nan)
    different = np.flatnonzero(~same & _there(first) & _there(second))
    for row in different:  # only masks that a person changed are compared pixel by pixel
        width, height = (int(value) for value in sizes[row])
        iou[row] = rle_iou([first[row].as_py()], [second[row].as_py()], width=width, height=height)[0, 0]
    return iou, bare & ~same


def _there(column: pa.Array) -> Flags:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _keys(ids: pa.ChunkedArray, look: NDArray[np.int64]) -> pa.Array:
    """An annotation's id and the look it belongs to as one text; null stays null."""
    joined = pc.binary_join_element_wise(
        ids.combine_chunks().cast(pa.string()), pa.array(look).cast(pa.string()), "\x1f"
    )
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _spread(kept: Flags, values: Values) -> Values:
    """Values of the kept rows at their places, NaN elsewhere."""
    out = np.full(len(kept), np.nan)
    out[kept] = values
    return out
