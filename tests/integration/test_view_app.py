"""`curate view` for real: mongod, the app's server, and a headless Chromium that looks at it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from curate.params import AgreementParams
from curate.stages import agreement
from tests import builders
from tests.integration.chromium import window
from tests.integration.view_server import App, opened
from tests.stages.test_agreement import INPUTS, OUTPUTS, PORTS

pytestmark = pytest.mark.integration

IntArray = NDArray[np.int_]
START_S = 300.0  # two imports of FiftyOne, on a busy machine

SYNC = """
    import json, sys, zlib
    from dataclasses import replace
    from pathlib import Path
    from curate import schema, tables
    from curate.adapters import fiftyone_decisions, fiftyone_dataset, fiftyone_view, fiftyone_edits
    root, one, six = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    name = fiftyone_view.sync_dataset(root, stage="release")
    import fiftyone as fo
    def dataset():
        return fo.load_dataset(name)
    def sample(key):
        return dataset().match({"image_id": key}).first()
    out = {"ids": sorted(dataset().values("id"))}
    # As FiftyOne itself would write the same.
    kept = sample(one)
    stored = dataset()._sample_collection.find_one({"_id": kept._id})
    facts = ("label", "bounding_box", "mask", "confidence", "annotation_id", "synced", "prompt")
    label = fo.Detection(**{name: kept.model.detections[0][name] for name in facts})
    again = fo.Sample(filepath=kept.filepath, metadata=kept.metadata, model=fo.Detections(detections=[label]))
    theirs = again.to_mongo_dict()
    mine, their = stored["model"]["detections"][0], theirs["model"]["detections"][0]
    for one_of in (mine, their):
        one_of.pop("_id")
        one_of.pop("model_version", None)
        one_of["mask"] = zlib.decompress(one_of["mask"])
    out["label"] = {name for name in mine | their if mine.get(name) != their.get(name)}
    out["label"] = sorted(name for name in out["label"] if not name.startswith("model_against"))
    out["sample"] = [stored["metadata"] == theirs["metadata"], sorted(theirs.keys() - stored.keys()),
                     type(stored["_rand"]).__name__, dataset().media_type, kept.media_type]
    changed = sample(six)
    changed.tags.append("look again")
    changed["note"] = "by hand"
    changed.model.detections[0].tags.append("loose box")
    changed.save()
    dataset().save_view("mine", dataset().match_tags("look again"))
    times = ["id", "last_modified_at"]
    before = dataset().values(times)
    fiftyone_view.sync_dataset(root, stage="release")
    out["untouched"] = dataset().values(times) == before
    # The tables change for one image: its sample is written again, with what people added to it.
    rows = tables.read(root / "data/dedupe/images.parquet", schema.IMAGES).to_pylist()
    rows = [{**row, "sharpness": 7.0} if row["image_id"] == six else row for row in rows]
    tables.write_rows(rows, root / "data/dedupe/images.parquet", schema.IMAGES)
    # A killed run: some samples are not there yet, one has no digest.
    dataset().delete_samples([sample(one).id])
    fiftyone_view.sync_dataset(root, stage="release")
    # A run that was killed before its evaluation.
    dataset().delete_evaluation("model_against_consensus")
    fiftyone_dataset.forget_evaluation(dataset())
    dataset().reload()
    fiftyone_view.sync_dataset(root, stage="release")
    found = sample(six)
    out |= {
        "datasets": fo.list_datasets(), "tags": found.tags, "note": found.note, "sharpness": found.sharpness,
        "label_tags": found.model.detections[0].tags, "persistent": dataset().persistent,
        "views": {view: len(dataset().load_saved_view(view)) for view in dataset().list_saved_views()},
        "shown": sorted(
            path for path in dataset().load_saved_view("disagreements").get_field_schema()
            if path.startswith(("annotator", "consensus", "disputed")) or path == "model"
        ),
        "evaluated": dataset().list_evaluations(),
        "disputed": [one.label for one in found.disputed.detections],
        "votes": [one.votes for one in sample(one).consensus.detections],
        "quality": found.quality_blur, "plan": found.plan_reason,
    }
    # Another project of the same name in this database.
    try:
        fiftyone_dataset.sync(fo, name, None, project="another", root=root)
    except fiftyone_view.ViewError as error:
        out["mixed"] = str(error)
    print(json.dumps(out))
