"""Augmentation pipelines: what is allowed, what is refused in one line, what becomes of boxes and masks."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from curate.errors import ReleaseError
from curate.release import augmentation
from curate.release.augmentation import ALLOWED, Recipe

A = pytest.importorskip("albumentations")
SIDE = {"height": 64, "width": 64}
# what those take that have no defaults for all
ARGUMENTS: dict[str, dict[str, Any]] = {
    "AtLeastOneBBoxRandomCrop": SIDE, "CenterCrop": SIDE, "RandomCrop": SIDE, "RandomSizedBBoxSafeCrop": SIDE,
    "Resize": SIDE, "Crop": {"x_min": 10, "y_min": 10, "x_max": 120, "y_max": 100}, "CropAndPad": {"px": 5},
    "LongestMaxSize": {"max_size": 100}, "SmallestMaxSize": {"max_size": 100}, "Pad": {"padding": 5},
    "RandomResizedCrop": {"size": [64, 64]},
    "RandomSizedCrop": {"min_max_height": [60, 100], "size": [64, 64]},
}  # fmt: skip
PIXELS = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
MASK = np.zeros((120, 160), dtype=bool)
MASK[30:80, 40:100] = True
BOXES = [[40.0, 30.0, 60.0, 50.0], [5.0, 5.0, 20.0, 20.0]]


def written(path: Path, *nodes: object, **top: object) -> Path:
    document = {"transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": list(nodes), **top}}
    path.write_text(yaml.safe_dump(document))
    return path


def node(name: str, **arguments: object) -> dict[str, object]:
    return {"__class_fullname__": name, "p": 1.0, **arguments}


def recipe(path: Path, *nodes: object, **top: object) -> Recipe:
    return augmentation.read(written(path / "augment.yaml", *nodes, **top), copies=1, seed=0)


def applied(found: Recipe, *, seed: int = 7) -> augmentation.Augmented:
    return augmentation.apply(found.pipeline(), PIXELS, BOXES, [MASK, None], seed=seed)


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_whatever_is_allowed_draws_from_its_seed_alone(name: str, tmp_path: Path) -> None:
    found = recipe(tmp_path, node(name, **ARGUMENTS.get(name, {})))
    made = []
    for elsewhere in range(2):
        random.seed(elsewhere)
        np.random.seed(elsewhere)  # what a transform must not draw from
        made.append(applied(found))
    assert np.array_equal(made[0].pixels, made[1].pixels)
    assert made[0].boxes == made[1].boxes
    assert (made[0].pixels.dtype, made[0].pixels.shape[2]) == (np.uint8, 3)
    height, width = made[0].pixels.shape[:2]
    for box, shape in zip(made[0].boxes, made[0].shapes, strict=True):
        x, y, w, h = box
        assert -1e-6 <= x < x + w <= width + 1e-3
        assert -1e-6 <= y < y + h <= height + 1e-3
        assert shape is None or shape.shape == (height, width)


def test_boxes_and_masks_move_with_the_picture(tmp_path: Path) -> None:
    """Against NumPy: a mirrored picture, and one turned by 90 degrees."""
    mirrored = applied(recipe(tmp_path, node("HorizontalFlip")))
    assert np.array_equal(mirrored.pixels, PIXELS[:, ::-1])
    assert np.allclose(mirrored.boxes, [[60.0, 30.0, 60.0, 50.0], [135.0, 5.0, 20.0, 20.0]], atol=1e-3)
    assert mirrored.shapes[0] is not None
    assert np.array_equal(mirrored.shapes[0], MASK[:, ::-1])
    turned = applied(recipe(tmp_path, node("Transpose")))
    assert np.array_equal(turned.pixels, PIXELS.transpose(1, 0, 2))
    assert np.allclose(turned.boxes, [[30.0, 40.0, 50.0, 60.0], [5.0, 5.0, 20.0, 20.0]], atol=1e-3)
    assert turned.shapes[0] is not None
    assert np.array_equal(turned.shapes[0], MASK.T)


def test_what_left_the_picture_is_left_out(tmp_path: Path) -> None:
    crop = node("Crop", x_min=60, y_min=40, x_max=160, y_max=120)
    made = applied(recipe(tmp_path, crop))
    assert made.index == [0]
    assert made.boxes == [[0.0, 0.0, 40.0, 40.0]]
    kept = {"format": "coco", "min_visibility": 0.9}
    assert applied(recipe(tmp_path, crop, bbox_params=kept)).index == []


def test_a_picture_without_objects_is_carried(tmp_path: Path) -> None:
    made = augmentation.apply(recipe(tmp_path, node("HorizontalFlip")).pipeline(), PIXELS, [], [], seed=1)
    assert (made.index, made.boxes) == ([], [])
    assert np.array_equal(made.pixels, PIXELS[:, ::-1])


def test_what_a_save_writes_is_read(tmp_path: Path) -> None:
    """The library's own form, with choices in it, JSON's subset of YAML included."""
    pipeline = A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.OneOf([A.GaussNoise(p=1), A.SomeOf([A.CLAHE(p=1), A.Blur(p=1)], n=1)], p=1),
        ],
        bbox_params=A.BboxParams("pascal_voc", label_fields=["labels"], min_area=4),
    )
    for kind in ("yaml", "json"):
        A.save(pipeline, str(tmp_path / kind), data_format=kind)
        found = augmentation.read(tmp_path / kind, copies=1, seed=0)
        assert found.document["transform"]["bbox_params"]["min_area"] == 4
        assert not np.array_equal(applied(found).pixels, PIXELS)
        again = augmentation.read(written_text(tmp_path / "again.yaml", found.text), copies=1, seed=0)
        assert again.digest == found.digest


def written_text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_recipe_has_one_digest_and_every_copy_its_seed(tmp_path: Path) -> None:
    path = written(tmp_path / "augment.yaml", node("HorizontalFlip"))
    one = augmentation.read(path, copies=1, seed=0)
    assert augmentation.read(path, copies=1, seed=0).digest == one.digest
    assert augmentation.read(path, copies=2, seed=0).digest != one.digest
    assert augmentation.read(path, copies=1, seed=1).digest != one.digest
    assert recipe(tmp_path, node("VerticalFlip")).digest != one.digest
    seeds = {one.replay_seed(image, copy) for image in ("a", "b") for copy in (0, 1)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**32 for seed in seeds)


IN_COMPOSE = "transform: {{__class_fullname__: Compose, {}}}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no pipeline: expected `transform` with the class Compose"),
        ("transform: [", "cannot be read: while parsing"),
        ("transform: {__class_fullname__: OneOf, transforms: []}", "is no pipeline"),
        (IN_COMPOSE.format("p: 1"), "transforms: expected a list of transforms"),
        (IN_COMPOSE.format("transforms: []"), "transforms: expected a list"),
        (IN_COMPOSE.format("transforms: [flip]"), r"transforms\[0\]: expected a transform"),
        (
            IN_COMPOSE.format("transforms: [{__class_fullname__: CoarseDropout, p: 1}]"),
            r"transforms\[0\]: CoarseDropout is not allowed; allowed are AdditiveNoise, ",
        ),
        (
            IN_COMPOSE.format(
                "transforms: [{__class_fullname__: OneOf, p: 1, transforms: [{__class_fullname__: Lambda}]}]"
            ),
            r"transforms\[0\]\.transforms\[0\]: Lambda is not allowed",
        ),
        (
            IN_COMPOSE.format("transforms: [{__class_fullname__: Blur, p: 2}]"),
            r"transforms\[0\]: Blur: p: Input should be less than or equal to 1$",
        ),
        (
            IN_COMPOSE.format("transforms: [{__class_fullname__: Blur, p: 1, blurr: 3}]"),
            r"transforms\[0\]: Blur: Argument\(s\) 'blurr' are not valid",
        ),
        (
            IN_COMPOSE.format("bbox_params: {min_area: few}, transforms: [{__class_fullname__: Blur, p: 1}]"),
            "bbox_params.min_area: expected a number, 0 or more, got 'few'",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(content: str, message: str, tmp_path: Path) -> None:
    path = written_text(tmp_path / "augment.yaml", content)
    with pytest.raises(ReleaseError, match=f"^release.augment.pipeline = {path}: {message}") as caught:
        augmentation.read(path, copies=1, seed=0)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"release\.augment\.pipeline = .*cannot be read"):
        augmentation.read(tmp_path / "none.yaml", copies=1, seed=0)
