"""Images dropped for their technical quality: by limits in params.yaml, with the reason in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from curate import schema, tables
from curate.dedupe import quality_limits
from curate.engines.local import LocalEngine
from curate.params import DedupeParams, IngestParams, QualityLimits
from curate.records import StageReport
from curate.stages import dedupe, ingest

NAMES = ("astronaut", "coffee", "chelsea", "rocket")


@pytest.fixture(autouse=True)
def ingested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four photographs; a blurred, a yellow, a gray and a coarse one, and a copy of the blurred one."""
    monkeypatch.chdir(tmp_path)
    folder = Path("raw")
    folder.mkdir()
    pictures = {name: Image.fromarray(getattr(skimage.data, name)()).resize((360, 300)) for name in NAMES}
    cells = Image.fromarray(skimage.data.immunohistochemistry()).resize((360, 300))
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.jpg", quality=90)
    blurred = cells.filter(ImageFilter.GaussianBlur(9))
    blurred.save(folder / "blurred.png")
    blurred.resize((180, 150)).save(folder / "blurred_copy.png")
    brick = np.repeat(np.asarray(Image.fromarray(skimage.data.brick()).resize((360, 300)))[:, :, None], 3, 2)
    Image.fromarray(brick // 2 + np.array([120, 110, 0], dtype=np.uint8)).save(folder / "yellow.png")
    Image.fromarray(brick).save(folder / "gray.png")
    grass = Image.fromarray(skimage.data.grass()).convert("RGB").resize((360, 300))
    grass.save(folder / "coarse.jpg", quality=8)
    ingest.run(
        IngestParams(raw=folder),
        inputs=ingest.Inputs(raw=folder),
        outputs=ingest.Outputs(table=Path("ingest.parquet"), images=Path("images"), ledger=Path("ledger.db")),
        ports=ingest.Ports(LocalEngine(1, in_process=True)),
    )


def run(decisions: Path | None = None, **limits: float) -> StageReport:
    return dedupe.run(
        DedupeParams(quality=QualityLimits(**limits), decisions=decisions),
        inputs=dedupe.Inputs(images=Path("ingest.parquet")),
        outputs=dedupe.Outputs(table=Path("out/images.parquet"), plot=Path("plot.csv"), index=Path("index")),
        ports=dedupe.Ports(engine=LocalEngine(1, in_process=True), say=lambda _: None),
    )


def rows() -> dict[str, dict[str, Any]]:
    read = tables.read(Path("out/images.parquet"), schema.IMAGES).to_pylist()
    return {Path(row["sources"][0]).stem: row for row in read}


def test_figures_are_reported_and_nothing_is_dropped_unless_asked() -> None:
    run()
    found = rows()
    dropped = {name for name, row in found.items() if row["drop_reason"] is not None}
    assert len(dropped) == 1
    assert dropped < {"blurred", "blurred_copy"}
    assert all(set(row["quality"]) == set(schema.QUALITY.names) for row in found.values())
    assert found["coarse"]["quality"]["jpeg_quality"] == 8
    assert found["gray"]["quality"]["jpeg_quality"] is None
    assert found["gray"]["quality"]["colorfulness"] == pytest.approx(0, abs=1e-3)
    assert min(found[name]["quality"]["colorfulness"] for name in NAMES) > 5
    casts = {name: row["quality"]["color_cast"] for name, row in found.items()}
    assert max(casts, key=lambda name: casts[name]) == "yellow", casts
    blurs = {name: row["quality"]["blur"] for name, row in found.items() if name != "blurred_copy"}
    assert max(blurs, key=lambda name: blurs[name]) == "blurred"


def test_each_limit_drops_with_its_reason_in_words_and_no_dropped_image_is_a_keeper() -> None:
    report = run(max_blur=0.55, min_jpeg_quality=20, max_color_cast=45)
    found = rows()
    assert {name: row["drop_reason"] for name, row in found.items() if row["drop_reason"]} == {
        "blurred": "blurred",
        "blurred_copy": "blurred",
        "coarse": "compressed",
        "yellow": "color_cast",
    }
    assert found["coarse"]["drop_detail"] == "jpeg_quality 8, under dedupe.quality.min_jpeg_quality = 20"
    assert "over dedupe.quality.max_color_cast = 45" in found["yellow"]["drop_detail"]
    assert found["yellow"]["quality"]["color_cast"] > 45  # also of an image that is dropped
    assert found["blurred_copy"]["duplicate_of"] is None
    assert "4 dropped for their quality" in report.line()
    run()  # and it comes back where the limit is gone
    assert rows()["coarse"]["drop_reason"] is None


def test_what_a_person_keeps_no_limit_drops() -> None:
    decisions = Path("decisions.csv")
    place = rows_of_ingest()["coarse"]["sources"][0]
    decisions.write_text(f"image,decision,other,by,note\n{place},keep,,,\n")
    run(decisions, min_jpeg_quality=20)
    assert rows()["coarse"]["drop_reason"] is None


def rows_of_ingest() -> dict[str, dict[str, Any]]:
    read = tables.read(Path("ingest.parquet"), schema.IMAGES).to_pylist()
    return {Path(row["sources"][0]).stem: row for row in read}


def test_every_parameter_bounds_a_figure_that_exists() -> None:
    bounded = {one.parameter for one in quality_limits._LIMITS}
    assert bounded == set(QualityLimits.model_fields)
    assert {one.figure for one in quality_limits._LIMITS} <= {*schema.QUALITY.names, "contrast"}
