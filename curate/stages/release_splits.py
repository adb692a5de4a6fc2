"""The split of each released image: kept, honoured or drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curate.params import ReleaseParams
from curate.release import split_groups, splits
from curate.release.release_content import Content
from curate.release.split_groups import Settled, Ties


@dataclass(frozen=True, slots=True)
class Split:
    """The split of each released image, and how it came about.

    Attributes:
        of_image: In the order of the content.
        ties: Which images share a split.
        settled: Which had one already.
        several: Groups of which more than one image is released.
    """

    of_image: list[str]
    ties: Ties
    settled: Settled
    several: int


def assign(params: ReleaseParams, content: Content, images: pa.Table, former: Mapping[str, str]) -> Split:
    """Give every image of the content a split.

    Args:
        params: The section `release`.
        content: What is released.
        images: All rows of the images table.
        former: Split by image_id of what was ever released.

    Raises:
        ReleaseError: Images that belong together have several splits, an attribute is unknown, or the
            shares leave
            nothing for train.
    """
    ids = images.column("image_id").to_pylist()
    place = {image_id: index for index, image_id in enumerate(ids)}
    out = [place[image_id] for image_id in content.ids]
    released = np.zeros(len(ids), np.bool_)
    released[out] = True
    ties = split_groups.tie(images, params.group_by)
    settled = split_groups.settle(
        ids,
        ties.names,
        released.tolist(),
        former=former,
        own=split_groups.own_splits(images, params.split_attribute),
        conflicts=params.split_conflicts,
    )
    groups = [ties.names[index] for index in out]
    split_of = splits.assign(
        groups,
        content.names(),
        validation_share=params.validation_share,
        test_share=params.test_share,
        seed=params.seed,
        fixed=[settled.split[index] for index in out],
    )
    splits.check(groups, split_of)
    several = sum(count > 1 for count in Counter(groups).values())
    return Split(split_of, ties, settled, several)
