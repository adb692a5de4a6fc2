"""decisions.csv in the stage agreement: objects relabelled, moved, deleted, added; images held for a look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate import decision_file, schema, tables
from curate.decision_file import Decision
from curate.errors import InputError
from curate.params import AgreementParams
from curate.records import Annotation, StageReport
from curate.stages import agreement
from tests import builders
from tests.builders import annotation, image_id
from tests.stages.test_agreement import INPUTS, OUTPUTS, PORTS, only, read_csv

FILE = Path("decisions.csv")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    monkeypatch.chdir(tmp_path)
    return builders.small_project(tmp_path, stage="pull")


def run(*lines: Decision) -> StageReport:
    decision_file.write(FILE, lines)
    return agreement.run(
        AgreementParams(), inputs=replace(INPUTS, decision_file=FILE), outputs=OUTPUTS, ports=PORTS
    )


def objects(name: str) -> list[dict[str, Any]]:
    rows = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).to_pylist()
    return [row for row in rows if row["image_id"] == image_id(name)]


def support(name: str) -> list[dict[str, Any]]:
    rows = tables.read(OUTPUTS.objects, schema.CONSENSUS_OBJECTS).to_pylist()
    return [row for row in rows if row["image_id"] == image_id(name)]


def disputed(name: str) -> dict[str, Any]:
    (row,) = [row for row in support(name) if row["outcome"] == "disputed"]
    return row


def test_nothing_decided_changes_nothing() -> None:
    run()
    before = [path.read_bytes() for path in (OUTPUTS.consensus, OUTPUTS.objects, OUTPUTS.images)]
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    assert [path.read_bytes() for path in (OUTPUTS.consensus, OUTPUTS.objects, OUTPUTS.images)] == before


def test_a_category_and_a_box_are_corrected_and_their_masks_are_as_they_must_be() -> None:
    run()
    (one,), (two,) = objects("one"), objects("two")
    report = run(
        Decision(0, one["image_id"], "relabel", annotation=one["annotation_id"], argument="parking_sign"),
        Decision(0, two["image_id"], "edit", annotation=two["annotation_id"], box="5 6 40 50.5"),
    )
    assert "2 decisions about objects" in report.line()
    (after,) = objects("one")
    assert (after["category"], after["outcome"]) == ("parking_sign", "object")
    assert (after["bbox_xyxy"], after["rle"]) == (one["bbox_xyxy"], one["rle"])
    assert after["annotation_id"] != one["annotation_id"]
    (moved,) = objects("two")
    assert (moved["bbox_xyxy"], moved["rle"], moved["category"]) == ([5, 6, 40, 50.5], None, two["category"])
    assert [row["annotation_id"] for row in support("one")] == [after["annotation_id"]]
    assert support("one")[0]["confidence"] is None


def test_a_disputed_object_is_settled_by_a_decision() -> None:
    run()
    assert objects("six") == []
    held = disputed("six")
    run(Decision(0, held["image_id"], "relabel", annotation=held["annotation_id"], argument="stop_sign"))
    assert [row["category"] for row in objects("six")] == ["stop_sign"]
    assert image_id("six") not in {
        row["image_id"] for row in read_csv(OUTPUTS.queue) if row["held_back"] == "true"
    }


def test_the_last_object_deleted_leaves_an_empty_image_and_an_added_one_fills_it() -> None:
    run()
    (one,) = objects("one")
    gone = Decision(0, one["image_id"], "delete", annotation=one["annotation_id"])
    run(gone)
    assert [row["outcome"] for row in objects("one")] == ["empty"]
    assert objects("four")[0]["outcome"] == "empty"
    run(gone, Decision(0, image_id("four"), "add", argument="stop_sign", box="10 10 50 60"))
    (added,) = objects("four")
    assert (added["outcome"], added["category"], added["bbox_xyxy"]) == (
        "object",
        "stop_sign",
        [10, 10, 50, 60],
    )
    assert support("four")[0]["made_from"] == []


def test_an_object_that_people_voted_absent_is_there_once_it_is_added(project: builders.SmallProject) -> None:
    """A third person draws a sign that two others do not see; somebody decides that it is there."""
    box = (10.0, 10.0, 50.0, 40.0)
    third = annotation("four", "stop_sign", box, annotator_id="third@demo.invalid", rle=None)
    only([*project.annotations["pull"], third])
    run()
    assert sorted(row["outcome"] for row in support("four")) == ["absent", "empty"]
    run(Decision(0, image_id("four"), "add", argument="stop_sign", box="10 10 50 40"))
    (row,) = support("four")
    assert (row["outcome"], row["confidence"], row["made_from"]) == ("object", None, [])
    assert [row["outcome"] for row in objects("four")] == ["object"]


def test_what_is_said_of_an_object_stays_with_it_when_it_is_relabelled_or_moved(
    project: builders.SmallProject,
) -> None:
    def said(row: Annotation) -> Annotation:
        worn = "yes" if row.annotator_id == builders.ANNOTATORS[0] else "no"
        return replace(row, attributes=(("lit", ("yes",)), ("worn", (worn,))))

    only([said(row) if row.outcome == "object" else row for row in project.annotations["pull"]])
    run()
    columns = ("attributes", "attributes_confidence", "disputed_attributes")
    before = {name: [support(name)[0][column] for column in columns] for name in ("one", "two")}
    assert before["one"][2] == ["worn"]
    assert before["one"][1]
    (one,), (two,) = objects("one"), objects("two")
    run(
        Decision(0, one["image_id"], "relabel", annotation=one["annotation_id"], argument="parking_sign"),
        Decision(0, two["image_id"], "edit", annotation=two["annotation_id"], box="5 6 40 50.5"),
    )
    assert support("one")[0]["annotation_id"] != one["annotation_id"]
    assert {name: [support(name)[0][column] for column in columns] for name in before} == before
    listed = {row["image_id"] for row in read_csv(OUTPUTS.queue) if row["reason"] == "attribute"}
    assert {image_id("one"), image_id("two")} <= listed


def test_an_object_that_was_drawn_anew_is_found_by_its_box() -> None:
    run()
    (one,) = objects("one")
    x1, y1, x2, y2 = one["bbox_xyxy"]
    near = decision_file.box_text((x1 + 0.5, y1, x2, y2))
    line = Decision(0, one["image_id"], "relabel", annotation="of an earlier run", argument="parking_sign")
    assert "1 decisions that do not count, about objects that are no longer there" in run(line).line()
    assert objects("one")[0]["category"] == one["category"]
    run(replace(line, box=near))
    assert objects("one")[0]["category"] == "parking_sign"


TIMES = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")


@pytest.mark.parametrize("when", [TIMES, ("", "", ""), ("", "", TIMES[2]), (TIMES[0], TIMES[1], "")])
@pytest.mark.parametrize("name", ["one", "two"])
def test_a_decision_about_what_another_made_is_applied_after_it(name: str, when: tuple[str, ...]) -> None:
    run()
    (first,) = objects(name)
    other = "stop_sign" if first["category"] == "parking_sign" else "parking_sign"
    relabel = Decision(0, first["image_id"], "relabel", annotation=first["annotation_id"], argument=other)
    run(relabel)
    (second,) = objects(name)
    edit = Decision(0, first["image_id"], "edit", annotation=second["annotation_id"], box="1 2 30 40")
    run(relabel, edit)
    (third,) = objects(name)
    delete = Decision(0, first["image_id"], "delete", annotation=third["annotation_id"])
    lines = [replace(one, when=time) for one, time in zip((relabel, edit, delete), when, strict=True)]
    assert "do not count" not in run(*lines).line()
    assert [row["outcome"] for row in objects(name)] == ["empty"]


def test_what_a_later_line_adds_is_not_deleted_by_an_earlier_one() -> None:
    run()
    add = Decision(0, image_id("four"), "add", argument="stop_sign", box="10 10 50 60", when=TIMES[1])
    run(add)
    (added,) = objects("four")
    delete = Decision(0, image_id("four"), "delete", annotation=added["annotation_id"], when=TIMES[0])
    assert "1 decisions that do not count, about objects that are no longer there" in run(delete, add).line()
    assert [row["outcome"] for row in objects("four")] == ["object"]
    run(replace(delete, when=TIMES[2]), add)
    assert [row["outcome"] for row in objects("four")] == ["empty"]


def test_what_cannot_count_is_counted() -> None:
    run()
    (one,) = objects("one")
    said = run(
        Decision(0, one["image_id"], "relabel", annotation=one["annotation_id"], argument="tram"),
        Decision(0, image_id("two"), "add", argument="stop_sign", box="900 900 950 950"),
    ).line()
    assert "1 decisions that do not count, with a category that the taxonomy does not name" in said
    assert "1 decisions that do not count, with a box beyond its image" in said


def test_a_look_that_somebody_asks_for_holds_the_image_back() -> None:
    report = run(Decision(0, image_id("one"), "needs-qa"))
    assert objects("one") == []
    assert "1 held back because somebody asked for a look" in report.line()
    assert ("asked", "true") in {(row["reason"], row["held_back"]) for row in read_csv(OUTPUTS.queue)}
    run()
    assert len(objects("one")) == 1


def test_images_are_named_by_place_and_beginning_too() -> None:
    run()
    (one,) = objects("one")
    for name in ("unit/one.jpg", image_id("one")[:12]):
        run(Decision(0, name, "delete", annotation=one["annotation_id"]))
        assert [row["outcome"] for row in objects("one")] == ["empty"]
    with pytest.raises(InputError, match=r"decisions\.csv:2: no image comes from 'unit/none\.jpg'"):
        run(Decision(0, "unit/none.jpg", "needs-qa"))
    with pytest.raises(InputError, match=r"decisions\.csv:2: no image begins with 0123456789ab: write more"):
        run(Decision(0, "0123456789ab", "needs-qa"))
    run(Decision(0, "e" * 64, "needs-qa"))  # an image that has left the data set


def test_lines_that_contradict_each_other_are_refused_whatever_the_image_is_called() -> None:
    run()
    (one,) = objects("one")
    made = {"annotation": one["annotation_id"]}
    car = Decision(0, image_id("one"), "relabel", argument="parking_sign", **made)
    sign = Decision(0, "unit/one.jpg", "relabel", argument="stop_sign", **made)
    gone = Decision(0, image_id("one")[:12], "delete", **made)
    for other, said in ((sign, "relabel"), (gone, "(delete|relabel)")):
        for when, theirs in (("", ""), (TIMES[0], TIMES[0]), (TIMES[0], "")):
            with pytest.raises(InputError, match=rf"decisions\.csv:3: {said} contradicts \w+ in line 2$"):
                run(replace(car, when=when), replace(other, when=theirs))
    run(
        replace(car, when=TIMES[0]),
        replace(gone, when=TIMES[1], box=decision_file.box_text(one["bbox_xyxy"])),
    )
    assert [row["outcome"] for row in objects("one")] == ["empty"]
    run(car, replace(car, image="unit/one.jpg", by="labeler-2", box=decision_file.box_text(one["bbox_xyxy"])))
    assert [row["category"] for row in objects("one")] == ["parking_sign"]
