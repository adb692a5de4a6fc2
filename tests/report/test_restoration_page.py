"""The report of a restoration project: it says what the tables say, and its example is from the data."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate import tables
from curate.errors import TableError
from curate.images import pixel_statistics
from curate.report import page as report
from curate.report import restoration_inputs, upscale_examples
from curate.restoration import table_schemas
from tests.report.restoration_project import psnr, restoration_project


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return restoration_project(tmp_path_factory.mktemp("restoration"))


@pytest.fixture(scope="module")
def html(root: Path) -> str:
    return report.write(root, root / "data/report/index.html").read_text()


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r'src="data:[^"]+"', "", page)))


def test_every_part_of_the_pipeline_is_on_one_page_that_asks_for_nothing(root: Path, html: str) -> None:
    for part in (
        "Sharper is not truer",
        "Figures with intervals",
        "Side by side at 100%",
        "Votes",
        "Weights",
    ):
        assert part in html
    assert "The raters are SIMULATED" in html
    addresses = re.findall(r'(?:src|href)="(?!data:|#)([^"]+)"', html)
    assert addresses == ["index-worst.html", "../diagnose/sheets/noisy.html"]
    worst = (root / "data/report/index-worst.html").read_text()
    assert worst.count('type="range"') > 10
    assert "http" not in re.sub(r'src="data:[^"]+"', "", html)


def test_the_example_is_found_in_the_data(root: Path) -> None:
    """The worst of all results that are sharper than bicubic, by PSNR, recomputed here from the files."""
    facts = restoration_inputs.load(root)
    found = upscale_examples.sharper_but_less_true(facts)
    assert found is not None
    assert found.model == "overdone"
    lost = {
        pair: facts.values["psnr", "overdone", pair] - facts.values["psnr", "bicubic", pair]
        for pair in facts.pairs
    }
    assert found.pair_id == min(lost, key=lambda pair: (lost[pair], pair))
    number = found.pair_id[1:]
    paths = [
        f"data/pairs/hr{number}.png",
        *(f"data/upscale/{model}{number}.png" for model in ("bicubic", "overdone")),
    ]
    sharpness = [pixel_statistics.measure(Image.open(root / path)).sharpness for path in paths]
    assert found.sharpness == pytest.approx(sharpness)
    assert sharpness[2] > sharpness[1]
    assert psnr(root, paths[0], paths[2]) < psnr(root, paths[0], paths[1])
    assert [one.name for one in found.shown] == ["original", "bicubic", "overdone"]
    assert found.psnr[1] < found.psnr[0]


def test_losses_are_counted_for_each_model(root: Path, html: str) -> None:
    facts = restoration_inputs.load(root)
    found = upscale_examples.losses(facts)
    assert found == {"overdone": (7, 7), "soft": (7, 7)}
    assert "overdone loses to bicubic in PSNR on 7 of 7 results." in text(html)


def test_without_a_sharper_loser_the_page_says_so(tmp_path: Path) -> None:
    """Soft loses too, but is not sharper; nothing is made up."""
    here = restoration_project(tmp_path)
    upscaled = tables.read(here / "data/upscale/upscaled.parquet", table_schemas.UPSCALED).to_pylist()
    kept = [row for row in upscaled if row["model"] != "overdone"]
    tables.write_rows(kept, here / "data/upscale/upscaled.parquet", table_schemas.UPSCALED)
    page = report.write(here, here / "page.html").read_text()
    assert "No result here is both sharper than bicubic and worse in PSNR" in page
    assert json.loads((here / "page.json").read_text())["sharper_but_less_true"] is None
    only = [row for row in kept if row["model"] == "bicubic"]
    tables.write_rows(only, here / "data/upscale/upscaled.parquet", table_schemas.UPSCALED)
    assert "No model was compared with bicubic" in report.write(here, here / "page.html").read_text()


def test_detail_invented_on_a_plain_crop_has_no_ratio_to_bicubic_s_none(tmp_path: Path) -> None:
    """Bicubic of a plain crop has sharpness 0, and whatever a model draws there is the largest loss."""
    here = restoration_project(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (300, 392, 3)).astype(np.uint8)
    for path, pixels in (
        ("data/pairs/hr0.png", np.full_like(noise, 100)),
        ("data/upscale/bicubic0.png", np.full_like(noise, 101)),
        ("data/upscale/overdone0.png", noise),
    ):
        Image.fromarray(pixels).save(here / path)
    measured = tables.read(here / "data/measure/figures.parquet", table_schemas.MEASURED).to_pylist()
    for row in measured:
        if (row["pair_id"], row["model"], row["metric"]) == ("p0", "overdone", "psnr"):
            row["value"] = 1.0
    tables.write_rows(measured, here / "data/measure/figures.parquet", table_schemas.MEASURED)
    plain = text(report.write(here, here / "page.html").read_text())
    assert "overdone has 1.00 dB" in plain
    assert "is sharp where bicubic is plain (variance of the Laplacian: original 0, bicubic 0," in plain


def test_figures_and_their_json_are_those_of_the_summary(root: Path, html: str) -> None:
    with (root / "data/measure/summary.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["slice"] == "all"]
    figures = json.loads((root / "data/report/index.json").read_text())["figures"]
    for row in rows:
        if row["mean"]:
            one = figures[row["metric"]]["models"][row["model"]]
            assert (one["value"], one["low"]) == pytest.approx((float(row["mean"]), float(row["low"])))
            assert f"{float(row['mean']):.3f}" in html
            assert f"{float(row['low']):.3f} to {float(row['high']):.3f}" in html
    assert "Not measured: its weights alexnet-owt-7be5be79.pth are not in" in text(html)
    assert "Looks at luma (Y of BT.601), 4 pixels of border left out." in text(html)
    assert "lower is better" in html  # blur
    assert "higher is better" in html


def test_examples_have_the_same_place_of_everything_at_100_percent(root: Path, html: str) -> None:
    found = upscale_examples.examples(restoration_inputs.load(root))
    assert len(found) == 6
    for one in found:
        assert [shown.name for shown in one.shown] == [
            "original",
            "low resolution",
            "bicubic",
            "overdone",
            "soft",
        ]
        assert {(shown.picture.width, shown.picture.height) for shown in one.shown} == {(320, 300)}
    assert html.count('class="slide"') == 6
    gains = [float(re.findall(r"[-+]\d+\.\d+", one.why)[0]) for one in found]
    assert gains == sorted(gains, reverse=True)


def test_slices_faults_and_licenses_are_shown(html: str) -> None:
    plain = text(html)
    assert "not noisy" in plain
    assert "noise above 3" in plain
    assert "5 images: 0 without a fault, 5 of which something is not known." in plain
    assert "bsd-3-clause" in plain


def test_yesterday_s_faults_are_told_by_yesterday_s_limits(tmp_path: Path) -> None:
    root = restoration_project(tmp_path)
    params = root / "params.yaml"
    params.write_text(params.read_text() + "diagnose: {max_noise: 10, min_entropy: 3}\n")
    path = root / "metrics/diagnose.json"
    metrics = json.loads(path.read_text())
    metrics["limits"]["low_entropy"] = None
    path.write_text(json.dumps(metrics))
    plain = text(report.write(root, root / "page.html").read_text())
    assert "noisy noise above 3 1 0" in plain
    assert "low entropy not looked at" in plain
    del metrics["limits"]["noisy"]  # as an earlier version wrote it
    path.write_text(json.dumps(metrics))
    plain = text(report.write(root, root / "page.html").read_text())
    assert "noise above a limit that is not known 1 0" in plain


def test_metrics_are_those_that_were_measured(tmp_path: Path) -> None:
    root = restoration_project(tmp_path)
    (root / "params.yaml").write_text("measure: {metrics: [flip, psnr]}\n")
    report.write(root, root / "page.html")
    figures = json.loads((root / "page.json").read_text())["figures"]
    assert set(figures) == {"flip", "psnr", "ssim", "lpips", "blur"}
    assert figures["flip"]["why_not"] == "asked for since: run `dvc repro measure`"
    assert figures["ssim"]["models"]["bicubic"]["n"] == 7


def test_what_was_left_out_of_the_votes_is_said(tmp_path: Path) -> None:
    root = restoration_project(tmp_path)
    path = root / "metrics/vote.json"
    metrics = json.loads(path.read_text())
    metrics["counts"]["left_out,_of_raters_who_failed_attention_checks_(labeler-2)"] = 7
    metrics["settled"] = False
    path.write_text(json.dumps(metrics))
    plain = text(report.write(root, root / "page.html").read_text())
    assert "left out, of raters who failed attention checks (labeler-2): 7" in plain
    assert "not settled: intervals reach other models, or a model has no vote yet" in plain


def test_what_was_left_out_of_the_means_is_said(tmp_path: Path) -> None:
    root = restoration_project(tmp_path)
    path = root / "data/measure/summary.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if (row["metric"], row["slice"]) == ("psnr", "all"):
            row |= {"left_out": "2", "why_left_out": "2 by soft: equal to the original"}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    plain = text(report.write(root, root / "page.html").read_text())
    assert plain.count("Left out: 2 pairs in no mean (2 by soft: equal to the original).") == 1


def test_votes_that_are_not_all_in_are_called_so(tmp_path: Path) -> None:
    root = restoration_project(tmp_path)
    path = root / "metrics/vote.json"
    metrics = json.loads(path.read_text())
    assert "People are still at it" not in text(report.write(root, root / "page.html").read_text())
    path.write_text(json.dumps(metrics | {"looks": 4, "looks_wanted": 9}))
    plain = text(report.write(root, root / "page.html").read_text())
    assert "People are still at it: 4 of 9 answers are in." in plain
    (root / "data/vote/ranking.csv").write_text("model\n")
    assert "There is no vote to rank by yet." in text(report.write(root, root / "page.html").read_text())


def test_two_runs_write_the_same_and_what_has_not_run_is_said(root: Path, tmp_path: Path) -> None:
    first = report.write(root, root / "data/report/index.html").read_bytes()
    assert report.write(root, root / "data/report/index.html").read_bytes() == first
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/ingest.json").write_text('{"counts": {"images": 3}}')
    tables.write_rows([], tmp_path / "data/pairs/pairs.parquet", table_schemas.IMAGE_PAIRS)
    page = report.write(tmp_path, tmp_path / "page.html").read_text()
    for stage in ("measure", "upscale", "diagnose"):
        assert f"dvc repro {stage}" in page
    assert "Nobody was asked yet" in page


def test_a_project_of_labels_has_its_own_page_and_an_empty_one_is_one_line(tmp_path: Path) -> None:
    assert not restoration_inputs.is_restoration(tmp_path)
    with pytest.raises(TableError, match="metrics holds nothing: run `dvc repro` first"):
        restoration_inputs.load(tmp_path)
