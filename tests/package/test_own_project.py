"""From a wheel alone, in a folder elsewhere: `curate init`, real Label Studio, a release; then an upgrade.

The checkout lends its sample pictures, its tiny models and its simulated labelers, as a user has pictures,
weights and people. Everything else is done by the programs of a fresh environment that holds the wheel.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.package import two_annotators, user_machine
from tests.package.two_annotators import Planted
from tests.package.user_machine import ROOT, Machine

EXTRAS = "pipeline,autolabel,labelstudio,hub"
LOOK_EACH_TIME = {"fingerprint", "ingest", "push", "pull", "publish"}
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def stages_run(machine: Machine) -> set[str]:
    """The stages that a `dvc repro` runs."""
    return set(re.findall(r"Running stage '(\w+)'", machine.run("dvc repro")))


def ours(*command: str) -> None:
    """A program of the checkout."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = user_machine.installed(tmp_path_factory.mktemp("machine"), EXTRAS)
    yield made
    if (made.work / "signs").exists():
        made.run("curate labelstudio down")


@pytest.fixture(scope="module")
def project(machine: Machine) -> Path:
    """A new project on pictures beside it, its categories and weights named."""
    work = machine.work
    places = ["--out", f"{work}/photos", "--meta", f"{work}/meta", "--truth", f"{work}/truth.json"]
    ours("-m", "demo.raw_folder", *places, "--seed", "7", "--scenes", "64")
    shutil.rmtree(work / "photos/camera_b")  # 64 is the least that the demo draws
    machine.run("curate init signs --images photos", folder=".")
    folder = work / "signs"
    sources = folder / "sources.yaml"
    sources.write_text(sources.read_text().replace("license: null", "license: CC0-1.0"))
    (folder / "taxonomy.yaml").write_text((ROOT / "taxonomy.yaml").read_text())
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["autolabel"]["detector"] = {"model": str(ROOT / "demo/models/detector")}
    params["autolabel"]["segmenter"] = {"model": str(ROOT / "demo/models/segmenter.pth"), "build": "tiny"}
    params["qa"]["labelers"] = "simulated"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    truth = json.loads((work / "truth.json").read_text())
    truth["files"] = {f"photos/{name}": value for name, value in truth["files"].items()}
    (work / "truth.json").write_text(json.dumps(truth))
    return folder


@pytest.fixture(scope="module")
def released(machine: Machine, project: Path) -> Path:
    """The project after people have answered."""
    assert "broken  Label Studio" in machine.run("curate doctor", expect=1)
    machine.run("curate labelstudio up")
    assert machine.run("curate doctor").endswith("nothing that is needed is missing\n")
    machine.run("dvc repro push")
    ours("-m", "demo.labelers", "--root", str(project), "--truth", str(machine.work / "truth.json"))
    machine.run("dvc repro")
    return project


def test_the_wheel_runs_and_not_the_checkout(machine: Machine) -> None:
    look = "python -c 'import curate, curate_pipelines as wiring; print(curate.__file__, wiring.__file__)'"
    for path in machine.run(look, folder=".").split():
        assert Path(path).is_relative_to(machine.programs.parent)


def test_it_ends_in_a_release_that_opens(machine: Machine, released: Path) -> None:
    facts: dict[str, Any] = json.loads((released / "data/release/release.json").read_text())
    assert facts["name"] == "signs"
    assert sum(facts["images"].values()) > 20
    script = released.parent / "load.py"
    script.write_text(
        "from datasets import load_dataset\n"
        "data = load_dataset('data/release')\n"
        "print({split: len(rows) for split, rows in data.items()})\n"
        "print(sum(len(row['objects']['bbox']) for rows in data.values() for row in rows))\n"
    )
    splits, objects = machine.run(f"python {script}").splitlines()
    assert yaml.safe_load(splits) == facts["images"]
    assert int(objects) > 20
    card = (released / "data/release/README.md").read_text()
    assert "simulated" in card
    assert "demo" not in card.lower()


def test_it_is_exported_for_a_trainer(machine: Machine, released: Path) -> None:
    machine.run("curate export data/release --format coco --out ../coco-of-one")
    facts = json.loads((released / "data/release/release.json").read_text())
    exported = json.loads((released.parent / "coco-of-one/export.json").read_text())
    assert (exported["digest"], exported["images"]) == (facts["digest"], sum(facts["images"].values()))


