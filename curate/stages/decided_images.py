"""Lines of decisions.csv by the image that they are about, for the stages after dedupe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from curate import decision_file, image_references
from curate.decision_file import Decision
from curate.errors import InputError


def load(path: Path, images: Path, stage: str) -> dict[str, list[Decision]]:
    """What a stage reads of the file, by image_id.

    Args:
        path: decisions.csv.
        images: Table of dedupe.
        stage: One of `decision_file.READ_BY`.

    Returns:
        Lines by image, those of dropped images too; lines of images that have left the data set are left out.

    Raises:
        InputError: The file is missing, or a line makes no sense, names no image, or several, or contradicts
            another one.
        TableError: The table is missing or damaged.
    """
    wanted = decision_file.READ_BY[stage]
    made = [one for one in decision_file.load(path) if one.decision in wanted]
    found = by_image(made, path, images)
    for image_id, lines in found.items():
        for a, b in decision_file.conflicts(replace(one, image=image_id) for one in lines):
            raise InputError(f"{path}:{b.line}: {b.decision} contradicts {a.decision} in line {a.line}")
    return found


def by_image(made: Sequence[Decision], path: Path, images: Path) -> dict[str, list[Decision]]:
    """Lines by the image that they name by its id, the beginning of one, or a place.

    Args:
        made: Lines.
        path: Their file, for messages.
        images: Table of ingest or dedupe.

    Returns:
        As `load`.

    Raises:
        InputError: A line names no image, or several.
        TableError: The table is missing or damaged.
    """
    found: dict[str, list[Decision]] = defaultdict(list)
    if not made:
        return found
    known = image_references.find({one.image for one in made}, images)
    for one in made:
        if (image_id := _image(one, known, path)) is not None:
            found[image_id].append(one)
    return found


def _image(one: Decision, known: Mapping[str, list[str]], path: Path) -> str | None:
    """Find the image_id of a decision; None for a whole one that is not in the table."""
    found = known.get(one.image, [])
    if len(found) == 1:
        return found[0]
    if not decision_file.is_id(one.image):
        raise InputError(f"{path}:{one.line}: no image comes from {one.image!r}")
    if len(one.image) == image_references.ID_DIGITS:
        return None
    many = f"{len(found)} images begin" if found else "no image begins"
    raise InputError(f"{path}:{one.line}: {many} with {one.image}: write more digits")
