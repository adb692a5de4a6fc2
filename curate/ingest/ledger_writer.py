"""Writes what was found to the ledger, a batch a transaction."""

# ruff: noqa: S608 - statements are put together from constants; every value is bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from curate.ingest import ledger
from curate.ingest.read_plan import Rules
from curate.ingest.reader import Work
from curate.ingest.worker import Examined, ImageRow

_IMAGE_COLUMNS = ", ".join(ImageRow._fields)
_IMAGE_VALUES = ", ".join("?" * len(ImageRow._fields))
_TOUCH = "INSERT OR IGNORE INTO touched VALUES (?)"


def write(
    db: sqlite3.Connection, rules: Rules, batch: Sequence[Work], results: Sequence[Examined | None]
) -> None:
    """Record the results of a batch; whatever was known of its places before is replaced."""
    found = [(work, result) for work, result in zip(batch, results, strict=True) if result is not None]
    with ledger.transaction(db):
        before = [(work, result) for work, result in found if work.digest is not None or rules.verify]
        db.executemany(
            "INSERT OR IGNORE INTO touched SELECT digest FROM places WHERE source = ? AND name = ?",
            [(work.source, work.name) for work, _ in before],
        )
        db.executemany(
            "INSERT OR IGNORE INTO suspects SELECT digest FROM places "
            "WHERE source = ? AND name = ? AND digest <> ? AND gone = 0",
            [(work.source, work.name, result.digest) for work, result in before],
        )
        db.executemany(_TOUCH, [(result.digest,) for _, result in found])
        db.executemany(
            "INSERT OR REPLACE INTO places "
            "SELECT source, name, size, mtime_ns, tag, archive, position, given, "
            "?, ?, ?, ?, ?, ?, 0 FROM scratch.listed WHERE source = ? AND name = ?",
            [
                (
                    result.sidecar, result.etag, result.digest, rules.settings, rules.limits, result.failed,
                    work.source, work.name,
                )
                for work, result in found
            ],
        )  # fmt: skip
        # Frames of the same bytes that today's settings do not make are no longer made.
        digests = [(result.digest, result.digest) for _, result in found]
        db.executemany("UPDATE images SET stale = 1, live = 0 WHERE digest = ? OR image_id = ?", digests)
        db.executemany(
            f"INSERT OR REPLACE INTO images ({_IMAGE_COLUMNS}, stale, live) VALUES ({_IMAGE_VALUES}, 0, 1)",
            [row for _, result in found for row in result.images],
        )
