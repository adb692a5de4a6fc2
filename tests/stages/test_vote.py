"""Stage vote: sides, repeats, checks; the planted order comes out; people are asked in rounds."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from curate import tables
from curate.errors import ParamsError, WaitingForPeopleError
from curate.params import VoteParams
from curate.ports.comparison import ComparisonTool
from curate.records import StageReport
from curate.restoration import comparison_plan, table_schemas
from curate.restoration.comparison_plan import CLEAN, SPOILT
from curate.stages import vote
from tests.restoration import restoration_rows
from tests.stages import comparing_people
from tests.stages.comparing_people import ComparingPeople

MODELS = {"bicubic": 0.70, "compact": 0.80, "large": 0.90}


def project(folder: Path, images: int = 40, *, crops: int = 1, unmeasured: int = 0) -> None:
    """`crops` pairs per image; of the first `unmeasured` pairs the model large has no figure."""
    upscaled, measured, pairs = [], [], []
    for n in range(images):
        pairs.append(restoration_rows.pair(f"p{n:02}", image_id=f"i{n // crops}"))
        for model, figure in MODELS.items():
            failed = (model, n) == ("large", 3)
            path = None if failed else f"{model}/{n}.png"
            upscaled.append(restoration_rows.upscaled(model, f"p{n:02}", path=path))
            if model == "large" and n < unmeasured:
                continue
            row = {"model": model, "pair_id": f"p{n:02}", "metric": "ssim", "value": figure, "reason": None}
            measured.append(row | {"color": "y", "border": 4})
    tables.write_rows(pairs, folder / "pairs.parquet", table_schemas.IMAGE_PAIRS)
    tables.write_rows(upscaled, folder / "upscaled.parquet", table_schemas.UPSCALED)
    tables.write_rows(measured, folder / "figures.parquet", table_schemas.MEASURED)


def run(folder: Path, tool: ComparisonTool | None = None, **settings: object) -> StageReport:
    raters = "simulated" if tool is None else "labelstudio"
    params = VoteParams.model_validate({"raters": raters, "bootstrap": 100, **settings})
    return vote.run(
        params,
        inputs=vote.Inputs(folder / "pairs.parquet", folder / "upscaled.parquet", folder / "figures.parquet"),
        outputs=vote.Outputs(
            folder / "plan.csv",
            folder / "votes.csv",
            folder / "ranking.csv",
            folder / "pictures",
            folder / "people.csv",
        ),
        ports=vote.Ports(tool, "a set votes"),
    )


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_plan_asks_every_pair_once_with_sides_at_random() -> None:
    results = {f"p{n}": ["a", "b", "c"] for n in range(100)} | {"alone": ["a"]}
    planned = comparison_plan.plan(results, images=50, repeat_share=0.1, attention_share=0.05, seed=4)
    kinds = Counter(one.kind for one in planned)
    assert kinds == {"vote": 150, "repeat": 15, "attention": 8}
    assert len({one.comparison_id for one in planned}) == len(planned)
    votes = {one.comparison_id: one for one in planned if one.kind == "vote"}
    assert 50 < sum(one.left < one.right for one in votes.values()) < 100
    for one in planned:
        if one.kind == "repeat":  # asked before or after with the sides exchanged
            (same,) = [
                v
                for v in votes.values()
                if v.image_id == one.image_id and {v.left, v.right} == {one.left, one.right}
            ]
            assert (same.left, same.right) == (one.right, one.left)
        if one.kind == "attention":
            assert {one.left, one.right} == {CLEAN, SPOILT}
    assert "alone" not in {one.image_id for one in planned}
    assert planned == comparison_plan.plan(results, images=50, repeat_share=0.1, attention_share=0.05, seed=4)
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
    shown = {(row["image_id"], row["winner"]) for row in read(tmp_path / "votes.csv")}
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
    run(tmp_path, round_images=40)
    of_images, votes = interval(tmp_path), (tmp_path / "votes.csv").read_bytes()
    project(tmp_path, crops=10)
    run(tmp_path, round_images=40)
    assert (tmp_path / "votes.csv").read_bytes() == votes
    assert interval(tmp_path) != of_images
    project(tmp_path, crops=40)
    report = run(tmp_path, round_images=40)
    assert read(tmp_path / "ranking.csv")[0]["low"] == ""
    assert report.metrics["settled"] is False
    json.dumps(report.metrics, allow_nan=False)


def test_comparisons_without_a_figure_are_left_out_and_counted(tmp_path: Path) -> None:
    project(tmp_path, unmeasured=3)
    report = run(tmp_path, images=40, repeat_share=0, round_images=40)
    counts = dict(report.counts)
    assert counts["without a figure"] == 3 * 2
    shown = {(row["image_id"], row["winner"], row["loser"]) for row in read(tmp_path / "votes.csv")}
    assert not any(image < "p03" and "large" in models for image, *models in shown)
    assert ("p01", "bicubic", "compact") in shown or ("p01", "compact", "bicubic") in shown


BRIGHT = {"bicubic": 60, "compact": 120, "large": 180}
CLEAN_GRAY, ANN, BOB, CAL = 250, "ann@x.invalid", "bob@x.invalid", "cal@x.invalid"


def shown_project(folder: Path, images: int = 12, *, bright: dict[str, int] = BRIGHT) -> None:
    """Results that people can look at: the better model's are brighter, and the clean image is the brightest.

    Blur and noise around it make the spoilt one darker: noise above white is cut.
    """
    files = comparing_people.pictures(folder / "results", {**bright, "clean": CLEAN_GRAY}, images)
    names = [f"p{n:02}" for n in range(images)]
    pairs = [restoration_rows.pair(p, image_id=f"i{p}", hr_path=str(files[p, "clean"])) for p in names]
    rows = [restoration_rows.upscaled(m, p, path=str(files[p, m])) for p in names for m in bright]
    tables.write_rows(pairs, folder / "pairs.parquet", table_schemas.IMAGE_PAIRS)
    tables.write_rows(rows, folder / "upscaled.parquet", table_schemas.UPSCALED)


def test_people_are_asked_round_by_round_until_the_order_is_settled(tmp_path: Path) -> None:
    shown_project(tmp_path)
    people, settings = ComparingPeople(), {"number": 2, "round_images": 3, "attention_share": 0.2}
    with pytest.raises(WaitingForPeopleError, match=r"0 of \d+ votes of round 1 of at most 4 are in at http"):
        run(tmp_path, people, **settings)
    first = list(people.offered)
    assert not (tmp_path / "ranking.csv").exists()
    people.work(ANN)
    people.work(BOB, most=5)
    with pytest.raises(WaitingForPeopleError, match=f"{len(first) + 5} of {2 * len(first)} votes of round 1"):
        run(tmp_path, people, **settings)
    assert people.offered == first  # nothing new before the round is done
    people.work(BOB)
    with pytest.raises(WaitingForPeopleError, match="of round 2 of at most 4"):
        run(tmp_path, people, **settings)
    assert people.offered[: len(first)] == first
    people.work(ANN)
    people.work(BOB)
    report = run(tmp_path, people, **settings)
    assert [row["model"] for row in read(tmp_path / "ranking.csv")] == ["large", "compact", "bicubic"]
    assert {row["raters"] for row in read(tmp_path / "ranking.csv")} == {"labelstudio"}
    metrics = report.metrics
    assert (metrics["rounds"], metrics["settled"], metrics["agreement"]) == (2, True, 1.0)
    assert metrics["looks"] == metrics["looks_wanted"] == 2 * len(people.offered)
    checks = metrics["attention"]
    assert checks["passed"] == checks["asked"] > 0
    assert checks["left_out"] == []
    votes = read(tmp_path / "votes.csv")
    assert len(votes) == len(people.votes)
    assert {row["rater_id"] for row in votes} == {"labeler-1", "labeler-2"}
    assert "@" not in json.dumps(metrics) + (tmp_path / "votes.csv").read_text()
    pushes = people.pushes
    run(tmp_path, people, **settings)  # again: the server is asked, and nothing changes
    assert people.pushes == pushes + 1
    assert len(people.tasks) == len(people.offered)


def test_who_fails_the_checks_is_named_left_out_and_counted(tmp_path: Path) -> None:
    shown_project(tmp_path, 6)
    people = ComparingPeople()
    settings = {"number": 3, "round_images": 6, "attention_share": 0.3}
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, **settings)
    people.work(ANN)
    people.work(BOB)
    asked = people.work(CAL, wrong=True)
    report = run(tmp_path, people, **settings)
    assert report.metrics["attention"]["left_out"] == ["labeler-3"]
    assert report.metrics["attention"]["by_rater"]["labeler-3"] == {"passed": 0, "asked": 5}
    assert ("left out, of raters who failed attention checks (labeler-3)", asked) in report.counts
    rows = read(tmp_path / "votes.csv")
    assert {row["counts"] for row in rows if row["rater_id"] == "labeler-3"} == {"no"}
    without = float(read(tmp_path / "ranking.csv")[0]["strength"])
    assert report.metrics["agreement"] == 1.0
    everybody = run(tmp_path, people, **settings, min_attention=0)
    assert everybody.metrics["attention"]["left_out"] == []
    assert float(read(tmp_path / "ranking.csv")[0]["strength"]) < without
    assert len(read(tmp_path / "votes.csv")) == len(rows)  # nobody's vote is thrown away


def test_partial_votes_are_ranked_where_that_is_wanted(tmp_path: Path) -> None:
    shown_project(tmp_path, 4)
    people, settings = ComparingPeople(), {"number": 2, "allow_partial": True}
    none = run(tmp_path, people, **settings)
    assert dict(none.counts)["still open"] == 2 * len(people.offered)
    assert read(tmp_path / "ranking.csv") == []
    people.work(ANN)
    people.work(BOB, skip=True, most=2)
    report = run(tmp_path, people, **settings)
    counts = dict(report.counts)
    assert counts["still open"] == len(people.offered) - 2
    assert counts["skipped"] == 2
    assert len(read(tmp_path / "ranking.csv")) == 3


def test_votes_on_other_pictures_do_not_count_and_are_counted(tmp_path: Path) -> None:
    """A model that makes other pictures has its old votes no more; those on the others stay."""
    shown_project(tmp_path, 3)
    people, settings = ComparingPeople(), {"number": 1, "attention_share": 0, "repeat_share": 0}
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, **settings)
    people.work(ANN)
    run(tmp_path, people, **settings)
    shown_project(tmp_path, 3, bright={**BRIGHT, "compact": 20})
    with pytest.raises(WaitingForPeopleError, match="3 of 9 votes"):
        run(tmp_path, people, **settings)
    people.work(ANN)
    report = run(tmp_path, people, **settings)
    assert [row["model"] for row in read(tmp_path / "ranking.csv")] == ["large", "bicubic", "compact"]
    assert dict(report.counts)["of other pictures, not read"] == 6


def test_nothing_that_people_get_tells_which_model_it_is(tmp_path: Path) -> None:
    shown_project(tmp_path, 5)
    people = ComparingPeople()
    with pytest.raises(WaitingForPeopleError):
        run(tmp_path, people, attention_share=0.3)
    told = repr(list(people.tasks.values())).replace(str(tmp_path), "")
    for path in (tmp_path / "pictures").iterdir():
        content = path.read_bytes()
        assert content.count(b"IDAT") >= 1
        assert not re.search(rb"tEXt|iTXt|zTXt|eXIf", content)
        told += path.name
    assert not re.search("bicubic|compact|large|clean|spoilt|vote|repeat|attention", told)
