from __future__ import annotations

from pathlib import Path

import pytest

from curate import pseudonyms
from curate.errors import TableError


def test_numbers_stay_when_people_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    assert pseudonyms.remember(path, ["zoe@x", "bob@x", None]) == {"bob@x": "labeler-1", "zoe@x": "labeler-2"}
    before = path.stat().st_mtime_ns
    assert pseudonyms.remember(path, ["zoe@x"])["zoe@x"] == "labeler-2"
    assert path.stat().st_mtime_ns == before, "nothing new: the file stays"
    assert pseudonyms.remember(path, ["ann@x"])["ann@x"] == "labeler-3"
    assert pseudonyms.names(path, ["ann@x", "bob@x"])["bob@x"] == "labeler-1"


def test_looking_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    assert pseudonyms.names(path, ["ann@x"]) == {"ann@x": "labeler-1"}
    assert not path.exists()


def test_ids_of_any_text_come_back(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    people = ['a,"b"', "line\nbreak", "7", ""]
    assert pseudonyms.remember(path, people) == pseudonyms.names(path, [])


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n", "annotator_id,pseudonym\nx\n", "annotator_id,pseudonym\nx,bob\n",
     "annotator_id,pseudonym\nx,labeler-1\ny,labeler-1\n"],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(
        TableError, match=r"people\.csv is damaged.*: delete it, and everybody gets a new number"
    ):
        pseudonyms.names(path, [])
