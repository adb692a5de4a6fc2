"""The worst results of the stage measure, each beside the clean image, with a slider between them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from curate import schema, tables
from curate.errors import TableError
from curate.images import pixel_limit
from curate.report.drawing import Picture, thumbnail_of
from curate.restoration import table_schemas

LISTED: Final = Path("data/measure/worst.csv")
_SIDE: Final = 360  # pixels
_MAX_CASES: Final = 200  # cases on a page


@dataclass(frozen=True, slots=True)
class Case:
    """A row of worst.csv with its two pictures."""

    row: Mapping[str, str]
    clean: Picture
    result: Picture


def write(root: Path, out: Path) -> Path:
    """Write the page, which asks for nothing elsewhere.

    Args:
        root: The project.
        out: The page, replaced in one step.

    Raises:
        TableError: The stage measure has not run.
        StorageError: It cannot be written.
    """
    listed = root / LISTED
    if not listed.exists():
        raise TableError(f"{listed} does not exist: run the stage measure first")
    clean = _paths(root / "data/pairs/pairs.parquet", table_schemas.IMAGE_PAIRS, ("pair_id",), "hr_path")
    results = _paths(
        root / "data/upscale/upscaled.parquet", table_schemas.UPSCALED, ("model", "image_id"), "path"
    )
    with listed.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    cases = []
    for row in rows[:_MAX_CASES]:
        paths = clean.get((row["pair_id"],)), results.get((row["model"], row["pair_id"]))
        try:
            with pixel_limit.any_size():
                pictures = [thumbnail_of(root / path, side=_SIDE) for path in paths if path]
        except OSError:
            continue  # the table names the file; who removed it knows
        if len(pictures) == 2:
            cases.append(Case(row, *pictures))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("measured.html.j2").render(cases=cases, listed=len(rows))
    with tables.replacing(out) as partial:
        partial.write_text(page, encoding="utf-8")
    return out


def _paths(
    path: Path, table: schema.TableSchema, key: tuple[str, ...], column: str
) -> dict[tuple[Any, ...], str | None]:
    rows = tables.read(path, table, columns=[*key, column]).to_pylist()
    return {tuple(row[name] for name in key): row[column] for row in rows}
