"""The folder of parts: added to, never changed, whole or refused, older versions too."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import schema
from curate.errors import TableError
from curate.shown import record, rows
from curate.shown.join import Showings
from tests.shown import showing
from tests.shown.showing import at


def two_parts(folder: Path) -> None:
    showing.write(folder, [showing.row("one", ["a"])], since=at(10), confirmed=at(10, 5))
    showing.write(folder, [showing.row("one", ["b"]), showing.row("two", ["a"])], since=at(12))


def test_parts_are_read_in_order_with_what_became_of_them(tmp_path: Path) -> None:
    two_parts(tmp_path)
    found = record.load(tmp_path)
    assert found.shown.select(["part", "confirmed_at", "reached"]).to_pylist() == [
        {"part": 1, "confirmed_at": at(10, 5), "reached": True},
        {"part": 3, "confirmed_at": None, "reached": None},
        {"part": 3, "confirmed_at": None, "reached": None},
    ]
    assert found.suggestions.num_rows == 3
    assert len(found.open_rows()) == 2
    latest = found.latest()
    assert {key: row["model_version"] for key, row in latest.items()} == {
        (showing.task("one"), None): "b",
        (showing.task("two"), None): "a",
    }


def test_nothing_that_was_written_is_touched(tmp_path: Path) -> None:
    two_parts(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    found = record.load(tmp_path)
    record.settle(tmp_path, {row["shown_id"]: False for row in found.open_rows()}, at=at(13))
    showing.write(tmp_path, [showing.row("one", ["c"])], since=at(14))
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 3


def test_only_what_is_new_is_added(tmp_path: Path) -> None:
    two_parts(tmp_path)
    found = record.load(tmp_path)
    same, other, changed = (
        showing.row("one", ["b"]),
        showing.row("two", ["a"], arm="control"),
        showing.row("three", []),
    )
    wanted = [
        {name: value for name, value in row.items() if name != "_suggestions"}
        for row in (same, other, changed)
    ]
    assert record.rows_to_send(found, wanted) == wanted[1:]


def test_a_task_that_moves_between_projects_is_shown_anew(tmp_path: Path) -> None:
    """`blind: strict` for a while: what everybody saw before is not what a labeler saw last."""

    def plain(labeler: str | None) -> list[dict[str, Any]]:
        return [
            {**{name: value for name, value in row.items() if name != "_suggestions"}, "labeler": labeler}
            for row in (showing.row("one", ["a"]),)
        ]

    def send(labeler: str | None, hour: int) -> int:
        known = record.load(tmp_path, required=False)
        news = record.rows_to_send(known, plain(labeler))
        if news:
            rows = showing.row("one", ["a"])["_suggestions"]
            record.append(tmp_path, known, news, rows, since=at(hour))
        return len(news)

    sent = [send(labeler, hour) for hour, labeler in enumerate([None, None, "ann", "ann", None, None, "ann"])]
    assert sent == [1, 0, 1, 0, 1, 0, 1]
    begun = Showings(record.load(tmp_path)).begun(
        showing.task("one"), "ann", created_at=at(4, 30), updated_at=at(4, 30), lead_time_s=5.0
    )
    assert begun.showing is not None
    assert begun.showing.labeler is None


def test_what_never_reached_the_server_is_not_what_a_task_shows(tmp_path: Path) -> None:
    two_parts(tmp_path)
    record.settle(tmp_path, {row["shown_id"]: False for row in record.load(tmp_path).open_rows()}, at=at(13))
    assert {row["model_version"] for row in record.load(tmp_path).latest().values()} == {"a"}


def test_the_same_suggestions_are_kept_once(tmp_path: Path) -> None:
    for hour, guideline in ((10, "g1"), (11, "g2")):
        showing.write(tmp_path, [showing.row("one", ["a"], guideline=guideline)], since=at(hour))
    assert not (tmp_path / "suggestions-000002.parquet").exists()
    assert record.load(tmp_path).suggestions.num_rows == 1


@pytest.mark.parametrize("name", ["shown-000001", "suggestions-000001", "outcomes-000002"])
def test_a_part_that_is_lost_is_named(tmp_path: Path, name: str) -> None:
    two_parts(tmp_path)
    (tmp_path / f"{name}.parquet").unlink()
    with pytest.raises(TableError, match="restore it from your backup"):
        record.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no table"])
def test_a_damaged_part_is_named(tmp_path: Path, content: bytes) -> None:
    two_parts(tmp_path)
    (tmp_path / "shown-000003.parquet").write_bytes(content)
    with pytest.raises(TableError, match=r"shown-000003\.parquet is damaged"):
        record.load(tmp_path)


def test_parts_of_an_older_version_are_read(tmp_path: Path) -> None:
    """The record is as old as the project: a column that came later is null, one that went is left out."""
    two_parts(tmp_path)
    path = tmp_path / "shown-000001.parquet"
    table = pq.read_table(path)
    older = table.drop_columns(["right_category"]).append_column("gone", pa.array(["x"]))
    older = older.replace_schema_metadata({b"curate.table": b"shown", b"curate.schema_version": b"1"})
    pq.write_table(older, path)
    found = record.load(tmp_path).shown
    assert set(schema.SHOWN.arrow.names) | {"part", "confirmed_at", "reached"} == set(found.column_names)
    assert found["right_category"].to_pylist()[0] is None


def test_no_record_is_empty_before_the_first_push_and_an_error_after(tmp_path: Path) -> None:
    assert record.load(tmp_path / "none", required=False).shown.num_rows == 0
    with pytest.raises(TableError, match="run the stage push first"):
        record.load(tmp_path / "none")


def test_texts_are_kept_by_their_digest(tmp_path: Path) -> None:
    record.keep_text(tmp_path, "guideline", "g1", "Draw tight boxes.")
    record.keep_text(tmp_path, "guideline", "g1", "something else")
    record.keep_text(tmp_path, "taxonomy", "t1", "categories: []")
    assert (tmp_path / "guideline-g1.md").read_text() == "Draw tight boxes."
    assert (tmp_path / "taxonomy-t1.yaml").exists()


def test_what_is_said_of_an_object_and_its_outline_are_part_of_what_was_shown(tmp_path: Path) -> None:
    one = showing.suggestion("one", "m1")
    said = replace(one, attributes=(("worn", ("yes",)),))
    drawn = replace(one, polygon="[[20.0, 20.0, 80.0, 20.0, 20.0, 80.0]]")
    digests = [rows.suggestions_digest([row]) for row in (one, said, replace(said, attributes=()), drawn)]
    assert digests[2] == digests[0]
    assert len(set(digests)) == 3
    former = [[one.annotation_id, one.category, one.bbox_xyxy, one.rle, one.score, one.model_version]]
    assert digests[0] == hashlib.sha256(json.dumps(former).encode()).hexdigest()[:24]
    made = [showing.planned("one", [replace(said, polygon=drawn.polygon)])]
    showing.write_planned(tmp_path / "shown", made, since=showing.at(8), confirmed=showing.at(9))
    (kept,) = record.load(tmp_path / "shown").suggestions.to_pylist()
    assert (kept["attributes"], kept["polygon"]) == ([("worn", ["yes"])], drawn.polygon)
