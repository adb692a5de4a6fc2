"""Stage diagnose: planted faults are found and named, clean photographs have none, unknown is said."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.errors import InputError
from curate.params import DedupeParams, DiagnoseParams, IngestParams
from curate.ports import Casualty
from curate.records import StageReport
from curate.report import diagnosis_sheets
from curate.restoration import blur_kernels, image_faults, table_schemas
from curate.stages import dedupe, diagnose, ingest

ENGINE = LocalEngine(1, in_process=True)


def photograph(name: str) -> Image.Image:
    return (
        Image.fromarray(getattr(skimage.data, name)())
        .convert("RGB")
        .resize((360, 300), Image.Resampling.LANCZOS)
    )


def pixels(picture: Image.Image, change: Any) -> Image.Image:
    return Image.fromarray(
        np.clip(np.rint(change(np.asarray(picture).astype(float))), 0, 255).astype(np.uint8)
    )


def planted() -> dict[str, Image.Image]:
    rng = np.random.default_rng(0)
    kernel = blur_kernels.circular_sinc(21, 1.3)
    ramp = np.tile(np.linspace(40, 200, 360), (300, 1))[..., None].repeat(3, axis=2)
    rings = np.stack(
        [_convolved(np.asarray(photograph("camera").crop((0, 0, 360, 300))), kernel, k) for k in range(3)],
        axis=-1,
    )
    return {
        "clean": photograph("astronaut"),
        "noisy": pixels(photograph("coffee"), lambda one: one + rng.normal(0, 12, one.shape)),
        "blurred": photograph("rocket").filter(ImageFilter.GaussianBlur(3)),
        "upscaled": photograph("chelsea").resize((120, 100)).resize((360, 300), Image.Resampling.BICUBIC),
        "banding": Image.fromarray((ramp // 6 * 6).astype(np.uint8)),
        "ringing": Image.fromarray(rings),
        "letterbox": _barred(photograph("camera")),
    }


def _convolved(image: Any, kernel: Any, plane: int) -> Any:
    from scipy.ndimage import convolve

    made = convolve(image[..., plane].astype(float), kernel, mode="mirror")
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


def _barred(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture).copy()
    values[:30], values[-30:] = 0, 0
    return Image.fromarray(values)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("raw").mkdir()
    for name, picture in planted().items():
        picture.save(f"raw/{name}.png")
    photograph("brick").save("raw/compressed.jpg", quality=30)
    Image.new("RGB", (100, 40), (90, 120, 60)).save("raw/tiny.png")
    ingest.run(
        IngestParams(raw=Path("raw"), min_side=1),
        inputs=ingest.Inputs(raw=Path("raw")),
        outputs=ingest.Outputs(table=Path("ingest.parquet"), images=Path("images"), ledger=Path("ledger.db")),
        ports=ingest.Ports(ENGINE),
    )
    dedupe.run(
        DedupeParams(),
        inputs=dedupe.Inputs(images=Path("ingest.parquet")),
        outputs=dedupe.Outputs(table=Path("images.parquet"), plot=Path("plot.csv"), index=Path("index")),
        ports=dedupe.Ports(engine=ENGINE, say=lambda _: None),
    )


def run(ports: diagnose.Ports | None = None, **settings: Any) -> StageReport:
    return diagnose.run(
        DiagnoseParams.model_validate(settings),
        inputs=diagnose.Inputs(Path("images.parquet")),
        outputs=diagnose.Outputs(Path("diagnosed.parquet"), Path("sheets")),
        ports=ports or diagnose.Ports(ENGINE, diagnosis_sheets.write),
    )


def rows() -> dict[str, dict[str, Any]]:
    """By the name of the raw file."""
    sources = tables.read(Path("images.parquet"), schema.IMAGES, columns=["image_id", "sources"]).to_pylist()
    names = {row["image_id"]: Path(row["sources"][0]).stem for row in sources}
    found = tables.read(Path("diagnosed.parquet"), table_schemas.DIAGNOSED).to_pylist()
    return {names[row["image_id"]]: row for row in found}


def test_planted_faults_are_found_and_a_clean_photograph_has_none() -> None:
    report = run()
    found = rows()
    for name in ("noisy", "blurred", "upscaled", "banding", "ringing", "letterbox", "compressed"):
        assert name in found[name]["faults"], (name, found[name]["words"])
    assert found["clean"]["faults"] == []
    assert found["clean"]["unknown"] == ["jpeg_quality"]
    assert found["clean"]["words"] == "no fault found in what is known. Not known: jpeg_quality (no JPEG)"
    assert found["compressed"]["words"].startswith("JPEG of quality 30")
    assert "noisy, a standard deviation of" in found["noisy"]["words"]
    counts = dict(report.counts)
    assert counts["images"] == len(found) == 9
    assert counts["compressed"] == report.metrics["faults"]["compressed"] == 1
    assert report.metrics["limits"]["banding"] == 5


def test_figures_are_those_of_ingest_and_dedupe() -> None:
    run()
    images = {row["image_id"]: row for row in tables.read(Path("images.parquet"), schema.IMAGES).to_pylist()}
    for row in rows().values():
        for name in set(image_faults.FIGURES) - {"banding", "ringing"}:
            assert row[name] == images[row["image_id"]]["quality"][name]


def test_what_is_not_known_is_said_and_is_not_fine() -> None:
    report = run()
    tiny = rows()["tiny"]
    assert {"banding", "ringing", "bandwidth", "blur"} <= set(tiny["unknown"])
    assert "banding (100x40 pixels are too few for bands)" in tiny["words"]
    assert "ringing (0 sharp edges between plain areas are too few for ringing)" in tiny["words"]
    assert dict(tiny["bands"])["banding"] == dict(tiny["bands"])["jpeg_quality"] == "not known"
    assert report.metrics["not_known"]["ringing"] >= 1
    assert dict(report.counts)["not wholly known"] == 8  # all but the JPEG say at least that they are none


def test_a_file_that_is_gone_and_one_that_kills_its_worker_have_a_reason() -> None:
    run()
    gone = Path(rows()["clean"]["path"])
    gone.unlink()
    run()
    assert "banding" in rows()["clean"]["unknown"]
    assert f"{gone} disappeared" in rows()["clean"]["words"] or str(gone) in rows()["clean"]["words"]

    class Killing:
        def map_batches(self, setup: Any, batches: Any, **_: Any) -> Any:
            work = setup()
            for number, batch in enumerate(batches):
                yield [Casualty("SIGKILL", 3) for _ in batch] if number else work(batch)

    run(diagnose.Ports(Killing(), diagnosis_sheets.write))  # type: ignore[arg-type]
    killed = [row for row in rows().values() if "ended its worker 3 times (SIGKILL)" in row["words"]]
    assert len(killed) == 1  # of nine, eight are in the first batch
    assert set(killed[0]["unknown"]) >= {"banding", "ringing"}


def test_limits_and_bands_are_those_of_the_parameters() -> None:
    run(max_noise=None, min_jpeg_quality=20, bands={"jpeg_quality": [10, 30, 50], "noise": [2.0]})
    found = rows()
    assert "noisy" not in dict(found["noisy"]["bands"])
    assert found["compressed"]["faults"].count("compressed") == 0
    assert dict(found["compressed"]["bands"])["jpeg_quality"] == "30 to below 50"
    assert dict(found["noisy"]["bands"])["noise"] == "2 and more"
    assert dict(found["clean"]["bands"])["noise"] == "below 2"


def test_two_runs_write_the_same_and_no_image_is_one_line() -> None:
    run()
    first = Path("diagnosed.parquet").read_bytes(), Path("sheets/noisy.html").read_bytes()
    run()
    assert (Path("diagnosed.parquet").read_bytes(), Path("sheets/noisy.html").read_bytes()) == first
    dropped = [
        row | {"drop_reason": "human_decision"}
        for row in tables.read(Path("images.parquet"), schema.IMAGES).to_pylist()
    ]
    tables.write_rows(dropped, Path("images.parquet"), schema.IMAGES)
    with pytest.raises(InputError, match="keeps no image: look at its drop_reason column"):
        run()


def test_a_sheet_per_fault_has_the_worst_first_and_asks_for_nothing() -> None:
    run(max_noise=0.1)
    found = [row for row in rows().values() if "noisy" in row["faults"]]
    page = Path("sheets/noisy.html").read_text()
    order = re.findall(r"<code>(images/[^<]+)</code>", page)
    assert order == [row["path"] for row in sorted(found, key=lambda row: -row["noise"])]
    assert len(order) > 3
    assert page.count('alt="its middle at 100%"') == len(order)
    assert not re.search(r'(src|href)="(?!data:)', page)
    sheets = {path.stem for path in Path("sheets").iterdir()}
    assert sheets == {fault for row in rows().values() for fault in row["faults"]}
    run(max_noise=0.1, sheet=2)
    page = Path("sheets/noisy.html").read_text()
    assert page.count("<figure") == 2
    assert f"{len(order) - 2} more stand in the table only" in page
    run(sheet=0)
    assert list(Path("sheets").iterdir()) == []
