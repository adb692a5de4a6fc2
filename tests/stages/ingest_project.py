"""A project with raw files, and the stage ingest run on it: shared by the tests of ingest."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.errors import CurateError
from curate.params import IngestParams
from curate.records import StageReport
from curate.stages import ingest

TABLE, IMAGES, LEDGER = Path("out/images.parquet"), Path("out/images"), Path("out/ledger.sqlite")
OUTPUTS = ingest.Outputs(table=TABLE, images=IMAGES, ledger=LEDGER, cache=Path("cache"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    return tmp_path


def picture(seed: int, size: tuple[int, int] = (80, 64)) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def put(name: str, seed: int = 0, **options: Any) -> Path:
    path = Path("raw") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path, **options)
    return path


def write(name: str, content: bytes | str) -> Path:
    path = Path("raw") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def run(workers: int = 0, batch_size: int = 64, **params: Any) -> StageReport:
    """The stage; 0 workers = in this process."""
    return ingest.run(
        IngestParams(**params),
        inputs=ingest.Inputs(raw=Path("raw")),
        outputs=OUTPUTS,
        ports=ingest.Ports(LocalEngine(workers, in_process=not workers), batch_size),
    )


def rows() -> list[dict[str, Any]]:
    return tables.read(TABLE, schema.IMAGES).to_pylist()


def by_source() -> dict[str, dict[str, Any]]:
    return {place: row for row in rows() for place in row["sources"]}


def tree() -> dict[str, bytes]:
    return {p.relative_to(IMAGES).as_posix(): p.read_bytes() for p in IMAGES.rglob("*") if p.is_file()}


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_now(**params: Any) -> int:
    """How many places a run read."""
    return dict(run(**params).this_run)["read"]


def fresh() -> tuple[bytes, dict[str, bytes]]:
    """What a run without any memory makes of the same files."""
    before = (TABLE.read_bytes(), tree())
    for path in (LEDGER, TABLE):
        path.rename(path.with_name("aside"))
        path.with_name("aside").unlink()
    run()
    made = (TABLE.read_bytes(), tree())
    assert before is not made
    return made


def state() -> tuple[bytes, dict[str, bytes]]:
    return TABLE.read_bytes(), tree()


def listed(text: str, **params: Any) -> dict[str, dict[str, Any]]:
    write("sources.yaml", "sources:\n" + text)
    run(sources="sources.yaml", **params)
    return by_source()


def refused(text: str) -> str:
    with pytest.raises(CurateError) as caught:
        listed(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def jpeg(seed: int) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, "JPEG")
    return buffer.getvalue()


def put_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def reason(row: dict[str, Any]) -> tuple[str, str]:
    return row["drop_reason"], row["drop_detail"]
