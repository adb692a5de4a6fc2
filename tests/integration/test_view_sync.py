"""A sync of many images that is killed in the middle, and two projects in one database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pymongo
import pymongo.errors
import pytest

from benchmarks import view_project
from curate import decision_file
from curate.adapters import fiftyone_content
from curate.adapters.mongod import Mongod
from tests import builders

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

IMAGES = 1200  # six batches
WAIT_S = 300.0

SYNC = """
    import json, sys
    from pathlib import Path
    from curate.adapters import fiftyone_view
    name = fiftyone_view.sync_dataset(Path(sys.argv[1]), stage="release")
    import fiftyone as fo
    dataset = fo.load_dataset(name)
    keys, digests, model = dataset.values(["image_id", "curate_digest", "model.detections.label"])
    found = {key: [digest.split()[0], len(labels)] for key, digest, labels in zip(keys, digests, model)}
    print(json.dumps({"name": name, "samples": len(dataset), "found": found}))
"""

DECIDE = """
    import json, sys
    from pathlib import Path
    from curate.adapters import fiftyone_decisions, fiftyone_view
    root = Path(sys.argv[1])
    name = fiftyone_view.sync_dataset(root, stage="release")
    import fiftyone as fo
    sample = fo.load_dataset(name).match({"image_id": sys.argv[2]}).first()
    sample.tags.append(sys.argv[3])
    sample.save()
    fiftyone_decisions.pull(root, root / "decisions.csv", by="labeler-1")
    dataset = fo.load_dataset(name)
    paths, tags = dataset.values(["filepath", "tags"])
    tags = sorted({tag for some in tags for tag in some})
    print(json.dumps({"datasets": fo.list_datasets(), "paths": paths, "tags": tags}))
"""


def started(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def killed_after(process: subprocess.Popen[str], root: Path, written: dict[str, Any]) -> int:
    """Kill the process once samples that match are in its database; how many there were."""
    deadline = time.monotonic() + WAIT_S
    address = root / ".fiftyone/mongod.address"
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            place = address.read_text(encoding="utf-8").partition(" ")[2]
            with pymongo.MongoClient[Any](
                f"mongodb://{quote_plus(place)}", serverSelectionTimeoutMS=200
            ) as client:
                database = client["fiftyone"]
                names = [one for one in database.list_collection_names() if one.startswith("samples.")]
                number = sum(database[name].count_documents(written) for name in names)
        except (OSError, pymongo.errors.PyMongoError):
            number = 0  # not started, or not yet
        if number:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return number
        time.sleep(0.02)
    raise AssertionError("nothing was written")


def whole(found: dict[str, Any], root: Path) -> None:
    """Every image has one sample with the labels and digest of the tables."""
    digests = fiftyone_content.read(root, stage="release").digests
    assert found["samples"] == IMAGES == len(found["found"])
    assert found["found"] == {key: [digest, view_project.PER_IMAGE] for key, digest in digests.items()}


def test_a_sync_that_is_killed_is_whole_after_the_next(tmp_path: Path) -> None:
    view_project.make(tmp_path, IMAGES)
    first = killed_after(started(SYNC, str(tmp_path)), tmp_path, {})
    assert 0 < first < IMAGES
    whole(answer(started(SYNC, str(tmp_path))), tmp_path)
    before = fiftyone_content.read(tmp_path, stage="release").digests
    view_project.change(tmp_path, IMAGES)
    changed = {"sharpness": {"$gt": 1000}}  # no image had more than 900 before
    number = killed_after(started(SYNC, str(tmp_path)), tmp_path, changed)
    assert number < IMAGES
    assert fiftyone_content.read(tmp_path, stage="release").digests != before
    whole(answer(started(SYNC, str(tmp_path))), tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A database that two projects share: the user's own, by FIFTYONE_DATABASE_URI."""
    mongod = Mongod(tmp_path / "db", log=tmp_path / "mongod.log")
    yield mongod.start()
    mongod.stop()


def test_two_projects_in_one_database_do_not_mix(tmp_path: Path, server: str) -> None:
    one = builders.image_id("one")  # both have an image of these very bytes
    found = {}
    for name, tag in (("signs", "drop:blurred"), ("lamps", "gold")):
        root = tmp_path / name
        root.mkdir()
        builders.small_project(root)
        params = f"release: {{name: {name}}}\ndedupe: {{decisions: decisions.csv}}\n"
        (root / "params.yaml").write_text(params)
        found[name] = answer(started(DECIDE, str(root), one, tag, FIFTYONE_DATABASE_URI=server))
    assert found["lamps"]["datasets"] == ["curate-lamps", "curate-signs"]
    for name, other in (("signs", "gold"), ("lamps", "drop:blurred")):
        root = tmp_path / name
        assert all(Path(path).is_relative_to(root) for path in found[name]["paths"])
        assert other not in found[name]["tags"]
    said = {name: decision_file.load(tmp_path / name / "decisions.csv") for name in found}
    assert [(line.decision, line.argument) for line in said["signs"]] == [("drop", "blurred")]
    assert [(line.decision, line.argument) for line in said["lamps"]] == [("gold", "")]
