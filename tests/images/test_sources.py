"""The list of sources and the CSV files: what they say, and one clear line for what they must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import CurateError, InputError, ParamsError
from curate.images import sources


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    root = tmp_path / "raw"
    for name in ("a/1.jpg", "a/inner/2.jpg", "b/3.jpg", "4.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def write(raw: Path, text: str, name: str = "sources.yaml") -> None:
    (raw / name).write_text(text, encoding="utf-8")


def refused(raw: Path) -> str:
    with pytest.raises(CurateError) as caught:
        sources.load(raw, "sources.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_without_a_list_there_is_one_source_of_unknown_licence(raw: Path) -> None:
    known = sources.load(raw, None)
    assert [(source.name, source.license) for source in known.sources] == [("raw", None)]
    assert known.of(raw / "a/1.jpg") == 0
    assert sources.entry_name(known.sources[0], raw / "a/1.jpg") == "raw/a/1.jpg"


def test_a_file_belongs_to_the_innermost_source(raw: Path) -> None:
    write(
        raw,
        "sources:\n- {name: outer, path: a, license: CC0-1.0}\n- {name: inner, path: a/inner}\n",
    )
    known = sources.load(raw, "sources.yaml")
    named = {path: known.sources[known.of(raw / path)].name for path in ("a/1.jpg", "a/inner/2.jpg", "4.jpg")}
    assert named == {"a/1.jpg": "outer", "a/inner/2.jpg": "inner", "4.jpg": sources.UNLISTED}
    assert known.own_files == {raw / "sources.yaml"}


def test_paths_are_relative_to_the_file_that_names_them(raw: Path) -> None:
    (raw.parent / "lists").mkdir()
    write(
        raw.parent,
        "sources:\n- {name: a, path: ../raw/a}\nattributes: ../tables/all.csv\n",
        "lists/sources.yaml",
    )
    (raw.parent / "tables").mkdir()
    write(raw.parent, "path,weather\n../raw/a/1.jpg,rain\n", "tables/all.csv")
    known = sources.load(raw, "../lists/sources.yaml")
    assert known.attributes == {raw / "a/1.jpg": {"weather": "rain"}}


def test_attributes_come_from_every_table(raw: Path) -> None:
    write(raw, "sources:\n- {name: a, path: a, attributes: a/a.csv}\nattributes: all.csv\n")
    write(raw, '\ufeffpath,camera\r\n1.jpg,"Canon ""D"", 5"\r\ninner/2.jpg,\r\n', "a/a.csv")
    write(raw, "path,weather\na/1.jpg,rain\n", "all.csv")
    known = sources.load(raw, "sources.yaml")
    assert known.attributes[raw / "a/1.jpg"] == {"camera": 'Canon "D", 5', "weather": "rain"}
    assert known.attributes[raw / "a/inner/2.jpg"] == {}
    assert known.own_files == {raw / "sources.yaml", raw / "a/a.csv", raw / "all.csv"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources:\n- {name: a, path: nowhere}\n", "sources.yaml:2: source 'a': path 'nowhere' is no folder"),
        ("sources:\n- {name: a, path: ../..}\n", "leads out of"),
        (
            "sources:\n- {name: a, path: a}\n- {name: a, path: b}\n",
            ".yaml:3: source 'a': this name is taken",
        ),
        ("sources:\n- {name: unlisted, path: a}\n", "this name is taken"),
        (
            "sources:\n- {name: a, path: a, licence: MIT}\n",
            "sources.yaml:2: sources.0.licence = 'MIT' is unknown",
        ),
        ("sources:\n- {name: a/b, path: a}\n", "sources.0.name = 'a/b' is refused"),
        ("sources: []\n", "sources = [] is refused"),
        ("sources:\n- {name: a, path: a}\nattributes: no.csv\n", "no.csv does not exist"),
    ],
)
def test_a_wrong_list_is_one_line(raw: Path, text: str, said: str) -> None:
    write(raw, text)
    assert said in refused(raw)


def test_the_nearest_name_is_told(raw: Path) -> None:
    write(raw, "sources:\n- {name: a, path: a, licence: MIT}\n")
    with pytest.raises(ParamsError, match="did you mean 'license'"):
        sources.load(raw, "sources.yaml")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("path,x\na/1.jpg,1\na/none.jpg,2\n", "all.csv:3: 'a/none.jpg' is no file"),
        ("path,x\na/1.jpg,1\na/1.jpg,2\n", "all.csv:3: x of 'a/1.jpg' is given twice"),
        ("path,x\na/1.jpg\n", "all.csv:2: expected 2 fields"),
        ("path,x\na/1.jpg,1,2\n", "all.csv:2: expected 2 fields"),
        ("file,x\na/1.jpg,1\n", "all.csv:1: no column 'path'"),
        ("", "all.csv:1: no column 'path'"),
        ("path,x,x\na/1.jpg,1,2\n", "all.csv:1: a column is named twice"),
        ("path,Latitude\na/1.jpg,48.1\n", "all.csv:1: column 'Latitude' holds positions"),
        ("path,GPS_pos\na/1.jpg,48.1\n", "all.csv:1: column 'GPS_pos' holds positions"),
        ('path,x\n"a/1.jpg,1\n', "all.csv cannot be read"),
    ],
)
def test_a_wrong_table_names_its_line(raw: Path, table: str, said: str) -> None:
    write(raw, "sources:\n- {name: a, path: a}\nattributes: all.csv\n")
    write(raw, table, "all.csv")
    assert said in refused(raw)


def test_a_table_that_is_no_text(raw: Path) -> None:
    write(raw, "sources:\n- {name: a, path: a}\nattributes: all.csv\n")
    (raw / "all.csv").write_bytes(b"path,x\n\xff\xfe,1\n")
    with pytest.raises(InputError, match=r"all\.csv cannot be read"):
        sources.load(raw, "sources.yaml")
