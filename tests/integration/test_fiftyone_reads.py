"""FiftyOne's importers read what we write, and we read what FiftyOne exports; in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from curate import formats
from curate.geometry import masks
from tests.formats import datasets

pytestmark = pytest.mark.integration
LIMIT_S = 500.0  # an import of FiftyOne on a busy machine takes half a minute

IMPORTERS = """
    import json, sys
    from pathlib import Path
    import fiftyone.utils.coco as coco, fiftyone.utils.cvat as cvat, fiftyone.utils.kitti as kitti
    import fiftyone.utils.voc as voc, fiftyone.utils.yolo as yolo
    root = Path(sys.argv[1])
    readers = {
        **{kind: coco.COCODetectionDatasetImporter(
            data_path=str(root / "coco/images/train"), label_types=[kind], include_id=False,
            labels_path=str(root / "coco/annotations/instances_train.json"))
            for kind in ("detections", "segmentations")},
        "voc": voc.VOCDetectionDatasetImporter(
            data_path=str(root / "voc/VOCdevkit/VOC2012/JPEGImages"),
            labels_path=str(root / "voc/VOCdevkit/VOC2012/Annotations")),
        "kitti": kitti.KITTIDetectionDatasetImporter(
            data_path=str(root / "kitti/image_2"), labels_path=str(root / "kitti/label_2")),
        "cvat": cvat.CVATImageDatasetImporter(
            data_path=str(root / "cvat/images"), labels_path=str(root / "cvat/annotations.xml")),
        "yolo": yolo.YOLOv5DatasetImporter(
            dataset_dir=str(root / "yolo"), yaml_path=str(root / "yolo/data.yaml"), split="train"),
    }
    found = {}
    for name, reader in readers.items():
        found[name] = {}
        with reader:
            for path, _, label in reader:
                label = label.get("detections", label) if isinstance(label, dict) else label
                found[name][Path(path).name] = [
                    [one.label, list(one.bounding_box), None if one.mask is None else int(one.mask.sum())]
                    for one in getattr(label, "detections", None) or []
                ]
    print("FOUND" + json.dumps(found))
"""

EXPORT = """
    import sys
    import fiftyone as fo, numpy as np
    picture, target = sys.argv[1:]
    dataset = fo.Dataset("unit")
    sample = fo.Sample(filepath=picture)
    sample.compute_metadata()
    mask = np.array([[True, False], [True, True]])
    sample["ground_truth"] = fo.Detections(detections=[
        fo.Detection(label="a", bounding_box=[0, 0, 0.5, 0.5]),
        fo.Detection(label="b", bounding_box=[2 / 24, 3 / 18, 2 / 24, 2 / 18], mask=mask),
    ])
    sample["lines"] = fo.Polylines(polylines=[
        fo.Polyline(label="c", points=[[(0, 0), (0.5, 0), (0.5, 0.5)]], closed=True, filled=True)])
    dataset.add_sample(sample)
    dataset.export(export_dir=target, dataset_type=fo.types.FiftyOneDataset)
"""


def run(program: str, folder: Path, *arguments: str) -> str:
    environment = {
        **os.environ,
        "HOME": str(folder),
        "FIFTYONE_DATABASE_DIR": str(folder / "db"),
        "FIFTYONE_DO_NOT_TRACK": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_fiftyones_importers_read_five_formats(tmp_path: Path) -> None:
    boxes = [datasets.traps()[0], datasets.traps()[2]]
    masked = datasets.traps()[1]
    for format in ("coco", "voc", "kitti", "cvat", "yolo"):
        datasets.written(format, tmp_path / format, [*boxes, masked] if format == "coco" else boxes)
    found = json.loads(run(IMPORTERS, tmp_path, str(tmp_path)).partition("FOUND")[2])
    (one,) = found.pop("segmentations")["b c é.jpg"]
    assert one[2] == datasets.with_holes_and_parts().sum()
    for name, images in found.items():
        assert images["nothing.jpg"] == [], name
        drawn = [box for _, box, _ in images["a.jpg"]]
        # of VOC FiftyOne takes the numbers as they stand: from 1 on, with the last pixel
        at = 1.0 if name == "voc" else 0.0
        for box, (x1, y1, x2, y2) in ((drawn[0], (at, at, 1.0, 1.0)), (drawn[2], (at, at, 24.0, 18.0))):
            assert box == pytest.approx([x1 / 24, y1 / 18, (x2 - x1) / 24, (y2 - y1) / 18], abs=1e-6)
        spelt = [label.replace("_", " ") for label, _, _ in images["a.jpg"]]
        assert spelt == [category.replace("_", " ") for category in datasets.CATEGORIES]


def test_what_fiftyone_exports_is_read(tmp_path: Path) -> None:
    picture = tmp_path / "é 1.png"
    picture.write_bytes(datasets.png())
    run(EXPORT, tmp_path, str(picture), str(tmp_path / "out"))
    labels = formats.read(tmp_path / "out")
    (image,) = labels.images
    assert (labels.format, image.size) == ("fiftyone", datasets.SIZE)
    ((kind, detail),) = [(problem.kind, problem.detail) for problem in labels.problems]
    assert (kind, "'lines'" in detail) == (
        "not_read",
        True,
    )  # read if asked for
    first, mask = image.in_pixels(datasets.SIZE).objects
    assert (first.category, first.bbox_xyxy) == ("a", (0.0, 0.0, 12.0, 9.0))
    plane = masks.decode(mask.mask(datasets.SIZE) or "", width=24, height=18)
    assert np.argwhere(plane).tolist() == [[3, 2], [4, 2], [4, 3]]
    (image,) = formats.read(tmp_path / "out", field="lines").images
    (line,) = image.in_pixels(datasets.SIZE).objects
    assert line.polygons == (((0.0, 0.0, 12.0, 0.0, 12.0, 9.0),),)
