"""Sources of every kind that lies on this machine, through the stage: rows, attributes, faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curate.errors import CurateError
from tests.stages.ingest_project import (  # noqa: F401 - the fixture
    TABLE,
    by_source,
    listed,
    picture,
    project,
    put,
    put_tar,
    reason,
    refused,
    rows,
    run,
    sha,
    write,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("project")


class TestLists:
    def test_paths_are_relative_to_the_list_and_files_are_not_unlisted(self) -> None:
        put("deep/1.jpg", 1)
        put("2.jpg", 2)
        outside = Path("outside.jpg")
        picture(3).save(outside)
        write("deep/list.txt", f"# mine\n1.jpg\r\n\n../2.jpg\n{outside.absolute()}\nnone.jpg\n1.jpg\n")
        found = listed("- {name: mine, list: deep/list.txt, license: MIT}\n")
        assert set(found) == {"mine/1.jpg", "mine/../2.jpg", f"mine/{outside.absolute()}", "mine/none.jpg"}
        assert reason(found["mine/none.jpg"]) == ("unreadable", "No such file or directory")
        assert found["mine/1.jpg"]["license"] == "MIT"
        assert {row["license"] for row in rows()} == {"MIT"}

    def test_a_name_that_no_file_can_have(self) -> None:
        put("1.jpg", 1)
        write("list.txt", b"1.jpg\nnul\0.jpg\ncaf\xe9.jpg\n")
        found = listed("- {name: mine, list: list.txt}\n")
        assert found["mine/nul\0.jpg"]["drop_reason"] == "name_not_representable"
        assert found["mine/caf\\xe9.jpg"]["drop_reason"] == "unreadable"

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
    def test_a_list_in_utf_16_says_so(self, encoding: str) -> None:
        put("1.jpg", 1)
        write("list.txt", "1.jpg\r\n2.jpg\r\n".encode(encoding))
        assert "list.txt cannot be read: it is UTF-16: save it as UTF-8" in refused(
            "- {name: m, list: list.txt}\n"
        )

    def test_a_list_of_windows_says_which_file_is_meant(self) -> None:
        put("1.jpg", 1)
        put("café.jpg", 2)
        write("list.txt", "1.jpg\ncafé.jpg\nthé.jpg\n".encode("cp1252"))
        found = listed("- {name: m, list: list.txt}\n")
        assert reason(found["m/caf\\xe9.jpg"])[1].endswith("save the list as UTF-8")
        assert reason(found["m/th\\xe9.jpg"]) == ("unreadable", "No such file or directory")

    def test_a_folder_in_a_list_is_no_file(self) -> None:
        put("1.jpg", 1)
        Path("raw/folder").mkdir()
        write("list.txt", "1.jpg\nfolder\n")
        assert listed("- {name: m, list: list.txt}\n")["m/folder"]["drop_reason"] == "unreadable"


def write_table(name: str, entries: list[dict[str, Any]]) -> None:
    path = Path("raw") / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(entries), path)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    else:
        lines = [",".join(entries[0])] + [",".join(str(v or "") for v in entry.values()) for entry in entries]
        path.write_text("\n".join(lines) + "\n")


class TestTables:
    @pytest.mark.parametrize("name", ["rows.csv", "rows.parquet", "rows.jsonl"])
    def test_columns_become_attributes(self, name: str) -> None:
        put("1.jpg", 1)
        put("2.jpg", 2)
        write_table(
            name,
            [
                {"file": "1.jpg", "weather": "rain", "speed": 3, "note": "x"},
                {"file": "2.jpg", "weather": None, "speed": 4, "note": "y"},
            ],
        )
        text = f"- {{name: t, table: {name}, column: file, attributes: [weather, speed]}}\n"
        found = listed(text)
        assert dict(found["t/1.jpg"]["attributes"]) == {"speed": "3", "weather": "rain"}
        assert dict(found["t/2.jpg"]["attributes"]) == {"speed": "4"}
        assert len(rows()) == 2
        assert dict(run(sources="sources.yaml").this_run) == {"read": 0}

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("t.csv", "path,Lat\n1.jpg,4\n", "t.csv:1: column 'Lat' holds positions"),
            ("t.csv", "file\n1.jpg\n", "t.csv:1: no column 'path'; columns are 'file'"),
            (
                "t.csv",
                "path,a\n1.jpg,1\n,2\n1.jpg\n,3\n,4\n",
                "t.csv:3: path is empty (also lines 5, 6): give a path or remove the row; "
                "{raw}/t.csv:4: expected 2 fields, as in line 1: correct its commas and quotes",
            ),
            (
                "t.csv",
                "path\n" + "x\n" + '""\n' * 40,
                "t.csv:3: path is empty (also lines 4, 5, 6, 7, 8, 9, 10, 11, 12 and 30 more): give a path",
            ),
            ("t.jsonl", '{"path": null}\n{"path": ""}\n[]\n', "t.jsonl:1: path is empty (also line 2): give"),
            (
                "t.csv",
                b"path\nbild-\xe4.jpg\n",
                "not UTF-8 (byte e4), perhaps Windows-1252: save it",
            ),
            (
                "t.csv",
                "path\n1.jpg\n".encode("utf-16"),
                "t.csv cannot be read: it is UTF-16: save it as UTF-8",
            ),
            ("t.jsonl", '{"path": "1.jpg"}'.encode("utf-16"), "t.jsonl cannot be read: it is UTF-16"),
            ("t.jsonl", '{"path": "1.jpg"}'.encode("utf-16-le"), "t.jsonl cannot be read: it is UTF-16"),
            ("t.jsonl", b'{"path": "\xe4.jpg"}', "it is not UTF-8 (byte e4)"),
            ("t.csv", "path,a\n1.jpg\n", "t.csv:2: expected 2 fields"),
            ("t.csv", "path,a\n,1\n", "t.csv:2: path is empty"),
            (
                "t.jsonl",
                '{"path": "1.jpg"}\n{"path": 3}\n',
                "t.jsonl:2: expected an object with a text 'path'",
            ),
            ("t.jsonl", '{"path": "1.jpg"}\nnonsense\n', "t.jsonl:2: not JSON"),
            ("t.jsonl", '{"path": "1.jpg", "gps": [1]}\n', "t.jsonl:1: column 'gps' holds positions"),
            ("t.parquet", "no parquet", "t.parquet cannot be read"),
            ("t.xls", "x", "a table is a .csv, .parquet or .jsonl file"),
        ],
    )
    def test_a_wrong_table_names_its_line(self, name: str, content: str | bytes, said: str) -> None:
        put("1.jpg", 1)
        put("2.jpg", 2)
        write(name, content)
        assert said.replace("{raw}", str(Path("raw").absolute())) in refused(
            f"- {{name: t, table: {name}}}\n"
        )

    @pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
    def test_a_row_per_box_is_one_place_with_the_values_of_all_rows(self, kind: str) -> None:
        put("1.jpg", 1)
        put("2.jpg", 2)
        boxes = [("1.jpg", "car", 1), ("2.jpg", "bus", 5), ("1.jpg", "car", 2), ("1.jpg", "car", None)]
        write_table(f"t.{kind}", [{"path": path, "label": label, "x": x} for path, label, x in boxes])
        found = listed(f"- {{name: t, table: t.{kind}}}\n")
        attributes = dict(found["t/1.jpg"]["attributes"])
        assert attributes == {"label": "car", "x": '["1", "2", null]'}
        assert dict(found["t/2.jpg"]["attributes"]) == {"label": "bus", "x": "5"}
        assert dict(run(sources="sources.yaml").this_run) == {"read": 0}
        before = TABLE.read_bytes()
        assert dict(run(sources="sources.yaml").this_run) == {"read": 0}
        assert TABLE.read_bytes() == before

    def test_text_in_every_layout_of_arrow(self) -> None:
        put("1.jpg", 1)
        put("2.jpg", 2)
        paths = pa.array(["1.jpg", "2.jpg"])
        layouts = [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()]
        for number, layout in enumerate(layouts):
            table = pa.table({"path": paths.cast(layout), "label": pa.array(["a", "b"]).cast(layout)})
            pq.write_table(table, f"raw/{number}.parquet")
            found = listed(f"- {{name: t, table: {number}.parquet}}\n")
            assert dict(found["t/2.jpg"]["attributes"]) == {"label": "b"}
        pq.write_table(pa.table({"path": pa.nulls(3)}), "raw/none.parquet")
        assert "path is empty (also lines 2, 3)" in refused("- {name: t, table: none.parquet}\n")
        pq.write_table(pa.table({"path": pa.array(["1.jpg", None, "2.jpg", ""])}), "raw/some.parquet")
        assert "some.parquet:2: path is empty (also line 4)" in refused("- {name: t, table: some.parquet}\n")
        pq.write_table(pa.table({"path": pa.array([1])}), "raw/numbers.parquet")
        assert "holds int64, expected text" in refused("- {name: t, table: numbers.parquet}\n")

    def test_half_a_surrogate_pair_is_a_verdict(self) -> None:
        put("1.jpg", 1)
        write("t.jsonl", '{"path": "1.jpg"}\n{"path": "\\ud800.jpg"}\n')
        found = listed("- {name: t, table: t.jsonl}\n")
        assert found["t/\\ud800.jpg"]["drop_reason"] == "name_not_representable"

    def test_positions_inside_a_column_are_left_out(self) -> None:
        put("1.jpg", 1)
        write("t.jsonl", '{"path": "1.jpg", "exif": {"GPSLatitude": 1, "make": "X", "in": [{"lon": 2}]}}\n')
        attributes = dict(listed("- {name: t, table: t.jsonl}\n")["t/1.jpg"]["attributes"])
        assert json.loads(attributes["exif"]) == {"make": "X", "in": [{}]}


class TestFolderAttributes:
    @pytest.mark.parametrize(
        ("table", "said"),
        [
            ("path,x\na/1.jpg,1\na/none.jpg,2\n", "all.csv:3: 'a/none.jpg' is no file"),
            ("path,x\na/1.jpg,1\na/1.jpg,2\n", "all.csv:3: x of 'a/1.jpg' is given twice"),
            ("path,x\na/1.jpg\n", "all.csv:2: expected 2 fields"),
            ("path,x\na/1.jpg,1,2\n", "all.csv:2: expected 2 fields"),
            ("path,x\n../../x.jpg,1\n", "all.csv:2: '../../x.jpg' is no file of a source of kind path"),
            ("file,x\na/1.jpg,1\n", "all.csv:1: no column 'path'"),
            ("", "all.csv:1: no column 'path'"),
            ("path,x,x\na/1.jpg,1,2\n", "all.csv:1: a column is named twice"),
            ("path,Latitude\na/1.jpg,48.1\n", "all.csv:1: column 'Latitude' holds positions"),
            ("path,GPS_pos\na/1.jpg,48.1\n", "all.csv:1: column 'GPS_pos' holds positions"),
            ('path,x\n"a/1.jpg,1\n', "all.csv cannot be read"),
            (b"path,x\n\xff\xfe,1\n", "all.csv cannot be read: it is not UTF-8 (byte ff)"),
            (
                "path,x\na/1.jpg,1\na/none.jpg,2\na/nil.jpg,3\n",
                "all.csv:3: 'a/none.jpg' is no file: correct the path or remove the row; ",
            ),
            ("path,x\n../x.jpg,1\na/1.jpg\n", "all.csv:3: expected 2 fields"),
        ],
    )
    def test_a_wrong_table_names_its_line(self, table: str | bytes, said: str) -> None:
        put("a/1.jpg", 1)
        write("all.csv", table)
        write("sources.yaml", "sources:\n- {name: a, path: a}\nattributes: all.csv\n")
        with pytest.raises(CurateError) as caught:
            run(sources="sources.yaml")
        assert said in str(caught.value)

    def test_several_tables_add_up(self) -> None:
        put("a/1.jpg", 1)
        put("a/inner/2.jpg", 2)
        write("sources.yaml", "sources:\n- {name: a, path: a, attributes: a/a.csv}\nattributes: all.csv\n")
        write("a/a.csv", '\ufeffpath,camera\r\n1.jpg,"Canon ""D"", 5"\r\ninner/2.jpg,\r\n')
        write("all.csv", "path,weather\na/1.jpg,rain\n")
        run(sources="sources.yaml")
        found = by_source()
        assert dict(found["a/1.jpg"]["attributes"]) == {"camera": 'Canon "D", 5', "weather": "rain"}
        assert not found["a/inner/2.jpg"]["attributes"]
        assert set(found) == {"a/1.jpg", "a/inner/2.jpg"}

    def test_a_table_that_is_not_there(self) -> None:
        put("a/1.jpg", 1)
        write("sources.yaml", "sources:\n- {name: a, path: a}\nattributes: no.csv\n")
        with pytest.raises(CurateError, match=r"no\.csv does not exist"):
            run(sources="sources.yaml")


class TestFolders:
    def test_the_innermost_source_has_the_file(self) -> None:
        for name in ("a/1.jpg", "a/inner/2.jpg", "4.jpg"):
            put(name, len(name))
        found = listed("- {name: outer, path: a}\n- {name: inner, path: a/inner}\n")
        assert set(found) == {"outer/1.jpg", "inner/2.jpg", "unlisted/4.jpg"}

    def test_folders_outside(self) -> None:
        put("1.jpg", 1)
        Path("elsewhere/deep").mkdir(parents=True)
        picture(2).save("elsewhere/deep/2.jpg")
        found = listed("- {name: far, path: ../elsewhere, license: MIT}\n")
        assert set(found) == {"far/deep/2.jpg", "unlisted/1.jpg"}


class TestSidecars:
    TEXT = "- {name: s, path: s, license: MIT, attribution: Ann, sidecar: true}\n"

    def test_keys_become_attributes_and_a_license_of_its_own(self) -> None:
        for number in range(4):
            put(f"s/{number}.jpg", number)
        write("s/0.jpg.json", '{"weather": "rain", "license": "CC0-1.0", "GPSLatitude": 3, "tags": ["a"]}')
        write("s/0.json", '{"weather": "not this one"}')
        write("s/1.json", '{"attribution": "Bo", "exif": {"gps": {"lat": 1}, "iso": 100}}')
        write("s/other.json", "{}")
        found = listed(self.TEXT)
        assert dict(found["s/0.jpg"]["attributes"]) == {"weather": "rain", "tags": '["a"]'}
        assert (found["s/0.jpg"]["license"], found["s/0.jpg"]["attribution"]) == ("CC0-1.0", "Ann")
        assert (found["s/1.jpg"]["license"], found["s/1.jpg"]["attribution"]) == ("MIT", "Bo")
        assert json.loads(dict(found["s/1.jpg"]["attributes"])["exif"]) == {"iso": 100}
        assert found["s/other.json"]["drop_reason"] == "not_an_image"
        assert "s/0.jpg.json" not in found

    def test_a_changed_one_is_read_again_alone(self) -> None:
        put("s/1.jpg", 1)
        put("s/2.jpg", 2)
        write("s/1.json", '{"a": 1}')
        listed(self.TEXT)
        write("s/1.json", '{"a": 22}')
        assert dict(run(sources="sources.yaml").this_run)["read"] == 1
        assert dict(by_source()["s/1.jpg"]["attributes"]) == {"a": "22"}
        Path("raw/s/1.json").unlink()
        run(sources="sources.yaml")
        assert not by_source()["s/1.jpg"]["attributes"]

    @pytest.mark.parametrize("text", ["nonsense", "[1]", b"\xff\xff", "[" * 100_000])
    def test_a_broken_one_drops_its_image_whose_license_is_not_known(self, text: str | bytes) -> None:
        put("s/1.jpg", 1)
        put("s/2.jpg", 2)
        write("s/1.jpg.json", text)
        row = listed(self.TEXT)["s/1.jpg"]
        assert row["drop_reason"] == "bad_sidecar"
        assert row["drop_detail"].startswith("1.jpg.json: not ")

    def test_without_the_setting_they_are_files_like_others(self) -> None:
        put("s/1.jpg", 1)
        write("s/1.jpg.json", "{}")
        found = listed("- {name: s, path: s}\n")
        assert found["s/1.jpg.json"]["drop_reason"] == "not_an_image"


def test_the_same_bytes_in_every_kind_are_one_row() -> None:
    path = put("folder/1.jpg", 1)
    data = path.read_bytes()
    put_tar(Path("raw/x.tar"), {"1.jpg": data})
    write("list.txt", "folder/1.jpg\n")
    found = listed(
        "- {name: t, archive: x.tar}\n- {name: f, path: folder, license: MIT}\n- {name: l, list: list.txt}\n"
    )
    assert set(found) == {"t/x.tar/1.jpg", "f/1.jpg", "l/folder/1.jpg"}
    (row,) = rows()
    assert row["image_id"] == sha(path)
    assert row["license"] == "MIT"
    with Image.open(row["path"]) as image:
        assert image.size == (80, 64)
