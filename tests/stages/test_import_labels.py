"""Labels that people already have go through the pipeline as suggestions, answers or gold."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curate import schema, tables
from curate.cli import app
from curate.errors import AnnotationToolError, InputError, ParamsError
from curate.ingest.sources import load
from curate.params import Params
from curate.records import Annotation, Box
from curate.stages import import_labels
from tests import builders
from tests.builders import image_id

Drawn = dict[str, list[tuple[str, Box]]]
TRUTH: Drawn = {name: objects for name, objects in builders._OBJECTS.items() if name != "copy"}
PARAMS = Params.model_validate(
    {
        "autolabel": {"detector": {"kind": "none"}, "segmenter": {"kind": "none"}},
        "labelstudio": {"enabled": False, "project": "unit"},
        "qa": {"gold": "gold", "labelers": "people"},
        "agreement": {"bootstrap": 20},
        "quality": {"bootstrap": 20},
        "release": {"name": "unit-signs"},
    }
)
WITHOUT_SERVER = "labelstudio: {enabled: false}\nautolabel: {detector: {kind: none}}\nqa: {gold: gold}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(WITHOUT_SERVER)
    (tmp_path / "gold").mkdir()
    return builders.small_project(tmp_path, stage="dedupe")


def coco(
    path: Path, drawn: Drawn, *, moved: float = 0.0, names: Sequence[str] = tuple(builders.CATEGORIES)
) -> Path:
    images = [
        {"id": 100 + at, "file_name": f"{name}.jpg", "width": builders.WIDTH, "height": builders.HEIGHT}
        for at, name in enumerate(drawn)
    ]
    annotations = [
        {
            "id": 1,
            "image_id": 100 + at,
            "category_id": 7 * (1 + list(builders.CATEGORIES).index(category)),
            "bbox": [box[0] + moved, box[1] + moved, box[2] - box[0], box[3] - box[1]],
        }
        for at, objects in enumerate(drawn.values())
        for category, box in objects
    ]
    annotations = [{**one, "id": number} for number, one in enumerate(annotations)]
    categories = [{"id": 7 * (1 + at), "name": name} for at, name in enumerate(names)]
    content = {"images": images, "categories": categories, "annotations": annotations}
    path.write_text(json.dumps(content, indent=1))
    return path


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["import", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def stage(name: str) -> Any:
    report = importlib.import_module(f"curate_pipelines.{name}").main(PARAMS)
    Path("metrics").mkdir(exist_ok=True)
    Path(f"metrics/{name}.json").write_text(json.dumps(dict(report.metrics)))
    return report


def found(pattern: str) -> Path:
    """The one file of this name and a digest."""
    (path,) = Path().glob(pattern)
    return path


def rows(path: str | Path) -> list[Annotation]:
    return [Annotation.from_row(row) for row in tables.read(Path(path), schema.ANNOTATIONS).to_pylist()]


@pytest.mark.usefixtures("project")
def test_answers_of_two_people_become_a_release_without_any_server() -> None:
    """ "five" is missed by the second, who moves all boxes by two pixels; nobody runs Label Studio."""
    anna = coco(Path("anna.json"), TRUTH)
    ben = coco(Path("ben.json"), {**TRUTH, "five": []}, moved=2.0)
    first = invoke(str(anna), "--as", "answers", "--annotator", "anna")
    assert first == "import of anna.json as answers: 6 images, 6 objects\n"
    invoke(str(ben), "--as", "answers", "--annotator", "ben")
    stage("autolabel")
    stage("select")
    assert stage("push").line() == "push: 0 tasks"
    pulled = stage("pull")
    assert pulled.line() == "pull: 6 tasks done, 6 tasks, 12 answers, 11 objects, 0 skipped, 0 tasks read"
    stage("quality")
    agreed = stage("agreement")
    counts = dict(agreed.counts)
    assert (counts["images"], counts["seen by several"], counts["consensus objects"]) == (6, 6, 5)
    assert agreed.metrics["f1"]["value"] == pytest.approx(2 * 5 / 11, abs=1e-6)
    with Path("data/agreement/queue.csv").open() as file:
        assert [row["image_id"] for row in csv.DictReader(file)] == [image_id("five")]
    released = stage("release")
    assert dict(released.counts)["images"] == 5  # two of two do not agree on "five"
    assert dict(released.counts)["objects"] == 5


@pytest.mark.usefixtures("project")
def test_labels_of_a_dropped_copy_that_say_otherwise_are_looked_at_again() -> None:
    """Of "one" there is a copy, which dedupe dropped: anna names it otherwise, ben does not."""
    wrong: Drawn = {**TRUTH, "copy": [("parking_sign", TRUTH["one"][0][1])]}
    right: Drawn = {**TRUTH, "copy": TRUTH["one"]}
    for person, drawn in (("anna", wrong), ("ben", right)):
        file = coco(Path(f"{person}.json"), drawn)
        out = invoke(str(file), "--as", "answers", "--annotator", person)
        assert "1 image dropped" in out
    for name in ("autolabel", "select", "push", "pull", "quality", "agreement"):
        report = stage(name)
    assert dict(report.counts)["labelled otherwise as a dropped copy"] == 1
    assert report.metrics["dropped_copies"] == {
        "compared": 1, "labelled_otherwise": 1, "kept_image_without_labels": 0, "not_placed": 0,
    }  # fmt: skip
    with Path("data/agreement/queue.csv").open() as file:
        rows = {row["image_id"]: row for row in csv.DictReader(file)}
    row = rows[image_id("one")]
    x1, y1, x2, y2 = (f"{edge:g}" for edge in TRUTH["one"][0][1])
    assert (row["reason"], row["held_back"]) == ("duplicate", "false")
    assert row["detail"] == f"copy.jpg: stop_sign at {x1}, {y1}, {x2}, {y2} is parking_sign on the copy"
    assert dict(stage("release").counts)["images"] == 6


@pytest.mark.usefixtures("project")
def test_labels_of_a_dropped_copy_whose_kept_image_has_none_are_counted() -> None:
    others: Drawn = {name: drawn for name, drawn in TRUTH.items() if name != "one"}
    file = coco(Path("anna.json"), {**others, "copy": TRUTH["one"]})
    invoke(str(file), "--as", "answers", "--annotator", "anna")
    for name in ("autolabel", "select", "push", "pull", "quality", "agreement"):
        report = stage(name)
    counts = dict(report.counts)
    assert counts["dropped copies with labels, where the kept image has none"] == 1
    assert "labelled otherwise as a dropped copy" not in counts


@pytest.mark.usefixtures("project")
def test_an_answer_that_cannot_be_read_whole_is_held_back_from_the_release() -> None:
    far: Drawn = {**TRUTH, "one": [("stop_sign", (20.0, 20.0, 500.0, 80.0))]}
    out = invoke(str(coco(Path("anna.json"), far)), "--as", "answers", "--annotator", "anna")
    assert out.splitlines()[0] == (
        "import of anna.json as answers: 5 images, 5 objects, 1 held back, 1 box outside"
    )
    with found("labels/answers-anna-anna-*.problems.csv").open() as file:
        (problem,) = csv.DictReader(file)
    assert (problem["kind"], problem["held_back"], problem["image"]) == ("box_outside", "yes", "one.jpg")
    line = Path("anna.json").read_text().splitlines()[int(problem["line"]) :]
    assert '"id": 0' in line[0]
    for name in ("autolabel", "select", "push", "pull", "quality", "agreement", "release"):
        report = stage(name)
    assert dict(report.counts)["images"] == 5
    with Path("data/agreement/queue.csv").open() as file:
        queued = [(row["image_id"], row["reason"]) for row in csv.DictReader(file)]
    assert (image_id("one"), "unreadable") in queued


@pytest.mark.usefixtures("project")
def test_suggestions_go_where_those_of_models_do() -> None:
    invoke(str(coco(Path("old.json"), TRUTH)), "--as", "suggestions")
    report = stage("autolabel")
    assert report.line() == "autolabel: 6 images, 6 boxes, 6 images without a box, 0 failed, 6 imported boxes"
    joined = rows("data/autolabel/annotations.parquet")
    version = f"import:{found('labels/suggestions/old-*.parquet').stem}"
    assert {(row.origin, row.model_version, row.score) for row in joined} == {("model", version, None)}
    assert len({row.taxonomy_digest for row in joined}) == 1
    stage("select")
    assert tables.read(Path("data/select/plan.parquet"), schema.PLAN).num_rows >= 6


@pytest.mark.usefixtures("project")
def test_gold_goes_where_qa_gold_says() -> None:
    invoke(str(coco(Path("known.json"), TRUTH)), "--as", "gold")
    assert [row.outcome for row in rows(found("gold/known-*.parquet"))].count("empty") == 1
    for name in ("autolabel", "select", "push", "pull", "quality"):
        stage(name)
    Path("params.yaml").write_text("qa: {gold: null}\n")
    done = CliRunner().invoke(app, ["import", "known.json", "--as", "gold"])
    assert isinstance(done.exception, InputError)
    assert "set `gold: gold` under qa" in str(done.exception)


@pytest.mark.usefixtures("project")
def test_a_category_of_another_name_is_named_or_given() -> None:
    path = coco(Path("anna.json"), TRUTH, names=("Stop Sign", "parking_sign"))
    with pytest.raises(InputError, match="unknown_category"):
        import_labels.run(
            import_labels.ImportParams(
                coco(Path("one.json"), {"one": TRUTH["one"]}, names=("Stop Sign", "x")), "gold"
            ),
            inputs=import_labels.Inputs(Path("data/dedupe/images.parquet"), Path("taxonomy.yaml")),
            outputs=import_labels.Outputs(Path("out.parquet"), Path("problems.csv")),
        )
    with Path("problems.csv").open() as file:
        assert next(csv.DictReader(file))["nearest_category"] == "stop_sign"
    out = invoke(str(path), "--as", "gold", "--category", "Stop Sign=stop_sign")
    assert "6 images, 6 objects" in out
    done = CliRunner().invoke(app, ["import", "anna.json", "--as", "gold", "--category", "Stop Sign=halt"])
    assert "'halt' is not in the taxonomy" in str(done.exception)


@pytest.mark.usefixtures("project")
def test_one_persons_answer_to_one_image_stands_in_one_file() -> None:
    for name in ("first", "second"):
        path = coco(Path(f"{name}.json"), {"one": TRUTH["one"]})
        invoke(str(path), "--as", "answers", "--annotator", "anna")
    for name in ("autolabel", "select", "push"):
        stage(name)
    with pytest.raises(InputError, match="both hold an answer of anna to image"):
        stage("pull")


def batch(number: int, name: str) -> Path:
    """A file where CVAT puts it in every export."""
    folder = Path(f"batch{number}/annotations")
    folder.mkdir(parents=True, exist_ok=True)
    return coco(folder / "instances_default.json", {name: TRUTH[name]})


@pytest.mark.usefixtures("project")
def test_two_files_of_one_name_do_not_replace_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (batch(1, "one"), batch(2, "two"), batch(1, "one")):  # the same file again: its own table
        invoke(str(path), "--as", "answers", "--annotator", "anna")
    made = sorted(Path("labels/answers").glob("annotations-instances_default-anna-*.parquet"))
    answered = [{row.image_id for row in rows(path)} for path in made]
    assert sorted(answered, key=sorted) == sorted([{image_id("one")}, {image_id("two")}], key=sorted)
    inside = Path("batch1").resolve()
    monkeypatch.chdir(inside)  # called from elsewhere it is still the same file
    invoke("annotations/instances_default.json", "--as", "answers", "--annotator", "anna", "--root", "..")
    monkeypatch.chdir(inside.parent)
    assert sorted(Path("labels/answers").glob("*.parquet")) == made
    assert len(list(Path("labels").glob("answers-*.problems.csv"))) == 2


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("become", "folder"), [("answers", "labels/answers"), ("gold", "gold")])
def test_a_table_of_an_earlier_version_is_neither_replaced_nor_counted_twice(
    become: str, folder: str
) -> None:
    path = batch(1, "one")
    arguments = [str(path), "--as", become, *(["--annotator", "anna"] if become == "answers" else [])]
    invoke(*arguments)
    (made,) = Path(folder).glob("*.parquet")
    old = made.with_stem(made.stem.rpartition("-")[0])
    made.rename(old)
    before = old.read_bytes()
    done = CliRunner().invoke(app, ["import", *arguments])
    assert isinstance(done.exception, InputError)
    assert f"{old} was made by an earlier version" in str(done.exception)
    assert "import again every file that is called instances_default.json" in str(done.exception)
    params = import_labels.ImportParams(
        path, "gold" if become == "gold" else "answers", field="ground_truth",
        annotator="anna" if become == "answers" else None,
    )  # fmt: skip
    with pytest.raises(InputError, match="was made by an earlier version"):
        import_labels.places(params, Path(), Path("taxonomy.yaml"), Path("gold"))
    assert [(one, one.read_bytes()) for one in Path(folder).glob("*.parquet")] == [(old, before)]
    old.unlink()
    invoke(*arguments)
    assert made.exists()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("become", ["answers", "gold"])
def test_objects_of_nowhere_make_no_image_empty(become: str) -> None:
    path = coco(Path("anna.json"), TRUTH)
    content = json.loads(path.read_text())
    path.write_text(
        json.dumps(
            {**content, "images": [{**one, "id": str(one["id"])} for one in content["images"]]}, indent=1
        )
    )
    done = CliRunner().invoke(app, ["import", str(path), "--as", become, "--annotator", "anna"])
    assert isinstance(done.exception, InputError)
    assert "6 annotations are of none of its images, the first in line " in str(done.exception)
    assert not list(Path().glob("labels/**/*.parquet"))
    assert not list(Path("gold").glob("*.parquet"))


@pytest.mark.usefixtures("project")
def test_suggestions_that_two_tables_hold_are_told() -> None:
    """As after a file was moved, whose old table stayed."""
    for name in ("here", "there"):
        invoke(str(coco(Path(f"{name}.json"), TRUTH)), "--as", "suggestions")
    with pytest.raises(
        InputError, match=r"there-.*\.parquet and .*here-.*\.parquet hold the same suggestions"
    ):
        stage("autolabel")


@pytest.mark.usefixtures("project")
def test_a_video_of_cvat_says_so() -> None:
    Path("video.xml").write_text('<annotations><track id="0" label="stop_sign"/></annotations>')
    for become, message in (
        ("answers", "holds 1 tracks of a video: export it as"),
        ("suggestions", "1 not_read"),
    ):
        done = CliRunner().invoke(app, ["import", "video.xml", "--as", become, "--annotator", "anna"])
        assert message in str(done.exception)


@pytest.mark.usefixtures("project")
def test_a_models_labels_are_no_answers_and_no_gold() -> None:
    shape = {"x": 10, "y": 10, "width": 20, "height": 20, "rectanglelabels": ["stop_sign"]}
    result = [{"id": "r", "type": "rectanglelabels", "value": shape}]
    task = {"id": 1, "data": {"image": "/x/one.jpg"}, "annotations": [], "predictions": [{"result": result}]}
    answered = {"id": 2, "data": {"image": "/x/two.jpg"}, "annotations": [{"result": []}]}
    path = Path("tasks.json")
    path.write_text(json.dumps([task, answered]))
    out = invoke(str(path), "--as", "answers", "--annotator", "anna", "--match", "name")
    assert out.startswith("import of tasks.json as answers: 1 images, 0 objects, ")
    assert "1 not labeled" in out
    assert "1 images, 0 objects" in invoke(str(path), "--as", "gold", "--match", "name")
    assert "2 images, 1 objects" in invoke(str(path), "--as", "suggestions", "--match", "name")


@pytest.mark.usefixtures("project")
def test_a_field_of_fiftyone_is_named_on_the_command_line_and_in_sources() -> None:
    drawn = [{"label": "stop_sign", "bounding_box": [0.1, 0.1, 0.5, 0.5]}]
    fields = {name: {"_cls": "Detections", "detections": drawn} for name in ("anna", "ben")}
    Path("samples.json").write_text(json.dumps({"samples": [{"filepath": "one.jpg", **fields}]}))
    arguments = ["samples.json", "--as", "answers", "--annotator", "anna"]
    done = CliRunner().invoke(app, ["import", *arguments])
    assert "fields anna, ben: say which with --field" in str(done.exception)
    assert "1 images, 1 objects" in invoke(*arguments, "--field", "anna")
    Path("raw").mkdir()
    Path("raw/sources.yaml").write_text(
        "sources: [{name: unit, path: .}]\nlabels:\n"
        "  - {file: ../samples.json, as: answers, annotator: ben, field: ben}\n"
    )
    Path("params.yaml").write_text("ingest: {raw: raw, sources: sources.yaml}\n" + WITHOUT_SERVER)
    assert "1 images, 1 objects" in invoke()


def test_what_was_imported_stands_beside_the_servers_answers(project: builders.SmallProject) -> None:
    from curate.adapters.imported_answers import ImportedAnswers
    from curate.stages import pull
    from tests.pulled import FakeAnnotationReader

    del project
    invoke(str(coco(Path("old.json"), TRUTH)), "--as", "answers", "--annotator", "anna")
    for name in ("autolabel", "select", "push"):
        stage(name)
    server = FakeAnnotationReader()
    wanted = pull.wanted(Path("data/select/plan.parquet"), Path("data/dedupe/images.parquet"))
    tasks = {task.image_id: key for key, task in wanted.items()}
    for name, objects in TRUTH.items():
        drawn = [builders.annotation(name, category, box, annotator_id="eva") for category, box in objects]
        drawn = drawn or [builders.annotation(name, None, None, annotator_id="eva")]
        server.answer(
            "eva", *(Annotation.from_row({**one.row(), "task_id": tasks[one.image_id]}) for one in drawn)
        )
    with ImportedAnswers(Path("labels/answers"), server).pull("unit", wanted) as snapshot:
        answers = [row for piece in snapshot.answers() for row in piece]
        drawn_rows = [row for piece in snapshot.annotations() for row in piece]
    for found, key in ((answers, "answer_id"), (drawn_rows, "annotation_id")):
        assert [row[key] for row in found] == sorted(row[key] for row in found)
    assert sorted(row["annotator_id"] for row in answers) == ["anna"] * 6 + ["eva"] * 6
    invoke(str(coco(Path("same.json"), {"one": TRUTH["one"]})), "--as", "answers", "--annotator", "eva")
    with (
        ImportedAnswers(Path("labels/answers"), server).pull("unit", wanted) as snapshot,
        pytest.raises(AnnotationToolError, match="eva answered image"),
    ):
        list(snapshot.answers())


@pytest.mark.usefixtures("project")
def test_mistakes_are_one_line() -> None:
    coco(Path("anna.json"), {"elsewhere": TRUTH["one"]})
    for arguments, message in (
        (["gone.json", "--as", "gold"], "does not exist"),
        (["anna.json", "--as", "gold"], "nothing fits the project"),
        (["anna.json", "--as", "gold", "--category", "a"], "expects THEIRS=OURS"),
        (["anna.json", "--as", "gold", "-f", "docx"], "format 'docx' cannot be read"),
    ):
        done = CliRunner().invoke(app, ["import", *arguments])
        assert isinstance(done.exception, InputError)
        assert message in str(done.exception)


@pytest.mark.usefixtures("project")
def test_labels_that_sources_name_are_imported_together() -> None:
    Path("raw").mkdir()
    coco(Path("raw/anna.json"), TRUTH)
    coco(Path("raw/old.json"), TRUTH, names=("halt", "parking_sign"))
    Path("raw/sources.yaml").write_text(
        "sources: [{name: unit, path: .}]\n"
        "labels:\n"
        "  - {file: anna.json, as: answers, annotator: anna}\n"
        "  - {file: old.json, as: suggestions, match: name, categories: {halt: stop_sign}}\n"
    )
    Path("params.yaml").write_text("ingest: {raw: raw, sources: sources.yaml}\n" + WITHOUT_SERVER)
    out = invoke()
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        "import of raw/anna.json as answers",
        "import of raw/old.json as suggestions",
    ]
    assert {row.category for row in rows(found("labels/suggestions/raw-old-*.parquet"))} == set(
        builders.CATEGORIES
    )
    Path("raw/sources.yaml").write_text("sources: [{name: unit, path: .}]\nlabels: [{file: a, like: gold}]\n")
    done = CliRunner().invoke(app, ["import"])
    assert "raw/sources.yaml:2" in str(done.exception)
    assert load(Path("raw"), None).sources
    with pytest.raises(ParamsError, match=r"raw/sources\.yaml:2"):
        load(Path("raw"), "sources.yaml")
    done = CliRunner().invoke(app, ["import", "raw/anna.json"])
    assert "say what it is, with --as" in str(done.exception)
