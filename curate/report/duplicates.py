"""`curate dedupe page`: groups of duplicates side by side, on pages of bounded size.

Each page stands alone: pictures inside, nothing from the network. Its script only collects lines for
decisions.csv; without it every line can still be copied.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.errors import TableError
from curate.project_tables import DEDUPED
from curate.report.drawing import Album, Picture

DUPLICATES: Final = Path("data/dedupe/duplicates.html")  # where the first page is looked for
PER_PAGE: Final = 40  # groups
SHOWN: Final = 12  # images of a group
_SIDE: Final = 260  # pixels
_PAGE_BYTES: Final = 6_000_000  # of pictures on a page
_HELD: Final = 16 * SHOWN  # rows of a group in memory
_STATED: Final = ("dup_group", "dup_correlation", "dup_hamming")
_ROW: Final = (
    "image_id", "path", "sources", "width", "height", "bytes", "drop_reason", "drop_detail", "duplicate_of",
    "variant_of", "dup_relation", *_STATED,
)  # fmt: skip
_VARIANT: Final = "one scene, but something differs: both stay, in one split"
ORDERS: Final = {"biggest": "Biggest first", "doubtful": "Most doubtful first"}


@dataclass(frozen=True, slots=True)
class Member:
    """An image of a group.

    Attributes:
        picture: None where the file is gone or the page is full.
        certainty: Share 0..1 of the way from the least correlation that counted to 1; None = not known.
        why: Why the keeper was kept.
        lines: Lines for decisions.csv, by what they say.
    """

    image_id: str
    picture: Picture | None
    place: str
    more_places: int
    size: str
    kept: bool
    relation: str | None
    bits: int | None
    correlation: float | None
    certainty: float | None
    why: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Duplicates: the keeper, then the most doubtful first."""

    number: int
    size: int
    lowest: float | None
    members: tuple[Member, ...]

    @property
    def more(self) -> int:
        """Images that are not shown."""
        return self.size - len(self.members)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page's address, its order, and the addresses of all pages by order."""

    name: str
    order: str
    names: dict[str, list[str]]


@dataclass(slots=True)
class _Chosen:
    """Groups that are shown: their sizes, lowest correlations, and the rows to show."""

    by_order: dict[str, list[str]]
    size: dict[str, int]
    lowest: dict[str, float | None]
    groups: int
    dropped: int
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))


def write(root: Path, out: Path, *, max_groups: int = 500) -> Path:
    """Write the pages: `out`, and further ones in a folder of its name.

    Args:
        root: The project's folder.
        out: The first page.
        max_groups: Groups in each of the two orders.

    Returns:
        `out`.

    Raises:
        TableError: Dedupe has not run, or its table is damaged.
        StorageError: A page cannot be written.
    """
    limits = _limits(root / "metrics/dedupe.json")
    chosen = _choose(root / DEDUPED, max_groups)
    _fetch(root / DEDUPED, chosen)
    names = {order: _names(out, order, len(keys)) for order, keys in chosen.by_order.items()}
    for order, keys in chosen.by_order.items():
        for number, name in enumerate(names[order]):
            start = number * PER_PAGE
            album = Album(root, max_bytes=_PAGE_BYTES)
            shown = [
                _group(start + at + 1, key, chosen, album, limits)
                for at, key in enumerate(keys[start : start + PER_PAGE])
            ]
            _write_page(out, _Page(name, order, names), shown, chosen)
    written = {name for order in names.values() for name in order}
    for stale in out.with_suffix("").glob("*.html"):
        if f"{out.stem}/{stale.name}" not in written:
            stale.unlink()
    return out


