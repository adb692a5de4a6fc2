from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.errors import TableError
from curate.params import AgreementParams
from curate.qa import error_injection
from curate.records import Annotation, StageReport, derived_id
from curate.stages import adjudicate, agreement
from tests import builders
from tests.builders import annotation, image_id

OUTPUTS = agreement.Outputs(
    consensus=Path("data/agreement/consensus.parquet"),
    objects=Path("data/agreement/objects.parquet"),
    images=Path("data/agreement/images.parquet"),
    pairs=Path("data/agreement/pairs.parquet"),
    figures=Path("data/agreement/figures.csv"),
    queue=Path("data/agreement/queue.csv"),
    label_errors=Path("data/agreement/label_errors.csv"),
    bad_rows=Path("data/agreement/bad_rows.csv"),
    plots=Path("plots"),
)
INPUTS = agreement.Inputs(
    images=Path("data/dedupe/images.parquet"),
    suggestions=Path("data/autolabel/annotations.parquet"),
    plan=Path("data/select/plan.parquet"),
    annotations=Path("data/pull/annotations.parquet"),
    answers=Path("data/pull/answers.parquet"),
    shown=Path("data/push/shown"),
    taxonomy=Path("taxonomy.yaml"),
)
PORTS = agreement.Ports(LocalEngine(2))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    monkeypatch.chdir(tmp_path)
    return builders.small_project(tmp_path, stage="pull")


def run(**params: Any) -> StageReport:
    return agreement.run(AgreementParams(**params), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def only(rows: Sequence[Annotation]) -> None:
    builders.write_pulled(Path(), rows)


@pytest.mark.usefixtures("project")
def test_the_small_project_from_end_to_end() -> None:
    """Two annotators: all boxes moved by two pixels, "six" named differently, "five" missed by the second."""
    report = run()
    assert dict(report.counts) == {
        "images": 6, "seen by several": 6, "pairs of objects": 5, "consensus objects": 4,
        "to look at again": 2, "without answer": 0, "rows outside the plan": 0, "disputed, held back": 2,
    }  # fmt: skip
    f1 = report.metrics["f1"]
    assert (f1["value"], f1["n"]) == (pytest.approx(2 * 4 / 11, abs=1e-6), 11)
    assert f1["low"] < f1["value"] < f1["high"]
    # 2 by 2: stop-stop 2, park-park 2, park-stop 1
    assert report.metrics["kappa"]["value"] == pytest.approx((0.8 - 0.48) / 0.52, abs=1e-6)
    assert report.metrics["limits"] == {"iou_threshold": 0.5, "label_error_probability": 0.5}
    assert report.metrics["f1_by_category"] == {
        "parking_sign": pytest.approx(4 / 5, abs=1e-6), "stop_sign": pytest.approx(4 / 6, abs=1e-6)
    }  # fmt: skip
    json.dumps(dict(report.metrics), allow_nan=False)
    assert [(row["image_id"], row["reason"], row["f1"]) for row in read_csv(OUTPUTS.queue)] == [
        (image_id("five"), "presence", "0.0"),
        (image_id("six"), "category", "0.0"),
    ]
    consensus = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS)
    assert set(consensus.column("origin").to_pylist()) == {"consensus"}
    empty = [row["image_id"] for row in consensus.to_pylist() if row["outcome"] == "empty"]
    assert empty == [image_id("four")]
    assert not {image_id("five"), image_id("six")} & set(consensus.column("image_id").to_pylist())


@pytest.mark.usefixtures("project")
def test_tables_say_what_the_consensus_rests_on(project: builders.SmallProject) -> None:
    run()
    images = {
        row["image_id"]: row for row in tables.read(OUTPUTS.images, schema.CONSENSUS_IMAGES).to_pylist()
    }
    marked = {key: (row["review"], row["held_back"]) for key, row in images.items() if row["review"]}
    assert marked == {image_id("five"): ("presence", True), image_id("six"): ("category", True)}
    assert all(0 < row["confidence"] <= 1 for row in images.values())
    objects = tables.read(OUTPUTS.objects, schema.CONSENSUS_OBJECTS).to_pylist()
    drawn = {row.annotation_id for row in project.annotations["pull"] if row.outcome == "object"}
    assert sorted(key for row in objects for key in row["made_from"]) == sorted(drawn)
    released = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS)["annotation_id"].to_pylist()
    assert set(released) <= {row["annotation_id"] for row in objects}


