"""Outlines as somebody drew them: through a release, into every format, and back."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import formats
from curate.formats import huggingface
from curate.formats.record import LabeledImage, LabeledObject, Polygon, Ring, rounded
from curate.geometry import masks, outlines
from curate.release import columns
from curate.stages import export
from tests.formats import datasets
from tests.formats.release import write_release
from tests.formats.test_round_trip import back

SIGN = datasets.CATEGORIES[1]
WIDTH, HEIGHT = datasets.SIZE
TRIANGLE: Ring = (2.3, 1.1, 14.7, 3.5, 6.9, 12.25)
SQUARE: Ring = (3.0, 2.0, 20.0, 2.0, 20.0, 16.0, 3.0, 16.0)
HOLE: Ring = (6.0, 5.0, 6.0, 9.0, 11.0, 9.0, 11.0, 5.0)
LOST = "outlines as drawn, of which the masks are kept"
# What of an outline comes back: of any number of holes, of none, or nothing.
WITH_HOLES = ("darwin", "imagefolder", "webdataset")
BY_CUTS = ("labelme", "yolo-seg")
WITHOUT_HOLES = ("coco", "cvat", "datumaro", "label-studio", "roboflow")
NOTHING = ("createml", "kitti", "sagemaker", "voc", "yolo")


def drawn(*polygons: Polygon, size: tuple[int, int] = datasets.SIZE, **more: object) -> LabeledObject:
    """As an answer holds it: the outline, and what COCO's rule fills it to."""
    rle = outlines.filled(polygons, width=size[0], height=size[1])
    box = None if rle is None else masks.bbox(rle, width=size[0], height=size[1])
    made = LabeledObject(SIGN, box, polygons=tuple(polygons), rle=rle, rle_size=size if rle else None)
    return replace(made, **more)  # type: ignore[arg-type]


def released(folder: Path, *objects: LabeledObject) -> LabeledImage:
    """The image as it stands in a release."""
    image = datasets.image("a.png", *objects)
    write_release(folder / "release", [image], datasets.CATEGORIES, raw=folder / "raw")
    (found,) = huggingface.read(folder / "release", verified=True).images
    return found


def test_a_release_gives_outlines_with_holes_as_they_were_drawn(tmp_path: Path) -> None:
    (one,) = released(tmp_path, drawn((SQUARE, HOLE))).objects
    assert one.polygons == ((SQUARE, HOLE),)
    assert one.rle == drawn((SQUARE, HOLE)).rle


def test_every_column_of_a_release_is_read() -> None:
    """A new one has to be read, so that formats hold it or count it, or to be named here with the reason."""
    derived = {"category", "area"}  # the number of the name; the pixels of mask or box
    read = {"bbox", "category_name", "iscrowd", "segmentation", "polygon", "confidence", "made_from", "id"}
    read |= {"attributes", *huggingface._SUPPORT}
    assert {column.name for column in columns.of_objects(attributes=True)} == read | derived
    of_images = {
        "image",
        "image_id",
        "width",
        "height",
        "split",
        "objects",
        "answers",
        "confidence",
        "review",
    }
    of_images |= {"license", "attribution", "attributes", *huggingface._FACTS}
    everything = columns.of_images({"scene": pa.string()}, captured_at=True, object_attributes=True)
    assert {column.name for column in everything} == of_images


def test_what_people_said_comes_with_how_sure_it_is() -> None:
    def said(question: str, answer: str, confidence: float | None) -> dict[str, object]:
        return {"question": question, "answers": [answer], "confidence": confidence}

    one = {"bbox": [0.0, 0.0, 1.0, 1.0], "category": 0, "category_name": "sign", "attributes": [
        said("state", "dirty", 0.75), said("lit", "no", None)]}  # fmt: skip
    row = {
        "width": 8,
        "height": 6,
        "decided": True,
        "answers": [said("weather", "rain", 0.9)],
        "objects": [one],
    }
    image = huggingface.image(row, ["sign"], Path("a.parquet"), 1, [])
    assert (image.tags, dict(image.attributes)) == (
        ("weather: rain",), {"decided": "True", "confidence of weather": "0.9"},
    )  # fmt: skip
    assert dict(image.objects[0].attributes) == {
        "state": "dirty", "lit": "no", "confidence of state": "0.75",
    }  # fmt: skip


def test_every_format_says_what_becomes_of_outlines() -> None:
    assert {*WITH_HOLES, *BY_CUTS, *WITHOUT_HOLES, *NOTHING} == set(formats.WRITERS)


