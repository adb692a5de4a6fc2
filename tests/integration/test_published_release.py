"""Two versions of a data set on a Hub: published by the stage, loaded at their tags by plain libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate.stages import release
from tests import builders
from tests.adapters.fake_hub import TOKEN, HubState, serving
from tests.builders import annotation
from tests.stages.test_release import INPUTS, OUTPUTS, PORTS
from tests.stages.test_release_splits import photographs

pytest.importorskip("datasets")
PROGRAM = """\
import json, sys
from datasets import load_dataset

at, streaming = sys.argv[1], sys.argv[2] == "streamed"
found = load_dataset("owner/name", revision=at, streaming=streaming)
rows = {split: list(part.select_columns(["image_id", "objects"])) for split, part in found.items()}
first = next(iter(found["train"]))
print(json.dumps({
    "splits": {row["image_id"]: split for split, part in rows.items() for row in part},
    "names": {row["image_id"]: row["objects"]["category_name"] for part in rows.values() for row in part},
    "mode": first["image"].mode,
}))
"""
PUBLISHER = """\
import sys
from pathlib import Path
from curate.adapters.huggingface_hub import HuggingFaceHub
from curate.params import PublishParams
from curate.stages import publish

report = publish.run(
    PublishParams(target="hub", repo="owner/name"),
    inputs=publish.Inputs(release=Path("data/release")),
    outputs=publish.Outputs(receipt=Path("data/publish/receipt.json"), last=Path("data/publish/last")),
    ports=publish.Ports(hub=HuggingFaceHub("owner/name")),
    confirmed=True,
)
print(report.line())
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubState]:
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path)
    with serving() as state:
        yield state


def program(hub: HubState, text: str, *args: str) -> str:
    """What a process of its own prints that knows of this Hub alone."""
    home = Path("home").absolute()
    environment = {
        "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0", "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", text, *args], env={**os.environ, **environment},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def released(count: int, *, relabelled: int = 0) -> dict[str, list[str]]:
    """Make a release of so many photographs; the category of each image by its id."""
    records = photographs(count)
    rows = [
        annotation(
            record.sources[0][5:-4], "stop_sign" if number >= relabelled else "parking_sign",
            (10.0, 10.0, 60.0, 60.0), origin="consensus",
        )
        for number, record in enumerate(records)
    ]  # fmt: skip
    builders.write_images(INPUTS.images, records)
    builders.write_annotations(INPUTS.consensus, rows)
    release.run(
        release.ReleaseParams(name="unit-signs", license="cc-by-4.0"),
        inputs=replace(INPUTS, published=Path("data/publish/last")),
        outputs=OUTPUTS, ports=PORTS, labelers="people", gates=release.GatesParams(),
    )  # fmt: skip
    return {row.image_id: [str(row.category)] for row in rows}


@pytest.mark.integration
def test_two_versions_load_at_their_tags_and_no_old_image_changed_its_split(hub: HubState) -> None:
    names: dict[str, dict[str, list[str]]] = {"v0.1.0": released(30)}
    assert program(hub, PUBLISHER) == "publish: 11 files, 0 already there\n"
    names["v0.2.0"] = released(40, relabelled=3)
    assert program(hub, PUBLISHER) == "publish: 11 files, 0 already there\n"
    assert program(hub, PUBLISHER) == "publish: 11 files, 11 already there\n"
    assert set(hub.tags) == {"v0.1.0", "v0.2.0"}
    assert len(hub.commits) == 3
    seen: dict[str, dict[str, Any]] = {}
    for tag, expected in names.items():
        for way in ("loaded", "streamed"):
            found = json.loads(program(hub, PROGRAM, tag, way))
            assert found["names"] == expected
            assert found["mode"] == "RGB"
            assert seen.setdefault(tag, found) == found
    old, new = seen["v0.1.0"]["splits"], seen["v0.2.0"]["splits"]
    assert {key: new[key] for key in old} == old
    text = Path("data/release/CHANGELOG.md").read_text()
    assert "## 0.2.0\n\n- 10 images added, with 10 objects.\n- 3 objects given another category" in text
    compared = program(
        hub, "from curate.cli import main; import sys; main()", "diff", "hf://owner/name@v0.1.0",
        "hf://owner/name@v0.2.0", "--json",
    )  # fmt: skip
    document = json.loads(compared)
    assert (document["images"]["added"], document["objects"]["relabelled"]) == (10, 3)
    assert document["next_version"] == "0.2.0"
