"""Stage release_pairs: the pairs that were made, under a card that says what may be done with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from curate import tables
from curate.errors import InputError, ReleaseError
from curate.params import GatesParams, ReleaseParams
from curate.release import split_record
from curate.restoration import table_schemas
from curate.stages import release_pairs
from tests.restoration import restoration_rows


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = []
    for n, split in enumerate(("train", "test")):
        row = restoration_rows.pair(f"p{n}", image_id=f"i{n}", split=split)
        for kind, side in (("hr", 48), ("lr", 12)):
            pixels = np.full((side, side, 3), 10 * n + side, np.uint8)
            Image.fromarray(pixels).save(f"{kind}{n}.png")
            row |= {f"{kind}_path": f"{kind}{n}.png"}
            row |= {f"{kind}_sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}
        rows.append(row)
    tables.write_rows(rows, Path("pairs.parquet"), table_schemas.IMAGE_PAIRS)
    Path("summary.csv").write_text("model,metric,slice,mean,low,high,n\n")


def run(**settings: object) -> None:
    release_pairs.run(
        ReleaseParams.model_validate(settings),
        gates=GatesParams(),
        inputs=release_pairs.Inputs(Path("pairs.parquet"), Path("summary.csv"), Path("last")),
        outputs=release_pairs.Outputs(Path("release"), Path("splits.parquet")),
    )


def test_the_files_of_the_pairs_are_released_by_split() -> None:
    run()
    (train,) = Path("release/data").glob("train-*.parquet")
    (row,) = pq.read_table(train).to_pylist()
    assert row["hr"]["bytes"] == Path("hr0.png").read_bytes()
    assert row["lr"]["bytes"] == Path("lr0.png").read_bytes()


def test_a_file_with_other_pixels_is_not_released_under_the_old_digest() -> None:
    run()
    before = sorted(Path("release").rglob("*.parquet"))
    Image.new("RGB", (12, 12), "red").save("lr1.png")
    with pytest.raises(InputError, match=r"lr1\.png has other pixels than the stage pairs made"):
        run()
    Path("lr1.png").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"lr1\.png cannot be read .*: run the stage pairs again"):
        run()
    assert sorted(Path("release").rglob("*.parquet")) == before


def test_the_card_names_a_license_of_ones_own_how_to_cite_and_whom_to_write_to() -> None:
    Path("cite.bib").write_text("@misc{mine}")
    own = {"license_name": "house-1.0", "license_link": "https://example.org/house"}
    run(license="other", **own, citation="cite.bib", contact="somebody@example.org")
    text = Path("release/README.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert {key: front[key] for key in own} == own
    assert front["license"] == "other"
    assert "Of this release: house-1.0" in text
    assert "@misc{mine}" in text
    assert "somebody@example.org" in text
    with pytest.raises(ReleaseError, match=r"release\.citation = none\.bib cannot be read"):
        run(citation="none.bib")


def test_the_split_of_what_was_released_is_on_record_for_good() -> None:
    run()
    assert split_record.load(Path("splits.parquet"), Path("nowhere")) == {"i0": "train", "i1": "test"}
    rows = tables.read(Path("pairs.parquet"), table_schemas.IMAGE_PAIRS).to_pylist()
    tables.write_rows(rows[:1], Path("pairs.parquet"), table_schemas.IMAGE_PAIRS)
    run()
    assert split_record.load(Path("splits.parquet"), Path("nowhere")) == {"i0": "train", "i1": "test"}
