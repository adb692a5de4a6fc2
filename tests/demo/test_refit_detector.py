"""The demo's small detector is fitted to a release, comes back as detector, and is held against gold."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from curate import cli
from curate.formats.record import LabeledImage, LabeledObject
from demo import refit_detector
from demo.evaluate_models import evaluation_scene
from demo.scenes import HELD_OUT_SEEDS, VALIDATION_SEEDS, Scene
from demo.signs import CATEGORIES
from tests import builders
from tests.formats.release import write_release

ROOT = Path(__file__).parents[2]
TRAIN, GOLD = 10, 11


def png(scene: Scene) -> bytes:
    done, encoded = cv2.imencode(".png", cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
    assert done
    return bytes(encoded)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release of drawn scenes, and other scenes with known answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    labeled = []
    for number in range(TRAIN + 2):
        scene = evaluation_scene(VALIDATION_SEEDS, number)
        height, width = scene.image.shape[:2]
        drawn = tuple(LabeledObject(item.category, item.bbox_xyxy) for item in scene.objects)
        split = "train" if number < TRAIN else "validation"
        labeled.append(LabeledImage(f"{number}.png", drawn, width, height, split=split, content=png(scene)))
    write_release(Path("data/release"), labeled, CATEGORIES, raw=Path("raw"))
    records, gold = [], []
    for number in range(GOLD):
        scene = evaluation_scene(HELD_OUT_SEEDS, number)
        height, width = scene.image.shape[:2]
        record = builders.image(f"gold-{number}", width=width, height=height)
        Path(str(record.path)).parent.mkdir(parents=True, exist_ok=True)
        Path(str(record.path)).write_bytes(png(scene))
        records.append(record)
        gold += [
            builders.annotation(f"gold-{number}", item.category, item.bbox_xyxy, origin="gold", rle=None)
            for item in scene.objects
        ] or [builders.annotation(f"gold-{number}", None, None, origin="gold")]
    builders.write_images(Path("data/dedupe/images.parquet"), records)
    builders.write_annotations(Path("gold.parquet"), gold)
    Path("taxonomy.yaml").write_text((ROOT / "taxonomy.yaml").read_text())
    Path("params.yaml").write_text(
        f"autolabel:\n  workers: 1\n  detector:\n    model: {ROOT / 'demo/models/detector'}\n"
        "qa:\n  gold: gold.parquet\nquality:\n  bootstrap: 200\n"
    )
    return tmp_path


def run(*command: str) -> str:
    return CliRunner().invoke(cli.app, list(command), catch_exceptions=False).output


def test_it_comes_back_as_detector_and_is_compared_on_gold(project: Path) -> None:
    trainer = f"{sys.executable} -m demo.refit_detector --data {{data}} --out {{out}} --seed {{seed}}"
    base = ROOT / "demo/models/detector"
    told = run("train", "--out", "refitted", "--with", f"{trainer} --steps 3 --batch-size 2 --base {base}")
    assert f"3 steps on {TRAIN} images" in told
    assert "    model: refitted" in told
    params = project / "params.yaml"
    params.write_text(params.read_text().replace(str(base), "refitted"))
    lines = run("models", "compare").splitlines()
    assert lines[0].startswith("before: detector@")
    assert lines[1].startswith("after: refitted@")
    assert f"on {GOLD} images with known answers" in lines[-1]
    document = json.loads(Path("metrics/model_comparison.json").read_text())
    f1 = next(row for row in document["figures"] if (row["category"], row["figure"]) == ("all", "f1"))
    # Three steps make no other detector of it: that it finds signs at all shows that it came back whole.
    assert f1["before"]["value"] > 0.6
    assert f1["after"]["value"] > 0.6
    assert f1["difference"]["low"] <= 0 <= f1["difference"]["high"]


def test_boxes_stay_where_the_signs_are(tmp_path: Path) -> None:
    """A COCO folder at another size: the box is around the same pixels."""
    pixels = np.full((300, 600, 3), 90, dtype=np.uint8)
    pixels[60:120, 200:320] = (200, 30, 30)
    (tmp_path / "images/train").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "images/train/a.png"), pixels[..., ::-1])
    (tmp_path / "annotations").mkdir()
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 600, "height": 300}],
        "categories": [{"id": 5, "name": CATEGORIES[2]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 5, "bbox": [200, 60, 120, 60]}],
    }
    (tmp_path / "annotations/instances_train.json").write_text(json.dumps(content))
    (scene,) = refit_detector.load_scenes(tmp_path, "train")
    assert scene.image.shape == (128, 256, 3)
    assert scene.categories.tolist() == [2]
    x1, y1, x2, y2 = scene.boxes[0].round().astype(int)
    assert scene.image[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1, 0].min() > 180
    assert scene.image[y1 - 3, x1 - 3, 0] < 120
