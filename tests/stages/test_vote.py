"""Stage vote: sides, repeats, checks; the planted order comes out. People: test_vote_people.py."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from curate import tables
from curate.errors import ParamsError
from curate.restoration import comparison_plan, table_schemas
from curate.restoration.comparison_plan import CLEAN, SPOILT
from tests.restoration import restoration_rows
from tests.stages.comparing_people import read, run

MODELS = {"bicubic": 0.70, "compact": 0.80, "large": 0.90}


def project(
    folder: Path,
    images: int = 40,
    *,
    crops: int = 1,
    unmeasured: int = 0,
    failed: dict[str, Collection[int]] | None = None,
) -> None:
    """`crops` pairs per image; of the first `unmeasured` pairs the model large has no figure.

    `failed`: pairs on which each model failed.
    """
    failures = {"large": [3]} if failed is None else failed
    upscaled, measured, pairs = [], [], []
    for n in range(images):
        pairs.append(restoration_rows.pair(f"p{n:02}", image_id=f"i{n // crops}"))
        for model, figure in MODELS.items():
            path = None if n in failures.get(model, ()) else f"{model}/{n}.png"
            upscaled.append(restoration_rows.upscaled(model, f"p{n:02}", path=path))
            if model == "large" and n < unmeasured:
                continue
            row = {"model": model, "pair_id": f"p{n:02}", "metric": "ssim", "value": figure, "reason": None}
            measured.append(row | {"color": "y", "border": 4})
    tables.write_rows(pairs, folder / "pairs.parquet", table_schemas.IMAGE_PAIRS)
    tables.write_rows(upscaled, folder / "upscaled.parquet", table_schemas.UPSCALED)
    tables.write_rows(measured, folder / "figures.parquet", table_schemas.MEASURED)


def plan_of(results: dict[str, list[str]]) -> list[comparison_plan.Comparison]:
    return comparison_plan.plan(
        results, max_pairs=50, round_pairs=10, repeat_share=0.1, attention_share=0.05, seed=4
    )


def test_the_plan_asks_every_pair_once_with_sides_at_random() -> None:
    results = {f"p{n}": ["a", "b", "c"] for n in range(100)} | {"alone": ["a"]}
    planned = plan_of(results)
    kinds = Counter(one.kind for one in planned)
    assert kinds["vote"] == 150
    assert 8 <= kinds["repeat"] <= 22  # each with a chance of 0.1
    assert 4 <= kinds["attention"] <= 12
    assert len({one.comparison_id for one in planned}) == len(planned)
    votes = {one.comparison_id: one for one in planned if one.kind == "vote"}
    assert 50 < sum(one.left < one.right for one in votes.values()) < 100
    for one in planned:
        if one.kind == "repeat":  # asked before or after with the sides exchanged
            (same,) = [
                v
                for v in votes.values()
                if v.pair_id == one.pair_id and {v.left, v.right} == {one.left, one.right}
            ]
            assert (same.left, same.right) == (one.right, one.left)
        if one.kind == "attention":
            assert {one.left, one.right} == {CLEAN, SPOILT}
    assert "alone" not in {one.pair_id for one in planned}
    assert planned == plan_of(results)
    assert not any(name in one.comparison_id for one in planned for name in ("bicubic", "compact"))


def test_the_planted_order_comes_out_and_the_stage_stops_when_it_is_settled(tmp_path: Path) -> None:
    project(tmp_path)
    report = run(tmp_path, noise=0.5)
    ranking = read(tmp_path / "ranking.csv")
    assert [row["model"] for row in ranking] == ["large", "compact", "bicubic"]
    assert {row["raters"] for row in ranking} == {"simulated"}
    assert report.metrics["settled"] is True
    assert report.metrics["rounds"] < 4
    assert report.metrics["attention"]["passed"] == report.metrics["attention"]["asked"] > 0
    assert 0.5 < report.metrics["agreement"] <= 1
    shown = {(row["pair_id"], row["winner"]) for row in read(tmp_path / "votes.csv")}
    assert ("p03", "large") not in shown  # it failed there


def test_equal_models_are_never_settled_and_the_budget_ends_it(tmp_path: Path) -> None:
    project(tmp_path)
    report = run(tmp_path, noise=100, number=1)
    assert report.metrics["settled"] is False
    assert report.metrics["rounds"] == 4


def test_without_raters_there_is_a_plan_and_no_ranking(tmp_path: Path) -> None:
    project(tmp_path, images=4)
    report = run(tmp_path, raters="none")
    assert report.metrics == {"raters": "none"}
    assert len(read(tmp_path / "plan.csv")) > 0
    assert read(tmp_path / "ranking.csv") == []


def test_two_runs_are_the_same_and_a_metric_that_is_not_there_is_refused(tmp_path: Path) -> None:
    project(tmp_path)
    run(tmp_path)
    before = [(tmp_path / name).read_bytes() for name in ("plan.csv", "votes.csv", "ranking.csv")]
    run(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in ("plan.csv", "votes.csv", "ranking.csv")] == before
    with pytest.raises(ParamsError, match=r"vote\.metric = 'lpips' was not measured"):
        run(tmp_path, metric="lpips")


def interval(folder: Path) -> float:
    first = read(folder / "ranking.csv")[0]
    return float(first["high"]) - float(first["low"])


def test_images_are_resampled_and_not_their_crops(tmp_path: Path) -> None:
    """The same votes of 4 images with 10 crops each say less than of 40 images."""
    project(tmp_path)
    run(tmp_path, round_pairs=40)
    of_images, votes = interval(tmp_path), (tmp_path / "votes.csv").read_bytes()
    project(tmp_path, crops=10)
    run(tmp_path, round_pairs=40)
    assert (tmp_path / "votes.csv").read_bytes() == votes
    assert interval(tmp_path) != of_images
    project(tmp_path, crops=40)
    report = run(tmp_path, round_pairs=40)
    assert read(tmp_path / "ranking.csv")[0]["low"] == ""
    assert report.metrics["settled"] is False
    json.dumps(report.metrics, allow_nan=False)


def test_comparisons_without_a_figure_are_left_out_and_counted(tmp_path: Path) -> None:
    project(tmp_path, unmeasured=3)
    report = run(tmp_path, max_pairs=40, repeat_share=0, round_pairs=40)
    counts = dict(report.counts)
    assert counts["without a figure"] == 3 * 2
    shown = {(row["pair_id"], row["winner"], row["loser"]) for row in read(tmp_path / "votes.csv")}
    assert not any(image < "p03" and "large" in models for image, *models in shown)
    assert ("p01", "bicubic", "compact") in shown or ("p01", "compact", "bicubic") in shown


def test_rounds_go_on_until_a_model_that_failed_at_first_was_compared(tmp_path: Path) -> None:
    """Two models are settled after two rounds of four; the third has results only on pairs of a later one."""
    project(tmp_path, failed={})
    run(tmp_path, raters="none", round_pairs=10)
    order = list(dict.fromkeys(row["pair_id"] for row in read(tmp_path / "plan.csv")))
    early = [int(pair[1:]) for pair in order[:20]]
    project(tmp_path, failed={"large": early})
    report = run(tmp_path, noise=0.5, round_pairs=10)
    assert [row["model"] for row in read(tmp_path / "ranking.csv")] == ["large", "compact", "bicubic"]
    assert report.metrics["rounds"] >= 3
    assert not [name for name, _ in report.counts if "not ranked" in name]


def test_a_model_that_is_in_no_ranking_is_named_and_nothing_is_settled(tmp_path: Path) -> None:
    project(tmp_path, unmeasured=40)
    report = run(tmp_path, noise=0.5)
    assert [row["model"] for row in read(tmp_path / "ranking.csv")] == ["compact", "bicubic"]
    assert dict(report.counts)["models that are not ranked (large)"] == 1
    assert report.metrics["settled"] is False
    project(tmp_path, failed={"large": range(40)})
    failed = run(tmp_path, noise=0.5)
    assert dict(failed.counts)["models that are not ranked (large)"] == 1
    assert failed.metrics["settled"] is True  # of the models that have results
