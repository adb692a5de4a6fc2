"""Stage dedupe on real files: keepers explained, all rows kept, the same bytes twice."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import Image

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.errors import InputError, StorageError, TableError
from curate.params import DedupeParams, IngestParams
from curate.records import StageReport
from curate.stages import dedupe, ingest

INGESTED, TABLE, PLOT = Path("ingest.parquet"), Path("dedupe/images.parquet"), Path("plots/distances.csv")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three scenes; of the first a smaller and a re-encoded copy; a broken file."""
    monkeypatch.chdir(tmp_path)
    Path("raw").mkdir()
    for number in range(3):
        scene(number).save(f"raw/scene_{number}.png")
    scene(0).resize((96, 72), Image.Resampling.LANCZOS).save("raw/small.png")
    scene(0).save("raw/again.jpg", quality=60)
    Path("raw/broken.jpg").write_bytes(b"no")
    ingest.run(
        IngestParams(),
        inputs=ingest.Inputs(raw=Path("raw")),
        outputs=ingest.Outputs(table=INGESTED, images=Path("images")),
        ports=ingest.Ports(engine=LocalEngine(1)),
    )
    return tmp_path


def scene(seed: int) -> Image.Image:
    rng = np.random.default_rng(100 + seed)
    small = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    return small.resize((160, 120), Image.Resampling.BICUBIC)


def run(workers: int = 1, **params: Any) -> StageReport:
    return dedupe.run(
        DedupeParams(**params),
        inputs=dedupe.Inputs(images=INGESTED),
        outputs=dedupe.Outputs(table=TABLE, plot=PLOT),
        ports=dedupe.Ports(engine=LocalEngine(workers)),
    )


def rows() -> dict[str, dict[str, Any]]:
    found = tables.read(TABLE, schema.IMAGES).to_pylist()
    return {row["sources"][0].removeprefix("raw/"): row for row in found}


def test_a_group_has_one_keeper_and_every_row_stays() -> None:
    report = run()
    found = rows()
    assert len(found) == 6
    dropped = {name for name, row in found.items() if row["drop_reason"] == "near_duplicate"}
    keeper = next(name for name in ("scene_0.png", "again.jpg") if name not in dropped)
    assert dropped == {"small.png", "scene_0.png", "again.jpg"} - {keeper}
    for name in ("small.png", "scene_0.png", "again.jpg"):
        assert found[name]["dup_group"] == found[keeper]["image_id"]
    assert found["small.png"]["duplicate_of"] == found[keeper]["image_id"]
    assert found["small.png"]["drop_detail"].endswith("keeper has more pixels (160x120 over 96x72)")
    assert found[keeper]["duplicate_of"] is None
    assert found["scene_1.png"]["dup_group"] is None
    assert report.line() == "dedupe: 6 images, 3 kept, 2 near-duplicates dropped, 1 groups"
    assert report.metrics == {
        "dropped_by_reason": {"near_duplicate": 2, "not_an_image": 1},
        "largest_group": 3,
        "pairs_within_max_hamming": 3,
    }


def test_the_column_is_imagehash_s_phash() -> None:
    run()
    for name, row in rows().items():
        if name == "broken.jpg":
            assert row["phash"] is None
            assert row["drop_reason"] == "not_an_image"
        else:
            assert f"{row['phash']:016x}" == str(imagehash.phash(Image.open(row["path"])))


def test_what_ingest_said_is_not_changed() -> None:
    run()
    before = {row["image_id"]: row for row in tables.read(INGESTED, schema.IMAGES).to_pylist()}
    changed = {"phash", "dup_group", "duplicate_of", "drop_reason", "drop_detail"}
    for row in rows().values():
        assert {k: v for k, v in row.items() if k not in changed} == {
            k: v for k, v in before[row["image_id"]].items() if k not in changed
        }


def test_radius_64_leaves_one_and_the_plot_counts_all_pairs() -> None:
    report = run(max_hamming=64)
    assert dict(report.counts)["kept"] == 1
    with PLOT.open(newline="") as file:
        counts = [(int(row["hamming"]), int(row["pairs"])) for row in csv.DictReader(file)]
    assert [bits for bits, _ in counts] == list(range(0, 65, 2))
    assert sum(pairs for _, pairs in counts) == 10


def test_two_runs_and_two_workers_give_the_same_bytes() -> None:
    run(workers=1)
    first = (TABLE.read_bytes(), PLOT.read_bytes())
    run(workers=2)
    assert (TABLE.read_bytes(), PLOT.read_bytes()) == first


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disappeared_image_is_named(workers: int) -> None:
    path = next(row["path"] for row in tables.read(INGESTED, schema.IMAGES).to_pylist() if row["path"])
    content = Path(path).read_bytes()
    Path(path).unlink()
    with pytest.raises(InputError) as caught:
        run(workers=workers)
    assert str(caught.value) == (
        f"image {path} has disappeared: run `dvc repro --force ingest` to make it again"
    )
    Path(path).write_bytes(content[:40])
    with pytest.raises(InputError, match="cannot be read"):
        run(workers=workers)
    assert not TABLE.exists()
    Path(path).write_bytes(content)
    run(workers=workers)


def test_a_missing_table_and_a_full_disk_are_one_line() -> None:
    TABLE.parent.mkdir()
    TABLE.with_name(f".{TABLE.name}.partial").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"^no space left while writing dedupe/images\.parquet: "):
        run()
    INGESTED.unlink()
    with pytest.raises(TableError, match="does not exist: run the stage ingest"):
        run()


def test_a_flat_picture_and_a_flat_picture_are_the_same_hash() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (160, 120), (90, 90, 90)).save(buffer, "PNG")
    assert str(imagehash.phash(Image.open(buffer))) == "8000000000000000"
