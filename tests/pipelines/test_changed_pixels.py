"""Other upright pixels under the same image_id: every table after them is made again, from those pixels."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.labeling.run.embedding_worker import Encoder
from curate.labeling.run.models import Models
from curate.params import AutolabelParams, DedupeParams, EmbeddingsParams
from curate.records import StageReport
from curate.stages import autolabel, dedupe, embed
from tests import builders
from tests.fakes import FakeDetector, FakeEmbedder, FakeSegmenter
from tests.stages.ingest_project import (  # noqa: F401 - the fixture
    OUTPUTS,
    TABLE,
    by_source,
    picture,
    project,
    put,
    run,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("project")

ENGINE = LocalEngine(in_process=True)
DEDUPED, LABELS, VECTORS = Path("out/dedupe.parquet"), Path("out/labels.parquet"), Path("out/vectors.parquet")
FINE, COARSE = 98, 20  # jpeg_quality


@pytest.fixture(autouse=True)
def raw(project: Path) -> None:  # noqa: ARG001, F811
    """A turned JPEG, which ingest writes anew, and one that it links."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(1).transpose(Image.Transpose.ROTATE_90).save("raw/turned.jpg", exif=exif, quality=95)
    put("plain.jpg", 2, quality=95)
    Path("taxonomy.yaml").write_text(builders.TAXONOMY)


def deduped() -> StageReport:
    return dedupe.run(
        DedupeParams(),
        inputs=dedupe.Inputs(TABLE),
        outputs=dedupe.Outputs(table=DEDUPED, plot=Path("out/plot.csv"), index=Path("out/index")),
        ports=dedupe.Ports(ENGINE),
    )


def labeled(detector: FakeDetector) -> None:
    autolabel.run(
        AutolabelParams(),
        inputs=autolabel.Inputs(images=DEDUPED, taxonomy=Path("taxonomy.yaml")),
        outputs=autolabel.Outputs(
            LABELS, Path("out/shards"), Path("out/scores.csv"), Path("out/failures.csv")
        ),
        ports=autolabel.Ports(lambda: Models(detector, FakeSegmenter()), ENGINE),
    )


def embedded(embedder: FakeEmbedder) -> None:
    names = ("objects.parquet", "figures.parquet", "alike.csv", "without.csv", "vectors")
    embed.run(
        EmbeddingsParams(model="own", objects="suggestions"),
        inputs=embed.Inputs(DEDUPED, LABELS, Path("none.parquet")),
        outputs=embed.Outputs(VECTORS, *(Path("out/embed") / name for name in names)),
        ports=embed.Ports(lambda: Encoder(embedder), ENGINE),
    )


def everything(quality: int) -> tuple[dict[str, bytes], dict[str, int]]:
    """The bytes of each table, and how many images and crops each stage looked at."""
    run(jpeg_quality=quality)
    detector, embedder = FakeDetector(), FakeEmbedder()
    hashed = deduped().metrics["hashed"]
    labeled(detector)
    embedded(embedder)
    made = {path.name: path.read_bytes() for path in (TABLE, DEDUPED, LABELS, VECTORS)}
    return made, {"dedupe": hashed, "autolabel": detector.seen, "embed": embedder.seen}


def row(name: str) -> dict[str, Any]:
    return by_source()[f"raw/{name}"]


def test_another_jpeg_quality_changes_the_row_of_a_turned_jpeg_and_of_no_linked_one() -> None:
    run(jpeg_quality=FINE)
    turned, plain, table = row("turned.jpg"), row("plain.jpg"), TABLE.read_bytes()
    assert plain["upright_sha256"] is None
    assert Path(plain["path"]).read_bytes() == Path("raw/plain.jpg").read_bytes()
    assert turned["upright_sha256"] == hashlib.sha256(Path(turned["path"]).read_bytes()).hexdigest()
    run(jpeg_quality=COARSE)
    assert row("plain.jpg") == plain
    again = row("turned.jpg")
    changed = {name for name in again if again[name] != turned[name]}
    assert changed == {"upright_sha256"}
    assert again["upright_sha256"] == hashlib.sha256(Path(again["path"]).read_bytes()).hexdigest()
    assert TABLE.read_bytes() != table
    run(jpeg_quality=FINE)
    assert TABLE.read_bytes() == table


def test_where_all_are_linked_another_jpeg_quality_changes_no_byte_of_the_table() -> None:
    Path("raw/turned.jpg").unlink()
    run(jpeg_quality=FINE)
    table = TABLE.read_bytes()
    run(jpeg_quality=COARSE)
    assert TABLE.read_bytes() == table


def test_what_was_made_of_the_earlier_pixels_is_not_used_for_the_new_ones() -> None:
    first, looked_at = everything(FINE)
    boxes = tables.read(LABELS, schema.ANNOTATIONS).num_rows
    assert looked_at == {"dedupe": 2, "autolabel": 2, "embed": 2 + boxes}
    assert everything(FINE) == (first, {"dedupe": 0, "autolabel": 0, "embed": 0})
    again, looked_at = everything(COARSE)
    assert looked_at["dedupe"] == looked_at["autolabel"] == 1  # the turned one
    assert 0 < looked_at["embed"] <= 1 + boxes
    assert all(again[name] != first[name] for name in ("images.parquet", "dedupe.parquet"))
    for folder in ("out/index", "out/shards", "out/embed"):
        Path(folder).rename(f"{folder}-before")
    fresh, looked_at = everything(COARSE)
    assert looked_at["autolabel"] == 2
    assert again == fresh  # as if there had been no cache
    assert not np.array_equal(first[VECTORS.name], again[VECTORS.name])
