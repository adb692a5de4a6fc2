"""Stage dedupe: near-duplicates found by pHash, one keeper a group; every row stays."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate import schema, tables
from curate.dedupe import groups, hashes
from curate.dedupe.groups import Candidate, Grouping
from curate.images.load import open_upright
from curate.params import DedupeParams
from curate.ports import Engine
from curate.records import StageReport

_REASON = "near_duplicate"
_CRITERIA = ("image_id", "width", "height", "sharpness", "bytes")
# Up to here the histogram shows all distances, so that one sees where chance pairs begin; beyond, counting
# every pair would cost more than the search.
_COUNT_ALL_UP_TO = 10_000


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads: the `images` table of ingest and the files it names."""

    images: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes. `plot` is a CSV of `hamming,pairs`: pairs of that distance or one bit more."""

    table: Path
    plot: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside."""

    engine: Engine


def run(params: DedupeParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Hash the kept images, group them, and drop all but each group's keeper.

    Raises:
        InputError: An image of the table has disappeared or is damaged.
        TableError: The table is missing or of another version.
        StorageError: The disk is full or refuses.
    """
    rows = tables.read(inputs.images, schema.IMAGES).to_pylist()
    kept = [row for row in rows if row["drop_reason"] is None]
    found = ports.engine.map(_phash, [row["path"] for row in kept], label="dedupe")
    values = np.fromiter(found, dtype=np.uint64, count=len(kept))
    candidates = [Candidate(**{name: row[name] for name in _CRITERIA}) for row in kept]
    count_to = 64 if len(kept) <= _COUNT_ALL_UP_TO else params.max_hamming
    grouping = groups.group(values, candidates, max_hamming=params.max_hamming, count_to=count_to)
    for row, value in zip(kept, values.tolist(), strict=True):
        row["phash"] = value
    _mark(kept, candidates, grouping)
    tables.write(_table(rows), outputs.table, schema.IMAGES)
    _write_plot(grouping, outputs.plot)
    return _report(rows, grouping, params.max_hamming)


def _phash(path: str) -> int:
    """The pHash of an upright file; runs in a worker process."""
    return int(hashes.phash(hashes.luma_thumbnail(open_upright(Path(path)))[None])[0])


def _mark(kept: Sequence[dict[str, Any]], candidates: Sequence[Candidate], grouping: Grouping) -> None:
    sizes = np.bincount(grouping.keeper, minlength=len(kept))
    for index, (row, keeper) in enumerate(zip(kept, grouping.keeper.tolist(), strict=True)):
        if sizes[keeper] > 1:
            row["dup_group"] = candidates[keeper].image_id
        if keeper != index:
            row["duplicate_of"] = candidates[keeper].image_id
            row["drop_reason"] = _REASON
            row["drop_detail"] = groups.explain(
                candidates[index], candidates[keeper], int(grouping.hamming[index])
            )


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema.IMAGES.arrow)


def _write_plot(grouping: Grouping, path: Path) -> None:
    with tables.replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["hamming", "pairs"])
        counted = grouping.pairs_by_hamming[: grouping.counted_to + 1].tolist()
        # In steps of two: a median sets just half of the bits, so nearly all distances are even.
        for hamming in range(0, len(counted), 2):
            writer.writerow([hamming, sum(counted[hamming : hamming + 2])])


def _report(rows: Sequence[dict[str, Any]], grouping: Grouping, max_hamming: int) -> StageReport:
    reasons = Counter(row["drop_reason"] for row in rows if row["drop_reason"] is not None)
    dropped = sum(reasons.values())
    sizes = np.bincount(grouping.keeper) if len(grouping.keeper) else np.zeros(0, dtype=np.int64)
    in_groups = sizes[sizes > 1]
    counts = (
        ("images", len(rows)),
        ("kept", len(rows) - dropped),
        ("near-duplicates dropped", reasons[_REASON]),
        ("groups", len(in_groups)),
    )
    metrics = {
        "dropped_by_reason": dict(sorted(reasons.items())),
        "largest_group": int(in_groups.max()) if len(in_groups) else 0,
        "pairs_within_max_hamming": int(grouping.pairs_by_hamming[: max_hamming + 1].sum()),
    }
    return StageReport("dedupe", counts, metrics)
