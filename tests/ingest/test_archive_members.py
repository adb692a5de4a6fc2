"""Archives and datasets as sources, through the stage: members, shards, rows, faults."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from curate.ingest import archive_members
from curate.ingest.download import DownloadError
from tests.stages.ingest_project import (  # noqa: F401 - the fixture
    by_source,
    jpeg,
    listed,
    project,
    put,
    put_tar,
    reason,
    refused,
    rows,
    run,
    tree,
    write,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("project")


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
        real = archive_members.members
        monkeypatch.setattr(archive_members, "members", lambda path: opened.append(path) or real(path))
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

    @pytest.mark.parametrize("fault", ["password", "method", "checksum"])
    def test_a_text_that_cannot_be_read_is_a_row_and_the_pictures_are_kept(self, fault: str) -> None:
        path = Path("raw/x.zip")
        with zipfile.ZipFile(path, "w") as archive:
            for n in range(4):
                archive.writestr(f"{n}.jpg", jpeg(n))
                if n == 1:
                    archive.writestr("1.txt", b"a street in the rain")
        content = bytearray(path.read_bytes())
        local = content.index(b"1.txt") - 30
        central = content.index(b"1.txt", local + 40) - 46
        assert (content[local : local + 4], content[central : central + 4]) == (b"PK\3\4", b"PK\1\2")
        if fault == "password":
            content[local + 6] |= 1
            content[central + 8] |= 1
        elif fault == "method":
            content[local + 8] = content[central + 10] = 9
        else:
            content[content.index(b"a street")] ^= 1
        path.write_bytes(content)
        found = listed("- {name: z, archive: x.zip}\n")
        assert set(found) == {f"z/x.zip/{name}" for name in ("0.jpg", "1.jpg", "1.txt", "2.jpg", "3.jpg")}
        text = found.pop("z/x.zip/1.txt")
        assert text["drop_reason"] == "unreadable"
        word = {"password": "password", "method": "compression", "checksum": "CRC"}[fault]
        assert word in text["drop_detail"]
        assert {row["drop_reason"] for row in found.values()} == {None}

    @pytest.mark.parametrize("text", ["nonsense", "[1]"])
    def test_attributes_that_are_no_object_drop_their_image(self, text: str) -> None:
        put_tar(Path("raw/x.tar"), {"1.jpg": jpeg(1), "1.json": text.encode(), "2.jpg": jpeg(2)})
        found = listed("- {name: t, archive: x.tar, license: MIT}\n")
        assert found["t/x.tar/1.jpg"]["drop_reason"] == "bad_sidecar"
        assert found["t/x.tar/1.jpg"]["drop_detail"].startswith("1.json: not ")
        assert found["t/x.tar/2.jpg"]["drop_reason"] is None
        run(sources="sources.yaml")
        assert by_source()["t/x.tar/1.jpg"]["drop_reason"] == "bad_sidecar"

    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    def test_links_are_places_of_their_picture_with_attributes_of_their_own(self, mode: str) -> None:
        def link(archive: tarfile.TarFile, name: str, target: str, kind: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)

        def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))

        hard, soft = tarfile.LNKTYPE, tarfile.SYMTYPE
        with tarfile.open("raw/x.tar", mode) as archive:  # type: ignore[call-overload]
            add(archive, "a/one.jpg", jpeg(1))
            link(archive, "a/early.jpg", "a/one.jpg", hard)
            add(archive, "a/one.jpg", jpeg(2))  # the same name again: the last one counts
            link(archive, "b/hard.jpg", "a/one.jpg", hard)
            add(archive, "b/hard.json", b'{"weather": "rain"}')
            link(archive, "b/soft.jpg", "../a/one.jpg", soft)
            link(archive, "b/of_a_link.jpg", "soft.jpg", soft)
            link(archive, "b/forward.jpg", "later.jpg", soft)
            add(archive, "b/later.jpg", jpeg(3))
            link(archive, "b/loop.jpg", "loop.jpg", soft)
            link(archive, "b/out.jpg", "../../etc/passwd", soft)
            link(archive, "b/nowhere.jpg", "a/none.jpg", hard)
            link(archive, "folder", "a", soft)
        found = listed("- {name: t, archive: x.tar}\n")
        shows = {name.removeprefix("t/x.tar/"): row["image_id"] for name, row in found.items() if row["path"]}
        one, two, three = (hashlib.sha256(jpeg(n)).hexdigest() for n in (1, 2, 3))
        assert shows == {
            "a/early.jpg": one, "a/one.jpg": two, "b/hard.jpg": two, "b/soft.jpg": two,
            "b/of_a_link.jpg": two, "b/forward.jpg": three, "b/later.jpg": three,
        }  # fmt: skip
        assert dict(found["t/x.tar/b/hard.jpg"]["attributes"]) == {"weather": "rain"}
        lost = {name: row for name, row in found.items() if not row["path"]}
        assert set(lost) == {f"t/x.tar/b/{name}.jpg" for name in ("loop", "out", "nowhere")}
        assert {row["drop_reason"] for row in lost.values()} == {"unreadable"}
        assert "which is no file of this archive" in lost["t/x.tar/b/out.jpg"]["drop_detail"]
        assert dict(run(sources="sources.yaml").this_run)["read"] == 3  # what failed

    @pytest.mark.parametrize("kind", ["gnu", "posix"])
    def test_the_holes_of_a_sparse_member_are_zeros(self, kind: str, tmp_path: Path) -> None:
        picture = bytearray(
            b"BM" + bytes(3 << 20)
        )  # as a program writes one: header, and blocks that are holes
        bitmap = io.BytesIO()
        Image.new("RGB", (1024, 1024)).save(bitmap, "BMP")
        picture = bytearray(bitmap.getvalue())
        picture[54 + 3 * 1024 * 512] = 255
        file = tmp_path / "sparse.bmp"
        with file.open("wb") as out:
            out.truncate(len(picture))
            for at in (0, 54 + 3 * 1024 * 512):
                out.seek(at)
                out.write(picture[at : at + 54])
        subprocess.run(
            ["tar", "-S", f"--format={kind}", "-cf", Path("raw/x.tar").absolute(), "sparse.bmp"],
            check=True, cwd=tmp_path,
        )  # fmt: skip
        assert Path("raw/x.tar").stat().st_size < len(picture) // 4
        row = listed("- {name: t, archive: x.tar}\n")["t/x.tar/sparse.bmp"]
        assert row["image_id"] == hashlib.sha256(picture).hexdigest()
        assert row["drop_reason"] is None

    def test_sizes_that_no_file_has(self) -> None:
        put("good.jpg", 1)
        with zipfile.ZipFile("raw/x.zip", "w") as archive:
            archive.writestr("1.jpg", jpeg(1))
        content = bytearray(Path("raw/x.zip").read_bytes())
        central = content.index(b"PK\1\2")
        extra = b"\1\0\x08\0" + b"\xff" * 8  # zip64: 2^64 - 1 bytes
        content[central + 24 : central + 28] = b"\xff" * 4
        content[central + 30 : central + 32] = len(extra).to_bytes(2, "little")
        content[central + 46 + 5 : central + 46 + 5] = extra
        end = content.index(b"PK\5\6")
        content[end + 12 : end + 16] = (end - central).to_bytes(4, "little")
        Path("raw/x.zip").write_bytes(content)
        assert listed("- {name: z, archive: x.zip}\n")["z/x.zip/1.jpg"]["drop_reason"] == "too_large"
        header = tarfile.TarInfo("1.jpg")
        header.size = 8**11
        block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
        for size in (b"\xff" * 11 + b"\x00", b"\x80" + b"\xff" * 11):  # -256, and 2^88 - 1
            block[124:136] = size
            block[148:156] = b"        "
            block[148:156] = b"%06o\0 " % sum(block)
            write("x.tar", bytes(block) + bytes(1024))
            found = listed("- {name: t, archive: x.tar}\n")
            assert {row["drop_reason"] for name, row in found.items() if name.startswith("t/")} <= {
                "corrupt", "too_large",
            }  # fmt: skip
            assert any(name.startswith("t/x.tar") for name in found)

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
        found = archive_members.shards(f"a{{{first:0{width}d}..{last:0{width}d}}}b{{x,y}}")
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


def test_a_hub_that_is_away_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.ingest import huggingface_source

    put("good.jpg", 1)
    text = "- {name: d, hf: owner/name}\n"
    monkeypatch.setattr(huggingface_source, "identity", lambda _: ("v1", 2))
    monkeypatch.setattr(huggingface_source, "attributes", lambda _: iter([{"a": "1"}, {}]))
    monkeypatch.setattr(huggingface_source, "read", lambda _, row: jpeg(row + 5))
    assert set(listed(text)) == {"unlisted/good.jpg", "d/train/00000000", "d/train/00000001"}

    def away(_: Any) -> Any:
        raise DownloadError("no route to the Hub")

    monkeypatch.setattr(huggingface_source, "identity", away)
    found = listed(text)
    assert reason(found["d/train"]) == ("download_failed", "no route to the Hub")
    assert found["d/train/00000001"]["drop_reason"] is None
