"""Labels joined to images: nothing guessed, nothing vanishes."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageOps

from curate import schema
from curate.formats import frames
from curate.formats.image_match import ImageMatch, Match
from curate.formats.imported_rows import How
from curate.formats.label_join import Joined
from curate.formats.record import LabeledImage, LabeledObject, Labels
from curate.geometry import masks
from curate.records import Annotation, Box
from tests import builders

NAMES = {"stop_sign": "stop_sign", "parking_sign": "parking_sign"}
WIDE, HIGH = builders.WIDTH, builders.HEIGHT  # 160 x 120 upright pixels


def images(*names: str, **changes: Any) -> pa.Table:
    rows = [builders.image(name, sources=(f"camera/{name}",), **changes).row() for name in names]
    return pa.Table.from_pylist(rows, schema=schema.IMAGES.arrow)


def labels(*given: LabeledImage) -> Labels:
    return Labels("unit", Path("labels.json"), tuple(NAMES), given)


def boxed(box: Box = (10.0, 10.0, 50.0, 40.0), category: str = "stop_sign", **more: Any) -> LabeledObject:
    return LabeledObject(category, box, line=7, entry="annotation 3", **more)


def join(
    given: Labels, table: pa.Table, *, match: Match = "path", **how: Any
) -> tuple[list[Annotation], Joined]:
    settings: dict[str, Any] = {
        "origin": "human",
        "frame": "upright",
        "categories": NAMES,
        "annotator": "anna",
    }
    joined = Joined(given, ImageMatch(table, match), How(**{**settings, **how}))
    return list(joined.rows()), joined


def kinds(joined: Joined) -> list[str]:
    return [problem.kind for problem in joined.labels.problems]


def test_objects_become_rows_and_nothing_drawn_is_an_empty_answer() -> None:
    given = labels(LabeledImage("1.jpg", (boxed(),), WIDE, HIGH), LabeledImage("2.jpg"))
    rows, joined = join(given, images("1.jpg", "2.jpg"))
    assert [(row.outcome, row.category, row.annotator_id, row.bbox_xyxy) for row in rows] == [
        ("object", "stop_sign", "anna", (10.0, 10.0, 50.0, 40.0)),
        ("empty", None, "anna", None),
    ]
    assert (joined.images, joined.objects, joined.held_back, kinds(joined)) == (2, 1, 0, [])


def test_equal_names_in_two_folders_need_more_of_the_path() -> None:
    table = images("a/1.jpg", "b/1.jpg")
    rows, joined = join(labels(LabeledImage("1.jpg", (boxed(),))), table)
    assert (rows, kinds(joined)[0]) == ([], "ambiguous_image")
    rows, joined = join(labels(LabeledImage("b\\1.jpg", (boxed(),))), table)
    assert [row.image_id for row in rows] == [builders.image_id("b/1.jpg")]
    rows, joined = join(labels(LabeledImage("elsewhere/1.jpg", (boxed(),))), table, match="name")
    assert (rows, kinds(joined)[0]) == ([], "ambiguous_image")


def test_by_name_another_folder_does_not_matter_and_by_id_the_name_does_not() -> None:
    elsewhere = LabeledImage("elsewhere/1.jpg", (boxed(),))
    assert kinds(join(labels(elsewhere), images("a/1.jpg"))[1]) == [
        "label_without_image",
        "image_without_label",
    ]
    rows, _ = join(labels(elsewhere), images("a/1.jpg"), match="name")
    assert len(rows) == 1
    by_id = LabeledImage(f"{builders.image_id('a/1.jpg')}.png", (boxed(),))
    assert len(join(labels(by_id), images("a/1.jpg"), match="id")[0]) == 1


def test_an_image_that_no_label_names_is_listed() -> None:
    _, joined = join(labels(LabeledImage("1.jpg")), images("1.jpg", "2.jpg", "3.jpg"))
    assert [problem.image for problem in joined.labels.problems] == ["camera/2.jpg", "camera/3.jpg"]


def test_a_second_set_of_labels_for_one_image_is_listed() -> None:
    table = images("1.jpg")
    rows, joined = join(labels(LabeledImage("1.jpg", (boxed(),)), LabeledImage("camera/1.jpg")), table)
    assert (len(rows), kinds(joined)) == (1, ["image_twice"])
    by_two = labels(LabeledImage("1.jpg", annotator="ben"), LabeledImage("1.jpg", annotator="eva"))
    assert [row.annotator_id for row in join(by_two, table)[0]] == ["ben", "eva"]


@pytest.mark.parametrize(
    ("bad", "kind", "detail"),
    [
        (boxed(category="stop sign"), "unknown_category", "'stop sign' is not in the taxonomy"),
        (boxed((10, 10, 170, 40)), "box_outside", "(10, 10, 170, 40)"),
        (boxed((200, 10, 220, 40)), "box_outside", "160 x 120"),
        (boxed(is_crowd=True), "crowd", "no single object"),
        (
            LabeledObject("stop_sign", rle=masks.encode(np.ones((2, 2), bool)), rle_size=(2, 2), line=7),
            "damaged",
            "2 x 2",
        ),
    ],
)
def test_what_cannot_be_taken_holds_the_answer_back_and_is_listed_with_its_line(
    bad: LabeledObject, kind: str, detail: str
) -> None:
    given = labels(LabeledImage("1.jpg", (boxed(), bad), file=Path("anna.json")))
    rows, joined = join(given, images("1.jpg"))
    assert [row.outcome for row in rows] == ["unreadable"]
    (problem,) = joined.labels.problems
    assert (problem.kind, problem.file, problem.line, problem.image) == (kind, Path("anna.json"), 7, "1.jpg")
    assert detail in problem.detail
    assert problem.known == ("stop_sign" if kind == "unknown_category" else "")
    assert joined.held_back == 1


def test_of_suggestions_the_rest_stays_and_of_gold_nothing() -> None:
    bad = boxed(category="stop sign")
    rows, _ = join(labels(LabeledImage("1.jpg", (boxed(), bad))), images("1.jpg"), origin="model")
    assert [row.outcome for row in rows] == ["object"]
    rows, joined = join(labels(LabeledImage("1.jpg", (boxed(), bad))), images("1.jpg"), origin="gold")
    assert (rows, joined.held_back) == ([], 1)


def test_what_the_reader_could_not_take_holds_back_too() -> None:
    from curate.formats.record import Problem

    given = labels(LabeledImage("1.jpg", (boxed(),)))
    given.problems.append(Problem("short_polygon", Path("labels.json"), 9, "annotation 4", "1.jpg"))
    rows, joined = join(given, images("1.jpg"))
    assert ([row.outcome for row in rows], joined.held_back) == (["unreadable"], 1)


def test_a_box_over_the_edge_by_a_pixel_is_cut_and_said() -> None:
    rows, joined = join(labels(LabeledImage("1.jpg", (boxed((-0.5, 0, 161, 120)),))), images("1.jpg"))
    assert rows[0].bbox_xyxy == (0.0, 0.0, 160.0, 120.0)
    assert (kinds(joined), joined.held_back) == (["clipped"], 0)


def test_two_equal_objects_stay_two() -> None:
    rows, _ = join(labels(LabeledImage("1.jpg", (boxed(), boxed()))), images("1.jpg"))
    assert len({row.annotation_id for row in rows}) == 2


def test_another_size_and_a_picture_that_nobody_looked_at() -> None:
    given = labels(LabeledImage("1.jpg", (boxed(),), 80, 60), LabeledImage("2.jpg", labeled=False))
    rows, joined = join(given, images("1.jpg", "2.jpg"))
    assert [row.outcome for row in rows] == ["unreadable"]
    assert kinds(joined) == ["image_size", "not_labeled", "image_without_label"]
    assert "80 x 60 there, and 160 x 120" in joined.labels.problems[0].detail


def test_polygons_become_masks_and_shares_become_pixels() -> None:
    square = ((0.25, 0.25, 0.5, 0.25, 0.5, 0.5, 0.25, 0.5),)
    given = labels(LabeledImage("1.jpg", (LabeledObject("stop_sign", polygons=(square,)),), relative=True))
    (row,), _ = join(given, images("1.jpg"))
    assert row.bbox_xyxy == (40.0, 30.0, 80.0, 60.0)
    assert row.polygon == "[[40.0, 30.0, 80.0, 30.0, 80.0, 60.0, 40.0, 60.0]]"
    assert masks.area(row.rle or "", width=WIDE, height=HIGH) == 40 * 30


FAR = (10.0, 10.0, 40.0, 10.0, 4e7, 40.0)


@pytest.mark.parametrize(
    "far", [FAR, (*FAR[:4], 1e12, 40.0), (*FAR[:4], 161.5, 40.0), (*FAR[:4], 40.0, -2.0)]
)
def test_an_outline_that_leaves_its_image_is_listed_whatever_its_box_says(far: tuple[float, ...]) -> None:
    given = labels(LabeledImage("1.jpg", (boxed(polygons=((far,),)),)))
    rows, joined = join(given, images("1.jpg"))
    assert ([row.outcome for row in rows], kinds(joined)) == (["unreadable"], ["box_outside"])
    assert "an outline (" in joined.labels.problems[0].detail
    hole = boxed(polygons=(((0.0, 0.0, 40.0, 0.0, 40.0, 40.0), far),))
    assert kinds(join(labels(LabeledImage("1.jpg", (hole,))), images("1.jpg"))[1]) == ["box_outside"]


def test_an_outline_over_the_edge_by_a_pixel_is_taken() -> None:
    near = boxed(polygons=(((-1.0, 0.0, 161.0, 0.0, 161.0, 120.5),),))
    rows, joined = join(labels(LabeledImage("1.jpg", (near,))), images("1.jpg"))
    assert ([row.outcome for row in rows], kinds(joined)) == (["object"], [])


def test_what_a_model_proposed_is_nobodys_answer() -> None:
    for given in (
        LabeledImage("1.jpg", (boxed(),), suggested=True),
        LabeledImage("1.jpg", (boxed(),), human=False),
    ):
        for origin in ("human", "gold"):
            rows, joined = join(labels(given), images("1.jpg"), origin=origin)
            assert (rows, kinds(joined)) == ([], ["not_labeled", "image_without_label"])
        assert len(join(labels(given), images("1.jpg"), origin="model")[0]) == 1
    assert len(join(labels(replace(given, human=None)), images("1.jpg"))[0]) == 1


def test_attributes_and_labels_of_whole_images_are_counted_once_each() -> None:
    dirty = boxed(attributes={"dirty": "yes", "difficult": "1"})
    given = labels(
        LabeledImage("1.jpg", (dirty, boxed(attributes={"dirty": "no"})), tags=("night", "rain")),
        LabeledImage("2.jpg", tags=("night",)),
    )
    rows, joined = join(given, images("1.jpg", "2.jpg"))
    assert [row.outcome for row in rows] == ["object", "object", "empty"]
    assert [(one.kind, one.file, one.detail) for one in joined.labels.problems] == [
        ("not_read", Path("labels.json"), f"{what}, which nothing here reads")
        for what in (
            "1 attributes 'difficult' of objects",
            "2 attributes 'dirty' of objects",
            "3 labels of whole images",
        )
    ]


def test_an_answer_needs_a_name() -> None:
    _, joined = join(labels(LabeledImage("1.jpg")), images("1.jpg"), annotator=None)
    assert kinds(joined)[0] == "no_annotator"


def test_labels_of_a_dropped_image_are_kept_and_said() -> None:
    table = images("1.jpg", drop_reason="near_duplicate", duplicate_of=builders.image_id("x"))
    rows, joined = join(labels(LabeledImage("1.jpg", (boxed(),))), table)
    assert (len(rows), kinds(joined)) == (1, ["image_dropped"])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_stored_frame_is_turned_as_pillow_turns_the_picture(orientation: int) -> None:
    stored = np.zeros((6, 8), dtype=np.uint8)
    stored[1, 2] = stored[1, 3] = stored[2, 2] = 255
    picture = Image.fromarray(stored)
    exif = picture.getexif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    picture.save(out, "PNG", exif=exif)
    turned = np.asarray(ImageOps.exif_transpose(Image.open(out))) > 0
    outline = (2.0, 1.0, 4.0, 1.0, 4.0, 2.0, 3.0, 2.0, 3.0, 3.0, 2.0, 3.0)
    drawn = LabeledObject("x", (2.0, 1.0, 4.0, 3.0), ((outline,),), masks.encode(stored > 0), (8, 6))
    upright = frames.upright(drawn, orientation, (8, 6))
    height, width = turned.shape
    assert upright.rle == masks.encode(turned)
    assert upright.bbox_xyxy == masks.bbox(masks.encode(turned), width=width, height=height)
    only = LabeledObject("x", polygons=upright.polygons)
    assert only.mask((width, height)) == masks.encode(turned)


def test_a_frame_that_the_labels_contradict_is_found_and_named() -> None:
    """Upright 160 x 120, stored 120 x 160: EXIF 6."""
    table = images("1.jpg", "2.jpg", "3.jpg", exif_orientation=6)
    low = boxed((10.0, 130.0, 50.0, 150.0))  # below the upright picture
    given = labels(
        LabeledImage("1.jpg", (boxed(),), 120, 160),
        LabeledImage("2.jpg", (low,)),
        LabeledImage("3.jpg", (boxed(),)),
    )
    rows, joined = join(given, table)
    assert [row.outcome for row in rows] == ["unreadable", "unreadable", "object"]  # the third fits both
    assert kinds(joined) == ["frame", "frame"]
    assert "labels of 2 fit the stored frame only" in (joined.frame_remark() or "")
    rows, joined = join(labels(*given.images), table, frame="stored")
    assert [row.outcome for row in rows] == ["object"] * 3
    assert joined.frame_remark() is None
    assert rows[1].bbox_xyxy == (10.0, 10.0, 30.0, 50.0)  # h - y, x
