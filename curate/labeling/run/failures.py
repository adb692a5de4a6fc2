"""The images that no model could look at: counted, written down, and too many of them end the run."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from curate import schema, tables
from curate.errors import InputError
from curate.labeling.run import suggestion_rows
from curate.labeling.run.decoding import ImageFile
from curate.labeling.run.labeler import Failed


class Failures:
    """Images that failed, with why; more than a number of them stop the run."""

    def __init__(self, max_failures: int, *, section: str = "autolabel") -> None:
        """Begin with none; more than `max_failures` are refused, which `max_failures` of the section says."""
        self._max_failures, self._section = max_failures, section
        self._found: dict[str, tuple[ImageFile, Failed]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[tuple[ImageFile, Failed]]:
        return iter(self._found.values())

    def add(self, image: ImageFile, why: Failed) -> None:
        """Add an image that failed.

        Raises:
            InputError: One too many.
        """
        self._found[image.image_id] = (image, why)
        if len(self) > self._max_failures:
            counts = ", ".join(f"{number} {reason}" for reason, number in self.by_reason().items())
            _, first = next(iter(self._found.values()))
            raise InputError(
                f"more than {self._section}.max_failures = {self._max_failures} images failed ({counts}); "
                f"the first: {first.detail}. What is done is kept"
            )

    def by_reason(self) -> dict[str, int]:
        """Images by reason, in the order of the alphabet."""
        return dict(sorted(Counter(why.reason for _, why in self._found.values()).items()))

    def write(self, path: Path) -> None:
        """A CSV file, by image.

        Raises:
            StorageError: The disk is full or refuses.
        """
        with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["image_id", "path", "reason", "detail"])
            for image_id, (image, why) in sorted(self._found.items()):
                writer.writerow([image_id, image.path, why.reason, why.detail])

    def table(self, version: str | None, taxonomy_digest: str) -> pa.Table:
        """Their rows of the `annotations` table."""
        made = [
            suggestion_rows.failed(
                image_id, why.reason, version=version, taxonomy_digest=taxonomy_digest
            ).row()
            for image_id, (_, why) in self._found.items()
        ]
        return pa.Table.from_pylist(made, schema=schema.ANNOTATIONS.arrow)
