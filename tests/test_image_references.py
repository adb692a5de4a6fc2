"""Images by what people write of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from curate import image_references
from curate.decision_file import Decision
from curate.errors import TableError
from tests import builders

X = builders.image_id("one")
TWINS = [f"abcdef01{digit * 56}" for digit in "23"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    twins = [replace(builders.image(key[8]), image_id=key) for key in TWINS]
    return builders.write_images(tmp_path / "images.parquet", [*twins, builders.image("one")])


def test_a_name_means_no_image_or_one_or_several(images: Path) -> None:
    names = ["unit/one.jpg", X, X[:8], "abcdef01", "abcdef012", "unit/none.jpg", "0" * 64]
    found = image_references.find(names, images)
    assert [found.get(name, []) for name in names] == [[X], [X], [X], TWINS, TWINS[:1], [], []]


def test_lines_get_whole_ids_where_one_image_is_meant(images: Path) -> None:
    lines = [
        Decision(2, "unit/one.jpg", "different", other=TWINS[1][:9]),
        Decision(3, "abcdef01", "drop"),
        Decision(4, "unit/none.jpg", "keep"),
    ]
    first, *rest = image_references.resolve(lines, images)
    assert (first.line, first.image, first.other) == (2, X, TWINS[1])
    assert rest == lines[1:]


def test_no_table_is_read_for_whole_ids(tmp_path: Path) -> None:
    lines = [Decision(2, X, "drop")]
    assert image_references.resolve(lines, tmp_path / "none.parquet") == lines
    with pytest.raises(TableError, match=r"none\.parquet"):
        image_references.resolve([Decision(2, X[:8], "drop")], tmp_path / "none.parquet")
