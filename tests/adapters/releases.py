"""Small release folders for hubs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.release import manifest
from curate.release.manifest import Manifest


def write_release(
    folder: Path,
    *,
    name: str = "unit-signs",
    version: str = "1.0.0",
    digest: str = "a" * 64,
    data: bytes = b"PAR1 unit",
    shards: int = 1,
) -> Manifest:
    """A folder with everything a release has; its Parquet files hold `data` as a picture, and no objects."""
    (folder / "data").mkdir(parents=True)
    for index in range(shards):
        file = f"train-{index:05d}-of-{shards:05d}.parquet"
        rows = pa.table({"image": [data + str(index).encode()], "image_id": [f"{index:064x}"]})
        pq.write_table(rows, folder / "data" / file)
    (folder / "README.md").write_text(f"---\nlicense: cc0-1.0\n---\n\nVersion {version}\n")
    (folder / ".gitattributes").write_text("*.parquet filter=lfs diff=lfs merge=lfs -text\n")
    return manifest.write(
        folder,
        manifest.Manifest(
            name=name,
            version=version,
            digest=digest,
            images={"train": 1},
            objects={"stop_sign": 1},
        ),
    )
