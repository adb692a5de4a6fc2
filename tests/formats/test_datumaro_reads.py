"""Datumaro itself reads what we write as its format, in an environment of its own: its pins are not ours."""

from __future__ import annotations

from typing import Any

import pytest

from curate.geometry import masks
from tests.formats import datasets, own_environment
from tests.formats.test_outlines import HOLE, SQUARE, TRIANGLE, drawn

WANTED = "datumaro==1.13.12"
PROGRAM = """\
import json, sys
import numpy as np
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset

def described(one):
    found = {"kind": one.type.name, "category": names[one.label], "group": one.group,
             "crowd": one.attributes["is_crowd"]}
    if one.type == AnnotationType.mask:
        return {**found, "pixels": np.argwhere(one.image).tolist()}
    return {**found, "points": one.points if one.type == AnnotationType.polygon else one.get_bbox()}

read = Dataset.import_from(sys.argv[1], "datumaro")
names = [label.name for label in read.categories()[AnnotationType.label]]
print(json.dumps({"names": names, "items": [
    {"id": item.id, "subset": item.subset, "size": item.media.size, "pixel": item.media.data[0, 0].tolist(),
     "license": item.attributes.get("license"), "annotations": [described(one) for one in item.annotations]}
    for item in read
]}))
"""
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What it says of every trap, and of outlines with and without holes."""
    folder = tmp_path_factory.mktemp("datumaro")
    images = [
        *datasets.traps(),
        datasets.image("drawn.png", drawn((TRIANGLE,)), drawn((SQUARE, HOLE)), license="CC0-1.0"),
    ]
    datasets.written("datumaro", folder / "out", images)
    python = own_environment.make(folder, WANTED)
    found: dict[str, Any] = own_environment.ask(python, PROGRAM, str(folder / "out"))
    return found


def test_images_names_splits_and_licenses(read: dict[str, Any]) -> None:
    assert tuple(read["names"]) == datasets.CATEGORIES
    assert {item["id"]: item["subset"] for item in read["items"]} == {
        "a": "train", "b c é": "train", "nothing": "train", "drawn": "train",
        "other": "validation", "empty": "test",
    }  # fmt: skip
    width, height = datasets.SIZE
    assert {tuple(item["size"]) for item in read["items"]} == {(height, width)}
    assert all(len(item["pixel"]) == 3 for item in read["items"])  # the file itself is found
    assert {item["id"]: item["license"] for item in read["items"] if item["license"]} == {"drawn": "CC0-1.0"}


def annotations(read: dict[str, Any], name: str, kind: str) -> list[dict[str, Any]]:
    (item,) = [item for item in read["items"] if item["id"] == name]
    return [one for one in item["annotations"] if one["kind"] == kind]


def test_boxes_of_one_pixel_and_of_the_whole_image(read: dict[str, Any]) -> None:
    expected = datasets.shapes(datasets.by_name(datasets.traps())["a.jpg"])
    found = [
        (one["category"], (x, y, x + width, y + height))
        for one in annotations(read, "a", "bbox")
        for x, y, width, height in [one["points"]]
    ]
    assert sorted(found) == sorted(expected)
    assert annotations(read, "nothing", "bbox") == []


def test_masks_with_holes_and_parts(read: dict[str, Any]) -> None:
    for name, rle in (
        ("b c é", masks.encode(datasets.with_holes_and_parts())),
        ("drawn", drawn((SQUARE, HOLE)).rle or ""),
    ):
        (one,) = annotations(read, name, "mask")
        width, height = datasets.SIZE
        pixels = {(y, x) for y, x in one["pixels"]}
        plane = masks.decode(rle, width=width, height=height)
        assert pixels == {(int(y), int(x)) for y, x in zip(*plane.nonzero(), strict=True)}


def test_an_outline_is_a_polygon_in_the_group_of_its_box(read: dict[str, Any]) -> None:
    (polygon,) = annotations(read, "drawn", "polygon")
    assert [round(value, 3) for value in polygon["points"]] == list(TRIANGLE)
    groups = [one["group"] for one in annotations(read, "drawn", "bbox")]
    (mask,) = annotations(read, "drawn", "mask")
    assert sorted([polygon["group"], mask["group"]]) == sorted(groups)
    assert not polygon["crowd"]
