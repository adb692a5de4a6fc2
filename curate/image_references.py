"""Images by what people write of them: an image_id, the beginning of one, or a place, "name/path"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from curate import schema, tables
from curate.decision_file import Decision, is_id

ID_DIGITS: Final = 64  # of a whole image_id


def find(names: Collection[str], images: Path) -> Mapping[str, list[str]]:
    """image_ids of the images that each name means.

    Args:
        names: As people write them.
        images: Table of ingest or dedupe.

    Returns:
        By name: no image, the one, or several that begin so.

    Raises:
        TableError: The table is missing or damaged.
    """
    found: dict[str, list[str]] = defaultdict(list)
    wanted = set(names)
    beginnings = tuple(name for name in wanted if is_id(name) and len(name) < ID_DIGITS)
    for piece in tables.pieces(images, schema.IMAGES, columns=("image_id", "sources")):
        columns = (piece[name].to_pylist() for name in ("image_id", "sources"))
        for image_id, sources in zip(*columns, strict=True):
            if image_id in wanted:
                found[image_id] = [image_id]
            found.update((place, [image_id]) for place in sources if place in wanted)
            if beginnings and image_id.startswith(beginnings):
                for name in filter(image_id.startswith, beginnings):
                    found[name].append(image_id)
    return found


def resolve(made: Sequence[Decision], images: Path) -> list[Decision]:
    """Replace names by whole image_ids; one that means no image, or several, stays as it is.

    Args:
        made: Lines of decisions.csv.
        images: Table of ingest or dedupe; not read where all names are whole.

    Raises:
        TableError: The table is missing or damaged.
    """
    named = {name for one in made for name in (one.image, one.other) if name}
    short = {name for name in named if not (is_id(name) and len(name) == ID_DIGITS)}
    if not short:
        return list(made)
    found = find(short, images)
    whole = {name: some[0] for name, some in found.items() if len(some) == 1}
    return [
        replace(one, image=whole.get(one.image, one.image), other=whole.get(one.other, one.other))
        for one in made
    ]
