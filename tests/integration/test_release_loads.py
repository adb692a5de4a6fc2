"""The acceptance of a release: `datasets.load_dataset` opens the folder, offline, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate.params import GatesParams, ReleaseParams
from curate.records import StageReport
from curate.stages import release
from tests import builders
from tests.builders import image_id
from tests.stages.test_release import OUTPUTS, PORTS

pytest.importorskip("datasets")
READER = """\
import json, sys
from datasets import ClassLabel, load_dataset

loaded = load_dataset(sys.argv[1])
feature = loaded["train"].features["objects"]["category"].feature
assert isinstance(feature, ClassLabel), feature
first = next(row for row in loaded["train"] if row["objects"]["id"])
columns = ("category", "category_name", "bbox", "segmentation")
print(json.dumps({
    "rows": {split: len(rows) for split, rows in loaded.items()},
    "names": feature.names,
    "splits": {row["image_id"]: split for split, rows in loaded.items() for row in rows},
    "first": {**first["objects"], "mode": first["image"].mode, "size": first["image"].size},
    "objects": {
        row["image_id"]: [
            [feature.int2str(c), n, [float(v) for v in b], None if s is None else s["size"]]
            for c, n, b, s in zip(*(row["objects"][column] for column in columns))
        ]
        for rows in loaded.values() for row in rows
    },
}))
"""


def released(**params: object) -> StageReport:
    """The stage's report; the release stands in data/release."""
    return release.run(
        ReleaseParams.model_validate({"name": "unit-signs", **params}),
        gates=GatesParams(),
        inputs=release.Inputs(
            images=Path("data/dedupe/images.parquet"),
            consensus=Path("data/agreement/consensus.parquet"),
            consensus_objects=Path("data/agreement/objects.parquet"),
            consensus_images=Path("data/agreement/images.parquet"),
            figures=Path("data/agreement/figures.csv"),
            taxonomy=Path("taxonomy.yaml"),
            agreement_metrics=Path("metrics/agreement.json"),
            annotations=Path("data/autolabel/annotations.parquet"),
        ),
        outputs=OUTPUTS,
        ports=PORTS,
        labelers="simulated",
    )


def read(folder: str, home: Path, *, program: str = READER) -> dict[str, Any]:
    """What a program of its own sees that reads `folder` with the cache under `home`."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(home / "cache"), "HF_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", program, folder],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.integration
def test_load_dataset_opens_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = builders.small_project(tmp_path)
    report = released()
    seen = read("data/release", tmp_path)
    assert seen["rows"] == report.metrics["images"]
    assert seen["names"] == ["stop_sign", "parking_sign"]
    assert seen["first"]["mode"] == "RGB"
    assert seen["first"]["size"] == [builders.WIDTH, builders.HEIGHT]
    assert seen["first"]["category_name"]
    expected: dict[str, list[object]] = {}
    for row in project.annotations["consensus"]:
        drawn = expected.setdefault(row.image_id, [])
        if row.bbox_xyxy is not None:
            x1, y1, x2, y2 = row.bbox_xyxy
            size = [builders.HEIGHT, builders.WIDTH]
            drawn.append([row.category, row.category, [x1, y1, x2 - x1, y2 - y1], size])
    assert {key: sorted(rows, key=str) for key, rows in seen["objects"].items()} == {
        key: sorted(rows, key=str) for key, rows in expected.items()
    }
    assert image_id("copy") not in seen["objects"]


@pytest.mark.integration
def test_two_releases_in_one_folder_with_one_cache_are_two_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`datasets` keys its cache by the folder's name and the card's patterns, not by the files."""
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path)
    for seed, validation_share in ((0, 0.15), (3, 0.3)):
        report = released(seed=seed, validation_share=validation_share, keep_splits=False)
        seen = read("data/release", tmp_path)
        expected = {
            key: path.name.partition("-")[0]
            for path in Path("data/release/data").glob("*.parquet")
            for key in pq.read_table(path).column("image_id").to_pylist()
        }
        assert seen["splits"] == expected
        assert seen["rows"] == report.metrics["images"]


STREAMER = """\
import json, sys
from datasets import load_dataset

streamed = load_dataset(sys.argv[1], split="train", streaming=True)
first = next(iter(streamed))
ids = [row["image_id"] for row in streamed.select_columns(["image_id", "split"])]
projected = load_dataset(sys.argv[1], split="train", columns=["image_id", "objects"])
print(json.dumps({
    "mode": first["image"].mode,
    "ids": ids,
    "projected": projected.column_names,
    "projected_ids": projected["image_id"][:],
}))
"""


@pytest.mark.integration
def test_a_release_streams_and_columns_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path)
    released()
    seen = read("data/release", tmp_path, program=STREAMER)
    (path,) = Path("data/release/data").glob("train-*.parquet")
    expected = pq.read_table(path).column("image_id").to_pylist()
    assert seen == {
        "mode": "RGB", "ids": expected, "projected": ["image_id", "objects"], "projected_ids": expected,
    }  # fmt: skip


CARD_READER = """\
import json, os, re, sys
from pathlib import Path
import numpy as np

blocks = re.findall(r"```python\\n(.*?)```", Path(sys.argv[1], "README.md").read_text(), re.DOTALL)
os.chdir(sys.argv[1])
spaces = []
for block in blocks:
    space = {}
    exec(block.replace("path/to/this/folder", os.getcwd()), space)
    spaces.append(space)
load, augment = spaces
copy, again = augment["copy"], augment["again"]
boxes = sorted(np.round(again["bboxes"], 1).tolist())
print(json.dumps({
    "id": load["example"]["image_id"],
    "masks": [None if mask is None else int(mask.sum()) for mask in load["pixels"]],
    "areas": load["example"]["objects"]["area"],
    "off": float(np.abs(np.asarray(copy["image"], float) - again["image"]).mean()),
    "boxes": [boxes, sorted(np.round(copy["objects"]["bbox"], 1).tolist())],
    "parent": [augment["parent"]["image_id"], copy["parent_id"]],
}))
"""


@pytest.mark.integration
def test_what_the_card_tells_to_run_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of its programs: masks decode to the areas that the rows name, and a copy comes out again."""
    pytest.importorskip("albumentations")
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path)
    nodes = [
        {"__class_fullname__": name, "p": 1.0} for name in ("HorizontalFlip", "RandomRotate90", "GaussNoise")
    ]
    document = {"transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": nodes}}
    Path("augment.yaml").write_text(json.dumps(document))
    released(augment={"pipeline": "augment.yaml"})
    seen = read("data/release", tmp_path, program=CARD_READER)
    assert seen["masks"] == seen["areas"]
    assert seen["masks"]
    assert seen["parent"][0] == seen["parent"][1]
    assert seen["off"] < 5  # of 255: the copy is a JPEG; noise of another seed is off by 60
    again, stored = seen["boxes"]
    assert len(again) == len(stored)
    assert all(
        abs(a - b) <= 1 for pair in zip(again, stored, strict=True) for a, b in zip(*pair, strict=True)
    )
