"""A clean data set in every format, and one of COCO with a fault of every kind."""

from __future__ import annotations

import io
import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from curate import formats
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.record import LabeledImage, LabeledObject

SIZE = (256, 192)
CATEGORIES = ("car", "bus")
SPLITS = {"train": 8, "validation": 6, "test": 6}
BOXES = {"car": (20.0, 30.0, 90.0, 100.0), "bus": (120.0, 60.0, 230.0, 170.0)}
Key = tuple[str, ...]


def picture(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Blobs of several sizes: no two of different seeds are alike."""
    rng = np.random.default_rng(seed)
    width, height = size
    total = np.zeros((height, width, 3))
    for cell, weight in ((4, 90), (16, 50), (64, 25)):
        blobs = rng.integers(0, 256, (cell * 3 // 4, cell, 3), dtype=np.uint8)
        total += weight * (
            np.asarray(Image.fromarray(blobs).resize(size, Image.Resampling.BICUBIC)) / 255 - 0.5
        )
    return Image.fromarray(np.clip(total + 127 + rng.normal(0, 3, total.shape), 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **({"quality": 92} if kind == "JPEG" else {}) | options)
    return out.getvalue()


def clean() -> list[LabeledImage]:
    """Twenty images, both categories on each, every image with its license."""
    objects = tuple(LabeledObject(name, box) for name, box in BOXES.items())
    found = []
    for split, number in SPLITS.items():
        for at in range(number):
            data = encoded(picture(len(found)))
            found.append(LabeledImage(f"{split}{at}.jpg", objects, *SIZE, split=split, license="CC0-1.0",
                                      content=data))  # fmt: skip
    return found


def write(format: str, folder: Path) -> Path:
    """The clean set; formats without licenses get a file LICENSE."""
    folder.mkdir(parents=True)
    formats.WRITERS[format](folder, clean(), About(CATEGORIES, "unit", "1.0.0"), ImageFiles(folder))
    (folder / "LICENSE").write_text("CC0-1.0\n")
    return folder


@dataclass
class Planted:
    """A COCO set in the making: `expected` has the keys of rows by kind."""

    folder: Path
    documents: dict[str, dict[str, Any]]
    expected: dict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _next: int = 1000

    def number(self) -> int:
        self._next += 1
        return self._next

    def image(
        self, name: str, data: bytes, split: str = "train", size: tuple[int, int] = SIZE, **entry: Any
    ) -> str:
        """A new file with its entry and two good objects; its place."""
        place = f"images/{split}/{name}"
        (self.folder / place).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / place).write_bytes(data)
        self.entry(name, split, size, **entry)
        return place

    def entry(self, name: str, split: str = "train", size: tuple[int, int] = SIZE, **entry: Any) -> int:
        number = self.number()
        made = {"id": number, "file_name": name, "width": size[0], "height": size[1], "license": 1, **entry}
        self.documents[split]["images"].append(made)
        return number

    def box(self, split: str, image: int, category: int, bbox: list[float], **more: Any) -> str:
        """A new annotation; how a person finds it."""
        number = self.number()
        made = {"id": number, "image_id": image, "category_id": category, "bbox": bbox, "iscrowd": 0, **more}
        self.documents[split]["annotations"].append(made)
        return f"annotation {number}"

    def known(self, at: int) -> tuple[int, str]:
        """Id and place of an image of the clean training set."""
        one = self.documents["train"]["images"][at]
        return one["id"], f"images/train/{one['file_name']}"

    def save(self) -> None:
        for split, document in self.documents.items():
            (self.folder / f"annotations/instances_{split}.json").write_text(json.dumps(document))


def plant(folder: Path) -> Planted:
    """The clean set of COCO with everything in it."""
    write("coco", folder)
    (folder / "LICENSE").unlink()
    documents = {
        split: json.loads((folder / f"annotations/instances_{split}.json").read_text()) for split in SPLITS
    }
    made = Planted(folder, documents)
    for step in (_files, _copies, _outliers, _frames, _boxes, _entries, _classes):
        step(made)
    made.save()
    return made


def _files(made: Planted) -> None:
    place = made.image("cut.jpg", encoded(picture(100))[:4000])
    made.expected["not_decoded"] = {(place,)}
    made.entry("gone.jpg")
    made.expected["missing_image"] = {("gone.jpg",)}
    for at, inner in enumerate("ab"):
        target = made.folder / f"images/train/{inner}/same.jpg"
        target.parent.mkdir()
        target.write_bytes(encoded(picture(101 + at)))
    made.entry("same.jpg")
    both = ("images/train/a/same.jpg", "images/train/b/same.jpg")
    made.expected["ambiguous_image"] = {both}
    (made.folder / "images/train/silent.jpg").write_bytes(encoded(picture(103)))
    made.expected["unlabeled_image"] = {("images/train/silent.jpg",), *((one,) for one in both)}
    made.expected["license_gap"] = {("images/train/silent.jpg",), *((one,) for one in both)}
    place = made.image("nobody.jpg", encoded(picture(104)), license=None)
    made.expected["license_gap"].add((place,))


def _copies(made: Planted) -> None:
    original = picture(200)
    first = made.image("first.jpg", encoded(original))
    again = made.image("second.jpg", encoded(original))
    made.expected["exact_duplicate"] = {(again, first)}
    large = made.image("large.jpg", encoded(picture(201, (512, 384))), size=(512, 384))
    small = made.image("small.jpg", encoded(picture(201, (512, 384)).resize(SIZE), quality=60))
    made.expected["near_duplicate"] = {(small, large)}
    seen = made.image("seen.jpg", encoded(picture(202)))
    leaked = made.image("leaked.jpg", encoded(picture(202), quality=50), "test")
    bytewise = made.image("bytewise.jpg", encoded(picture(203)), "validation")
    shutil.copy(made.folder / bytewise, made.folder / "images/test/bytes.jpg")
    made.entry("bytes.jpg", "test")
    made.expected["split_leak"] = {tuple(sorted((seen, leaked))), ("images/test/bytes.jpg", bytewise)}


def _outliers(made: Planted) -> None:
    changes: dict[str, Callable[[Image.Image], Image.Image]] = {
        "dark": lambda image: image.point(lambda value: value // 12),
        "bright": lambda image: image.point(lambda value: 242 + value // 24),
        "flat": lambda image: image.point(lambda value: 120 + value // 32),
        "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(9)),
        "gray": lambda image: image.convert("L").convert("RGB"),
    }
    for at, (kind, change) in enumerate(changes.items()):
        made.expected[kind] = {(made.image(f"{kind}.jpg", encoded(change(picture(300 + at)))),)}
    long = made.image("long.jpg", encoded(picture(310, (1200, 100))), size=(1200, 100))
    small = made.image("stamp.jpg", encoded(picture(311, (48, 40))), size=(48, 40))
    made.expected["odd_size"] = {(long,), (small,)}


def _frames(made: Planted) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = (SIZE[1], SIZE[0])
    good = made.image("turned.jpg", encoded(picture(400), exif=exif), size=turned)
    bad = made.image("stored.jpg", encoded(picture(401), exif=exif))
    made.box("train", made.documents["train"]["images"][-1]["id"], 1, [200, 20, 50, 50])
    made.expected["exif_turned"] = {(good,), (bad,)}
    made.expected["exif_frame"] = {(bad,)}
    place = made.image("grown.jpg", encoded(picture(402)), size=(640, 480))
    made.expected["image_size"] = {(place,)}


def _boxes(made: Planted) -> None:
    number, place = made.known(0)
    boxes = {
        "box_outside": [220.0, 100.0, 60.0, 30.0],
        "tiny_box": [150.0, 10.0, 2.0, 8.0],
        "giant_box": [0.0, 0.0, 255.5, 191.5],
    }
    for kind, bbox in boxes.items():
        made.expected[kind] = {(place, made.box("train", number, 1, bbox))}
    number, place = made.known(1)
    made.expected["duplicate_box"] = {(place, made.box("train", number, 1, [21.0, 30.0, 70.0, 70.0]))}
    made.expected["crossing_box"] = {(place, made.box("train", number, 1, [121.0, 60.0, 110.0, 110.0]))}
    crowd = made.documents["train"]["images"][3]["id"]
    made.box("train", crowd, 1, [0.0, 0.0, 256.0, 192.0], iscrowd=1)  # a crowd may cover all


def _entries(made: Planted) -> None:
    number, _ = made.known(2)

    def bad(kind: str, category: int = 1, bbox: Any = (30.0, 30.0, 20.0, 20.0), **more: Any) -> None:
        made.expected[kind] = {(made.box("train", number, category, list(bbox), **more),)}

    bad("unknown_category", category=77)
    bad("empty_box", bbox=(80.0, 80.0, -20.0, 10.0))
    bad("short_polygon", segmentation=[[1.0, 1.0, 9.0, 9.0]])
    bad("mask_size", segmentation={"size": [5, 5], "counts": [25]})
    bad("damaged", bbox=("left", 1.0, 2.0, 3.0))
    again = made.box("train", number, 1, [150.0, 10.0, 40.0, 30.0])
    repeated = {**made.documents["train"]["annotations"][-1], "bbox": [150.0, 100.0, 40.0, 30.0]}
    made.documents["train"]["annotations"].append(repeated)
    made.expected["duplicate_id"] = {(again,)}
    other = made.documents["train"]["images"][4]["id"]
    made.box("train", other, 1, [150.0, 10.0, 40.0, 30.0], keypoints=[1, 1, 2], num_keypoints=1)
    made.expected["not_read"] = {("",)}
    twice = made.documents["train"]["images"][5]["file_name"]
    made.entry(twice)
    made.expected["image_twice"] = {(f"images/train/{twice}",)}


def _classes(made: Planted) -> None:
    for document in made.documents.values():
        document["categories"] += [
            {"id": 50, "name": "tram"}, {"id": 51, "name": "ship"}, {"id": 52, "name": "bike"},
        ]  # fmt: skip
    wanted = {(50, "train"): 5, (52, "train"): 6, (52, "validation"): 5, (52, "test"): 2}
    for (category, split), count in wanted.items():
        for at in range(count):
            image = made.documents[split]["images"][at]["id"]
            made.box(split, image, category, [150.0 + category, 140.0 - 2 * category, 30.0, 20.0])
    made.expected["class_missing"] = {("tram", "validation"), ("tram", "test"), ("ship",)}
    made.expected["class_rare"] = {("bike", "test")}


def predict(made: Planted, folder: Path) -> Path:
    """What a model says, in COCO: just what is labelled, but for one object that has no label."""
    folder.mkdir()
    number, place = made.known(1)
    for split, document in made.documents.items():
        rows = [{**one, "score": 0.9} for one in document["annotations"]]
        if split == "train":
            extra = {"id": 9000, "image_id": number, "category_id": 2, "bbox": [100, 5, 30, 40]}
            rows.append({**extra, "iscrowd": 0, "score": 0.8})
        (folder / f"instances_{split}.json").write_text(json.dumps({**document, "annotations": rows}))
    what = "missed: the model sees a bus (0.80) where nothing is labelled; too few objects to say how likely"
    made.expected["label_error"] = {(place, what)}
    return folder