@pytest.mark.usefixtures("project")
def test_disputed_objects_can_be_released_as_areas_to_ignore() -> None:
    report = run(disputed="ignore_region")
    assert "disputed, held back" not in dict(report.counts)
    assert dict(report.counts)["consensus objects"] == 4
    rows = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).to_pylist()
    assert {(row["image_id"], row["reject_reason"]) for row in rows if row["outcome"] == "disputed"} == {
        (image_id("five"), "presence"), (image_id("six"), "category")
    }  # fmt: skip
    assert {row["reason"] for row in read_csv(OUTPUTS.queue)} == {"presence", "category"}
    assert {row["held_back"] for row in read_csv(OUTPUTS.queue)} == {"false"}


def test_the_consensus_names_the_taxonomy_of_its_rows(project: builders.SmallProject) -> None:
    human = project.annotations["pull"]
    for digests, expected in (
        (("one",), "one"),
        (("one", "two"), None),
        ((None,), None),
        (("one", None), None),
    ):
        only([replace(row, taxonomy_digest=digests[i % len(digests)]) for i, row in enumerate(human)])
        run()
        agreed = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS)["taxonomy_digest"].to_pylist()
        assert set(agreed) == {expected}


def test_pairs_are_the_matches_and_what_only_one_drew(project: builders.SmallProject) -> None:
    run()
    by_id = {row.annotation_id: row for row in project.annotations["pull"]}
    rows = tables.read(OUTPUTS.pairs, schema.PAIRS).to_pylist()
    assert len(rows) == 6
    for row in rows:
        assert (row["annotator_a"], row["annotator_b"]) == builders.ANNOTATORS
        for side in ("a", "b"):
            drawn = row[f"annotation_{side}"]
            if drawn is not None:
                assert by_id[drawn].category == row[f"category_{side}"]
                assert by_id[drawn].annotator_id == row[f"annotator_{side}"]
                assert by_id[drawn].image_id == row["image_id"]
        matched = row["annotation_a"] is not None and row["annotation_b"] is not None
        assert (row["box_iou"] is not None) == matched == (row["mask_iou"] is not None)
    (missed,) = [row for row in rows if row["annotation_b"] is None]
    assert missed["image_id"] == image_id("five")


@pytest.mark.usefixtures("project")
def test_plots_say_something_about_every_category_and_pair() -> None:
    run()
    by_category = read_csv(OUTPUTS.plots / "agreement_by_category.csv")
    assert [(row["category"], row["pairs"], row["objects"]) for row in by_category] == [
        ("parking_sign", "2", "5"), ("stop_sign", "2", "6")
    ]  # fmt: skip
    histogram = read_csv(OUTPUTS.plots / "iou_histogram.csv")
    assert sum(int(row["count"]) for row in histogram) == 5
    assert histogram[-1]["bin"] == "0.95"
    (people,) = read_csv(OUTPUTS.plots / "annotator_pairs.csv")
    assert people["pair"] == "labeler-1 / labeler-2"
    assert float(people["f1"]) == pytest.approx(8 / 11, abs=1e-6)


@pytest.mark.usefixtures("project")
def test_two_runs_give_the_same_bytes() -> None:
    def everything() -> dict[str, bytes]:
        paths = [
            OUTPUTS.consensus,
            OUTPUTS.objects,
            OUTPUTS.images,
            OUTPUTS.pairs,
            OUTPUTS.queue,
            *sorted(OUTPUTS.plots.iterdir()),
        ]
        return {path.name: path.read_bytes() for path in paths}

    first = run()
    before = everything()
    assert run() == first
    assert everything() == before


