"""What is written comes back: every format against the same images, each as far as it holds them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from curate import formats
from curate.formats.record import LabeledImage
from tests.formats import datasets

# Where the reader finds what the writer made, and what of a mask comes back.
PLACES: dict[str, Callable[[Path], list[Path]]] = {
    "coco": lambda folder: sorted(folder.glob("annotations/*.json")),
    "label-studio": lambda folder: [folder / "tasks.json"],
}
PLACES |= {
    name: lambda folder: [folder]
    for name in formats.WRITERS
    if name not in PLACES and name != "webdataset"  # which only its own library reads
}
READER = {"yolo-seg": "yolo"}
EXACT_MASKS = ("coco", "cvat", "darwin", "datumaro", "imagefolder", "label-studio", "roboflow")
NO_SPLIT = ("coco", "label-studio")  # a file a split, or a word in the task's data
NO_SIZE = ("createml", "kitti", "yolo", "yolo-seg")


def back(format: str, folder: Path) -> dict[str, LabeledImage]:
    found: dict[str, LabeledImage] = {}
    for path in PLACES[format](folder):
        found |= datasets.read(READER.get(format, format), path)
    return found


def shapes(format: str, image: LabeledImage) -> list[tuple[str, tuple[float, ...]]]:
    """KITTI's names hold no spaces."""
    found = datasets.shapes(image)
    return [(name.replace(" ", "_"), box) for name, box in found] if format == "kitti" else found


@pytest.mark.parametrize("format", sorted(PLACES))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(images=datasets.datasets())
def test_boxes_and_categories_come_back(format: str, images: list[LabeledImage]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        datasets.written(format, Path(folder), images)
        found = back(format, Path(folder))
        assert found.keys() == datasets.by_name(images).keys()
        for image in images:
            again = found[image.name]
            known = again.size or (datasets.SMALL if format in NO_SIZE or not image.objects else None)
            assert known == datasets.SMALL
            again = again.in_pixels(datasets.SMALL)
            assert shapes(format, again) == shapes(format, image)
            if format in EXACT_MASKS:
                assert datasets.pixels(again) == datasets.pixels(image)


@pytest.mark.parametrize("format", sorted(PLACES))
def test_folders_may_be_links(format: str, tmp_path: Path) -> None:
    """As of a shared disk: all folders in the data set's are links, and so are those in the linked ones."""
    root = tmp_path / "set"
    datasets.written(format, root, datasets.traps())
    before, known = back(format, root), formats.detect(root)
    folders = sorted((one for one in root.rglob("*") if one.is_dir()), key=lambda one: -len(one.parts))
    for number, folder in enumerate(folders):  # the innermost first
        folder.rename(tmp_path / f"elsewhere {number}")
        folder.symlink_to(tmp_path / f"elsewhere {number}")
    assert formats.detect(root) == known
    assert back(format, root) == before


@pytest.mark.parametrize("format", sorted(PLACES))
def test_the_traps_come_back(format: str, tmp_path: Path) -> None:
    images = datasets.traps()
    datasets.written(format, tmp_path / "out", images)
    found = back(format, tmp_path / "out")
    assert {name: shapes(format, one.in_pixels(datasets.SIZE)) for name, one in found.items()} == {
        one.name: shapes(format, one) for one in images
    }
    if format in EXACT_MASKS:
        assert datasets.pixels(found["b c é.jpg"]) == datasets.pixels(images[1])
    if format not in NO_SPLIT:
        assert {one.split for one in found.values()} == {"train", "validation", "test"}


def test_every_format_that_can_be_read_back_is_tested() -> None:
    assert set(PLACES) == {name for name in formats.WRITERS if READER.get(name, name) in formats.READERS}


@pytest.mark.parametrize("format", sorted(formats.WRITERS))
def test_equal_names_in_two_folders_stay_two_images(format: str, tmp_path: Path) -> None:
    box = datasets.boxed(datasets.CATEGORIES[0], (1.0, 1.0, 3.0, 3.0))
    images = [
        datasets.image("cam1/1.jpg", box),
        datasets.image("cam2/1.jpg"),
        datasets.image("1.png", box, box),
    ]
    losses = datasets.written(format, tmp_path, images)
    assert (losses.images, losses.objects) == (3, 3)
    if format in PLACES:
        assert sorted(len(one.objects) for one in back(format, tmp_path).values()) == [0, 1, 2]
