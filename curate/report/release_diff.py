"""`curate diff --html`: one page on what changed between two releases, with pictures of it.

The page stands alone: pictures inside, nothing from the network.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate import tables
from curate.release import changelog, versions
from curate.release.diff import Diff
from curate.report.drawing import Mark, Picture, thumbnail_of

SHOWN: Final = 24  # images of each kind of change
_SIDE: Final = 260  # pixels
_COLORS: Final = {
    "added": "#2f9e44",
    "removed": "#e03131",
    "relabelled": "#f08c00",
    "moved": "#1971c2",
    "described": "#9c36b5",
}
_TITLES: Final = {
    "relabelled": "Objects with another category",
    "moved": "Objects drawn differently",
    "described": "Objects described differently",
    "added": "Objects added on images that were there",
    "removed": "Objects removed from images that stayed",
    "image added": "Images added",
    "image removed": "Images removed",
    "image moved": "Images that moved to another split",
}


@dataclass(frozen=True, slots=True)
class Card:
    """An image with what changed on it: before and after, where each holds it."""

    image_id: str
    text: str
    pictures: tuple[tuple[str, Picture], ...]


def write(found: Diff, page: Path, *, before: Path, after: Path) -> None:
    """Write the page of a comparison of two releases.

    Args:
        found: The comparison.
        page: The file.
        before: Release folder, for its pictures.
        after: The same.

    Raises:
        StorageError: The file cannot be written.
    """
    chosen = _choose(found)
    ids = {image_id for group in chosen.values() for image_id, _ in group}
    pictures = {"before": _bytes(before, ids), "after": _bytes(after, ids)}
    sections = [
        {"title": _TITLES[kind], "cards": [_card(image_id, rows, pictures) for image_id, rows in group]}
        for kind, group in chosen.items()
        if group
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    step = versions.step(found)
    html = environment.get_template("release_diff.html.j2").render(
        title=f"{found.before.title} to {found.after.title}",
        lines=[line.removeprefix("- ") for line in changelog.section(found).splitlines()],
        step=step,
        next=versions.raised(found.before.manifest.version, step),
        categories=found.by_category(),
        sections=sections,
        shown=SHOWN,
    )
    with tables.replacing(page) as partial:
        partial.write_text(html, encoding="utf-8")


def _choose(found: Diff) -> dict[str, list[tuple[str, list[dict[str, Any]]]]]:
    """The first images of each kind of change, with the rows that tell it."""
    chosen: dict[str, list[tuple[str, list[dict[str, Any]]]]] = {}
    for kind in _TITLES:
        table = found.images if kind.startswith("image ") else found.objects
        rows = table.filter(pc.match_substring(table["change"], kind.removeprefix("image ")))
        ids = sorted(pc.unique(rows["image_id"]).to_pylist())[:SHOWN]
        listed = rows.filter(pc.is_in(rows["image_id"], value_set=pa.array(ids, pa.string()))).to_pylist()
        chosen[kind] = [(key, [row for row in listed if row["image_id"] == key]) for key in ids]
    return chosen


def _bytes(folder: Path, ids: set[str]) -> dict[str, bytes]:
    """The pictures of some images; of a release without pictures none."""
    found: dict[str, bytes] = {}
    wanted = pa.array(sorted(ids), pa.string())
    for path in sorted((folder / "data").glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            if "image" not in file.schema_arrow.names:
                continue
            for group in range(file.num_row_groups):
                hit = pc.is_in(file.read_row_group(group, ["image_id"])["image_id"], value_set=wanted)
                if pc.any(hit).as_py():
                    rows = file.read_row_group(group, ["image_id", "image"]).filter(hit).to_pylist()
                    found |= {row["image_id"]: row["image"]["bytes"] for row in rows}
    return found


def _card(
    image_id: str, rows: Sequence[Mapping[str, Any]], pictures: Mapping[str, Mapping[str, bytes]]
) -> Card:
    drawn = []
    for side in ("before", "after"):
        if image_id in pictures[side]:
            marks = [mark for row in rows if (mark := _mark(row, side)) is not None]
            picture = thumbnail_of(io.BytesIO(pictures[side][image_id]), side=_SIDE, marks=marks)
            drawn.append((side, picture))
    return Card(image_id, "; ".join(dict.fromkeys(map(_change, rows))), tuple(drawn))


def _mark(row: Mapping[str, Any], side: str) -> Mark | None:
    box = row.get(f"bbox_{side}")
    if box is None:
        return None
    return Mark(tuple(box), _COLORS[row["change"].split(", ")[0]], row[f"category_{side}"])


def _change(row: Mapping[str, Any]) -> str:
    if "category_before" in row:
        names = dict.fromkeys(name for name in (row["category_before"], row["category_after"]) if name)
        return " to ".join(names)
    return f"{row['before'] or 'new'} to {row['after'] or 'gone'}"
