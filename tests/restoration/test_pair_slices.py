"""By what figures of pairs are split: what is not known is called so, and what has no values is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate import tables
from curate.errors import ParamsError
from curate.restoration import pair_slices, table_schemas
from tests.restoration import restoration_rows

PAIRS: dict[str, dict[str, Any]] = {
    "p0": restoration_rows.pair("p0", image_id="i0", license="mit", split=None),
    "p1": restoration_rows.pair("p1", image_id="i1", license=None, split="test"),
}


@pytest.fixture
def diagnosed(tmp_path: Path) -> Path:
    rows = [restoration_rows.diagnosed("i0", [], {"noisy": "noisy", "jpeg_quality": "below 50"})]
    tables.write_rows(rows, tmp_path / "diagnosed.parquet", table_schemas.DIAGNOSED)
    return tmp_path / "diagnosed.parquet"


def test_a_pair_without_the_value_is_not_known(diagnosed: Path) -> None:
    found = pair_slices.columns(["license", "split", "noisy"], PAIRS, diagnosed)
    assert found == {
        "p0": {"image_id": "i0", "license": "mit", "split": "not known", "noisy": "noisy"},
        "p1": {"image_id": "i1", "license": "not known", "split": "test", "noisy": "not known"},
    }


def test_a_figure_without_bands_is_refused(diagnosed: Path) -> None:
    found = pair_slices.columns(["jpeg_quality", "banding"], PAIRS, diagnosed)
    assert found["p0"] == {"image_id": "i0", "jpeg_quality": "below 50", "banding": "not looked at"}
    with pytest.raises(ParamsError, match=r"measure\.slices: noise has no bands: .*diagnose\.bands"):
        pair_slices.columns(["noise"], PAIRS, diagnosed)
