"""The step by meaning: an encoder's pairs join what pixels do not, and embeddings are computed once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate import schema, tables
from curate.dedupe import feature_index
from curate.engines.local import LocalEngine
from curate.params import DedupeParams, SemanticParams
from curate.records import FloatArray, StageReport, UInt8Image
from curate.stages import dedupe
from curate.stages.semantic import Encoder
from tests.stages.test_dedupe import INDEX, INGESTED, PLOT, TABLE, encoded, ingested, rows, scene

EMBEDDINGS = Path("dedupe/embeddings")


@dataclass
class MeanColour:
    """Images of one mean colour mean the same."""

    model_version: str = "mean-1"

    def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
        colours = np.array([image.reshape(-1, 3).mean(axis=0) - 128 for image in images], dtype=np.float32)
        return colours / np.linalg.norm(colours, axis=1, keepdims=True)


def red(seed: int) -> Image.Image:
    """A scene whose every pixel is turned to red: pixels differ, the mean colour does not."""
    gray = np.asarray(scene(seed).convert("L"), dtype=np.float64)
    gray = (gray - gray.mean()) * 0.4
    return Image.fromarray(
        np.stack([220 + gray * 0.3, 60 + gray, 60 + gray], axis=2).clip(0, 255).astype(np.uint8)
    )


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    return ingested(
        {
            "a/red_0.png": encoded(red(0)),
            "a/red_1.png": encoded(red(1).resize((80, 60))),
            "a/blue.png": encoded(Image.merge("RGB", red(2).split()[::-1])),
            "a/blue small.png": encoded(Image.merge("RGB", red(2).split()[::-1]).resize((120, 90))),
        }
    )


def run(version: str = "mean-1", *, workers: int = 0, on: bool = True) -> StageReport:
    engine = LocalEngine(max(workers, 1), in_process=not workers)
    encoder = Encoder(functools.partial(MeanColour, version), engine, batch_size=2)
    return dedupe.run(
        DedupeParams(semantic=SemanticParams(min_cosine=0.99)),
        inputs=dedupe.Inputs(images=INGESTED),
        outputs=dedupe.Outputs(table=TABLE, plot=PLOT, index=INDEX, embeddings=EMBEDDINGS),
        ports=dedupe.Ports(engine=engine, encoder=encoder if on else None),
    )


def test_pairs_by_meaning_join_and_say_so(project: dict[str, str]) -> None:
    report = run()
    found = rows()
    one = found["a/red_1.png"]
    assert one["duplicate_of"] == project["a/red_0.png"]
    assert one["dup_relation"] == "semantic"
    assert one["dup_correlation"] > 0.99
    assert one["drop_detail"] == (
        "alike by meaning, cosine 1.00 with keeper; nothing tells which is the original, "
        "keeper has more pixels (160x120 over 80x60)"
    )
    blue = [found["a/blue.png"], found["a/blue small.png"]]
    assert sorted(row["dup_relation"] or "" for row in blue) == ["", "same"]  # pixels go first
    assert report.metrics["duplicates_by_relation"] == {"same": 1, "semantic": 1}
    assert run(on=False).metrics["duplicates_by_relation"] == {"same": 1}


def test_embeddings_are_kept_until_the_model_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    before = TABLE.read_bytes()
    seen: list[int] = []
    embed = MeanColour.embed
    monkeypatch.setattr(
        MeanColour, "embed", lambda self, images: seen.append(len(images)) or embed(self, images)
    )
    run()
    assert seen == [1]  # the blank image that tells the width
    assert TABLE.read_bytes() == before
    run("mean-2")
    assert sum(seen) == 1 + 1 + 4
    assert feature_index.reading(EMBEDDINGS).settings == {"model": "mean-2"}


def test_workers_give_the_same_table() -> None:
    run()
    before = TABLE.read_bytes()
    for path in sorted(EMBEDDINGS.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run(workers=2)
    assert TABLE.read_bytes() == before
    assert tables.read(TABLE, schema.IMAGES).num_rows == 4
