from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from curate.release import digest
from curate.release.release_content import Content
from tests.release.contents import content

BOX, FAR = (10.0, 10.0, 50.0, 50.0), (60.0, 10.0, 90.0, 50.0)
WORK = {"one": [("stop_sign", BOX), ("parking_sign", FAR)], "two": []}
SPLITS = ["train", "test"]


def content_digest(made: Content, splits: list[str], *, license: str = "cc-by-4.0") -> str:
    return digest.content_digest(made, splits, license=license)


def changed(column: str, value: object, *, of: str = "images") -> Content:
    made = content(WORK)
    table: pa.Table = getattr(made, of)
    position = table.column_names.index(column)
    values = pa.array([value] * table.num_rows, table.schema.field(column).type)
    return replace(made, **{of: table.set_column(position, table.schema.field(column), values)})


def test_the_same_content_has_the_same_digest_whatever_its_order_and_ids() -> None:
    first = content_digest(content(WORK), SPLITS)
    backwards = {name: drawn[::-1] for name, drawn in reversed(WORK.items())}
    assert content_digest(content(backwards), SPLITS) == first
    assert content_digest(changed("annotation_id", "other", of="objects"), SPLITS) == first
    assert content_digest(changed("path", "elsewhere.jpg"), SPLITS) == first
    assert len(first) == 64


@pytest.mark.parametrize(
    "other",
    [
        content({**WORK, "one": [("stop_sign", BOX)]}),
        content({**WORK, "one": [("stop_sign", BOX), ("stop_sign", FAR)]}),
        content({**WORK, "one": [("stop_sign", BOX), ("parking_sign", (60.0, 10.0, 90.0, 50.01))]}),
        content({**WORK, "two": [("stop_sign", BOX)]}),
        content(WORK, names=("parking_sign", "stop_sign")),
        changed("license", "cc0-1.0"),
        changed("attribution", None),
        changed("rle", None, of="objects"),
        changed("outcome", "disputed", of="objects"),
        changed("answers", [("light", ["night"])]),
        changed("polygon", "[[1, 1, 9, 1, 9, 9]]", of="objects"),
        content(WORK, attributes=(("scene", "7"),)),
    ],
)
def test_every_change_of_content_changes_the_digest(other: Content) -> None:
    assert content_digest(other, SPLITS) != content_digest(content(WORK), SPLITS)


def test_another_license_of_the_annotations_changes_the_digest() -> None:
    made = content(WORK)
    assert content_digest(made, SPLITS, license="cc0-1.0") != content_digest(made, SPLITS)


def test_who_agreed_and_how_well_does_not() -> None:
    made = content(WORK)
    for column, value in (("annotators", 3), ("votes", 2), ("confidence", 0.9)):
        assert content_digest(changed(column, value, of="objects"), SPLITS) == content_digest(made, SPLITS)


def test_another_split_changes_the_digest() -> None:
    made = content(WORK)
    assert content_digest(made, SPLITS) != content_digest(made, SPLITS[::-1])


def test_noise_below_a_thousandth_of_a_pixel_does_not() -> None:
    noisy = content({**WORK, "one": [("stop_sign", (10.0, 10.0, 50.0, 50.0001)), ("parking_sign", FAR)]})
    made = content(WORK)
    rle = made.objects.column("rle")
    position = noisy.objects.column_names.index("rle")
    noisy = replace(noisy, objects=noisy.objects.set_column(position, "rle", rle))
    assert content_digest(noisy, SPLITS) == content_digest(made, SPLITS)
