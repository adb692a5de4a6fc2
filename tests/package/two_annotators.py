"""A made-up but realistic data set: crops of photographs with signs, COCO files of two people who disagree.

What is wrong with it, and where people disagree, is planted and told.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels
Drawn = list[tuple[str, Box]]

CROPS, WIDTH, HEIGHT = 500, 192, 144
_CELL = (96, 72)  # of a photograph, which becomes a crop of twice its size
_CATEGORIES = {"stop sign": (190, 30, 45), "give way": (40, 90, 200), "Umleitung": (230, 160, 20)}
_IDS = {"stop sign": 90, "give way": 3, "Umleitung": 17}  # not contiguous
_EVERY = 25  # of so many crops one misses an object, one names it otherwise


@dataclass
class Planted:
    """What is known of the set.

    Attributes:
        truth: Objects by file name.
        anna: What anna drew; ben likewise.
        disputed: Images on which two people of two do not agree.
        faults: Images of each kind that `curate check` must find; for classes the class.
    """

    truth: dict[str, Drawn] = field(default_factory=dict)
    anna: dict[str, Drawn] = field(default_factory=dict)
    ben: dict[str, Drawn] = field(default_factory=dict)
    disputed: set[str] = field(default_factory=set)
    faults: dict[str, set[str]] = field(default_factory=dict)

    def f1(self, names: set[str]) -> float:
        """Of the two people on some images: an object counts if both drew it and named it alike."""
        both = 0
        for name in names:
            here, there = (
                Counter(one for one, _ in self.anna[name]),
                Counter(one for one, _ in self.ben[name]),
            )
            both += (here & there).total()
        return 2 * both / sum(len(self.anna[name]) + len(self.ben[name]) for name in names)


def make(folder: Path) -> Planted:
    """Write crops/ and annotations/{anna,ben}.json."""
    rng = np.random.default_rng(15)
    made = Planted()
    (folder / "crops").mkdir(parents=True)
    for number, crop in enumerate(_crops()):
        name = f"crop {number:03d}.jpg"
        drawn = _signs(crop, rng, number)
        made.truth[name] = drawn
        crop.save(folder / "crops" / name, quality=92)
    for name, drawn in made.truth.items():
        made.anna[name], made.ben[name] = list(drawn), [(one, _moved(box, rng)) for one, box in drawn]
    _disagree(made)
    _plant(folder, made)
    for person, drawn_by in (("anna", made.anna), ("ben", made.ben)):
        _write(folder / "annotations" / f"{person}.json", drawn_by)
    return made


def _crops() -> list[Image.Image]:
    """The cells of photographs that ship in packages with the most to see."""
    cells = []
    for path in _photographs():
        with Image.open(path) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        for top in range(0, len(pixels) - _CELL[1] + 1, _CELL[1]):
            for left in range(0, pixels.shape[1] - _CELL[0] + 1, _CELL[0]):
                cells.append(pixels[top : top + _CELL[1], left : left + _CELL[0]])
    best = np.argsort([-float(cell.std()) for cell in cells], kind="stable")[:CROPS]
    return [Image.fromarray(cells[at]).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS) for at in best]


def _photographs() -> list[Path]:
    import matplotlib as mpl
    import skimage.data
    import sklearn.datasets

    named = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png",
             "hubble_deep_field.jpg", "ihc.png", "retina.jpg")  # fmt: skip
    return [
        *(Path(skimage.data.__file__).parent / name for name in named),
        *(Path(sklearn.datasets.__file__).parent / "images" / name for name in ("china.jpg", "flower.jpg")),
        Path(mpl.get_data_path()) / "sample_data/grace_hopper.jpg",
    ]


def _signs(crop: Image.Image, rng: np.random.Generator, number: int) -> Drawn:
    """None to three signs, side by side; every tenth crop has none."""
    drawn: Drawn = []
    draw = ImageDraw.Draw(crop)
    for at in range(0 if number % 10 == 9 else int(rng.integers(1, 4))):
        width, height = (int(value) for value in rng.integers(28, 52, 2))
        left = at * 64 + int(rng.integers(2, 62 - width))
        top = int(rng.integers(4, HEIGHT - height - 4))
        name = ("stop sign", "give way")[int(rng.integers(2))]
        box = (float(left), float(top), float(left + width), float(top + height))
        draw.ellipse((left, top, left + width - 1, top + height - 1), _CATEGORIES[name], (250, 250, 250), 3)
        drawn.append((name, box))
    return drawn


def _moved(box: Box, rng: np.random.Generator) -> Box:
    """By less than a pixel at each edge: an IoU of at least 0.86 for these signs."""
    x1, y1, x2, y2 = (
        round(edge + float(shift), 2) for edge, shift in zip(box, rng.uniform(-1, 1, 4), strict=True)
    )
    return x1, y1, x2, y2


def _disagree(made: Planted) -> None:
    """Ben misses an object, or calls it otherwise."""
    for number, name in enumerate(made.truth):
        if not made.truth[name]:
            continue
        if number % _EVERY == 3:
            made.ben[name] = made.ben[name][1:]
            made.disputed.add(name)
        elif number % _EVERY == 14:
            (first, box), *rest = made.ben[name]
            made.ben[name] = [("give way" if first == "stop sign" else "stop sign", box), *rest]
            made.disputed.add(name)


def _plant(folder: Path, made: Planted) -> None:
    """Faults of files and labels, each with its name."""
    crops, names = folder / "crops", [name for name, drawn in made.truth.items() if drawn]
    calm = [name for name in names if name not in made.disputed]
    with Image.open(crops / calm[0]) as picture:
        picture.save(crops / "copy.jpg", quality=60)
    (crops / "same bytes.jpg").write_bytes((crops / calm[1]).read_bytes())
    (crops / "torn.jpg").write_bytes((crops / calm[2]).read_bytes()[:2000])
    Image.new("RGB", (WIDTH, HEIGHT), (6, 6, 6)).save(crops / "dark.jpg")
    with Image.open(crops / calm[3]) as picture:
        turned = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(180, expand=True)
        turned = Image.fromarray(255 - np.asarray(turned.crop((0, 0, 140, 100))))
        exif = Image.Exif()
        exif[0x0112] = 6
        turned.save(crops / "turned.jpg", quality=92, exif=exif)
    first, _ = made.truth[calm[0]][0]
    other = "give way" if first == "stop sign" else "stop sign"
    made.anna["copy.jpg"] = [(other, made.truth[calm[0]][0][1]), *made.truth[calm[0]][1:]]
    made.anna["dark.jpg"] = made.ben["dark.jpg"] = []
    made.anna["gone.jpg"] = [("stop sign", (1.0, 1.0, 30.0, 30.0))]
    made.anna[calm[4]] = [*made.anna[calm[4]], ("stop sign", (150.0, 100.0, 260.0, 130.0))]
    for person in (made.anna, made.ben):
        person[calm[5]] = [*person[calm[5]], ("Umleitung", (90.0, 139.0, 92.0, 141.0))]
        person[calm[6]] = [*person[calm[6]], person[calm[6]][0]]
    made.faults = {
        "not_decoded": {"crops/torn.jpg"},
        "near_duplicate": {"crops/copy.jpg"},
        "exact_duplicate": {"crops/same bytes.jpg"},
        "exif_turned": {"crops/turned.jpg"},
        "dark": {"crops/dark.jpg"},
        "box_outside": {f"crops/{calm[4]}"},
        "tiny_box": {f"crops/{calm[5]}"},
        "duplicate_box": {f"crops/{calm[6]}"},
        "unlabeled_image": {"crops/torn.jpg", "crops/turned.jpg", "crops/same bytes.jpg"},
        "missing_image": {"gone.jpg"},
        "class_rare": {"Umleitung"},
    }


def _write(path: Path, drawn_by: dict[str, Drawn]) -> None:
    path.parent.mkdir(exist_ok=True)
    images = {name: 1000 + 7 * number for number, name in enumerate(drawn_by)}
    annotations = [
        {"id": number, "image_id": images[name], "category_id": _IDS[category], "iscrowd": 0,
         "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]}
        for number, (name, category, box) in enumerate(
            ((name, *one) for name, drawn in drawn_by.items() for one in drawn), 1
        )
    ]  # fmt: skip
    content = {
        "images": [
            {"id": images[name], "file_name": f"crops/{name}", "width": WIDTH, "height": HEIGHT}
            for name in drawn_by
        ],
        "categories": [{"id": number, "name": name} for name, number in _IDS.items()],
        "annotations": annotations,
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
