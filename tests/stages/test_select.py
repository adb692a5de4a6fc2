"""Stage select on a small project."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import schema, tables
from curate.errors import InputError, ParamsError, TableError
from curate.labeling import fitted_precision
from curate.labeling.fitted_precision import Promise
from curate.params import QaParams
from curate.records import StageReport
from curate.stages import select
from tests import builders
from tests.shown import showing

PLAN = "data/select/plan.parquet"
KEPT = ("one", "two", "three", "four", "five", "six")
PLAIN: dict[str, Any] = {"overlap_share": 0.0, "control_share": 0.0}
FITTED = Promise(
    precision=0.95, confidence=0.95, together=False, model_versions=("unit-1",),
    thresholds={"stop_sign": 0.4, "parking_sign": 0.4},
)  # fmt: skip


def run(root: Path, **params: Any) -> StageReport:
    return select.run(
        QaParams(**{**PLAIN, **params}),
        inputs=select.Inputs(
            images=root / "data/dedupe/images.parquet",
            annotations=root / "data/autolabel/annotations.parquet",
            taxonomy=root / "taxonomy.yaml",
            shown=root / "data/push/shown",
            imported=root / "labels/answers",
        ),
        outputs=select.Outputs(plan=root / PLAN, plots=root / "plots"),
    )


def rows(root: Path) -> dict[str, dict[str, Any]]:
    """The first slot of each image, by the image's name."""
    plan = tables.read(root / PLAN, schema.PLAN).to_pylist()
    names = {builders.image_id(name): name for name in KEPT}
    return {names[row["image_id"]]: row for row in plan if row["slot"] == 0}


@pytest.fixture
def project(tmp_path: Path) -> builders.SmallProject:
    return builders.small_project(tmp_path, stage="autolabel")


def test_one_task_a_kept_image(tmp_path: Path, project: builders.SmallProject) -> None:
    report = run(tmp_path)
    kept = {image.image_id for image in project.images if image.drop_reason is None}
    assert {row["image_id"] for row in rows(tmp_path).values()} == kept
    assert report.line() == (
        "select: 6 tasks, 0 overlap tasks, 6 labeler slots, 6 review, 6 audit images needed"
    )
    assert {row["priority"] for row in rows(tmp_path).values()} == set(range(6))


@pytest.mark.usefixtures("project")
def test_every_part_is_counted_and_drawn(tmp_path: Path) -> None:
    report = run(tmp_path, overlap_share=1.0, control_share=0.4, audit=1, rare_floor=1, seeded_errors=1.0)
    counts = dict(report.counts)
    assert counts["tasks"] == counts["overlap tasks"] == 6
    assert counts["labeler slots"] == 12
    assert sum(report.metrics["by_reason"].values()) == sum(report.metrics["by_arm"].values()) == 6
    assert report.metrics["by_reason"]["control"] == report.metrics["by_arm"]["control"] > 0
    assert report.metrics["audit"]["drawn"] == 1
    assert report.metrics["audit"]["needed"] == 6
    assert 0.4 < report.metrics["audit"]["margin"] < 1.0
    assert report.metrics["seeded_errors"] == {}  # overlap images stay as they are
    json.dumps(dict(report.metrics), allow_nan=False)
    with (tmp_path / "plots/select_reasons.csv").open(newline="") as file:
        drawn = {row["reason"]: int(row["looks"]) for row in csv.DictReader(file)}
    assert drawn["overlap"] == 6
    assert sum(drawn.values()) == 12


@pytest.mark.usefixtures("project")
def test_twice_the_same_bytes(tmp_path: Path) -> None:
    settings = {"overlap_share": 0.5, "overlap": 3, "audit": 2, "uncertain": 0.5, "rare_floor": 1}
    run(tmp_path, **settings)
    first = (tmp_path / PLAN).read_bytes()
    run(tmp_path, **settings)
    assert (tmp_path / PLAN).read_bytes() == first
    (tmp_path / PLAN).unlink()
    run(tmp_path, **settings)
    assert (tmp_path / PLAN).read_bytes() == first


@pytest.mark.usefixtures("project")
def test_gold_is_planned_like_any_other_image(tmp_path: Path) -> None:
    box = (20.0, 20.0, 80.0, 80.0)
    known = [builders.annotation(name, "stop_sign", box, origin="gold") for name in ("one", "copy")]
    gold = builders.write_annotations(tmp_path / "gold.parquet", known)
    run(tmp_path, gold=gold, gold_labelers=2)
    assert {name for name, row in rows(tmp_path).items() if row["reason"] == "gold"} == {"one"}
    assert rows(tmp_path)["one"]["arm"] == "suggested"
    slots = [row for row in tables.read(tmp_path / PLAN, schema.PLAN).to_pylist() if row["reason"] == "gold"]
    assert [row["slot"] for row in slots] == [0, 1]
    with pytest.raises(InputError, match=r"qa\.gold = .* does not exist"):
        run(tmp_path, gold=tmp_path / "gone")


