"""Which images of a release a trainer may see: neither the test split nor images with known answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from curate import schema, tables
from curate.errors import ReleaseError
from curate.qa import gold_pool
from curate.stages import decided_images, seen_scenes

TEST: Final = "test"
_TIES: Final = tuple(dict.fromkeys((*gold_pool.IMAGE_COLUMNS, *seen_scenes.COLUMNS)))


@dataclass(frozen=True, slots=True)
class Gold:
    """Images by which models and people are measured.

    Attributes:
        images: image_ids of those with known answers, dropped ones too.
        related: image_ids of others that show a scene of one of those: copies and variants.
    """

    images: frozenset[str] = frozenset()
    related: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TrainingImages:
    """What is handed over of a release, and what is not.

    Attributes:
        split: Of each image that is, by image_id.
        held_back: Number of images that are not, by reason.
        without: image_ids of the train and validation splits that are not.
        licenses: Number of images that are, by license.
    """

    split: Mapping[str, str]
    held_back: Mapping[str, int]
    without: frozenset[str]
    licenses: Mapping[str, int]

    @property
    def splits(self) -> list[str]:
        """The splits that something is handed over of, the training one first."""
        return sorted(set(self.split.values()))

    def counts(self) -> dict[str, int]:
        """Number of images by split."""
        return dict(sorted(Counter(self.split.values()).items()))


def gold(
    known: Path | None, decisions: Path | None, images: Path, names: Sequence[str], *, group_by: Sequence[str]
) -> Gold:
    """The project's gold, and what shows the same scenes.

    Args:
        known: The parameter `qa.gold`.
        decisions: decisions.csv, whose lines `gold` count although nobody has settled them yet; None = none.
        images: Table of dedupe.
        names: Categories of the taxonomy.
        group_by: The parameter `release.group_by`.

    Raises:
        InputError: Gold or decisions cannot be read.
        TableError: The table is missing or damaged.
    """
    rows = tables.read(images, schema.IMAGES, columns=_TIES)
    # Of a dropped image too: its keeper shows the same.
    all_kept = rows.set_column(
        rows.column_names.index("drop_reason"), "drop_reason", pa.nulls(rows.num_rows, pa.string())
    )
    found = set(gold_pool.load(known, all_kept, names)["image_id"].to_pylist())
    if decisions is not None:
        made = decided_images.load(decisions, images, "select")
        found |= {key for key, lines in made.items() if any(one.decision == "gold" for one in lines)}
    return Gold(frozenset(found), seen_scenes.find(found, rows, group_by).related)


def choose(release: Path, known: Gold) -> TrainingImages:
    """What may be handed over of a release folder.

    Raises:
        ReleaseError: No image is left to train on, or a file is damaged.
    """
    split: dict[str, str] = {}
    held_back: Counter[str] = Counter()
    licenses: Counter[str] = Counter()
    without: set[str] = set()
    for path in sorted((release / "data").glob("*.parquet")):
        of = path.name.partition("-")[0]
        for image_id, license in _rows(path):
            reason = _reason(of, image_id, known)
            if reason is None:
                split[image_id] = of
                licenses[license or "unknown"] += 1
            else:
                held_back[reason] += 1
                without.add(image_id)
    if "train" not in split.values():
        told = ", ".join(f"{number} {reason}" for reason, number in sorted(held_back.items()))
        raise ReleaseError(f"{release} has no image to train on ({told or 'its split train is empty'})")
    return TrainingImages(
        split, dict(sorted(held_back.items())), frozenset(without), dict(sorted(licenses.items()))
    )


def _reason(split: str, image_id: str, known: Gold) -> str | None:
    if split == TEST:
        return "of the test split"
    if image_id in known.images:
        return "with known answers"
    return "of a scene with known answers" if image_id in known.related else None


def _rows(path: Path) -> Collection[tuple[str, str | None]]:
    try:
        table = pq.read_table(path, columns=["image_id", "license"])
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ReleaseError(f"{path} is damaged: {' '.join(str(error).split())}") from error
    return list(zip(table["image_id"].to_pylist(), table["license"].to_pylist(), strict=True))
