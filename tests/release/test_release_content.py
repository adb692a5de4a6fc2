from __future__ import annotations

import pytest

from curate.errors import ReleaseError
from curate.release.release_content import collect
from tests.builders import annotation, image, image_id
from tests.release.contents import NAMES, annotations_table, content, images_table

BOX, FAR = (10.0, 10.0, 50.0, 50.0), (60.0, 10.0, 90.0, 50.0)


def test_objects_stand_with_their_image_in_the_order_of_content() -> None:
    found = content(
        {"one": [("stop_sign", FAR), ("parking_sign", BOX)], "two": [], "three": [("stop_sign", BOX)]}
    )
    ids = found.images.column("image_id").to_pylist()
    assert ids == sorted(ids)
    by_image = {}
    for index, key in enumerate(ids):
        rows = found.objects.slice(found.offsets[index], found.offsets[index + 1] - found.offsets[index])
        by_image[key] = list(
            zip(*(rows.column(c).to_pylist() for c in ("category", "bbox_xyxy")), strict=True)
        )
        assert set(rows.column("image_id").to_pylist()) <= {key}
    assert by_image[image_id("one")] == [("parking_sign", list(BOX)), ("stop_sign", list(FAR))]
    assert by_image[image_id("two")] == []
    named = dict(zip(ids, found.names(), strict=True))
    assert named[image_id("one")] == ["parking_sign", "stop_sign"]
    assert named[image_id("two")] == []


def test_dropped_and_unlabelled_images_are_counted_not_released() -> None:
    dropped = image(
        "copy", drop_reason="near_duplicate", duplicate_of=image_id("one"), dup_group=image_id("one")
    )
    found = collect(
        images_table([image("one"), image("two"), dropped]),
        annotations_table([annotation("one", "stop_sign", BOX, origin="consensus")]),
        NAMES,
    )
    assert found.images.column("image_id").to_pylist() == [image_id("one")]
    assert (found.dropped, found.unlabeled) == ({"near_duplicate": 1}, 1)


def test_nothing_to_release_is_refused() -> None:
    with pytest.raises(ReleaseError, match="nothing to release"):
        collect(images_table([image("one")]), annotations_table([]), NAMES)


def test_an_unknown_category_is_refused_by_name() -> None:
    with pytest.raises(ReleaseError, match="'tram', which the taxonomy does not name: known are stop_sign"):
        content({"one": [("tram", BOX)]})


@pytest.mark.parametrize(
    ("images", "what"),
    [
        ([image("one")], "not in the images table"),
        ([image("one"), image("two", drop_reason="too_small")], "was dropped"),
    ],
)
def test_a_consensus_on_a_strange_image_is_refused(images: list, what: str) -> None:  # type: ignore[type-arg]
    rows = [annotation(name, "stop_sign", BOX, origin="consensus") for name in ("one", "two")]
    with pytest.raises(ReleaseError, match=f"1 images which .*{what}.*{image_id('two')}|1 images.*{what}"):
        collect(images_table(images), annotations_table(rows), NAMES)


def test_images_whose_objects_name_a_model_are_counted_as_accepted() -> None:
    box = (10.0, 10.0, 50.0, 50.0)
    other = (60.0, 10.0, 90.0, 50.0)
    rows = [
        annotation("one", "stop_sign", box, origin="consensus"),
        annotation("two", "stop_sign", box, origin="consensus", model_version="m"),
        annotation("two", "stop_sign", other, origin="consensus", model_version="m"),
        annotation("three", None, None, origin="consensus"),
    ]
    images = images_table([image(name) for name in ("one", "two", "three")])
    assert collect(images, annotations_table(rows), NAMES).accepted == 1
    assert collect(images, annotations_table(rows[:1]), NAMES).accepted == 0
