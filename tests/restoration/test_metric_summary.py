"""Means, intervals and disputes of metrics, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from curate.restoration import metric_summary as summary

PAIRS = {f"p{n}": {"image_id": f"i{n // 2}", "preset": "a" if n < 4 else "b"} for n in range(8)}
VALUES = {
    ("bicubic", "psnr"): {f"p{n}": 20.0 + n for n in range(8)},
    ("model", "psnr"): {f"p{n}": 21.0 + n for n in range(7)},  # p7 was not measured
}


def summarize(
    values: summary.Values, pairs: dict[str, dict[str, str]], reasons: summary.Reasons | None = None
) -> list[summary.Row]:
    return summary.summarize(
        values,
        pairs,
        reasons=reasons or {},
        slices=["preset"],
        baseline="bicubic",
        resamples=500,
        seed=1,
    )


def rows() -> dict[tuple[str, str], summary.Row]:
    found = summarize(VALUES, PAIRS)
    return {(row.model, row.slice_value): row for row in found}


def test_means_by_slice_and_differences_on_the_same_images() -> None:
    found = rows()
    assert found["bicubic", "all"].mean.value == pytest.approx(23.0)  # without p7, which model has not
    assert found["bicubic", "a"].mean.value == pytest.approx(21.5)
    assert found["bicubic", "b"].mean.value == pytest.approx(25.0)
    assert found["bicubic", "all"].not_measured == 0
    model = found["model", "all"]
    assert (model.mean.n, model.not_measured) == (7, 1)
    assert model.difference.value == pytest.approx(1.0)
    assert model.difference.low == pytest.approx(1.0)  # the same on each image: no spread
    assert found["bicubic", "all"].difference.value is None
    for row in found.values():
        lacking = row.slice_value != "a"
        assert row.left_out == lacking
        assert row.why_left_out == ("1 by model: no result" if lacking else "")


def test_an_exact_result_does_not_lower_its_model() -> None:
    """Of the better model one result is exact; over its own pairs its mean would be 30.0 against 44.5."""
    pairs = {name: {"image_id": name, "preset": "a"} for name in ("p", "q", "r")}
    values = {
        ("good", "psnr"): {"p": 30.0, "r": 28.0},
        ("bad", "psnr"): {"p": 29.0, "q": 60.0},
        ("never", "psnr"): {},
    }
    reasons = {("good", "psnr"): {"q": "equal to the original"}}
    found = {row.model: row for row in summarize(values, pairs, reasons) if row.slice == "all"}
    assert {name: (row.mean.value, row.mean.n) for name, row in found.items()} == {
        "good": (30.0, 1),
        "bad": (29.0, 1),
        "never": (None, 0),
    }
    assert {row.left_out for row in found.values()} == {2}
    assert {row.why_left_out for row in found.values()} == {
        "1 by bad: no result; 1 by good: equal to the original"
    }
    assert [found[name].not_measured for name in ("good", "bad", "never")] == [1, 1, 3]


def test_images_not_pairs_are_resampled() -> None:
    """Ten copies of each pair of one image tell nothing new, and the interval does not shrink."""
    rng = np.random.default_rng(2)
    values, images = list(rng.normal(30, 2, 20)), [f"i{n}" for n in range(20)]
    once = summary.mean_with_interval(values, images, scale="positive", resamples=800, seed=0)
    often = summary.mean_with_interval(values * 10, images * 10, scale="positive", resamples=800, seed=0)
    assert once.low is not None
    assert often.low == pytest.approx(once.low)
    assert often.n == 200


def test_one_image_has_no_interval_and_says_why() -> None:
    alone = summary.mean_with_interval([3.0, 4.0], ["i", "i"], scale="positive", resamples=100, seed=0)
    assert (alone.value, alone.low, alone.reason) == (3.5, None, "too few images for an interval")


def test_intervals_of_a_mean_cover_the_truth() -> None:
    rng, hits = np.random.default_rng(3), 0
    for seed in range(300):
        values = list(rng.normal(25, 3, 30))
        found = summary.mean_with_interval(
            values, [str(n) for n in range(30)], scale="positive", resamples=200, seed=seed
        )
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 25 <= found.high
    assert 0.91 <= hits / 300 <= 0.98


def test_the_worst_come_first_in_the_metrics_own_sense() -> None:
    assert summary.worst({"a": 3, "b": 1, "c": 2}, higher_is_better=True, max_results=2) == ["b", "c"]
    assert summary.worst({"a": 3, "b": 1, "c": 2}, higher_is_better=False, max_results=2) == ["a", "c"]


def test_a_dispute_is_where_ranks_differ_most() -> None:
    by_metric = {"psnr": {"a": 30, "b": 20, "c": 25}, "lpips": {"a": 0.5, "b": 0.1, "c": 0.2}}
    better = {"psnr": True, "lpips": False}
    found = summary.disputed(by_metric, better, max_results=5)
    assert found == [("a", "psnr", "lpips"), ("b", "lpips", "psnr")]
    assert summary.disputed({"psnr": by_metric["psnr"]}, better, max_results=5) == []
