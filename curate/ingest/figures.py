"""Counts of what the ledger holds, by SQL; worked out again only where the table changed."""

# ruff: noqa: S608 - statements are put together from constants; every value is bound

from __future__ import annotations

import json
import sqlite3
from typing import Any

from curate.ingest import ledger
from curate.ingest.sources import UNLISTED

_KEPT = "live = 1 AND drop_reason IS NULL"
# Every place of a single image counts once, and to look up what each place holds takes seconds a million. So
# all are counted, then those that hold no kept single image are taken away, and kept frames are added.
_BY_SOURCE = f"""
SELECT s.name, SUM(n) FROM (
  SELECT source, COUNT(*) AS n FROM places WHERE gone = 0 GROUP BY source
  UNION ALL
  SELECT source, -COUNT(*) FROM places p WHERE gone = 0 AND digest IN (
    SELECT image_id FROM images WHERE digest IS NULL AND NOT ({_KEPT})
    UNION SELECT digest FROM images WHERE digest IS NOT NULL
  ) AND NOT EXISTS (SELECT 1 FROM images i WHERE i.image_id = p.digest AND i.digest IS NULL AND {_KEPT})
  GROUP BY source
  UNION ALL
  SELECT source, COUNT(*) FROM images i JOIN places p ON p.digest = i.digest AND p.gone = 0
  WHERE i.digest IS NOT NULL AND {_KEPT} GROUP BY source
) JOIN sources s ON s.id = source GROUP BY s.name HAVING SUM(n) > 0 ORDER BY s.name
"""


def of(db: sqlite3.Connection, *, again: bool) -> dict[str, Any]:
    """Counts and metrics of the settled ledger.

    Args:
        db: The ledger.
        again: Whether anything changed since the last run.
    """
    known = ledger.get(db, "figures")
    if known is not None and not again:
        return dict(json.loads(known))
    made = _made(db)
    ledger.put(db, "figures", json.dumps(made))
    return made


def reasons(db: sqlite3.Connection) -> dict[str, int]:
    """How many live rows were dropped, by reason."""
    return _tally(db, "drop_reason", "live = 1 AND drop_reason IS NOT NULL")


def _made(db: sqlite3.Connection) -> dict[str, Any]:
    distinct, kept, removed, pixels, turned = (
        value or 0
        for value in db.execute(
            f"SELECT SUM(live = 1), SUM({_KEPT}), SUM(live = 0 AND failed = 0), "
            f"SUM(({_KEPT}) * width * height), SUM({_KEPT} AND COALESCE(exif_orientation, 1) <> 1) "
            "FROM images"
        ).fetchone()
    )
    files, unlisted = (
        db.execute(f"SELECT COUNT(*) FROM places WHERE gone = 0 {more}", values).fetchone()[0]
        for more, values in (
            ("", ()),
            ("AND source IN (SELECT id FROM sources WHERE name = ?)", (UNLISTED,)),
        )
    )
    counts = {
        "files": files,
        "distinct": distinct,
        "images": kept,
        "dropped": distinct - kept,
        **({"removed": removed} if removed else {}),
        **({"files of no listed source": unlisted} if unlisted else {}),
    }
    metrics = {
        "dropped_by_reason": reasons(db),
        "formats": _tally(db, "format", _KEPT),
        "sources": dict(db.execute(_BY_SOURCE).fetchall()),
        "turned_by_exif": turned,
        "megapixels": round(pixels / 1e6, 3),
    }
    return {"counts": counts, "metrics": metrics}


def _tally(db: sqlite3.Connection, column: str, condition: str) -> dict[str, int]:
    query = f"SELECT {column}, COUNT(*) FROM images WHERE {condition} GROUP BY {column} ORDER BY {column}"
    return {str(name): int(count) for name, count in db.execute(query)}
