"""Sources of every kind that lies on this machine, through the stage: rows, attributes, faults."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from curate.errors import CurateError
from curate.ingest import archives
from curate.ingest.download import DownloadError
from tests.stages.test_ingest import (  # noqa: F401 - the fixture
    by_source,
    picture,
    project,
    put,
    rows,
    run,
    sha,
    tree,
    write,
)  # fmt: skip


def listed(text: str, **params: Any) -> dict[str, dict[str, Any]]:
    write("sources.yaml", "sources:\n" + text)
    run(sources="sources.yaml", **params)
    return by_source()


def refused(text: str) -> str:
    with pytest.raises(CurateError) as caught:
        listed(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def jpeg(seed: int) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, "JPEG")
    return buffer.getvalue()


def put_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def reason(row: dict[str, Any]) -> tuple[str, str]:
    return row["drop_reason"], row["drop_detail"]


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
            ("t.csv", "path\n1.jpg\n2.jpg\n1.jpg\n", "t.csv:4: '1.jpg' is given twice"),
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
    def test_a_wrong_table_names_its_line(self, name: str, content: str, said: str) -> None:
        put("1.jpg", 1)
        put("2.jpg", 2)
        write(name, content)
        assert said in refused(f"- {{name: t, table: {name}}}\n")

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
            (b"path,x\n\xff\xfe,1\n", "all.csv cannot be read"),
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

    def test_keys_become_attributes_and_a_licence_of_its_own(self) -> None:
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
    def test_a_broken_one_drops_its_image_whose_licence_is_not_known(self, text: str | bytes) -> None:
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


class TestArchives:
    @pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
    def test_members_are_images_and_texts_their_attributes(self, mode: str) -> None:
        members = {
            "a/000.jpg": jpeg(0), "a/000.json": b'{"weather": "rain", "lat": 3, "license": "CC0-1.0"}',
            "a/000.txt": b"a rainy street\n", "a/001.jpg": jpeg(1), "a/001.cls": b"7", "a/002.png": b"none",
            "notes.txt": b"of no image",
        }  # fmt: skip
        if mode == "zip":
            with zipfile.ZipFile("raw/x.zip" if Path("raw").exists() else "x.zip", "w") as archive:
                for name, content in members.items():
                    archive.writestr(name, content)
        else:
            put_tar(Path("raw/x.zip"), members, mode)  # the bytes say what it is
        found = listed("- {name: z, archive: x.zip, license: MIT}\n")
        assert set(found) == {f"z/x.zip/{n}" for n in ("a/000.jpg", "a/001.jpg", "a/002.png", "notes.txt")}
        first = found["z/x.zip/a/000.jpg"]
        assert dict(first["attributes"]) == {"weather": "rain", "txt": "a rainy street"}
        assert first["license"] == "CC0-1.0"
        assert dict(found["z/x.zip/a/001.jpg"]["attributes"]) == {"cls": "7"}
        assert Path(first["path"]).read_bytes() == members["a/000.jpg"]
        assert found["z/x.zip/a/002.png"]["drop_reason"] == "not_an_image"

    def test_shards_are_read_once_and_again_only_when_they_change(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for shard in range(3):
            names = {f"{shard}{n}.jpg": jpeg(3 * shard + n) for n in range(3)}
            put_tar(Path(f"raw/shards/data-{shard:03d}.tar"), names)
        text = '- {name: wds, archive: "shards/data-{000..002}.tar"}\n'
        found = listed(text, batch_size=2, workers=2)
        assert set(found) == {f"wds/data-{s:03d}.tar/{s}{n}.jpg" for s in range(3) for n in range(3)}
        before = (rows(), tree())
        opened: list[Path] = []
        real = archives.members
        monkeypatch.setattr(archives, "members", lambda path: opened.append(path) or real(path))
        assert dict(run(sources="sources.yaml").this_run) == {"read": 0}
        assert opened == []
        assert (rows(), tree()) == before
        put_tar(Path("raw/shards/data-001.tar"), {"10.jpg": jpeg(3), "new.jpg": jpeg(99)})
        assert dict(run(sources="sources.yaml").this_run)["read"] == 2
        assert [path.name for path in opened] == ["data-001.tar"]
        live = {place for row in rows() for place in row["sources"]}
        assert "wds/data-001.tar/new.jpg" in live
        assert "wds/data-001.tar/11.jpg" not in live

    def test_a_lost_upright_file_comes_back_from_its_archive(self) -> None:
        put_tar(Path("raw/x.tar"), {"1.jpg": jpeg(1)})
        listed("- {name: t, archive: x.tar}\n")
        before = tree()
        Path(rows()[0]["path"]).unlink()
        run(sources="sources.yaml")
        assert tree() == before

    @pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
    def test_a_damaged_archive_gives_what_is_whole_and_says_so(self, kind: str) -> None:
        put("good.jpg", 1)
        path = put_tar(Path("raw/x.tar"), {f"{n}.jpg": jpeg(n) for n in range(20)})
        content = path.read_bytes()
        if kind == "tar.gz":
            content = gzip.compress(content, mtime=0)
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("1.jpg", jpeg(1))
            content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        found = listed("- {name: t, archive: x.tar}\n")
        assert found["t/x.tar"]["drop_reason"] == "corrupt"
        assert found["t/x.tar"]["drop_detail"].startswith("the archive is damaged: ")
        kept = [place for place, row in found.items() if row["drop_reason"] is None]
        assert len(kept) > 1 if kind != "zip" else kept == ["unlisted/good.jpg"]
        path.write_bytes(content)
        run(sources="sources.yaml")
        assert all(row["drop_reason"] is None for row in rows())

    def test_a_member_that_promises_too_much_is_not_unpacked(self) -> None:
        with zipfile.ZipFile("raw/bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bomb.png", b"\0" * 50_000_000)
            archive.writestr("good.jpg", jpeg(1))
        row = listed("- {name: z, archive: bomb.zip}\n", max_bytes=1_000_000)["z/bomb.zip/bomb.png"]
        assert reason(row) == ("too_large", "50000000 bytes are over 1000000")

    def test_a_password(self) -> None:
        put("good.jpg", 1)
        path = Path("raw/x.zip")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("1.jpg", jpeg(1))
        content = bytearray(path.read_bytes())
        content[6] |= 1  # the flag of encryption, in both headers
        content[content.index(b"PK\1\2") + 8] |= 1
        path.write_bytes(content)
        row = listed("- {name: z, archive: x.zip}\n")["z/x.zip/1.jpg"]
        assert row["drop_reason"] == "unreadable"
        assert "password" in row["drop_detail"]

    def test_names_of_any_bytes(self) -> None:
        with tarfile.open("raw/x.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
            entry = tarfile.TarInfo("caf\xe9\n.jpg")
            entry.size = len(jpeg(1))
            archive.addfile(entry, io.BytesIO(jpeg(1)))
        assert set(listed("- {name: t, archive: x.tar}\n")) == {"t/x.tar/caf\\xe9\n.jpg"}

    def test_a_shard_that_is_not_there(self) -> None:
        put_tar(Path("raw/d-0.tar"), {"1.jpg": jpeg(1)})
        assert "d-1.tar' is no file: correct the pattern" in refused('- {name: w, archive: "d-{0..1}.tar"}\n')
        assert "is no file: correct the pattern" in refused('- {name: w, archive: "e-*.tar"}\n')

    @given(st.integers(0, 30), st.integers(0, 30), st.sampled_from([0, 3]))
    def test_ranges_count_as_bash_does(self, first: int, last: int, width: int) -> None:
        found = archives.shards(f"a{{{first:0{width}d}..{last:0{width}d}}}b{{x,y}}")
        step = 1 if last >= first else -1
        assert found == [f"a{n:0{width}d}b{e}" for n in range(first, last + step, step) for e in "xy"]


def test_a_dataset_of_parquet_files() -> None:
    """Kind hf on a local folder, through the `datasets` library."""
    datasets = pytest.importorskip("datasets")
    Path("raw/hub").mkdir()
    features = datasets.Features(
        {
            "photo": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "n": datasets.Value("int32"),
        }
    )
    entries = {
        "photo": [{"bytes": jpeg(n), "path": None} for n in range(3)],
        "label": [0, 1, 1],
        "n": [5, 6, None],
    }
    datasets.Dataset.from_dict(entries, features=features).to_parquet("raw/hub/train-00000.parquet")
    text = "- {name: d, hf: hub, column: photo, license: MIT}\n"
    put("hub.jpg", 9)
    write("sources.yaml", "sources:\n" + text)
    run(sources="sources.yaml")
    found = by_source()
    assert dict(found["d/train/00000001"]["attributes"]) == {"label": "dog", "n": "6"}
    assert found["d/train/00000002"]["image_id"] == hashlib.sha256(jpeg(2)).hexdigest()
    assert dict(run(sources="sources.yaml").this_run) == {"read": 0}
    assert "has no column 'image'" in refused("- {name: d, hf: hub}\n")
    assert "cannot be loaded" in refused("- {name: d, hf: hub, split: nowhere, column: photo}\n")


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
    assert Image.open(row["path"]).size == (80, 64)


def test_a_hub_that_is_away_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.ingest import hub

    put("good.jpg", 1)
    text = "- {name: d, hf: owner/name}\n"
    monkeypatch.setattr(hub, "identity", lambda _: ("v1", 2))
    monkeypatch.setattr(hub, "attributes", lambda _: iter([{"a": "1"}, {}]))
    monkeypatch.setattr(hub, "read", lambda _, row: jpeg(row + 5))
    assert set(listed(text)) == {"unlisted/good.jpg", "d/train/00000000", "d/train/00000001"}

    def away(_: Any) -> Any:
        raise DownloadError("no route to the Hub")

    monkeypatch.setattr(hub, "identity", away)
    found = listed(text)
    assert reason(found["d/train"]) == ("download_failed", "no route to the Hub")
    assert found["d/train/00000001"]["drop_reason"] is None