def test_without_overlap_files_have_headers_and_figures_are_null(project: builders.SmallProject) -> None:
    first = [row for row in project.annotations["pull"] if row.annotator_id == builders.ANNOTATORS[0]]
    only(first)
    report = run()
    assert dict(report.counts)["seen by several"] == 0
    undefined = {"value": None, "low": None, "high": None, "se": None, "n": 0}
    assert {row["value"] for row in read_csv(OUTPUTS.figures)} == {"undefined"}
    assert all(row["reason"] for row in read_csv(OUTPUTS.figures))
    for name in ("f1", "mean_box_iou", "mean_mask_iou", "kappa", "kappa_with_missed", "alpha"):
        reason = report.metrics[name].pop("reason")
        assert report.metrics[name] == undefined
        assert reason.startswith("no ")
    assert set(report.metrics["f1_by_category"].values()) <= {None}
    assert read_csv(OUTPUTS.queue) == []
    assert OUTPUTS.queue.read_text() == "image_id,path,reason,f1,mean_iou,cost,held_back,decision,detail\n"
    assert (OUTPUTS.plots / "iou_histogram.csv").read_text() == "bin,count\n"
    assert (OUTPUTS.plots / "annotator_pairs.csv").read_text().count("\n") == 1
    assert tables.read(OUTPUTS.pairs, schema.PAIRS).num_rows == 0
    kept = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).to_pylist()
    assert {(row["image_id"], row["rle"]) for row in kept} == {(row.image_id, row.rle) for row in first}


@pytest.mark.usefixtures("project")
def test_with_no_answer_at_all_tables_are_empty() -> None:
    only([])
    report = run()
    assert dict(report.counts)["without answer"] == 6
    assert tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).num_rows == 0


@pytest.mark.usefixtures("project")
def test_skipped_images_stand_first_in_the_queue() -> None:
    first, second = builders.ANNOTATORS
    box = (20.0, 20.0, 80.0, 80.0)
    only(
        [
            *(annotation("one", None, None, annotator_id=p, outcome="skipped") for p in (first, second)),
            annotation("two", None, None, annotator_id=first, outcome="skipped"),
            annotation("two", "stop_sign", box, annotator_id=second),
            annotation("three", "stop_sign", box, annotator_id=first),
            annotation("three", None, None, annotator_id=second),
        ]
    )
    run()
    rows = read_csv(OUTPUTS.queue)
    assert [(row["image_id"], row["reason"]) for row in rows] == [
        (image_id("one"), "skipped"), (image_id("three"), "presence"), (image_id("two"), "partly_skipped")
    ]  # fmt: skip
    consensus = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).column("image_id").to_pylist()
    assert image_id("one") not in consensus


@pytest.mark.usefixtures("project")
def test_the_least_f1_decides_who_is_listed() -> None:
    assert dict(run(disagreement_f1=0.0).counts)["to look at again"] == 2  # what is disputed stays listed


def test_ids_of_the_server_do_not_reach_the_consensus(project: builders.SmallProject) -> None:
    run()
    before = OUTPUTS.consensus.read_bytes()
    other = [
        replace(
            row,
            annotation_id=derived_id("other server", row.annotation_id),
            created_at="2027-01-01T00:00:00.000000Z",
        )
        for row in project.annotations["pull"]
    ]
    only(other)
    run()
    assert OUTPUTS.consensus.read_bytes() == before


@pytest.mark.usefixtures("project")
def test_rows_on_images_outside_the_plan_are_counted() -> None:
    run()
    plan = tables.read(INPUTS.plan, schema.PLAN)
    keep = [row for row in plan.to_pylist() if row["image_id"] != image_id("six")]
    tables.write_rows(keep, INPUTS.plan, schema.PLAN)
    assert dict(run().counts)["rows outside the plan"] == 2


def test_a_plan_for_a_dropped_image_is_refused(project: builders.SmallProject) -> None:
    dropped = [
        replace(record, drop_reason="too_dark") if record.image_id == image_id("six") else record
        for record in project.images
    ]
    builders.write_images(INPUTS.images, dropped)
    with pytest.raises(
        TableError, match=f"names 1 images that .* does not keep, the first is {image_id('six')}"
    ):
        run()


