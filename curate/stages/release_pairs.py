"""Stage release_pairs: the paired set as a Hub folder, with both images per row and the card."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate import tables
from curate.errors import InputError, ReleaseError
from curate.images.pixel_limit import open_any_size
from curate.params import GatesParams, ReleaseParams
from curate.records import StageReport
from curate.release import manifest, pairs_card, parquet, split_record, versions
from curate.release.card_front_matter import Licensed
from curate.release.folder import replacing_folder
from curate.release.manifest import Manifest
from curate.restoration import table_schemas
from curate.stages import release_card

_GROUP = 100  # pairs of a row group: the Hub's viewer reads one at a time
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TEXTS: Final = ("pair_id", "image_id", "preset", "recipe", "license", "attribution")
_LAYOUT = pa.schema(
    [
        ("hr", _PICTURE),
        ("lr", _PICTURE),
        *((name, pa.string()) for name in _TEXTS),
        ("scale", pa.int32()),
        ("seed", pa.int64()),
    ],
    metadata={
        "huggingface": json.dumps(
            {
                "info": {
                    "features": {
                        **{name: {"_type": "Image"} for name in ("hr", "lr")},
                        **{name: {"dtype": "string", "_type": "Value"} for name in _TEXTS},
                        "scale": {"dtype": "int32", "_type": "Value"},
                        "seed": {"dtype": "int64", "_type": "Value"},
                    }
                }
            }
        )
    },
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads.

    Attributes:
        pairs: The table of pairs, with the files it names.
        summary: CSV of measure.
        published: What the stage publish keeps of the last version.
    """

    pairs: Path
    summary: Path
    published: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        folder: README.md, release.json and data/*.parquet; replaced as a whole.
        record: The split of every image that was ever released; read too.
    """

    folder: Path
    record: Path


def run(params: ReleaseParams, *, gates: GatesParams, inputs: Inputs, outputs: Outputs) -> StageReport:
    """Write the release of pairs.

    Raises:
        ReleaseError: The license of an image is not known, or the version is not above the last one.
        InputError: A file of a pair has disappeared or was changed.
        TableError: A table is missing.
        StorageError: The folder cannot be written.
    """
    rows = tables.read(inputs.pairs, table_schemas.IMAGE_PAIRS).to_pylist()
    without = {row["image_id"] for row in rows if not row["license"]}
    if gates.licenses and without and "licenses" not in params.allow_failed_gates:
        raise ReleaseError(
            f"{len(without)} images have no license, such as {min(without)[:12]}: name it in sources.yaml, "
            "or release.allow_failed_gates: {licenses: why}"
        )
    digest = _digest(rows)
    last = _last(inputs.published)
    version = versions.chosen(params.version, last, _suggested(last, digest))
    by_split = dict(sorted(Counter(row["split"] for row in rows).items()))
    former = split_record.load(outputs.record, outputs.folder)
    with replacing_folder(outputs.folder) as folder:
        (folder / "data").mkdir()
        for split in by_split:
            _write(folder, [row for row in rows if row["split"] == split], split, digest)
        card = _card(params, rows, by_split, inputs.summary, version=version, digest=digest)
        (folder / "README.md").write_text(card, encoding="utf-8")
        facts = Manifest(params.name, version, digest, by_split, {}, license=params.license)
        files = manifest.write(folder, facts).files
    split_record.save(outputs.record, former | {row["image_id"]: row["split"] for row in rows})
    counts = (("pairs", len(rows)), ("files", len(files)))
    return StageReport("release_pairs", counts, {"version": version, "digest": digest, "pairs": by_split})


def _digest(rows: Sequence[Mapping[str, Any]]) -> str:
    content = [
        [row[name] for name in ("pair_id", "split", "hr_sha256", "lr_sha256", "recipe", "license")]
        for row in rows
    ]
    return hashlib.sha256(json.dumps(sorted(content)).encode()).hexdigest()


def _last(folder: Path) -> Manifest | None:
    return manifest.read(folder) if (folder / manifest.NAME).exists() else None


def _suggested(last: Manifest | None, digest: str) -> str:
    if last is None:
        return versions.FIRST
    return last.version if last.digest == digest else versions.raised(last.version, "minor")


def _write(folder: Path, rows: Sequence[Mapping[str, Any]], split: str, digest: str) -> None:
    path = folder / parquet.pattern(split, digest).replace("*", "00000-of-00001")
    with pq.ParquetWriter(path, _LAYOUT, compression="zstd") as writer:
        for start in range(0, len(rows), _GROUP):
            group = [_released(row) for row in rows[start : start + _GROUP]]
            writer.write_table(pa.Table.from_pylist(group, schema=_LAYOUT))


def _released(row: Mapping[str, Any]) -> dict[str, Any]:
    pictures = {}
    for name in ("hr", "lr"):
        path = Path(row[f"{name}_path"])
        try:
            data = path.read_bytes()
            with open_any_size(io.BytesIO(data)) as opened:
                found = hashlib.sha256(np.asarray(opened.convert("RGB")).tobytes()).hexdigest()
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({error}): run the stage pairs again") from error
        if found != row[f"{name}_sha256"]:
            raise InputError(f"{path} has other pixels than the stage pairs made: run it again")
        pictures[name] = {"bytes": data, "path": f"{row['pair_id']}-{name}.png"}
    return {**pictures, **{name: row[name] for name in _LAYOUT.names if name not in pictures}}


def _card(
    params: ReleaseParams,
    rows: Sequence[Mapping[str, Any]],
    splits: Mapping[str, int],
    summary: Path,
    *,
    version: str,
    digest: str,
) -> str:
    with summary.open(encoding="utf-8", newline="") as file:
        figures = [row for row in csv.DictReader(file) if row["slice"] == "all" and row["mean"]]
    return pairs_card.card(
        name=params.name,
        licensed=Licensed(params.license, params.license_name, params.license_link),
        description=release_card.text("release.description", params.description).strip(),
        citation=release_card.text("release.citation", params.citation),
        contact=params.contact,
        version=version,
        digest=digest,
        rows=rows,
        splits=splits,
        figures=figures,
    )