"""

PULL = """
    import json, sys
    from pathlib import Path
    from curate.adapters import fiftyone_decisions, fiftyone_view
    root, ids = Path(sys.argv[1]), json.loads(sys.argv[2])
    path = root / "decisions.csv"
    name = fiftyone_view.sync_dataset(root, stage="release")
    import fiftyone as fo
    dataset = fo.load_dataset(name)
    def sample(key):
        return dataset.match({"image_id": ids[key]}).first()
    def pull():
        said = fiftyone_decisions.pull(root, path, by="labeler-7")
        dataset.reload()
        return said
    out = {"nothing": pull().line()}
    one = sample("one")
    one.tags += ["drop:blurry", "drop"]
    one.save()
    copy = sample("copy")
    copy.tags += ["not-duplicate", "keep:it"]
    copy.save()
    two = sample("two")
    two.consensus.detections[0].bounding_box[2] = 0.25
    two.save()
    three = sample("three")
    three.consensus.detections[0].tags.append("relabel:parking_sign")
    three.tags.append("not-duplicate")
    three.save()
    four = sample("four")
    four.consensus.detections.append(fo.Detection(label="stop_sign", bounding_box=[0.25, 0.25, 0.5, 0.5]))
    four.save()
    six = sample("six")
    six["disputed"] = fo.Detections(detections=[])
    six.save()
    said = pull()
    out["first"] = [said.line(), list(said.problems), path.read_text()]
    out["again"] = pull().line()
    # A line that is deleted by hand, one that is added, and a tag that is gone from the app.
    rows = [row for row in path.read_text().splitlines() if ",different," not in row]
    path.write_text("\\n".join(rows + [ids["five"] + ",needs-qa,,ann,by hand,,,,"]) + "\\n")
    one = sample("one")
    one.tags.remove("drop")
    one.save()
    out["third"] = [pull().line(), path.read_text()]
    out["copy"] = sample("copy").tags
    fiftyone_view.sync_dataset(root, stage="release")
    dataset.reload()
    out["five"] = sample("five").tags
    print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pictures are gray: whatever is colored in the app is a label."""
    root = tmp_path_factory.mktemp("view")
    for image in builders.small_project(root).images:
        if image.path is not None:
            builders.write_jpeg(
                root / image.path, np.full((builders.HEIGHT, builders.WIDTH, 3), 90, np.uint8)
            )
    return root


def scripted(code: str, *arguments: str) -> tuple[dict[str, Any], str]:
    """What a program in a process of its own prints, and what it says on stderr."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), result.stderr


