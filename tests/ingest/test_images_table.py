"""The table that is amended is the one that would be made anew, byte for byte."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curate import fingerprint
from curate.ingest import images_table
from tests.stages.ingest_project import (  # noqa: F401 - the fixture
    LEDGER,
    TABLE,
    picture,
    project,
    put,
    rows,
    run,
    write,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("project")


def change(rng: random.Random) -> None:
    """Something that happens to a folder of images between two runs."""
    files = sorted(path for path in Path("raw").rglob("*.*") if path.suffix not in {".yaml", ".json"})
    some = rng.choice(files)
    match rng.randrange(8):
        case 0 | 1:
            put(f"{rng.randrange(4)}/{rng.randrange(10**6)}.jpg", rng.randrange(10**6))
        case 2 if len(files) > 3:
            some.unlink()
        case 3:
            shutil.copy(some, some.with_name(f"copy-{rng.randrange(100)}{some.suffix}"))
        case 4:
            some.rename(some.with_name(f"moved-{rng.randrange(100)}{some.suffix}"))
        case 5:
            side = Path(f"{some}.json")
            side.unlink() if side.exists() else side.write_text(json.dumps({"license": f"L{rng.random()}"}))
        case 6:
            write(f"bad-{rng.randrange(100)}.jpg", rng.randbytes(50))
        case _:
            pages = [picture(rng.randrange(10**6)) for _ in range(rng.randrange(1, 4))]
            pages[0].save(f"raw/pages-{rng.randrange(3)}.tiff", save_all=True, append_images=pages[1:])


@pytest.mark.parametrize("seed", range(6))
def test_amended_or_anew(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng, amended = random.Random(seed), 0  # noqa: S311
    monkeypatch.setattr(images_table, "_FEW", 100.0)
    monkeypatch.setattr(images_table, "_PIECE", rng.choice([1, 3, 1000]))
    real = images_table._amended

    def counted(*arguments: Any) -> Any:
        nonlocal amended
        amended += 1
        return real(*arguments)

    monkeypatch.setattr(images_table, "_amended", counted)
    write("sources.yaml", "sources:\n  - {name: all, path: ., sidecar: true}\n  - {name: inner, path: '0'}\n")
    Path("raw/0").mkdir()
    settings: dict[str, Any] = {"sources": "sources.yaml", "frames": "all"}
    for number in range(4):
        put(f"{number}.jpg", number)
    for _ in range(12):
        counted_sources = run(**settings).metrics["sources"]
        made = TABLE.read_bytes()
        kept = [row for row in rows() if row["drop_reason"] is None]
        assert counted_sources == Counter(place.partition("/")[0] for row in kept for place in row["sources"])
        forget()
        run(**settings)
        assert TABLE.read_bytes() == made
        for _ in range(rng.randrange(1, 4)):
            change(rng)
    assert amended > 8


def test_other_code_makes_the_table_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.jpg")
    run()
    made, before = TABLE.read_bytes(), TABLE.stat().st_ino
    run()
    assert TABLE.stat().st_ino == before
    monkeypatch.setattr(fingerprint, "digest", lambda *_, **__: "of other code")
    run()
    assert TABLE.stat().st_ino != before
    assert TABLE.read_bytes() == made


def forget() -> None:
    """Let the ledger know nothing of the table."""
    db = sqlite3.connect(LEDGER)
    assert db.execute("DELETE FROM meta WHERE key = 'table'").rowcount == 1
    db.commit()
    db.close()
