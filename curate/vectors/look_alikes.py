"""Objects that look alike and are labelled differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from curate.records import FloatArray
from curate.vectors.nearest import nearest

_CROWD: Final = 32  # objects of the same image that are passed over at most


@dataclass(frozen=True, slots=True)
class LookAlike:
    """An object whose nearest object has another category.

    Attributes:
        row: Of the object.
        neighbor: Row of the nearest one.
        cosine: Of both, in [-1, 1].
        other_share: Share of its nearest objects that have another category than it, in (0, 1].
    """

    row: int
    neighbor: int
    cosine: float
    other_share: float


def look_alikes(
    vectors: FloatArray, categories: Sequence[str], images: Sequence[str], *, neighbors: int
) -> tuple[list[LookAlike], int]:
    """Objects whose nearest one in another image has another category, those most alone with theirs first.

    Objects of one image are not held against each other: crops of boxes that overlap show the same pixels.

    Args:
        vectors: (N, D) float32 of unit length, an object each.
        categories: N.
        images: N, the image_id of each.
        neighbors: How many nearest ones of other images are counted; fewer where an image has many objects
            that are all nearer.

    Returns:
        By falling `other_share`, then by falling cosine; and the number of objects that were compared with
        none of another image: nothing is known of these.
    """
    _, image, crowd = np.unique(
        np.asarray(images, dtype=object).astype(str), return_inverse=True, return_counts=True
    )
    found = nearest(vectors, neighbors + min(int(crowd.max(initial=1)) - 1, _CROWD))
    if not found.rows.shape[1]:
        return [], len(vectors)
    _, category = np.unique(np.asarray(categories, dtype=object).astype(str), return_inverse=True)
    there = (found.rows >= 0) & (image[found.rows] != image[:, None])
    there &= np.cumsum(there, axis=1) <= neighbors
    other = (category[found.rows] != category[:, None]) & there
    share = other.sum(axis=1) / np.maximum(1, there.sum(axis=1))
    first = there.argmax(axis=1)  # the nearest of another image
    every = np.arange(len(vectors))
    rows = np.flatnonzero(other[every, first])
    near, cosine = found.rows[every, first], found.cosine[every, first]
    order = rows[np.lexsort((rows, -cosine[rows], -share[rows]))]
    listed = [LookAlike(int(row), int(near[row]), float(cosine[row]), float(share[row])) for row in order]
    return listed, int((~there.any(axis=1)).sum())