@pytest.mark.usefixtures("project")
def test_an_image_that_is_not_kept_any_more_leaves_the_plan(tmp_path: Path) -> None:
    run(tmp_path)
    records = [builders.image(name) for name in KEPT if name != "six"]
    builders.write_images(tmp_path / "data/dedupe/images.parquet", records)
    before = rows(tmp_path)
    report = run(tmp_path)
    assert report.this_run == (("left the earlier plan", 1),)
    assert rows(tmp_path) == {name: row for name, row in before.items() if name != "six"}


@pytest.mark.usefixtures("project")
def test_without_the_rest_images_stay_out(tmp_path: Path) -> None:
    report = run(tmp_path, rest="none", audit=2)
    assert len(rows(tmp_path)) == 2
    assert report.metrics["not_in_the_plan"] == 4


def fitted(root: Path, kept: Promise | None = FITTED) -> None:
    path = root / "taxonomy.yaml"
    path.write_text(fitted_precision.written(builders.TAXONOMY, kept, path))


def test_acceptance_needs_a_fit_of_these_thresholds_for_this_model(
    tmp_path: Path, project: builders.SmallProject
) -> None:
    with pytest.raises(ParamsError, match=r"needs thresholds that were fitted with a bound: run `curate thr"):
        run(tmp_path, auto_accept=True)
    fitted(tmp_path, FITTED.model_copy(update={"precision": 0.9}))
    with pytest.raises(
        ParamsError, match=r"fitted for a precision of 0\.9, and qa\.accept_precision is 0\.95"
    ):
        run(tmp_path, auto_accept=True)
    run(tmp_path, auto_accept=True, accept_precision=0.9)
    fitted(tmp_path, FITTED.model_copy(update={"thresholds": {"stop_sign": 0.5}}))
    with pytest.raises(ParamsError, match=r"'stop_sign' has the threshold 0\.4, and 0\.5 was fitted"):
        run(tmp_path, auto_accept=True)
    fitted(tmp_path)
    newer = [replace(row, model_version="unit-2") for row in project.annotations["autolabel"]]
    builders.write_annotations(tmp_path / "data/autolabel/annotations.parquet", newer)
    with pytest.raises(ParamsError, match="fitted for another model than unit-2"):
        run(tmp_path, auto_accept=True)


@pytest.mark.usefixtures("project")
def test_accepted_images_say_so_and_have_no_labeler(tmp_path: Path) -> None:
    """Scores fall from 0.90 ("one") by 0.05 to 0.65 ("six"); "three" has two boxes, "four" none."""
    fitted(tmp_path)
    report = run(tmp_path, auto_accept=True, accept_margin=0.36)
    accepted = {name: row for name, row in rows(tmp_path).items() if row["arm"] == "accepted"}
    assert set(accepted) == {"one", "two"}  # "four" has no suggestion
    assert {row["reason"] for row in accepted.values()} == {"accepted"}
    assert accepted["two"]["detail"] == (
        "no human looked: 1 suggestions, each 0.45 or more over a fitted threshold"
    )
    assert dict(report.counts)["tasks"] == 4
    assert dict(report.counts)["accepted"] == 2
    run(tmp_path, auto_accept=False)
    assert {row["arm"] for row in rows(tmp_path).values()} == {"suggested"}
    run(tmp_path, auto_accept=True, accept_margin=0.36)
    assert {row["arm"] for row in rows(tmp_path).values()} == {"suggested"}, "people have them now"


@pytest.mark.usefixtures("project")
def test_what_people_ever_had_is_never_accepted(tmp_path: Path) -> None:
    """Also where the last plan does not name it: it left the plan and came back, or the plan was lost."""
    fitted(tmp_path)
    showing.write(tmp_path / "data/push/shown", [showing.row("one", ["unit-1"])], since=showing.at(10))
    run(tmp_path, auto_accept=True, accept_margin=0.36)
    accepted = {name for name, row in rows(tmp_path).items() if row["arm"] == "accepted"}
    assert accepted == {"two"}


