"""What ingest saw of each file of the data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from curate import schema, tables
from curate.check.dataset import DataSet
from curate.formats.record import Size
from curate.system import printable

SOURCE: Final = "files"  # name of the source that lists the files, before each place in the images table
_DROPPED_LATER: Final = "near_duplicate"  # by dedupe: the file itself is fine
_COLUMNS: Final = (
    "image_id", "path", "sources", "width", "height", "exif_orientation", "license", "brightness", "contrast",
    "sharpness", "quality", "duplicate_of", "dup_relation", "dup_correlation", "drop_reason", "drop_detail",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeenImage:
    """One distinct content, with the places where it lies.

    Attributes:
        image_id: The content's sha256.
        places: In the order of the data set; at least one.
        splits: Of all places.
        row: The row of the images table after dedupe.
    """

    image_id: str
    places: tuple[str, ...]
    splits: frozenset[str]
    row: Mapping[str, Any]

    @property
    def decoded(self) -> bool:
        """Whether its pixels could be had."""
        return self.row["drop_reason"] in (None, _DROPPED_LATER)

    @property
    def size(self) -> Size:
        """Width and height, upright; of a decoded image."""
        return self.row["width"], self.row["height"]

    @property
    def orientation(self) -> int:
        """EXIF orientation, 1..8."""
        return int(self.row["exif_orientation"] or 1)

    @property
    def stored(self) -> Size:
        """Width and height of the file's own pixels, before EXIF turns them."""
        width, height = self.size
        return (height, width) if self.orientation >= 5 else (width, height)

    def by_splits(self, dataset: DataSet) -> dict[frozenset[str], list[str]]:
        """The places by what splits they are of, those of none too, each in the order of the data set."""
        found: dict[frozenset[str], list[str]] = {}
        for place in self.places:
            found.setdefault(frozenset(dataset.splits[place]), []).append(place)
        return found


def read(table: Path, dataset: DataSet) -> list[SeenImage]:
    """Every content whose file is in the data set, by its first place.

    Args:
        table: The images table, of dedupe or ingest; of one source named `SOURCE`, that lists absolute paths.
        dataset: Says which place is which file.
    """
    place_of = {printable(file): place for place, file in dataset.files.items()}
    found = []
    for row in tables.read(table, schema.IMAGES, columns=list(_COLUMNS)).to_pylist():
        paths = [source.removeprefix(f"{SOURCE}/") for source in row["sources"]]
        places = sorted(place_of[path] for path in paths if path in place_of)
        if places:  # a row of an earlier run in the same cache may have none
            splits = frozenset(split for place in places for split in dataset.splits[place])
            found.append(SeenImage(row["image_id"], tuple(places), splits, row))
    return sorted(found, key=lambda one: one.places)
