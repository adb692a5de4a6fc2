"""Images that show what a detector was trained on: the images themselves, their copies and their variants."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from curate import schema, tables
from curate.labeling import training_record
from curate.release import split_groups

COLUMNS: Final = split_groups.COLUMNS  # of the images table, that are needed


@dataclass(frozen=True, slots=True)
class Seen:
    """What says too little of a detector, since it does better there than anywhere else.

    Attributes:
        images: image_ids of those that it was trained on.
        related: image_ids of others that show one of their scenes.
    """

    images: frozenset[str] = frozenset()
    related: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        """Images that were seen, and related ones."""
        return self.images | self.related


def learned(detector: Path | None, images: Path, group_by: Sequence[str]) -> Seen:
    """What a detector of `curate train` has learned; images of its validation split are none of it.

    Args:
        detector: Its folder; None, or without a record of a training = nothing is known of it.
        images: Table of dedupe; read only where there is a record.
        group_by: The parameter `release.group_by`.

    Raises:
        ModelError: The record is damaged.
        TableError: The table is missing or damaged.
        ReleaseError: No image has an attribute of `group_by`.
    """
    splits = {} if detector is None else training_record.trained_on(detector)
    if not splits:
        return Seen()
    trained = [image_id for image_id, split in splits.items() if split == "train"]
    return find(trained, tables.read(images, schema.IMAGES, columns=list(COLUMNS)), group_by)


def find(trained_on: Collection[str], images: pa.Table, group_by: Sequence[str]) -> Seen:
    """The images of a training, and those of one scene with them, as a release ties them into one split.

    Args:
        trained_on: image_ids.
        images: All rows of the images table, dropped ones too, with `COLUMNS`.
        group_by: The parameter `release.group_by`.

    Raises:
        ReleaseError: No image has such an attribute.
    """
    if not trained_on:
        return Seen()
    named = frozenset(trained_on)
    ids = images["image_id"].to_pylist()
    groups = split_groups.tie(images, group_by).names
    scenes = {group for group, image_id in zip(groups, ids, strict=True) if image_id in named}
    shown = frozenset(image_id for group, image_id in zip(groups, ids, strict=True) if group in scenes)
    return Seen(named, shown - named)
