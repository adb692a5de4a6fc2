"""The acceptance of a release: `datasets.load_dataset` opens the folder, offline, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate.params import ReleaseParams
from curate.stages import release
from tests import builders
from tests.builders import image_id

pytest.importorskip("datasets")
READER = """\
import json, sys
from datasets import ClassLabel, load_dataset

loaded = load_dataset(sys.argv[1])
feature = loaded["train"].features["objects"]["category"].feature
assert isinstance(feature, ClassLabel), feature
first = loaded["train"][0]
columns = ("category", "category_name", "bbox", "segmentation")
print(json.dumps({
    "rows": {split: len(rows) for split, rows in loaded.items()},
    "names": feature.names,
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


@pytest.mark.integration
def test_load_dataset_opens_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = builders.small_project(tmp_path)
    report = release.run(
        ReleaseParams(name="unit-signs"),
        inputs=release.Inputs(
            images=Path("data/dedupe/images.parquet"),
            consensus=Path("data/agreement/consensus.parquet"),
            taxonomy=Path("taxonomy.yaml"),
            agreement_metrics=Path("metrics/agreement.json"),
            annotations=Path("data/autolabel/annotations.parquet"),
        ),
        outputs=release.Outputs(folder=Path("data/release")),
        labelers="simulated",
    )
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache"), "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", READER, "data/release"],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
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