def settled(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project after agreement: people dispute whether "five" shows a sign, and which one "six" shows."""
    builders.small_project(root, stage="pull")
    monkeypatch.chdir(root)
    agreement.run(AgreementParams(), inputs=INPUTS, outputs=OUTPUTS, ports=PORTS)


def test_a_second_sync_writes_what_changed_and_keeps_what_people_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(tmp_path, monkeypatch)
    one, six = builders.image_id("one"), builders.image_id("six")
    said, errors = scripted(SYNC, str(tmp_path), one, six)
    assert said["datasets"] == [f"curate-{tmp_path.name.replace('_', '-')}"]
    assert said["persistent"]
    assert said["label"] == []
    assert said["sample"] == [True, [], "float", "image", "image"]
    assert said["untouched"]
    assert set(said["tags"]) == {"kept", "disagreement", "look again"}
    assert (said["note"], said["label_tags"], said["sharpness"]) == ("by hand", ["loose box"], 7.0)
    ours = {
        "kept": 6, "dropped": 1, "duplicate groups": 1, "doubtful duplicates": 1, "disagreements": 2,
        "most blurred": 7, "why people look": 6, "unreadable answers": 0, "label errors": 0, "least sure": 6,
    }  # fmt: skip
    assert said["views"] == {**ours, "mine": 1}
    assert said["shown"] == ["annotator_simulated_1", "annotator_simulated_2", "consensus", "disputed"]
    assert said["evaluated"] == ["model_against_consensus"]
    assert (said["quality"], said["plan"]) == (0.25, "review")
    assert said["votes"] == [2]
    assert len(said["disputed"]) == 1
    assert "of another project: give this one another release.name" in said["mixed"]
    assert "1 dropped files could not be decoded" in errors
    assert "7 new, 0 changed, 0 removed, 0 as before" in errors
    assert "1 new, 1 changed, 0 removed, 5 as before" in errors


def test_decisions_come_back_and_both_sides_can_take_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(tmp_path, monkeypatch)
    names = ("one", "two", "three", "four", "five", "six", "copy")
    ids = {name: builders.image_id(name) for name in names}
    (tmp_path / "params.yaml").write_text("dedupe: {decisions: decisions.csv}\n")
    said, _ = scripted(PULL, str(tmp_path), json.dumps(ids))
    assert said["nothing"] == "decisions: 0 lines, 0 new, 0 taken back in the app"
    line, problems, text = said["first"]
    assert line == "decisions: 7 lines, 7 new, 0 taken back in the app", text
    assert sorted(problem.split(": ", 1)[1] for problem in problems) == [
        "tag 'keep:it': keep takes no argument",
        "tag 'not-duplicate': the image is no duplicate or variant of another",
    ]
    rows = list(csv.DictReader(text.splitlines()))
    names_of = {key: name for name, key in ids.items()}
    assert {(names_of[row["image"]], row["decision"], row["argument"]) for row in rows} == {
        ("one", "drop", "blurry"),
        ("one", "drop", ""),
        ("copy", "different", ""),
        ("two", "edit", rows_argument(rows, ids["two"])),
        ("three", "relabel", "parking_sign"),
        ("four", "add", "stop_sign"),
        ("six", "delete", ""),
    }
    assert next(row for row in rows if row["decision"] == "different")["other"] == ids["one"]
    assert next(row for row in rows if row["decision"] == "add")["box"] == "40 30 120 90"
    assert all(row["by"] == "labeler-7" and row["when"].endswith("Z") for row in rows)
    assert said["again"] == "decisions: 7 lines, 0 new, 0 taken back in the app"
    third, text = said["third"]
    assert third == "decisions: 6 lines, 0 new, 1 taken back in the app, 1 of deleted lines forgotten"
    assert "by hand" in text
    assert "not-duplicate" not in said["copy"]
    assert "needs-qa" in said["five"]


def rows_argument(rows: list[dict[str, str]], image: str) -> str:
    """The category that an edited box keeps."""
    (one,) = [row for row in rows if row["image"] == image]
    return one["argument"]


@pytest.fixture(scope="module")
def app(root: Path) -> Iterator[App]:
    with opened(root) as app:
        yield app


def test_samples_and_labels_are_seen_without_any_other_machine(app: App) -> None:
    picture = app.root / "app.png"
    with window(1400, 900) as shown:
        shown.page.goto(app.url)
        shown.page.get_by_text("6 samples").wait_for(timeout=120_000)
        assert shown.page.get_by_text("consensus", exact=True).first.is_visible()
        if (dismiss := shown.page.get_by_text("Dismiss", exact=True)).count():
            dismiss.first.click()
        pixels = _until_colored(shown.page, picture)
    for name, color in builders.CATEGORIES.items():
        masks, boxes = _drawn(pixels, color)
        assert (masks, boxes) == (3, 3), f"{name}: 3 masks, each in a box; see {picture}"
    assert all("fonts.googleapis.com" in address for address in shown.refused), shown.refused
    assert shown.errors == []


def test_the_database_listens_on_loopback_only(app: App) -> None:
    listening = {
        connection.laddr.ip
        for process in (
            psutil.Process(app.process.pid),
            *psutil.Process(app.process.pid).children(recursive=True),
        )
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_ctrl_c_ends_everything(app: App) -> None:
    children = psutil.Process(app.process.pid).children(recursive=True)
    assert any("mongod" in child.name() for child in children)
    app.process.send_signal(signal.SIGINT)
    assert app.process.wait(60) == 0
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_a_picture_of_a_saved_view_is_written_and_everything_ends(root: Path, tmp_path: Path) -> None:
    picture = tmp_path / "shown.png"
    arguments = ["view", "--root", str(root), "--screenshot", str(picture), "--view", "disagreements"]
    done = subprocess.run(
        [sys.executable, "-m", "curate", *arguments],
        capture_output=True, text=True, timeout=3 * START_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"view: {picture}\n"
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    assert pixels.shape == (1000, 1600, 3)
    for color in builders.CATEGORIES.values():
        assert _drawn(pixels[140:, 320:], color)[0] >= 1, picture


def _until_colored(page: Any, path: Path) -> IntArray:
    """Screenshots until labels are drawn: the app paints them some time after the pictures."""
    deadline = time.monotonic() + 60
    while True:
        page.screenshot(path=str(path))
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        grid = pixels[140:, 320:]  # without the sidebar and the buttons, which have colors of their own
        if (
            all(_drawn(grid, color)[0] == 3 for color in builders.CATEGORIES.values())
            or time.monotonic() > deadline
        ):
            return grid
        time.sleep(1)


def _drawn(pixels: IntArray, color: tuple[int, int, int]) -> tuple[int, int]:
    """Filled shapes of one category, and how many of them have a line at all four corners around them.

    On gray pictures a pixel belongs to a category if it leaves gray in the direction of its color. The masks
    are ellipses: they do not reach the corners, a box does.
    """
    towards = np.array(color) - np.mean(color)
    offset = pixels - pixels.mean(axis=2, keepdims=True)
    tinted = (offset @ towards) > 0.9 * np.linalg.norm(offset, axis=2) * np.linalg.norm(towards) + 200
    shapes, _ = ndimage.label(tinted, structure=np.ones((3, 3)))
    masks = boxes = 0
    for rows, columns in ndimage.find_objects(shapes):
        part = tinted[rows, columns]
        if part.sum() > 1000:
            masks += 1
            corners = (part[:4, :4], part[:4, -4:], part[-4:, :4], part[-4:, -4:])
            boxes += all(corner.any() for corner in corners)
    return masks, boxes
