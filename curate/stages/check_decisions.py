"""`curate decisions check`: every line of decisions.csv against itself, the others and the tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curate import decision_file
from curate.decision_file import Decision
from curate.dedupe import decisions as of_images
from curate.dedupe import image_columns
from curate.errors import InputError
from curate.labeling import taxonomy
from curate.stages import decided_images

IMAGES: Final = Path("data/ingest/images.parquet")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of decisions.csv found.

    Attributes:
        decisions: Lines that make sense.
        problems: Everything that is wrong, each with file and line.
        conflicts: Those of them that are two lines which contradict each other.
    """

    decisions: list[Decision]
    problems: list[str]
    conflicts: int


def run(path: Path, *, images: Path, taxonomy_file: Path) -> Checked:
    """Check the file; tables that are not there yet are not asked.

    Args:
        path: decisions.csv.
        images: Table of ingest or dedupe.
        taxonomy_file: taxonomy.yaml.

    Raises:
        InputError: The file is missing, or not a CSV of its columns.
        TableError: The table is damaged.
        ParamsError: The taxonomy is malformed.
    """
    made, problems = decision_file.read(path)
    against = decision_file.conflicts(made)
    problems += [
        f"{path}:{b.line}: {b.decision} contradicts {a.decision} in line {a.line}" for a, b in against
    ]
    if taxonomy_file.exists():
        names = {category.name for category in taxonomy.load(taxonomy_file)}
        problems += [
            f"{path}:{one.line}: the taxonomy has no category {one.argument!r}"
            for one in made
            if one.decision in decision_file.OF_OBJECTS and one.argument and one.argument not in names
        ]
    if images.exists() and not problems:
        problems += _of_images(path, images)
    return Checked(made, sorted(problems, key=_line), len(against))


def _of_images(path: Path, images: Path) -> list[str]:
    """The first line that names no image, or that contradicts others once images are known."""
    try:
        made = of_images.load(path)
        named = {name for one in made for name in (one.image, one.other) if name}
        table = image_columns.read(images, places={name for name in named if not decision_file.is_id(name)})
        of_images.resolve(made, path, table.ids, table.places)
        for stage in ("select", "agreement"):
            decided_images.load(path, images, stage)
    except InputError as error:
        return [str(error)]
    return []


def _line(problem: str) -> int:
    return int(problem.split(":")[1]) if problem.split(":")[1].isdigit() else 0
