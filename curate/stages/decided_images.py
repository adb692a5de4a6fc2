"""Lines of decisions.csv by the image that they are about, for the stages after dedupe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from curate import decision_file, schema, tables
from curate.decision_file import Decision
from curate.errors import InputError

_WHOLE = 64  # digits of an image_id


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
    finder = _Finder(path, images, made)
    for one in made:
        if (image_id := finder.image(one)) is not None:
            found[image_id].append(one)
    return found


class _Finder:
    """image_ids by what people write."""

    def __init__(self, path: Path, images: Path, made: Sequence[Decision]) -> None:
        self._path = path
        named = {one.image for one in made}
        beginnings = tuple(name for name in named if decision_file.is_id(name) and len(name) < _WHOLE)
        self._ids: set[str] = set()
        self._places: dict[str, str] = {}
        self._begin: Mapping[str, list[str]] = defaultdict(list)
        for piece in tables.pieces(images, schema.IMAGES, columns=("image_id", "sources")):
            for image_id, sources in zip(
                piece["image_id"].to_pylist(), piece["sources"].to_pylist(), strict=True
            ):
                if image_id in named:
                    self._ids.add(image_id)
                self._places.update((place, image_id) for place in sources if place in named)
                if beginnings and image_id.startswith(beginnings):
                    for name in filter(image_id.startswith, beginnings):
                        self._begin[name].append(image_id)

    def image(self, one: Decision) -> str | None:
        """None: a whole image_id that is not in the table."""
        name = one.image
        if not decision_file.is_id(name):
            if name not in self._places:
                raise InputError(f"{self._path}:{one.line}: no image comes from {name!r}")
            return self._places[name]
        if len(name) == _WHOLE:
            return name if name in self._ids else None
        found = self._begin.get(name, [])
        if len(found) == 1:
            return found[0]
        many = f"{len(found)} images begin" if found else "no image begins"
        raise InputError(f"{self._path}:{one.line}: {many} with {name}: write more digits")
