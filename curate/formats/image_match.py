"""Which image of the project a label file means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Literal

import pyarrow as pa

from curate.formats.record import LabeledImage, Size

Match = Literal["path", "name", "id"]
COLUMNS: Final = ("image_id", "sources", "width", "height", "exif_orientation", "drop_reason")


@dataclass(frozen=True, slots=True)
class KnownImage:
    """A row of the `images` table, as far as labels need it.

    Attributes:
        image_id: The image.
        source: The first place that it was found at.
        size: Upright pixels; None where the file could not be decoded.
        orientation: EXIF, 1..8.
        dropped: Why the image is not kept; None if it is.
    """

    image_id: str
    source: str
    size: Size | None
    orientation: int
    dropped: str | None

    @property
    def stored(self) -> Size | None:
        """Size of the file's own pixels, before EXIF turns them."""
        turned = self.orientation >= 5
        return (self.size[1], self.size[0]) if turned and self.size is not None else self.size


class ImageMatch:
    """The images of a project by path, by file name, or by id."""

    def __init__(self, images: pa.Table, how: Match) -> None:
        """Prepare the names that labels may use for the images.

        Args:
            images: `COLUMNS` of the `images` table.
            how: path = the whole path, or an end of it, such as "street/1.jpg"; name = the file's name alone;
                id = image_id, as a release names its files.
        """
        self._how = how
        self._rows: dict[str, list[Any]] = {name: images[name].to_pylist() for name in COLUMNS}
        self._by_key: dict[str, list[tuple[int, str]]] = {}
        for row, (image_id, sources) in enumerate(
            zip(self._rows["image_id"], self._rows["sources"], strict=True)
        ):
            for source in [image_id] if how == "id" else sources:
                self._by_key.setdefault(source.rpartition("/")[2], []).append((row, source))

    def find(self, image: LabeledImage) -> list[KnownImage]:
        """The images that the file can mean: one if all is well."""
        if self._how == "id":
            keys = (image.image_id or "", PurePosixPath(image.name.replace("\\", "/")).stem)
            rows = {row for key in keys for row, _ in self._by_key.get(key, ())}
        else:
            name = image.name.replace("\\", "/").removeprefix("./").lstrip("/")
            near = self._by_key.get(name.rpartition("/")[2], ())
            rows = {
                row
                for row, source in near
                if self._how == "name" or source == name or source.endswith(f"/{name}")
            }
        return [self._image(row) for row in sorted(rows)]

    def others(self, seen: Iterable[str]) -> list[KnownImage]:
        """Kept images besides those of these ids."""
        known = set(seen)
        rows = zip(self._rows["image_id"], self._rows["drop_reason"], strict=True)
        return [self._image(row) for row, (key, why) in enumerate(rows) if why is None and key not in known]

    def _image(self, row: int) -> KnownImage:
        width, height = self._rows["width"][row], self._rows["height"][row]
        sources = self._rows["sources"][row]
        return KnownImage(
            image_id=self._rows["image_id"][row],
            source=sources[0] if sources else "",
            size=(width, height) if width and height else None,
            orientation=self._rows["exif_orientation"][row] or 1,
            dropped=self._rows["drop_reason"][row],
        )
