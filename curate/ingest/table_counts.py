"""Counts of what there is: of the table's rows as they are written, and of the places in the ledger."""

# ruff: noqa: S608 - statements are put together from constants

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.ingest import ledger
from curate.ingest.sources import UNLISTED

REMOVED = "removed"
_COLUMNS = ("drop_reason", "format", "width", "height", "exif_orientation")
_KEPT = "live = 1 AND drop_reason IS NULL"
_FILES = (
    "SELECT s.name, COUNT(*) FROM places p JOIN sources s ON s.id = p.source WHERE gone = 0 GROUP BY p.source"
)
# Every place of a single image counts once, and to look up what each place holds takes seconds a million. So
# all are counted, then those that hold no kept single image are taken away, and kept frames are added.
_CORRECTED = f"""
SELECT s.name, SUM(n) FROM (
  SELECT source, -COUNT(*) AS n FROM places p WHERE gone = 0 AND digest IN (
    SELECT image_id FROM images WHERE digest IS NULL AND NOT ({_KEPT})
    UNION SELECT digest FROM images WHERE digest IS NOT NULL
  ) AND NOT EXISTS (SELECT 1 FROM images i WHERE i.image_id = p.digest AND i.digest IS NULL AND {_KEPT})
  GROUP BY source
  UNION ALL
  SELECT source, COUNT(*) FROM images i JOIN places p ON p.digest = i.digest AND p.gone = 0
  WHERE i.digest IS NOT NULL AND {_KEPT} GROUP BY source
) JOIN sources s ON s.id = source GROUP BY s.name
"""


class Tally:
    """Counts rows of the images table.

    Attributes:
        reasons: Rows by `drop_reason`, kept ones as None.
        formats: Kept rows by format.
        turned: Kept rows whose pixels EXIF turned.
        pixels: Of kept rows.
    """

    def __init__(self) -> None:
        """Nothing was counted yet."""
        self.reasons: Counter[str | None] = Counter()
        self.formats: Counter[str] = Counter()
        self.turned = 0
        self.pixels = 0

    def add(self, piece: pa.Table) -> None:
        """Count the rows of a piece of the table."""
        _count(piece["drop_reason"], self.reasons)
        kept = piece.select(_COLUMNS).filter(pc.is_null(piece["drop_reason"]))
        _count(kept["format"], self.formats)
        area = pc.multiply(kept["width"].cast(pa.int64()), kept["height"].cast(pa.int64()))
        self.pixels += pc.sum(area).as_py() or 0
        # A missing orientation is none that turns: nulls do not count.
        self.turned += pc.sum(pc.not_equal(kept["exif_orientation"], 1)).as_py() or 0


def of(db: sqlite3.Connection, table: Path, tally: Tally | None) -> dict[str, Any]:
    """Counts and metrics of an ingest run.

    Args:
        db: The settled ledger.
        table: The images table.
        tally: Of the table; None where it is what the last run wrote.
    """
    known = ledger.get(db, "figures")
    if known is not None and tally is None:
        return dict(json.loads(known))
    if tally is None:
        tally = Tally()
        for piece in tables.pieces(table, schema.IMAGES, columns=_COLUMNS):
            tally.add(piece)
    made = _made(db, tally)
    ledger.put(db, "figures", json.dumps(made))
    return made


def reasons(db: sqlite3.Connection) -> dict[str, int]:
    """How many live rows were dropped, by reason."""
    query = (
        "SELECT drop_reason, COUNT(*) FROM images WHERE live = 1 AND drop_reason IS NOT NULL "
        "GROUP BY drop_reason ORDER BY drop_reason"
    )
    return {str(name): int(count) for name, count in db.execute(query)}


def _made(db: sqlite3.Connection, tally: Tally) -> dict[str, Any]:
    files: Counter[str] = Counter(dict(db.execute(_FILES)))
    sources = Counter(files)
    sources.update(dict(db.execute(_CORRECTED)))
    by_reason = sorted((name, count) for name, count in tally.reasons.items() if name is not None)
    dropped = {name: count for name, count in by_reason if name != REMOVED}
    kept, removed = tally.reasons[None], tally.reasons[REMOVED]
    counts = {
        "files": files.total(),
        "distinct": kept + sum(dropped.values()),
        "images": kept,
        "dropped": sum(dropped.values()),
        **({"removed": removed} if removed else {}),
        **({"files of no listed source": files[UNLISTED]} if files[UNLISTED] else {}),
    }
    metrics = {
        "dropped_by_reason": dropped,
        "formats": dict(sorted(tally.formats.items())),
        "sources": {name: count for name, count in sorted(sources.items()) if count > 0},
        "turned_by_exif": tally.turned,
        "megapixels": round(tally.pixels / 1e6, 3),
    }
    return {"counts": counts, "metrics": metrics}


def _count(values: pa.ChunkedArray, into: Counter[Any]) -> None:
    for counted in pc.value_counts(values).to_pylist():
        into[counted["values"]] += counted["counts"]
