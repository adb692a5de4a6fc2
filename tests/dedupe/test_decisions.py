"""Decisions of people: what is read, what is refused and how it is said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from curate.decision_file import COLUMNS, DECISIONS
from curate.dedupe import decisions
from curate.errors import InputError

# Six images, in order; the first two begin alike.
KINDS, NAMED = ", ".join(DECISIONS), ", ".join(COLUMNS)
NAMES = ("aaaaaaaa11", "aaaaaaaa22", "bbbbbbbb", "cccccccc", "dddddddd", "ffffffff")
FULL = [name.ljust(64, "0") for name in NAMES]
IDS = np.frombuffer(bytes.fromhex("".join(FULL)), np.uint8).reshape(-1, 32)
PLACES = {"cam/b.jpg": 2, "cam/c, old.jpg": 3, "deadbeef/x.jpg": 4}


def resolved(tmp_path: Path, *lines: str, header: str = "image,decision,other,by,note") -> decisions.Resolved:
    path = tmp_path / "decisions.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return decisions.resolve(decisions.load(path), path, IDS, PLACES)


def test_images_are_named_by_id_by_its_beginning_or_by_place(tmp_path: Path) -> None:
    found = resolved(
        tmp_path,
        f"{FULL[0]},keep,,ann,nice light",
        "cam/b.jpg,drop,,ben,",
        "",
        '"cam/c, old.jpg",same,dddddddd,,',
        "deadbeef/x.jpg,different,aaaaaaaa2,,",
        "ffffffff,keep,,,",
    )
    assert found.keep.tolist() == [0, 5]
    assert {row: (one.line, one.by, one.decision) for row, one in found.drop.items()} == {
        2: (3, "ben", "drop")
    }
    assert found.same.tolist() == [[3, 4]]
    assert found.different.tolist() == [[1, 4]]
    assert found.absent == 0


def test_two_columns_are_enough_and_excel_s_mark_is_no_letter(tmp_path: Path) -> None:
    assert resolved(tmp_path, "bbbbbbbb,keep", header="\ufeffimage,decision").keep.tolist() == [2]


def test_saying_it_twice_is_no_contradiction(tmp_path: Path) -> None:
    found = resolved(
        tmp_path,
        "bbbbbbbb,keep,,,",
        "cam/b.jpg,keep,,,",
        "cccccccc,same,bbbbbbbb,,",
        "bbbbbbbb,same,cccccccc,,",
    )
    assert found.keep.tolist() == [2]
    assert found.same.tolist() == [[2, 3]]


def test_a_whole_id_that_is_gone_is_counted(tmp_path: Path) -> None:
    gone = "e" * 64
    found = resolved(tmp_path, f"{gone},keep,,,", f"bbbbbbbb,same,{gone},,")
    assert (found.absent, found.keep.tolist(), found.same.tolist()) == (2, [], [])


def test_no_decisions() -> None:
    found = decisions.resolve([], Path("none"), IDS, {})
    assert (found.same.shape, found.different.shape, found.keep.shape) == ((0, 2), (0, 2), (0,))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["bbbbbbbb,kep,,,"],
            f"2: unknown decision 'kep': expected one of {KINDS}",
        ),
        ([",keep,,,"], "2: no image"),
        (["bbbbbbbb,same,,,"], "2: same needs another image in the column other"),
        (["bbbbbbbb,keep,cccccccc,,"], "2: keep is about one image: leave the column other empty"),
        (["bbbbbbbb,keep,,a,b,c"], "2: more cells than columns: quote cells that hold a comma"),
        (["bbbbbbbb,same,cam/b.jpg,,"], "2: image and other are the same image"),
        (["aaaaaaaa,keep,,,"], "2: 2 images begin with aaaaaaaa: write more digits"),
        (["abababab,keep,,,"], "2: no image begins with abababab"),
        (["aaaa,keep,,,"], "2: no image comes from 'aaaa'"),
        (["cam/z.jpg,keep,,,"], "2: no image comes from 'cam/z.jpg'"),
        (["bbbbbbbb,keep,,,", "", "cam/b.jpg,drop,,,"], "4: drop contradicts keep in line 2"),
        (
            ["bbbbbbbb,same,cccccccc,,", "cccccccc,different,bbbbbbbb,,"],
            "3: different contradicts same in line 2",
        ),
        (
            ["bbbbbbbb,same,cccccccc,,", "dddddddd,different,bbbbbbbb,,", "cccccccc,same,dddddddd,,"],
            "3: different contradicts other lines, by which both are the same as a third image",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_line(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(InputError, match=rf"decisions\.csv:{re.escape(said)}$"):
        resolved(tmp_path, *lines)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (
            "image,other",
            f"1: no column decision: the columns are {NAMED}",
        ),
        (
            "image,decision,why",
            f"1: unknown column 'why': the columns are {NAMED}",
        ),
    ],
)
def test_the_header_is_checked(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"decisions\.csv:{re.escape(said)}$"):
        resolved(tmp_path, header=header)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist: correct dedupe\.decisions in params\.yaml$"):
        decisions.load(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"image,decision\n\xe9,keep\n")
    with pytest.raises(InputError, match=r"latin\.csv cannot be read: "):
        decisions.load(tmp_path / "latin.csv")