def bad(project: builders.SmallProject, **changes: Any) -> Annotation:
    """One row of the first labeler changed in the small project."""
    rows = list(project.annotations["pull"])
    at = next(i for i, row in enumerate(rows) if row.image_id == image_id("one") and row.outcome == "object")
    rows[at] = replace(rows[at], **changes)
    only(rows)
    return rows[at]


def test_what_people_say_of_objects_is_settled_and_what_they_dispute_is_listed(
    project: builders.SmallProject,
) -> None:
    def said(row: Annotation) -> Annotation:
        first = row.annotator_id == builders.ANNOTATORS[0]
        of_both, of_one = ("lit", ("yes",)), ("worn", ("yes",) if first else ("no",))
        return replace(row, attributes=(of_both, *([of_one] if row.image_id == image_id("one") else [])))

    pulled = project.annotations["pull"]
    only([said(row) if row.outcome == "object" else row for row in pulled])
    run()
    rows = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).to_pylist()
    settled = [row["attributes"] for row in rows if row["outcome"] == "object"]
    assert settled
    assert all(attributes == [("lit", ["yes"])] for attributes in settled)
    objects = tables.read(OUTPUTS.objects, schema.CONSENSUS_OBJECTS).to_pylist()
    disputed = {row["image_id"] for row in objects if row["disputed_attributes"] == ["worn"]}
    assert disputed == {image_id("one")}
    assert {row["image_id"] for row in read_csv(OUTPUTS.queue) if row["reason"] == "attribute"} == disputed


def test_a_damaged_mask_holds_its_image_back_and_is_listed(project: builders.SmallProject) -> None:
    row = bad(project, rle="1")
    counts = dict(run().counts)
    assert (counts["bad rows"], counts["with an unreadable answer, held back"]) == (1, 1)
    assert read_csv(OUTPUTS.bad_rows) == [
        {"annotation_id": row.annotation_id, "image_id": row.image_id, "annotator": "labeler-1",
         "problem": "mask_size", "action": "unreadable"}
    ]  # fmt: skip
    assert read_csv(OUTPUTS.queue)[0]["image_id"] == row.image_id


def test_a_bad_row_stops_the_stage_where_it_shall(project: builders.SmallProject) -> None:
    row = bad(project, rle="1")
    with pytest.raises(TableError, match=rf"cannot be used: 1 mask_size \({row.annotation_id}\)\. Correct"):
        run(bad_rows="refuse")


def test_a_box_over_the_border_is_cut_there(project: builders.SmallProject) -> None:
    x1, y1, *_ = bad(project, rle=None).bbox_xyxy or (0.0, 0.0)
    row = bad(project, rle=None, bbox_xyxy=(x1, y1, builders.WIDTH + 3.0, builders.HEIGHT + 2.0))
    assert dict(run().counts)["bad rows"] == 1
    made = tables.read(OUTPUTS.objects, schema.CONSENSUS_OBJECTS).to_pylist()
    (cut,) = [one for one in made if row.annotation_id in one["made_from"]]
    assert max(cut["bbox_xyxy"]) <= builders.WIDTH


def planned(**by_name: dict[str, Any]) -> None:
    """The small project's plan, one look each; images called so get these columns."""
    names = ("one", "two", "three", "four", "five", "six")
    rows = [builders.plan_row(name, **by_name.get(name, {})) for name in names]
    tables.write_rows(rows, INPUTS.plan, schema.PLAN)
    shutil.rmtree(INPUTS.shown)
    builders.show(Path())


ACCEPTED = {"arm": "accepted", "reason": "accepted"}