@pytest.mark.parametrize("format", sorted(set(formats.WRITERS) - {"webdataset"}))
def test_an_outline_of_a_release_comes_back_or_is_counted(format: str, tmp_path: Path) -> None:
    plain, holed = drawn((TRIANGLE,)), drawn((SQUARE, HOLE))
    released(tmp_path, plain, holed)
    export.run(format, tmp_path / "release", tmp_path / "out")
    lost = json.loads((tmp_path / "out/export.json").read_text())["lost"]
    assert lost.get("outlines as drawn", 0) == (2 if format in NOTHING else 0)
    assert lost.get(LOST, 0) == (1 if format in WITHOUT_HOLES else 0)
    (image,) = back(format, tmp_path / "out").values()
    found = image.in_pixels(datasets.SIZE).objects
    if format in NOTHING:
        assert not any(one.polygons for one in found)
        return
    first, second = sorted(found, key=lambda one: len(str(rounded(one.polygons))))
    if format in WITHOUT_HOLES:
        first, second = second, first
        assert second.polygons == ()
        assert second.mask(datasets.SIZE) == holed.rle
    if format in WITH_HOLES:
        assert rounded(second.polygons) == holed.polygons
    if format in BY_CUTS:
        assert rounded(second.polygons) == (((outlines.joined([(SQUARE, HOLE)])),),)
    places = 2 if format == "yolo-seg" else 3
    ((ring,),) = first.polygons
    assert [round(value, places) for value in ring] == [round(value, places) for value in TRIANGLE]


def test_webdataset_holds_them_as_a_release_does(tmp_path: Path) -> None:
    import tarfile

    released(tmp_path, drawn((SQUARE, HOLE)))
    export.run("webdataset", tmp_path / "release", tmp_path / "out")
    with tarfile.open(tmp_path / "out/train-000000.tar") as tar:
        (name,) = [one for one in tar.getnames() if one.endswith(".json")]
        (one,) = json.load(tar.extractfile(name))["objects"]  # type: ignore[arg-type]
    assert one["polygon"] == [list(SQUARE), list(HOLE)]


def test_an_outline_that_fills_to_something_else_than_its_mask_gives_way(tmp_path: Path) -> None:
    other = drawn((TRIANGLE,), rle=drawn((SQUARE,)).rle)
    for format in (*WITHOUT_HOLES, "darwin", "labelme", "yolo-seg"):
        losses = datasets.written(format, tmp_path / format, [datasets.image("a.png", other)])
        assert losses.counts[LOST] == 1, format
        (image,) = back(format, tmp_path / format).values()
        (one,) = image.in_pixels(datasets.SIZE).objects
        assert one.mask(datasets.SIZE) == other.rle, format


def test_several_parts_stay_one_object_where_the_format_holds_them(tmp_path: Path) -> None:
    parts = drawn((TRIANGLE,), ((18.0, 13.0, 22.0, 13.0, 22.0, 17.0),))
    image = datasets.image("a.png", parts)
    for format in ("coco", "datumaro", "darwin", "labelme"):
        assert LOST not in datasets.written(format, tmp_path / format, [image]).counts
        (found,) = back(format, tmp_path / format).values()
        assert sorted(found.objects[0].polygons) == sorted(parts.polygons), format
    for format in ("cvat", "label-studio", "imagefolder", "webdataset"):
        assert datasets.written(format, tmp_path / format, [image]).counts[LOST] == 1, format


def test_a_crowd_is_run_lengths_in_coco(tmp_path: Path) -> None:
    losses = datasets.written("coco", tmp_path, [datasets.image("a.png", drawn((TRIANGLE,), is_crowd=True))])
    assert losses.counts[LOST] == 1
    content = json.loads((tmp_path / "annotations/instances_train.json").read_text(encoding="utf-8"))
    assert isinstance(content["annotations"][0]["segmentation"], dict)


def test_pycocotools_fills_a_written_outline_to_the_released_mask(tmp_path: Path) -> None:
    import contextlib
    import io

    from pycocotools.coco import COCO

    one = drawn((TRIANGLE,))
    datasets.written("coco", tmp_path, [datasets.image("a.png", one)])
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(tmp_path / "annotations/instances_train.json")
    (entry,) = coco.loadAnns(coco.getAnnIds())
    assert entry["segmentation"] == [list(TRIANGLE)]
    assert masks.encode(coco.annToMask(entry).astype(bool)) == one.rle


@st.composite
def rings(draw: st.DrawFn) -> Ring:
    """Three to six corners anywhere in the image, a thousandth of a pixel apart, crossing as they like."""
    x = st.integers(0, WIDTH * 1000).map(lambda value: value / 1000)
    y = st.integers(0, HEIGHT * 1000).map(lambda value: value / 1000)
    points = draw(st.lists(st.tuples(x, y), min_size=3, max_size=6, unique=True))
    return tuple(value for point in points for value in point)


@pytest.mark.parametrize("format", ["coco", "cvat", "datumaro", "imagefolder", "label-studio", "labelme"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ring=rings())
def test_any_ring_comes_back_to_a_thousandth(format: str, ring: Ring) -> None:
    image = datasets.image("a.png", drawn((ring,)))
    with tempfile.TemporaryDirectory() as folder:
        losses = datasets.written(format, Path(folder), [image])
        (found,) = back(format, Path(folder)).values()
    (one,) = found.in_pixels(datasets.SIZE).objects
    assert LOST not in losses.counts
    assert rounded(one.polygons) == ((ring,),)
