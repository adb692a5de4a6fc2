"""File times of any century: files are ingested like any other, and a changed time is noticed."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.ingest.ledger import int64
from tests.stages.ingest_project import (  # noqa: F401 - the fixture
    by_source,
    jpeg,
    listed,
    project,
    put,
    read_now,
    write,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("project")
FAR = 15_000_000_000  # seconds: 2445-05-01, near the last that ext4 knows; nanoseconds of it are over 2^63
TIMES = {"1910": -1_900_000_000, "1969": -1, "2262": 9_223_372_037, "2445": FAR}


def set_time(path: Path, seconds: int, nanoseconds: int = 7) -> None:
    """Set a file's time; file systems that do not know the century store another, which is no fault here."""
    os.utime(path, ns=(0, seconds * 10**9 + nanoseconds))


@pytest.mark.parametrize("seconds", TIMES.values(), ids=TIMES)
def test_files_archives_and_lists_of_any_century(seconds: int) -> None:
    with zipfile.ZipFile(write("x.zip", b""), "w") as archive:
        archive.writestr("a.jpg", jpeg(1))
    paths = [put("folder/b.jpg", 2), put("c.jpg", 3), write("folder/b.jpg.json", '{"weather": "rain"}')]
    paths += [put("d.jpg", 4), write("list.txt", "c.jpg\n"), write("table.csv", "path\nd.jpg\n")]
    for path in [*paths, Path("raw/x.zip")]:
        set_time(path, seconds)
    text = (
        "- {name: z, archive: x.zip}\n- {name: f, path: folder, sidecar: true}\n"
        "- {name: l, list: list.txt}\n- {name: t, table: table.csv}\n"
    )
    found = listed(text)
    assert {place: row["drop_reason"] for place, row in found.items()} == {
        "z/x.zip/a.jpg": None, "f/b.jpg": None, "l/c.jpg": None, "t/d.jpg": None,
    }  # fmt: skip
    assert dict(found["f/b.jpg"]["attributes"]) == {"weather": "rain"}
    assert read_now(sources="sources.yaml") == 0
    for path in [*paths[:2], Path("raw/x.zip")]:
        set_time(path, seconds, 8)
    assert read_now(sources="sources.yaml") == 3
    assert {row["drop_reason"] for row in by_source().values()} == {None}


@given(st.integers(-(2**70), 2**70), st.integers(1, 2**64 - 1))
def test_times_that_differ_stay_different(number: int, difference: int) -> None:
    assert -(2**63) <= int64(number) < 2**63
    assert int64(number) != int64(number + difference)


@given(st.integers(-(2**63), 2**63 - 1))
def test_times_of_our_century_are_what_they_are(number: int) -> None:
    assert int64(number) == number