def test_accepted_images_get_their_suggestions_and_say_so(project: builders.SmallProject) -> None:
    planned(three=ACCEPTED, five=ACCEPTED)
    suggested = {row.annotation_id: row for row in project.annotations["autolabel"]}
    only([row for row in project.annotations["pull"] if row.image_id != image_id("three")])
    counts = dict(run().counts)
    assert counts["accepted without a human"] == 1  # somebody has looked at "five" all the same
    assert counts["without answer"] == 0
    rows = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).to_pylist()
    unseen = [row for row in rows if row["image_id"] == image_id("three")]
    assert {row["category"] for row in unseen} == {"stop_sign", "parking_sign"}
    for row in unseen:
        model = suggested[row["parent_id"]].row()
        same = ("category", "bbox_xyxy", "rle", "score", "model_version", "image_id", "outcome")
        assert {name: row[name] for name in same} == {
            name: pytest.approx(model[name], rel=1e-6) if name == "score" else model[name] for name in same
        }
        assert row["task_id"] == derived_id("task", image_id("three"))
    assert {row["model_version"] for row in rows if row["image_id"] != image_id("three")} == {None}


def test_an_accepted_object_has_the_id_that_people_would_have_given_it(
    project: builders.SmallProject,
) -> None:
    def ids() -> set[str]:
        rows = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).to_pylist()
        return {row["annotation_id"] for row in rows if row["image_id"] == image_id("three")}

    first = [row for row in project.annotations["pull"] if row.annotator_id == builders.ANNOTATORS[0]]
    only(first)
    run()
    drawn = ids()
    only([row for row in first if row.image_id != image_id("three")])
    planned(three=ACCEPTED)
    run()
    assert ids() == drawn


@pytest.mark.parametrize("kind", ["moved", "category", "missing", "spurious"])
def test_an_image_with_a_planted_error_left_in_is_held_back(
    project: builders.SmallProject, kind: str
) -> None:
    model = [row for row in project.annotations["autolabel"] if row.image_id == image_id("one")]
    seeded = error_injection.spurious_id(image_id("one")) if kind == "spurious" else model[0].annotation_id
    planned(one={"seeded_kind": kind, "seeded_id": seeded})
    size = {"width": builders.WIDTH, "height": builders.HEIGHT}
    shown = error_injection.plant(model, kind, seeded, names=("stop_sign", "parking_sign"), **size)
    others = [row for row in project.annotations["pull"] if row.image_id != image_id("one")]
    first = builders.ANNOTATORS[0]

    def answer(rows: Sequence[Annotation]) -> None:
        drawn = [
            annotation("one", row.category, row.bbox_xyxy, annotator_id=first, rle=row.rle) for row in rows
        ]
        only([*others, *(drawn or [annotation("one", None, None, annotator_id=first)])])

    answer(shown)
    assert dict(run().counts)["with a planted error left in"] == 1
    consensus = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS)
    assert image_id("one") not in consensus["image_id"].to_pylist()
    assert read_csv(OUTPUTS.queue)[0]["image_id"] == image_id("one")
    assert read_csv(OUTPUTS.queue)[0]["reason"] == "planted_error"
    answer(model)
    assert "with a planted error left in" not in dict(run().counts)
    consensus = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS)
    assert image_id("one") in consensus["image_id"].to_pylist()
    assert "planted_error" not in OUTPUTS.queue.read_text()


def test_two_people_who_draw_nothing_where_a_suggestion_was_left_out_are_right(
    project: builders.SmallProject,
) -> None:
    (model,) = [row for row in project.annotations["autolabel"] if row.image_id == image_id("one")]
    planned(one={"seeded_kind": "missing", "seeded_id": model.annotation_id})
    others = [row for row in project.annotations["pull"] if row.image_id != image_id("one")]
    empty = [annotation("one", None, None, annotator_id=person) for person in builders.ANNOTATORS]
    only([*others, empty[0]])
    assert dict(run().counts)["with a planted error left in"] == 1
    only([*others, *empty])
    assert "with a planted error left in" not in dict(run().counts)


def test_a_planted_error_that_nobody_has_seen_yet_is_no_finding(project: builders.SmallProject) -> None:
    (model,) = [row for row in project.annotations["autolabel"] if row.image_id == image_id("one")]
    planned(one={"seeded_kind": "missing", "seeded_id": model.annotation_id})
    only([annotation("two", None, None, annotator_id=builders.ANNOTATORS[0])])
    counts = dict(run().counts)
    assert "with a planted error left in" not in counts
    assert counts["without answer"] == 5


