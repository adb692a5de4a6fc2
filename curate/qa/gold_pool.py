"""Images with known answers, from files of the user: tables of `annotations`, or COCO.

A file, or a folder of files (README.md and hidden ones are left out). Read when the plan is made, and when
people are scored; nothing of it goes to a server.

- `*.parquet`: an `annotations` table whose rows all have the origin "gold"; an image without objects has one
  row of outcome "empty".
- `*.json`: COCO, object detection. `file_name` of an image is one of its `sources`, or the end of exactly one
  image's: "street/0001.jpg" finds "camera-2/street/0001.jpg". Boxes and masks are in upright pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.errors import InputError
from curate.qa import gold_coco

IMAGE_COLUMNS = ("image_id", "sources", "width", "height", "drop_reason")


def load(path: Path | None, images: pa.Table, names: Sequence[str]) -> pa.Table:
    """Read all known answers.

    Args:
        path: The parameter `qa.gold`; None = there is no gold.
        images: Of the `images` table `IMAGE_COLUMNS`, dropped ones too.
        names: Categories of the taxonomy.

    Returns:
        Rows of the `annotations` table with origin "gold", ordered by annotation_id; of kept images only.

    Raises:
        InputError: Missing, of another kind or damaged; an unknown image or category; two files about one
            image; each with the file and the row.
        TableError: A table is damaged or of another schema version.
    """
    owner: dict[str, Path] = {}
    parts = [schema.ANNOTATIONS.arrow.empty_table()]
    for file in _files(path):
        rows = _table(file) if file.suffix == ".parquet" else gold_coco.read(file, images)
        _check(rows, file, images, names)
        for image_id in rows["image_id"].unique().to_pylist():
            if image_id in owner:
                raise InputError(
                    f"{file}: image {image_id[:12]} has known answers in {owner[image_id]} too: keep one"
                )
            owner[image_id] = file
        parts.append(rows)
    kept = images.filter(pc.is_null(images["drop_reason"]))["image_id"].combine_chunks()
    rows = pa.concat_tables(parts)
    return rows.filter(pc.is_in(rows["image_id"], value_set=kept)).sort_by("annotation_id")


def _files(path: Path | None) -> list[Path]:
    if path is None:
        return []
    if not path.exists():
        raise InputError(f"qa.gold = {path} does not exist: make the file or folder, or set it to null")
    if path.is_file():
        return [_known(path)]
    files = sorted(file for file in path.iterdir() if file.name[0] != "." and file.name != "README.md")
    return [_known(file) for file in files]


def _known(file: Path) -> Path:
    if file.suffix not in (".parquet", ".json") or not file.is_file():
        raise InputError(f"{file} is no gold: expected a table (.parquet) or COCO (.json)")
    return file


def _table(file: Path) -> pa.Table:
    rows = tables.read(file, schema.ANNOTATIONS)
    strange = pc.index(pc.not_equal(rows["origin"], "gold"), True).as_py()
    if strange >= 0:
        raise InputError(
            f"{file}: row {strange} has the origin {rows['origin'][strange].as_py()!r}, expected 'gold'"
        )
    return rows


def _check(rows: pa.Table, file: Path, images: pa.Table, names: Sequence[str]) -> None:
    """Every row's image and category are known, and its outcome is one that a labeler can be held to."""
    for column, known, what in (
        ("image_id", images["image_id"].combine_chunks(), "image, which data/dedupe/images.parquet lacks"),
        ("category", pa.array([*names, None], pa.string()), "category, which the taxonomy does not name"),
        ("outcome", pa.array(["object", "empty"]), "outcome, expected object or empty"),
    ):
        row = pc.index(pc.is_in(rows[column], value_set=known), False).as_py()
        if row >= 0:
            raise InputError(f"{file}: row {row} has {rows[column][row].as_py()!r} as {what}")