LOADERS = """\
import collections, contextlib, io, json
from pathlib import Path
import yaml
from datasets import load_dataset
from pycocotools.coco import COCO
from torchvision.datasets import CocoDetection, VOCDetection

found = {}

def add(loader, images, names):
    whole = found.setdefault(loader, [0, collections.Counter()])
    whole[0] += images
    whole[1].update(names)

for rows in load_dataset("data/release").values():
    add("datasets", len(rows), (name for row in rows for name in row["objects"]["category_name"]))
for rows in load_dataset("imagefolder", data_dir="../imagefolder").values():
    add("imagefolder", len(rows), (name for row in rows for name in row["objects"]["categories"]))
    assert all(row["image"].size == (row["width"], row["height"]) for row in rows)
for split, short in (("train", "train"), ("validation", "val"), ("test", "test")):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(f"../coco/annotations/instances_{split}.json")
        pictures = CocoDetection(f"../coco/images/{split}", f"../coco/annotations/instances_{split}.json")
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    add("pycocotools", len(coco.imgs), (names[one["category_id"]] for one in coco.anns.values()))
    targets = [target for picture, target in pictures if picture.size]
    add("torchvision COCO", len(targets), (names[one["category_id"]] for target in targets for one in target))
    sets = Path("../voc/VOCdevkit/VOC2012/ImageSets/Main")
    (sets / "trainval.txt").write_text((sets / f"{short}.txt").read_text())  # it knows no test set of 2012
    voc = VOCDetection("../voc", year="2012", image_set="trainval", download=False)
    drawn = [target["annotation"].get("object", []) for _, target in voc]
    add("torchvision VOC", len(drawn), (one["name"] for objects in drawn for one in objects))
    rules = yaml.safe_load(Path("../yolo/data.yaml").read_text())  # Ultralytics' own loader is AGPL
    places = [Path("../yolo", rules[short].replace("images", "labels", 1), f"{path.stem}.txt")
              for path in Path("../yolo", rules[short]).iterdir()]
    lines = [line.split() for place in places for line in place.read_text().splitlines()]
    add("YOLO by rule", len(places), (rules["names"][int(line[0])] for line in lines))
print(json.dumps({name: [images, dict(sorted(names.items()))] for name, (images, names) in found.items()}))
"""


@pytest.fixture(scope="module")
def answered(machine: Machine) -> tuple[Path, Planted]:
    """A project made from two people's COCO files, without a server and without a model."""
    planted = two_annotators.make(machine.work / "set")
    anna, ben = (f"set/annotations/{person}.json" for person in ("anna", "ben"))
    machine.run(f"curate init two --images set/crops --labels {anna}", folder=".")
    folder = machine.work / "two"
    sources = folder / "sources.yaml"
    sources.write_text(sources.read_text().replace("license: null", "license: CC0-1.0"))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["labelstudio"] = {**params.get("labelstudio", {}), "enabled": False}
    params["autolabel"] = {"detector": {"kind": "none"}, "segmenter": {"kind": "none"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    machine.run("dvc repro dedupe", folder="two")
    for person, file in (("anna", anna), ("ben", ben)):
        line = machine.run(f"curate import ../{file} --as answers --annotator {person}", folder="two")
        print(line)  # noqa: T201
    machine.run("dvc repro", folder="two")
    return folder, planted


def test_two_peoples_files_become_a_release_that_trainers_read_and_every_fault_is_found(
    machine: Machine, answered: tuple[Path, Planted]
) -> None:
    folder, planted = answered
    (unread,) = (name.removeprefix("crops/") for name in planted.faults["box_outside"])
    people_agree_as_planted(folder, planted, unread)
    released = ({*planted.truth} - planted.disputed - {unread}) | {"dark.jpg"}
    objects = Counter(one for name in released for one, _ in planted.anna[name])
    facts = json.loads((folder / "data/release/release.json").read_text())
    assert (sum(facts["images"].values()), facts["objects"]) == (len(released), objects)
    for format in ("coco", "voc", "yolo", "imagefolder"):
        machine.run(f"curate export --format {format} --out ../{format}", folder="two")
    script = machine.work / "loaders.py"
    script.write_text(LOADERS)
    found = json.loads(machine.run(f"python {script}", folder="two").splitlines()[-1])
    assert len(found) == 6
    for loader, (images, read) in found.items():
        assert (images, read) == (len(released), objects), loader
    every_fault_is_found(machine, planted)


def people_agree_as_planted(folder: Path, planted: Planted, unread: str) -> None:
    """F1 by hand; and the queue has those images on which they do not agree, or of which more is known."""
    metrics = json.loads((folder / "metrics/agreement.json").read_text())
    assert metrics["f1"]["value"] == pytest.approx(planted.f1({*planted.truth} - {unread}), abs=1e-6)
    images = pq.read_table(folder / "data/dedupe/images.parquet", columns=["image_id", "sources"]).to_pylist()
    names = {row["image_id"]: row["sources"][0].rpartition("/")[2] for row in images}
    why: dict[str, set[str]] = defaultdict(set)
    with (folder / "data/agreement/queue.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            why[row["reason"]].add(names[row["image_id"]])
    assert why.pop("presence") | why.pop("category") == planted.disputed
    assert why == {"unreadable": {unread}, "duplicate": {"crop 000.jpg"}}


def every_fault_is_found(machine: Machine, planted: Planted) -> None:
    out = machine.run("curate check set/annotations/anna.json --json --no-page", folder=".", expect=1)
    told = {one["kind"]: one["rows"] for one in json.loads(out)["findings"]}
    for kind, expected in planted.faults.items():
        found = {name for row in told[kind] for name in row.get("images", [])[:1]}
        found |= {row["category"] for row in told[kind] if kind == "class_rare"}
        found |= {Path(row["detail"].partition(":")[0]).name for row in told[kind] if kind == "missing_image"}
        assert expected <= found, kind
        assert kind == "dark" or found == expected, kind  # some photographs are of the night sky


def test_after_an_upgrade_exactly_the_stages_run_whose_code_changed(machine: Machine, released: Path) -> None:
    """The environment's own copy of a module, as another version of the wheel would have it."""
    (module,) = machine.programs.parent.glob("lib/python3*/site-packages/curate/agreement/figures.py")
    text = module.read_text()
    module.unlink()  # a link to the file in uv's cache, which stays as it is
    module.write_text(f"{text}_ANOTHER = 1\n")
    assert stages_run(machine) == LOOK_EACH_TIME | {"agreement"}
    assert (released / "data/release/release.json").exists()