def _names(out: Path, order: str, groups: int) -> list[str]:
    """Addresses of an order's pages, relative to the folder of `out`."""
    pages = max(1, -(-groups // PER_PAGE))
    names = [f"{out.stem}/{order}-{page + 1:03d}.html" for page in range(pages)]
    return [out.name, *names[1:]] if order == next(iter(ORDERS)) else names


def _choose(path: Path, max_groups: int) -> _Chosen:
    """Sizes and doubts of all groups from four columns, 80 bytes a grouped image; the first of each order."""
    wanted = [*_STATED, "drop_reason"]
    pieces = [
        piece.filter(pc.is_valid(piece["dup_group"]))
        for piece in tables.pieces(path, schema.IMAGES, columns=wanted)
    ]
    table = (
        pa.concat_tables(pieces).select(wanted)
        if pieces
        else schema.IMAGES.arrow.empty_table().select(wanted)
    )
    summed = table.group_by("dup_group").aggregate(
        [("dup_group", "count"), ("dup_correlation", "min"), ("dup_hamming", "max"), ("drop_reason", "count")]
    )
    keys = summed["dup_group"].to_pylist()
    size = summed["dup_group_count"].to_numpy()
    lowest = pc.fill_null(summed["dup_correlation_min"], 2.0).to_numpy()
    bits = pc.fill_null(summed["dup_hamming_max"], 0).to_numpy()
    by_key = np.argsort(np.array(keys, dtype=object), kind="stable") if keys else np.zeros(0, np.int64)
    orders = {
        "biggest": by_key[np.lexsort((lowest[by_key], -size[by_key]))][:max_groups],
        "doubtful": by_key[np.lexsort((-bits[by_key], lowest[by_key]))][:max_groups],
    }
    rows = sorted({int(row) for order in orders.values() for row in order})
    return _Chosen(
        by_order={name: [keys[row] for row in order.tolist()] for name, order in orders.items()},
        size={keys[row]: int(size[row]) for row in rows},
        lowest={keys[row]: float(lowest[row]) if lowest[row] <= 1 else None for row in rows},
        groups=len(keys),
        dropped=int(pc.sum(summed["drop_reason_count"]).as_py() or 0),
    )


def _fetch(path: Path, chosen: _Chosen) -> None:
    """The rows to show: of a group the kept ones and the most doubtful."""
    wanted = pa.array(sorted(chosen.size), pa.string())
    for piece in tables.pieces(path, schema.IMAGES, columns=_ROW):
        for row in piece.filter(pc.is_in(piece["dup_group"], wanted)).to_pylist():
            held = chosen.rows[row["dup_group"]]
            held.append(row)
            if len(held) > _HELD:
                held.sort(key=_doubt)
                del held[SHOWN:]
    for held in chosen.rows.values():
        held.sort(key=_doubt)
        del held[SHOWN:]


def _doubt(row: dict[str, Any]) -> tuple[Any, ...]:
    correlation = row["dup_correlation"]
    lowest = 2.0 if correlation is None else correlation
    return row["image_id"] != row["dup_group"], row["drop_reason"] is not None, lowest, row["image_id"]


def _group(number: int, key: str, chosen: _Chosen, album: Album, limits: Mapping[str, float]) -> Group:
    members = tuple(_member(row, album, limits) for row in chosen.rows[key])
    return Group(number, chosen.size[key], chosen.lowest[key], members)


def _limits(path: Path) -> Mapping[str, float]:
    """Least correlation and cosine that counted when dedupe ran; params.yaml may say others now."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise TableError(f"{path} is damaged ({error}): run dvc repro --force dedupe") from error
    return content.get("limits") or {} if isinstance(content, dict) else {}


def _member(row: dict[str, Any], album: Album, limits: Mapping[str, float]) -> Member:
    correlation, key = row["dup_correlation"], row["image_id"]
    semantic = row["dup_relation"] == "semantic"
    min_value = limits.get("min_cosine" if semantic else "min_correlation")
    certainty = None
    if correlation is not None and min_value is not None:
        certainty = min(1.0, max(0.0, (correlation - min_value) / max(1 - min_value, 1e-6)))
    kept = row["drop_reason"] is None
    return Member(
        image_id=key,
        picture=album.thumbnail(row["path"], side=_SIDE),
        place=row["sources"][0],
        more_places=len(row["sources"]) - 1,
        size=f"{row['width']}×{row['height']} · {_bytes(row['bytes'])}",
        kept=kept,
        relation=row["dup_relation"],
        bits=row["dup_hamming"],
        correlation=correlation,
        certainty=certainty,
        why=_VARIANT if row["variant_of"] else (row["drop_detail"] or "").partition("; ")[2],
        lines=_lines(key, row["duplicate_of"], row["variant_of"]),
    )


def _lines(key: str, duplicate_of: str | None, variant_of: str | None) -> tuple[tuple[str, str], ...]:
    """What people may decide about an image, with the line that says so."""
    if variant_of is not None:
        return ("Another scene", f"{key},different,{variant_of},,"), ("Drop this one", f"{key},drop,,,")
    if duplicate_of is not None:
        return ("Not the same", f"{key},different,{duplicate_of},,"), ("Keep this one", f"{key},keep,,,")
    return ()


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{max(1, round(count / 1e3))} kB"


def _write_page(out: Path, page: _Page, shown: list[Group], chosen: _Chosen) -> None:
    up = "../" if "/" in page.name else ""
    series = enumerate(page.names[page.order], 1)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    content = environment.get_template("duplicates.html.j2").render(
        orders=[(key, title, up + page.names[key][0], key == page.order) for key, title in ORDERS.items()],
        pages=[(at, up + address, address == page.name) for at, address in series],
        groups=shown,
        total=chosen.groups,
        dropped=chosen.dropped,
        listed=len(chosen.by_order[page.order]),
    )
    target = out.parent / page.name
    with tables.replacing(target) as partial:
        partial.write_text(content, encoding="utf-8")