@pytest.mark.usefixtures("project")
def test_what_somebody_answered_elsewhere_is_never_accepted(tmp_path: Path) -> None:
    """Also where it was accepted by the plan before; an image that was found empty is answered too."""
    fitted(tmp_path)
    run(tmp_path, auto_accept=True, accept_margin=0.36)
    assert {name for name, row in rows(tmp_path).items() if row["arm"] == "accepted"} == {"one", "two"}
    answer = builders.annotation("one", None, None, annotator_id="anna")
    builders.write_annotations(tmp_path / "labels/answers/anna.parquet", [answer])
    run(tmp_path, auto_accept=True, accept_margin=0.36)
    assert {name for name, row in rows(tmp_path).items() if row["arm"] == "accepted"} == {"two"}
    assert rows(tmp_path)["one"]["reason"] == "review"


@pytest.mark.usefixtures("project")
def test_what_is_drawn_for_people_is_never_accepted(tmp_path: Path) -> None:
    fitted(tmp_path)
    run(tmp_path, auto_accept=True, audit=6)
    assert {row["reason"] for row in rows(tmp_path).values()} == {"audit"}
    assert rows(tmp_path)["one"]["arm"] == "suggested"


@pytest.mark.usefixtures("project")
def test_a_category_that_no_threshold_was_fitted_for_is_never_accepted(tmp_path: Path) -> None:
    fitted(tmp_path, FITTED.model_copy(update={"thresholds": {"stop_sign": 0.4}}))
    run(tmp_path, auto_accept=True)
    accepted = {name for name, row in rows(tmp_path).items() if row["arm"] == "accepted"}
    assert accepted == {"one", "five"}


@pytest.mark.usefixtures("project")
def test_no_kept_image_is_one_line(tmp_path: Path) -> None:
    dropped = builders.image("gone", drop_reason="too_small")
    builders.write_images(tmp_path / "data/dedupe/images.parquet", [dropped])
    with pytest.raises(InputError, match="no image that was kept"):
        run(tmp_path)


@pytest.mark.usefixtures("project")
def test_tables_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / PLAN).write_bytes((tmp_path / PLAN).read_bytes()[:50])
    with pytest.raises(TableError, match=r"plan\.parquet is damaged .*delete it to plan anew"):
        run(tmp_path)
    (tmp_path / PLAN).unlink()
    (tmp_path / "data/autolabel/annotations.parquet").unlink()
    with pytest.raises(TableError, match="run the stage autolabel"):
        run(tmp_path)


def test_a_missing_table_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "taxonomy.yaml").write_text(builders.TAXONOMY)
    with pytest.raises(TableError, match="run the stage ingest or dedupe first"):
        run(tmp_path)


@pytest.mark.usefixtures("project")
def test_a_model_that_said_nothing_leaves_everything_to_people(tmp_path: Path) -> None:
    path = tmp_path / "data/autolabel/annotations.parquet"
    builders.write_annotations(path, [])
    fitted(tmp_path)
    run(tmp_path, auto_accept=True, seeded_errors=1.0, uncertain=3, rare_floor=2)
    assert {row["reason"] for row in rows(tmp_path).values()} == {"review"}
    failed = [
        replace(builders.annotation(name, None, None, origin="model"), outcome="failed", reject_reason="torn")
        for name in KEPT
    ]
    builders.write_annotations(path, failed)
    report = run(tmp_path, auto_accept=True)
    assert {row["arm"] for row in rows(tmp_path).values()} == {"suggested"}
    assert "6 that no model could look at" in report.line()
    (tmp_path / PLAN).unlink()
    report = run(tmp_path, rest="none", uncertain=3)
    assert report.counts[0] == ("tasks", 0)
    assert "6 that no model could look at" in report.line(), "not like images on which a model found nothing"


@pytest.mark.usefixtures("project")
def test_a_plan_of_an_older_schema_is_made_anew(tmp_path: Path) -> None:
    run(tmp_path)
    made = (tmp_path / PLAN).read_bytes()
    old = pa.table({"task_id": ["a"], "reason": ["review"]})
    old = old.replace_schema_metadata({"curate.schema_version": "2", "curate.table": "plan"})
    pq.write_table(old, tmp_path / PLAN)
    run(tmp_path)
    assert (tmp_path / PLAN).read_bytes() == made


@pytest.mark.usefixtures("project")
def test_a_plan_of_another_version_with_the_same_columns_goes_on(tmp_path: Path) -> None:
    """Another table changed; the queue, gold and labelers of this one must not start anew."""
    run(tmp_path)
    table = pq.read_table(tmp_path / PLAN)
    places = pa.array([100 + place for place in table["priority"].to_pylist()], pa.int32())
    older = table.set_column(table.schema.get_field_index("priority"), table.schema.field("priority"), places)
    older = older.replace_schema_metadata({"curate.schema_version": "2", "curate.table": "plan"})
    pq.write_table(older, tmp_path / PLAN)
    run(tmp_path)
    assert {row["priority"] for row in rows(tmp_path).values()} == set(places.to_pylist())
