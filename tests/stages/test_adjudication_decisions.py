"""Decisions of the adjudication: handed over, taken back, and in the place of the consensus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate import decision_file, schema, tables
from curate.adapters.labelstudio import decode_regions, encode_regions, polygons
from curate.agreement.disagreement_queue import HEADER
from curate.decision_file import Decision
from curate.errors import AnnotationToolError, InputError, TableError
from curate.labeling import migration, migration_plan, taxonomy
from curate.params import AgreementParams, LabelStudioParams
from curate.qa import gold_pool
from curate.records import Annotation, StageReport, derived_id
from curate.shown import record
from curate.stages import adjudicate, adjudication_decisions, agreement
from curate.stages.answer_join import AnswerJoin
from tests import builders
from tests.builders import annotation, image_id
from tests.fakes import FakeAnnotationTool
from tests.pulled import FakeAnnotationReader, answer_row
from tests.stages.test_agreement import INPUTS, OUTPUTS, PORTS, only, planned, read_csv

OUT = adjudication_decisions.DecisionTables(adjudicate.ANNOTATIONS, adjudicate.ANSWERS)
DECIDED = replace(INPUTS, decisions=OUT.annotations, decision_answers=OUT.answers)
ADJUDICATE = adjudicate.Inputs(taxonomy=Path("taxonomy.yaml"))
SENIOR, TITLE = "senior@demo.invalid", "unit adjudication"
BOX = (15.0, 15.0, 75.0, 85.0)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    """Two people dispute whether "five" shows a sign, and which one "six" shows."""
    monkeypatch.chdir(tmp_path)
    built = builders.small_project(tmp_path, stage="pull")
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    return built


def push(tool: FakeAnnotationTool, project: str = "unit") -> StageReport:
    params = LabelStudioParams(project=project)
    return adjudicate.run(params, inputs=ADJUDICATE, shown=adjudicate.SHOWN, tool=tool)


def pull(reader: FakeAnnotationReader | None) -> tuple[int, int]:
    return adjudication_decisions.pull(
        reader, TITLE, shown=adjudicate.SHOWN, images=INPUTS.images, outputs=OUT
    )


def decision(name: str, category: str | None, **changes: Any) -> Annotation:
    """What the senior labeler leaves on an image: one object, or nothing."""
    task = derived_id("adjudication", image_id(name))
    when = {"created_at": "2026-02-01T10:00:00.000000Z", "updated_at": "2026-02-01T10:00:00.000000Z"}
    box = None if category is None else BOX
    whole = {"annotator_id": SENIOR, "task_id": task, **when, **changes}
    return annotation(name, category, box, **whole)


def decided(*rows: Annotation, by: str = SENIOR, **params: Any) -> StageReport:
    """Hand the queue over, let somebody decide, and settle."""
    push(FakeAnnotationTool())
    reader = FakeAnnotationReader(title=TITLE)
    for key in {row.task_id for row in rows}:
        reader.answer(by, *(row for row in rows if row.task_id == key))
    pull(reader)
    return agreement.run(AgreementParams(**params), inputs=DECIDED, outputs=OUTPUTS, ports=PORTS)


def queued() -> set[tuple[str, str]]:
    return {(row["image_id"], row["reason"]) for row in read_csv(OUTPUTS.queue)}


def consensus(name: str) -> list[dict[str, Any]]:
    rows = tables.read(OUTPUTS.consensus, schema.ANNOTATIONS).to_pylist()
    return [row for row in rows if row["image_id"] == image_id(name)]


def test_each_image_of_the_queue_is_a_task_in_a_project_of_its_own(project: builders.SmallProject) -> None:
    tool = FakeAnnotationTool()
    assert push(tool).line() == "adjudicate: 2 tasks, 2 created, 0 unchanged, 0 with new candidates"
    assert list(tool.specs) == [TITLE]
    assert (tool.specs[TITLE].notes, tool.specs[TITLE].overlap) == (True, 1)
    by_image = {task.image_id: task for task in tool.tasks.values()}
    queue = [row["image_id"] for row in read_csv(OUTPUTS.queue)]
    assert sorted(by_image, key=lambda key: by_image[key].priority) == queue
    six = by_image[image_id("six")]
    mine = [row for row in project.annotations["pull"] if row.image_id == image_id("six")]
    assert {row.annotation_id for row in six.pre_annotations} == {row.annotation_id for row in mine}
    names = dict(zip(builders.ANNOTATORS, ("labeler-1", "labeler-2"), strict=True))
    assert dict(six.captions) == {row.annotation_id: names[str(row.annotator_id)] for row in mine}
    assert six.note.splitlines()[:3] == [
        "People do not agree what an object is.", "labeler-1: 1 parking_sign", "labeler-2: 1 stop_sign"
    ]  # fmt: skip
    assert by_image[image_id("five")].note.splitlines()[2] == "labeler-2: nothing there"
    told = str([(task.note, task.captions) for task in tool.tasks.values()])
    assert not any(person in told for person in builders.ANNOTATORS)
    assert push(tool).line() == "adjudicate: 2 tasks, 0 created, 2 unchanged, 0 with new candidates"
    assert set(record.load(adjudicate.SHOWN).shown["reason"].to_pylist()) == {"presence", "category"}


@pytest.mark.usefixtures("project")
def test_a_killed_hand_over_goes_on_where_it_was() -> None:
    tool = FakeAnnotationTool(dies_after=1)
    with pytest.raises(KeyboardInterrupt):
        push(tool)
    tool.dies_after = None
    assert push(tool).line() == "adjudicate: 2 tasks, 1 created, 1 unchanged, 0 with new candidates"
    assert len(tool.specs) == 1


@pytest.mark.usefixtures("project")
def test_the_decision_is_the_answer() -> None:
    people = agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS).metrics
    report = decided(decision("six", "parking_sign"), decision("five", None))
    assert dict(report.counts)["decided by adjudication"] == 2
    assert queued() == set()
    (six,) = consensus("six")
    assert (six["category"], six["bbox_xyxy"], six["origin"]) == ("parking_sign", list(BOX), "consensus")
    assert six["task_id"] == derived_id("task", image_id("six"))
    assert [row["outcome"] for row in consensus("five")] == ["empty"]
    objects = tables.read(OUTPUTS.objects, schema.CONSENSUS_OBJECTS).to_pylist()
    (found,) = [row for row in objects if row["image_id"] == image_id("six")]
    assert (found["made_from"], found["confidence"]) == (
        [decision("six", "parking_sign").annotation_id],
        None,
    )
    images = tables.read(OUTPUTS.images, schema.CONSENSUS_IMAGES).to_pylist()
    (image,) = [row for row in images if row["image_id"] == image_id("six")]
    assert (image["annotators"], image["review"], image["held_back"]) == (3, None, False)
    assert {row["image_id"] for row in images if row["decided"]} == {image_id("five"), image_id("six")}
    assert report.metrics["adjudication"] == {"images": 2, "people": 1}
    of_decisions = ("adjudication", "label_errors")
    figures = {name: found for name, found in report.metrics.items() if name not in of_decisions}
    # Who decides is not blind: no figure of people counts it.
    assert figures == {name: found for name, found in people.items() if name not in of_decisions}
    assert people["adjudication"] == {"images": 0, "people": 0}


@pytest.mark.usefixtures("project")
def test_the_decision_on_an_attribute_is_the_answer() -> None:
    decided(decision("six", "parking_sign", attributes=(("worn", ("yes",)),)))
    assert [row["attributes"] for row in consensus("six")] == [[("worn", ["yes"])]]


def test_candidates_show_the_attributes_that_the_page_knows(project: builders.SmallProject) -> None:
    known = DECIDED.taxonomy.read_text(encoding="utf-8")
    asked = "attributes: [{name: worn, options: ['yes', 'no']}]\n"
    DECIDED.taxonomy.write_text(f"{known}\n{asked}", encoding="utf-8")
    said = (("lit", ("yes",)), ("worn", ("no", "perhaps")))
    pulled = [replace(row, attributes=said if row.category else ()) for row in project.annotations["pull"]]
    builders.write_pulled(Path(), pulled)
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    tool = FakeAnnotationTool()
    push(tool)
    shown = {row.attributes for task in tool.tasks.values() for row in task.pre_annotations}
    assert shown == {(("worn", ("no",)),)}
    assert [one.name for one in tool.specs[TITLE].attributes] == ["worn"]


TURNED = "[[40.0, 20.0, 80.0, 60.0, 50.0, 90.0, 10.0, 50.0]]"  # corners of a turned rectangle


def left_as_shown(tool: FakeAnnotationTool, name: str, *, moved: float = 0.0) -> list[Annotation]:
    """What the page makes of the candidates of an image; `moved` shifts their boxes, in percent of it."""
    task = next(task for task in tool.tasks.values() if task.image_id == image_id(name))
    regions = encode_regions.encode_task(task, list(builders.CATEGORIES))
    for region in regions:
        if region["type"] == encode_regions.RECTANGLES:
            region["value"]["x"] += moved
    work = decode_regions.Work(
        task.task_id, task.image_id, task.width, task.height, SENIOR, regions, False, 9.0,
        "2026-02-01T10:00:00.000000Z", "2026-02-01T10:00:00.000000Z",
    )  # fmt: skip
    return list(decode_regions.read(work, list(builders.CATEGORIES)).rows)


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("moved", [0.0, 1.0])
def test_a_candidate_that_is_left_as_it_is_keeps_its_outline(
    project: builders.SmallProject, *, filled: bool, moved: float
) -> None:
    """The page shows its upright box, and its mask if it has one."""
    around, (first, second) = (10.0, 20.0, 80.0, 90.0), builders.ANNOTATORS
    ring = [(40.0, 20.0), (80.0, 60.0), (50.0, 90.0), (10.0, 50.0)]
    rle = polygons.rle([tuple(ring)], width=builders.WIDTH, height=builders.HEIGHT) if filled else None
    drawn = [row for row in project.annotations["pull"] if row.image_id != image_id("five")]
    drawn.append(annotation("five", "stop_sign", around, annotator_id=first, rle=rle, polygon=TURNED))
    drawn.append(annotation("five", None, None, annotator_id=second))
    builders.write_pulled(Path(), drawn)
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    tool = FakeAnnotationTool()
    push(tool)
    reader = FakeAnnotationReader(title=TITLE)
    reader.answer(SENIOR, *left_as_shown(tool, "five", moved=moved))
    pull(reader)
    agreement.run(AgreementParams(), inputs=DECIDED, outputs=OUTPUTS, ports=PORTS)
    (five,) = consensus("five")
    assert (five["polygon"], five["rle"]) == (None if moved else TURNED, rle)


def test_a_decision_counts_after_its_category_was_renamed(project: builders.SmallProject) -> None:
    """Both what was decided and what was shown to whoever decided follow the name."""
    report = decided(decision("six", "parking_sign"), decision("five", None))
    assert dict(report.counts)["decided by adjudication"] == 2
    DECIDED.taxonomy.write_text(builders.TAXONOMY.replace("parking_sign", "park"))
    Path("plan.yaml").write_text("rename: [{from: parking_sign, to: park}]\n")
    plan = migration_plan.load(Path("plan.yaml"), taxonomy.load(DECIDED.taxonomy))
    migration.prepare(project.root, plan).write()
    report = agreement.run(AgreementParams(), inputs=DECIDED, outputs=OUTPUTS, ports=PORTS)
    assert dict(report.counts)["decided by adjudication"] == 2
    assert not any(name.startswith("decisions that do not count") for name, _ in report.counts)
    assert [row["category"] for row in consensus("six")] == ["park"]
    assert queued() == set()
    shown = record.load(adjudicate.SHOWN).suggestions["category"].to_pylist()
    assert "park" in shown
    assert "parking_sign" not in shown


@pytest.mark.usefixtures("project")
def test_an_image_that_everybody_skipped_can_be_decided() -> None:
    skipped = [annotation("one", None, None, annotator_id=p, outcome="skipped") for p in builders.ANNOTATORS]
    builders.write_pulled(Path(), skipped)
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    assert queued() == {(image_id("one"), "skipped")}
    decided(decision("one", "stop_sign"))
    assert queued() == set()
    assert [row["category"] for row in consensus("one")] == ["stop_sign"]


@pytest.mark.usefixtures("project")
def test_what_decides_nothing_leaves_the_image_in_the_queue(project: builders.SmallProject) -> None:
    both = [row for row in project.annotations["pull"] if row.image_id == image_id("six")]
    kept = [
        decision("six", row.category, parent_id=row.annotation_id, annotation_id=f"kept {row.category}")
        for row in both
    ]
    for rows, why in (
        ([decision("six", None, outcome="skipped")], "skipped or unreadable"),
        ([decision("six", "gone")], "with a category that the taxonomy does not name"),
        (kept, "with two drawings of one disputed object kept"),
    ):
        report = decided(*rows)
        assert dict(report.counts)[f"decisions that do not count, {why}"] == 1
        assert (image_id("six"), "category") in queued()
        assert {row["decision"] for row in read_csv(OUTPUTS.queue) if row["image_id"] == image_id("six")} == {
            why
        }
        assert consensus("six") == []
        tool = FakeAnnotationTool()
        push(tool)
        (task,) = [task for task in tool.tasks.values() if task.image_id == image_id("six")]
        assert task.note.splitlines()[0] == f"The decision so far does not count: {why}."


@pytest.mark.usefixtures("project")
def test_the_page_says_how_a_dropped_copy_is_labelled_otherwise() -> None:
    cells = (image_id("one"), "p", "duplicate", "1", "1", "1", "false", "", "b.jpg: a car")
    assert len(cells) == len(HEADER)
    OUTPUTS.queue.parent.mkdir(parents=True, exist_ok=True)
    OUTPUTS.queue.write_text(f"{','.join(HEADER)}\n{','.join(cells)}\n", encoding="utf-8")
    tool = FakeAnnotationTool()
    push(tool)
    (task,) = tool.tasks.values()
    assert task.note.splitlines()[:2] == [
        "As a dropped copy it is labelled otherwise: b.jpg: a car.",
        "A copy of this picture, which was dropped, is labelled otherwise.",
    ]


def test_a_decision_may_not_take_over_a_planted_error(project: builders.SmallProject) -> None:
    (model,) = [row for row in project.annotations["autolabel"] if row.image_id == image_id("one")]
    planned(one={"seeded_kind": "category", "seeded_id": model.annotation_id})
    others = [row for row in project.annotations["pull"] if row.image_id != image_id("one")]
    wrong = annotation("one", "parking_sign", model.bbox_xyxy, annotator_id=builders.ANNOTATORS[0])
    only([*others, wrong])
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    assert (image_id("one"), "planted_error") in queued()
    report = decided(decision("one", "parking_sign", bbox_xyxy=model.bbox_xyxy))
    assert dict(report.counts)["decisions that do not count, with a planted error left in"] == 1
    assert (image_id("one"), "planted_error") in queued()
    decided(decision("one", "stop_sign", bbox_xyxy=model.bbox_xyxy))
    assert image_id("one") not in {image for image, _ in queued()}
    assert [row["category"] for row in consensus("one")] == ["stop_sign"]


@pytest.mark.usefixtures("project")
def test_only_those_decide_who_are_named() -> None:
    report = decided(decision("six", "parking_sign"), adjudicators=("lead@demo.invalid",))
    assert dict(report.counts)["decisions that do not count, by somebody whose decisions do not count"] == 1
    assert (image_id("six"), "category") in queued()
    decided(decision("six", "parking_sign"), adjudicators=(SENIOR,))
    assert (image_id("six"), "category") not in queued()


@pytest.mark.usefixtures("project")
def test_of_two_decisions_the_later_one_counts() -> None:
    push(FakeAnnotationTool())
    reader = FakeAnnotationReader(title=TITLE)
    reader.answer(SENIOR, decision("six", "parking_sign"))
    later = {"updated_at": "2026-02-02T10:00:00.000000Z", "annotator_id": "lead@demo.invalid"}
    reader.answer("lead@demo.invalid", decision("six", "stop_sign", annotation_id="later", **later))
    pull(reader)
    agreement.run(AgreementParams(), inputs=DECIDED, outputs=OUTPUTS, ports=PORTS)
    assert [row["category"] for row in consensus("six")] == ["stop_sign"]


@pytest.mark.usefixtures("project")
def test_a_look_that_is_asked_for_after_the_decision_holds_the_image_back_until_it_is_updated() -> None:
    file = Path("decisions.csv")

    def settled(when: str) -> str:
        decision_file.write(file, [Decision(0, image_id("six"), "needs-qa", when=when)])
        inputs = replace(DECIDED, decision_file=file)
        return agreement.run(AgreementParams(), inputs=inputs, outputs=OUTPUTS, ports=PORTS).line()

    decided(decision("six", "parking_sign"), decision("five", None))
    for older in ("", "2026-01-31", "2026-02-01T10:00:00Z"):
        settled(older)
        assert queued() == set()
        assert [row["category"] for row in consensus("six")] == ["parking_sign"]
    told = settled("2026-02-01T10:00:01Z")
    assert "1 held back because somebody asked for a look" in told
    assert consensus("six") == []
    (row,) = read_csv(OUTPUTS.queue)
    assert (row["image_id"], row["reason"], row["held_back"]) == (image_id("six"), "asked", "true")
    assert row["decision"] == "older than a line needs-qa of decisions.csv"
    decided(decision("six", "stop_sign", updated_at="2026-02-02T09:00:00.000000Z"), decision("five", None))
    settled("2026-02-01T10:00:01Z")
    assert queued() == set()
    assert [row["category"] for row in consensus("six")] == ["stop_sign"]


@pytest.mark.usefixtures("project")
def test_image_level_answers_are_those_of_the_decision() -> None:
    push(FakeAnnotationTool())
    row = decision("six", "parking_sign")
    tables.write_rows([row.row()], OUT.annotations, schema.ANNOTATIONS)
    given = {**answer_row(row), "choices": [("weather", ["rain"])], "shown_id": None, "not_joined": None}
    tables.write_rows([given], OUT.answers, schema.ANSWERS)
    agreement.run(AgreementParams(), inputs=DECIDED, outputs=OUTPUTS, ports=PORTS)
    images = tables.read(OUTPUTS.images, schema.CONSENSUS_IMAGES).to_pylist()
    (found,) = [row["answers"] for row in images if row["image_id"] == image_id("six")]
    assert found == [("weather", ["rain"])]


def test_a_decision_about_boxes_leaves_answers_about_the_image_as_they_were(
    project: builders.SmallProject,
) -> None:
    """People agree on the light, and dispute the weather, of "six", of which a category is decided."""
    pulled: dict[tuple[str, str], list[Annotation]] = {}
    for row in project.annotations["pull"]:
        pulled.setdefault((str(row.task_id), str(row.annotator_id)), []).append(row)
    join = AnswerJoin(record.load(INPUTS.shown))
    answers = [join.answer(answer_row(*rows)) for rows in pulled.values()]
    for row in answers:
        if row["image_id"] == image_id("six"):
            weather = "rain" if row["annotator_id"] == builders.ANNOTATORS[0] else "snow"
            row["choices"] = [("light", ["night"]), ("weather", [weather])]
    tables.write_rows(answers, INPUTS.answers, schema.ANSWERS)

    def image() -> dict[str, Any]:
        images = tables.read(OUTPUTS.images, schema.CONSENSUS_IMAGES).to_pylist()
        (found,) = [row for row in images if row["image_id"] == image_id("six")]
        return dict(found)

    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)
    before = image()
    decided(decision("six", "parking_sign"))
    after = image()
    assert after["answers"] == before["answers"] == [("light", ["night"])]
    assert after["answers_confidence"] == before["answers_confidence"]
    assert (after["decided"], after["review"], after["held_back"]) == (True, "answer", False)
    assert queued() == {(image_id("six"), "answer"), (image_id("five"), "presence")}


@pytest.mark.usefixtures("project")
def test_a_decided_image_leaves_the_project_and_its_decision_stays() -> None:
    tool = FakeAnnotationTool()
    push(tool)
    reader = FakeAnnotationReader(title=TITLE)
    reader.answer(SENIOR, decision("six", "parking_sign"))
    assert pull(reader) == (1, 2)
    agreement.run(AgreementParams(), inputs=DECIDED, outputs=OUTPUTS, ports=PORTS)
    assert dict(push(tool).counts)["closed"] == 1
    before = OUT.annotations.read_bytes()
    assert pull(reader) == (1, 2)  # its task is asked for all the same
    assert OUT.annotations.read_bytes() == before
    assert pull(None) == (0, 2)  # without a server what was read stays
    assert OUT.annotations.read_bytes() == before


@pytest.mark.usefixtures("project")
def test_a_project_that_is_gone_is_an_error_and_loses_nothing() -> None:
    decided(decision("six", "parking_sign"))
    before = OUT.annotations.read_bytes()
    with pytest.raises(AnnotationToolError, match="no project"):
        pull(FakeAnnotationReader(title="another"))
    assert OUT.annotations.read_bytes() == before


@pytest.mark.usefixtures("project")
def test_without_a_hand_over_there_are_empty_tables_and_no_question() -> None:
    assert pull(FakeAnnotationReader(title="never asked")) == (0, 0)
    assert tables.read(OUT.annotations, schema.ANNOTATIONS).num_rows == 0
    OUTPUTS.queue.write_text(f"{','.join(HEADER)}\n", encoding="utf-8")
    tool = FakeAnnotationTool()
    assert push(tool).line() == "adjudicate: 0 tasks"
    assert tool.specs == {}


@pytest.mark.usefixtures("project")
def test_a_queue_that_cannot_be_read_or_is_old_is_said_so() -> None:
    OUTPUTS.queue.write_text(f"image_id,reason,decision\n{image_id('copy')},presence,\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"queue\.csv names image .*, which is not kept"):
        push(FakeAnnotationTool())
    OUTPUTS.queue.unlink()
    with pytest.raises(TableError, match=r"queue\.csv is missing or damaged"):
        push(FakeAnnotationTool())


def test_the_title_fits_the_server() -> None:
    assert adjudication_decisions.title("x" * 50) == "x" * 37 + " adjudication"


@pytest.mark.usefixtures("project")
def test_decisions_become_known_answers() -> None:
    decided(decision("six", "parking_sign"), decision("five", None))
    images = tables.read(INPUTS.images, schema.IMAGES, columns=gold_pool.IMAGE_COLUMNS)
    names = ["stop_sign", "parking_sign"]
    with pytest.raises(InputError, match=r"qa\.gold = None is no folder"):
        adjudicate.write_gold(None, inputs=ADJUDICATE, names=names)
    folder = Path("gold")
    folder.mkdir()
    path, held, elsewhere = adjudicate.write_gold(folder, inputs=ADJUDICATE, names=names)
    assert (path, held, elsewhere) == (folder / "adjudicated.parquet", 2, 0)
    known = {row["image_id"]: row for row in gold_pool.load(folder, images, names).to_pylist()}
    assert (known[image_id("six")]["category"], known[image_id("five")]["outcome"]) == (
        "parking_sign",
        "empty",
    )
    assert SENIOR not in str(known)
    before = path.read_bytes()
    adjudicate.write_gold(folder, inputs=ADJUDICATE, names=names)
    assert path.read_bytes() == before
    decided(decision("five", None))  # the other decision is gone from the server: its gold stays
    adjudicate.write_gold(folder, inputs=ADJUDICATE, names=names)
    assert path.read_bytes() == before
    own = annotation("five", "stop_sign", BOX, origin="gold")
    builders.write_annotations(folder / "mine.parquet", [own])
    path.unlink()
    decided(decision("six", "parking_sign"), decision("five", None))
    assert adjudicate.write_gold(folder, inputs=ADJUDICATE, names=names)[1:] == (1, 1)


def test_a_known_answer_has_the_same_id_whoever_gave_it() -> None:
    """A file of gold is shared: no key in it may be made of an address."""
    rows = [
        annotation(
            "one", "stop_sign", BOX, annotator_id=person, annotation_id=derived_id("human", person)
        ).row()
        for person in ("ann@example.org", "ben@example.org")
    ]
    first, second = (adjudicate.gold_row(row) for row in rows)
    assert first == second
    moved = {**rows[0], "bbox_xyxy": [value + 1 for value in rows[0]["bbox_xyxy"]]}
    assert adjudicate.gold_row(moved)["annotation_id"] != first["annotation_id"]
