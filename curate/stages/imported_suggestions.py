"""Suggestions that were imported, for the stage autolabel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.errors import InputError
from curate.records import Category


@dataclass(frozen=True, slots=True)
class ImportedSuggestions:
    """What a folder holds.

    Attributes:
        tables: Rows on kept images, a table per file.
        files: Number of files.
        elsewhere: Rows left out, because their image is not kept.
    """

    tables: tuple[pa.Table, ...]
    files: int
    elsewhere: int

    def counts(self) -> tuple[tuple[str, int], ...]:
        """Counts for the closing line, where there are any."""
        found = (
            ("imported boxes", sum(table.num_rows for table in self.tables)),
            ("imported boxes of images that are not kept", self.elsewhere),
        )
        return tuple(entry for entry in found if entry[1])


def read(
    folder: Path, image_ids: pa.ChunkedArray, categories: Sequence[Category], taxonomy_digest: str
) -> ImportedSuggestions:
    """Read the tables that `curate import --as suggestions` left.

    Args:
        folder: Need not be there.
        image_ids: Of kept images.
        categories: Of the taxonomy.
        taxonomy_digest: Stands in the rows.

    Raises:
        InputError: A category that the taxonomy does not name any more, or two files with the same rows.
        TableError: A table is damaged or of another schema version.
    """
    names = pa.array([category.name for category in categories], pa.string())
    kept = image_ids.combine_chunks()
    found, elsewhere = [], 0
    known: list[tuple[Path, pa.Array]] = []
    files = sorted(folder.glob("*.parquet"))
    for file in files:
        rows = tables.read(file, schema.ANNOTATIONS)
        strange = pc.index(pc.is_in(rows["category"], value_set=names), False).as_py()
        if strange >= 0:
            raise InputError(
                f"{file}: row {strange} has the category {rows['category'][strange].as_py()!r}, which the "
                "taxonomy does not name any more: import the file again, with --category"
            )
        for other, ids in known:
            if pc.any(pc.is_in(rows["annotation_id"], value_set=ids)).as_py():
                raise InputError(
                    f"{file} and {other} hold the same suggestions: one file was imported from two places, "
                    "or was moved: remove the older of the two"
                )
        known.append((file, rows["annotation_id"].combine_chunks()))
        here = rows.filter(pc.is_in(rows["image_id"], value_set=kept))
        elsewhere += rows.num_rows - here.num_rows
        index = here.schema.get_field_index("taxonomy_digest")
        digests = pa.array([taxonomy_digest] * here.num_rows, pa.string())
        found.append(here.set_column(index, here.schema.field(index), digests))
    return ImportedSuggestions(tuple(found), len(files), elsewhere)
