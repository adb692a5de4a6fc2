"""`curate view` for real: mongod, the app's server, and a headless Chromium that looks at it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tests import builders
from tests.integration.chromium import window

pytestmark = pytest.mark.integration

IntArray = NDArray[np.int_]
START_S = 300.0  # two imports of FiftyOne, on a busy machine
LABEL_FIELDS = ("model", "annotator_simulated_1", "annotator_simulated_2", "consensus")

BUILD_TWICE = """
    import json, sys
    from pathlib import Path
    from curate.adapters import fiftyone_view
    root = Path(sys.argv[1])
    name = fiftyone_view.sync_dataset(root, stage="release")
    import fiftyone as fo
    dataset = fo.load_dataset(name)
    sample = dataset.match({"image_id": sys.argv[2]}).first()
    sample.tags.append("look again")
    sample["note"] = "by hand"
    sample.model.detections[0].tags.append("loose box")
    sample.save()
    dataset.save_view("mine", dataset.match_tags("look again"))
    assert fiftyone_view.sync_dataset(root, stage="release") == name
    dataset = fo.load_dataset(name)
    sample = dataset.match({"image_id": sys.argv[2]}).first()
    print(json.dumps({
        "datasets": fo.list_datasets(), "tags": sample.tags, "note": sample.note,
        "label_tags": sample.model.detections[0].tags, "persistent": dataset.persistent,
        "views": {view: len(dataset.load_saved_view(view)) for view in dataset.list_saved_views()},
        "order": dataset.load_saved_view("duplicate groups").values("drop_reason"),
    }))
"""


@dataclass(frozen=True)
class App:
    url: str
    process: subprocess.Popen[str]
    root: Path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pictures are gray: whatever is coloured in the app is a label."""
    root = tmp_path_factory.mktemp("view")
    for image in builders.small_project(root).images:
        if image.path is not None:
            builders.write_jpeg(
                root / image.path, np.full((builders.HEIGHT, builders.WIDTH, 3), 90, np.uint8)
            )
    return root


def test_what_people_add_survives_a_rebuild(root: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BUILD_TWICE), str(root), builders.image_id("six")],
        capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["datasets"] == [f"curate-{root.name.replace('_', '-')}"]
    assert said["persistent"]
    assert set(said["tags"]) == {"kept", "disagreement", "look again"}
    assert (said["note"], said["label_tags"]) == ("by hand", ["loose box"])
    ours = {"kept": 6, "dropped": 1, "duplicate groups": 2, "doubtful duplicates": 1, "disagreements": 2}
    assert said["views"] == {**ours, "mine": 1}
    assert said["order"] == [None, "near_duplicate"], "the keeper goes first"
    assert "1 dropped files could not be decoded" in result.stderr


@pytest.fixture(scope="module")
def app(root: Path) -> Iterator[App]:
    process = subprocess.Popen(
        [sys.executable, "-m", "curate", "view", "--root", str(root), "--port", "0"],
        stdout=subprocess.PIPE, stderr=(root / "view.log").open("w"), text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # pytest's timeout ends a wait for nothing
        found = re.search(r"http://127\.0\.0\.1:\d+/datasets/\S+", line)
        assert found, f"{line!r}, and on stderr {(root / 'view.log').read_text()!r}"
        yield App(found[0], process, root)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def test_samples_and_labels_are_seen_without_any_other_machine(app: App) -> None:
    picture = app.root / "app.png"
    with window(1400, 900) as shown:
        shown.page.goto(app.url)
        shown.page.get_by_text("7 samples").wait_for(timeout=120_000)
        for name in LABEL_FIELDS:
            assert shown.page.get_by_text(name, exact=True).first.is_visible()
        if (dismiss := shown.page.get_by_text("Dismiss", exact=True)).count():
            dismiss.first.click()
        pixels = _until_coloured(shown.page, picture)
    for name, colour in builders.CATEGORIES.items():
        masks, boxes = _drawn(pixels, colour)
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


def _until_coloured(page: Any, path: Path) -> IntArray:
    """Screenshots until labels are drawn: the app paints them some time after the pictures."""
    deadline = time.monotonic() + 60
    while True:
        page.screenshot(path=str(path))
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        grid = pixels[140:, 320:]  # without the sidebar and the buttons, which have colours of their own
        if (
            all(_drawn(grid, colour)[0] == 3 for colour in builders.CATEGORIES.values())
            or time.monotonic() > deadline
        ):
            return grid
        time.sleep(1)


def _drawn(pixels: IntArray, colour: tuple[int, int, int]) -> tuple[int, int]:
    """Filled shapes of one category, and how many of them have a line at all four corners around them.

    On gray pictures a pixel belongs to a category if it leaves gray in the direction of its colour. The masks
    are ellipses: they do not reach the corners, a box does.
    """
    towards = np.array(colour) - np.mean(colour)
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