def test_an_image_with_an_unreadable_answer_is_held_back_and_first_in_the_queue(
    project: builders.SmallProject,
) -> None:
    """What one labeler drew is not known: that is no "nothing there", whatever the other says."""
    rows = project.annotations["pull"]
    whose = rows[0].annotator_id
    kept = [row for row in rows if row.image_id != image_id("four") or row.annotator_id != whose]
    (old,) = [row for row in rows if row.image_id == image_id("four") and row.annotator_id == whose]
    only([*kept, replace(old, outcome="unreadable")])
    report = run()
    assert dict(report.counts)["with an unreadable answer, held back"] == 1
    assert dict(report.counts)["seen by several"] == 5
    queue = read_csv(OUTPUTS.queue)
    assert (queue[0]["image_id"], queue[0]["reason"]) == (image_id("four"), "unreadable")
    released = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).column("image_id").to_pylist()
    assert image_id("four") not in released
    assert image_id("three") in released


@pytest.mark.usefixtures("project")
def test_a_label_that_a_sure_model_contradicts_is_listed_and_stands_in_the_queue() -> None:
    """Of 110 labelled boxes the model sees all where they are, but for one that it calls otherwise."""
    names = [f"extra {number}" for number in range(110)]
    images = [builders.image(name) for name in names]
    builders.write_images(INPUTS.images, images)
    boxes = [(20.0 + number % 7, 20.0, 80.0, 80.0 + number % 5) for number in range(110)]
    seen = [
        annotation(name, "parking_sign" if name == "extra 7" else "stop_sign", box, origin="model",
                   score=0.9 if name == "extra 7" else 0.6 + number / 400, model_version="unit-1")
        for number, (name, box) in enumerate(zip(names, boxes, strict=True))
    ]  # fmt: skip
    builders.write_annotations(INPUTS.suggestions, seen)
    tables.write_rows([builders.plan_row(name) for name in names], INPUTS.plan, schema.PLAN)
    builders.show(Path())
    only(
        [
            annotation(name, "stop_sign", box, annotator_id=builders.ANNOTATORS[0])
            for name, box in zip(names, boxes, strict=True)
        ]
    )
    report = run()
    (row,) = read_csv(OUTPUTS.label_errors)
    assert (row["image_id"], row["kind"], row["suggested"]) == (
        image_id("extra 7"),
        "category",
        "parking_sign",
    )
    assert float(row["probability"]) > 0.5
    assert float(row["objectlab"]) == 1.0, "its bound is a score of 0.95"
    assert report.metrics["label_errors"]["category"]["found"] == 1
    (entry,) = read_csv(OUTPUTS.queue)
    assert (entry["reason"], entry["held_back"]) == ("label_error", "false")
    assert entry["detail"] == "the model sees parking_sign (score 0.90) where stop_sign is labelled"
    told = adjudicate._more(entry["reason"], entry["detail"])
    assert told == "The model sees parking_sign (score 0.90) where stop_sign is labelled.\n"
    assert float(entry["cost"]) >= float(row["probability"])
    marked = {
        row["image_id"]: row["review"]
        for row in tables.read(OUTPUTS.images, schema.CONSENSUS_IMAGES).to_pylist()
    }
    assert marked[image_id("extra 7")] == "label_error"
    assert marked[image_id("extra 8")] is None
    run(label_error_probability=1.0)
    assert read_csv(OUTPUTS.queue) == []


@pytest.mark.parametrize("detector", [None, Path("models/one")])
def test_a_label_where_the_detector_found_nothing_at_all_is_listed(
    project: builders.SmallProject, detector: Path | None
) -> None:
    """Without a detector nothing looked at images of which no suggestion was imported."""
    kept = [row for row in project.annotations["autolabel"] if row.image_id != image_id("one")]
    builders.write_annotations(INPUTS.suggestions, kept)
    agreement.run(AgreementParams(), inputs=replace(INPUTS, detector=detector), outputs=OUTPUTS, ports=PORTS)
    found = {(row["image_id"], row["kind"]) for row in read_csv(OUTPUTS.label_errors)}
    assert ((image_id("one"), "spurious") in found) == (detector is not None)
