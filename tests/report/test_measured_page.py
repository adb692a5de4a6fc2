"""The page of the worst results: one self-contained file, with a slider a case."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from curate import tables
from curate.cli import app
from curate.errors import TableError
from curate.restoration import table_schemas
from tests.restoration import restoration_rows


def test_each_case_has_both_pictures_and_its_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("hr", "made"):
        Image.new("RGB", (48, 40), "teal").save(f"{name}.png")
    pairs = [restoration_rows.pair("p1", hr_path="hr.png"), restoration_rows.pair("p2", hr_path="gone.png")]
    made = [restoration_rows.upscaled("compact", one, path="made.png") for one in ("p1", "p2")]
    tables.write_rows(pairs, Path("data/pairs/pairs.parquet"), table_schemas.IMAGE_PAIRS)
    tables.write_rows(made, Path("data/upscale/upscaled.parquet"), table_schemas.UPSCALED)
    Path("data/measure").mkdir()
    lines = ["why,model,pair_id,metric,against,value", "worst,compact,p1,psnr,,21.5"]
    lines += ["disputed,compact,p1,ssim,psnr,0.9", "worst,compact,p2,psnr,,30"]
    Path("data/measure/worst.csv").write_text("\n".join(lines) + "\n")
    done = CliRunner().invoke(app, ["upscale", "worst"])
    assert done.exit_code == 0, done.output
    page = Path("data/measure/worst.html").read_text()
    assert page.count('type="range"') == 2
    assert "psnr 21.500" in page
    assert "against psnr" in page
    assert "1 more stand in" in page
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_without_the_stage_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["upscale", "worst"])
    assert isinstance(result.exception, TableError)
    assert "run the stage measure first" in str(result.exception)
