"""The contact sheet of `curate select preview`: what the weights would choose, and why each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.labeling import taxonomy
from curate.qa.choice.greedy import Pick
from curate.records import Annotation
from curate.report.drawing import Album, Picture, marks_of

_SIDE: Final = 300  # pixels
_BYTES: Final = 8_000_000  # of all pictures
_COLUMNS: Final = ("image_id", "path", "sources")


@dataclass(frozen=True, slots=True)
class Places:
    """Tables of dedupe and autolabel, and taxonomy.yaml."""

    images: Path
    annotations: Path
    taxonomy: Path


@dataclass(frozen=True, slots=True)
class Case:
    """Image that would be chosen, as the page shows it.

    Attributes:
        number: Its place in the choice, from 1.
        name: Of its first source.
        pick: Why it was chosen.
        picture: With what models suggest; None where it cannot be read, or the page has no room left.
    """

    number: int
    name: str
    pick: Pick
    picture: Picture | None


def write(
    picks: Sequence[tuple[str, Pick]],
    weights: Mapping[str, float],
    places: Places,
    out: Path,
    *,
    max_images: int,
) -> Path:
    """Write the page, which asks for nothing elsewhere.

    Args:
        picks: image_id and pick, in the order of the choice.
        weights: By criterion.
        places: Where images and suggestions stand; paths in them are relative to the current folder.
        out: The page, replaced in one step.
        max_images: Images on it.

    Raises:
        TableError: A table is missing or damaged.
        StorageError: It cannot be written.
    """
    shown = picks[:max_images]
    ids = pa.array([image for image, _ in shown], pa.string())
    images = {row["image_id"]: row for row in _rows(places.images, schema.IMAGES, ids, _COLUMNS)}
    suggested: dict[str, list[Annotation]] = {}
    for row in _rows(places.annotations, schema.ANNOTATIONS, ids, None):
        if row["outcome"] == "object":
            suggested.setdefault(row["image_id"], []).append(Annotation.from_row(row))
    colors = {entry.name: entry.color for entry in taxonomy.load(places.taxonomy)}
    album = Album(Path(), max_bytes=_BYTES)
    cases = [
        Case(
            number,
            images[image]["sources"][0],
            pick,
            album.thumbnail(
                images[image]["path"], side=_SIDE, marks=marks_of(suggested.get(image, ()), colors)
            ),
        )
        for number, (image, pick) in enumerate(shown, start=1)
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("chosen.html.j2").render(
        cases=cases,
        total=len(picks),
        weights=weights,
        share={name: _mean(picks, name) for name in weights},
        leading={name: sum(next(iter(pick.shares)) == name for _, pick in picks) for name in weights},
    )
    with tables.replacing(out) as partial:
        partial.write_text(page, encoding="utf-8")
    return out


def _rows(
    path: Path, table: schema.TableSchema, ids: pa.Array, columns: Sequence[str] | None
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for piece in tables.pieces(path, table, columns=columns or table.arrow.names):
        found += piece.filter(pc.is_in(piece["image_id"], value_set=ids)).to_pylist()
    return found


def _mean(picks: Sequence[tuple[str, Pick]], name: str) -> float:
    return sum(pick.shares.get(name, 0.0) for _, pick in picks) / max(1, len(picks))
