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
from tests.adapters.fake_hub import TOKEN, HubState, regular, serving
from tests.builders import annotation
from tests.check import planted
from tests.stages.test_release import INPUTS, OUTPUTS, PORTS
from tests.stages.test_release_splits import photographs

pytest.importorskip("datasets")
CURATE = "from curate.cli import main; import sys; main()"
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


def released(count: int, *, relabeled: int = 0) -> dict[str, list[str]]:
    """Make a release of so many photographs; the category of each image by its id."""
    records = photographs(count)
    rows = [
        annotation(
            record.sources[0][5:-4], "stop_sign" if number >= relabeled else "parking_sign",
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
    assert program(hub, PUBLISHER) == "publish: 12 files, 0 already there\n"
    names["v0.2.0"] = released(40, relabeled=3)
    assert program(hub, PUBLISHER) == "publish: 12 files, 0 already there\n"
    assert program(hub, PUBLISHER) == "publish: 12 files, 12 already there\n"
    assert set(hub.tags) == {"v0.1.0", "v0.2.0"}
    assert len(hub.commits) == 3
    seen: dict[str, dict[str, Any]] = {}
    for tag, expected in names.items():
        for way in ("loaded", "streamed"):
            found = json.loads(program(hub, PROGRAM, tag, way))
            assert found["names"] == expected
            assert way == "loaded" or hub.ranges  # parts of files are asked for
            assert found["mode"] == "RGB"
            assert seen.setdefault(tag, found) == found
    old, new = seen["v0.1.0"]["splits"], seen["v0.2.0"]["splits"]
    assert {key: new[key] for key in old} == old
    text = Path("data/release/CHANGELOG.md").read_text()
    assert "## 0.2.0\n\n- 10 images added, with 10 objects.\n- 3 objects given another category" in text
    compared = program(
        hub, CURATE, "diff", "hf://owner/name@v0.1.0",
        "hf://owner/name@v0.2.0", "--json",
    )  # fmt: skip
    document = json.loads(compared)
    assert (document["images"]["added"], document["objects"]["relabelled"]) == (10, 3)
    assert document["next_version"] == "0.2.0"
    is_exported_and_checked(hub)


def is_exported_and_checked(hub: HubState) -> None:
    """By the commands, at a tag, from a Hub that others write to too."""
    tree = dict(hub.commits[hub.tags["v0.1.0"]])
    hub.tags["v0.1.0"] = hub.commit({**tree, "theirs.md": regular("theirs.md", b"of somebody else")})
    Path("params.yaml").write_text("publish: {target: hub, repo: owner/name}\n")
    by_place = program(hub, CURATE, "export", "hf://owner/name@v0.1.0", "-f", "coco", "-o", "by_place")
    by_version = program(hub, CURATE, "export", "--version", "0.1.0", "-f", "coco", "-o", "by_version")
    assert by_place == by_version
    assert by_place.startswith("export to coco: 30 images, 30 objects")
    report = json.loads(Path("by_version/export.json").read_text())
    assert (report["version"], report["digest"]) == ("0.1.0", json.loads(
        Path("by_place/export.json").read_text())["digest"])  # fmt: skip
    found = json.loads(
        program(hub, CURATE, "check", "hf://owner/name@v0.2.0", "--json", "--no-page", "--fail-on", "never")
    )
    assert (found["path"], found["format"]) == ("hf://owner/name@v0.2.0", "huggingface")
    assert (found["images"], found["objects"], set(found["splits"])) == (
        40,
        40,
        {"train", "validation", "test"},
    )
    assert not {"split_leak", "damaged", "missing_image"} & {one["kind"] for one in found["findings"]}


@pytest.mark.integration
def test_a_data_set_of_the_hub_that_is_no_release_is_checked(hub: HubState, tmp_path: Path) -> None:
    """As `push_to_hub` of somebody else's program left it; every planted fault is found."""
    import datasets as hf

    picture = planted.encoded(planted.picture(1))
    other = planted.encoded(planted.picture(2))
    boxes = [[[0.0, 0.0, 40.0, 40.0]], [[200.0, 100.0, 90.0, 40.0]], [[0.0, 0.0, 40.0, 40.0]]]
    features = hf.Features({
        "image": hf.Image(),
        "objects": {"bbox": hf.Sequence(hf.Sequence(hf.Value("float32"))),
                    "category": hf.Sequence(hf.ClassLabel(names=["car", "bus"]))},
    })  # fmt: skip
    hub.private = False
    tree = {}
    for split, wanted in (("train", [0, 1]), ("test", [2])):
        rows = {
            "image": [[picture, other, picture][row] for row in wanted],
            "objects": [{"bbox": boxes[row], "category": [0]} for row in wanted],
        }
        file = tmp_path / "made.parquet"
        hf.Dataset.from_dict(rows, features=features).to_parquet(file)
        name = f"data/{split}-00000-of-00001.parquet"
        tree[name] = regular(name, file.read_bytes())
    hub.commit(tree)
    found = json.loads(
        program(hub, CURATE, "check", "hf://owner/name", "--json", "--no-page", "--fail-on", "never")
    )
    kinds = {one["kind"]: one["count"] for one in found["findings"]}
    assert (found["images"], found["objects"]) == (3, 3)
    assert (kinds["split_leak"], kinds["box_outside"], kinds["class_missing"]) == (1, 1, 1)
