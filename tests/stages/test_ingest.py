"""Stage ingest on real files: one row a distinct image, upright files, every fault a reason, kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.errors import CurateError, InputError, StorageError
from curate.ingest import image_store
from curate.params import IngestParams
from curate.stages import ingest
from tests.stages.ingest_project import (  # noqa: F401 - the fixture
    IMAGES,
    LEDGER,
    OUTPUTS,
    TABLE,
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

pytestmark = pytest.mark.usefixtures("project")


def test_one_row_a_distinct_image_with_all_its_places() -> None:
    put("a/1.jpg", 1)
    write("b/copy of 1.png", Path("raw/a/1.jpg").read_bytes())  # named wrongly, too
    put("b/2.png", 2)
    report = run()
    assert report.line() == "ingest: 3 files, 2 distinct, 2 images, 0 dropped, 3 read"
    row = by_source()["raw/a/1.jpg"]
    assert row["sources"] == ["raw/a/1.jpg", "raw/b/copy of 1.png"]
    assert row["image_id"] == sha(Path("raw/a/1.jpg"))
    assert row["path"] == f"out/images/{row['image_id'][:2]}/{row['image_id']}.jpg"
    assert (row["format"], row["width"], row["height"]) == ("JPEG", 80, 64)
    assert row["bytes"] == Path("raw/a/1.jpg").stat().st_size
    assert row["license"] is None
    assert all(row[name] is None for name in ("phash", "dup_group", "duplicate_of", "drop_reason", "split"))


def test_plain_files_are_linked_and_odd_ones_rewritten() -> None:
    plain = put("plain.jpg", 1)
    picture(2).convert("CMYK").save("raw/cmyk.jpg")
    picture(3).quantize(8).save("raw/palette.png")
    run()
    found = by_source()
    assert Path(found["raw/plain.jpg"]["path"]).read_bytes() == plain.read_bytes()
    for name, kind in (("cmyk.jpg", "JPEG"), ("palette.png", "PNG")):
        with Image.open(found[f"raw/{name}"]["path"]) as written:
            assert (written.format, written.mode) == (kind, "RGB")


def test_a_turned_photograph_is_upright_everywhere() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(1).transpose(Image.Transpose.ROTATE_90).save("raw/turned.png", exif=exif)
    run()
    (row,) = rows()
    assert (row["width"], row["height"], row["exif_orientation"]) == (80, 64, 6)
    with Image.open(row["path"]) as written:
        assert np.array_equal(np.asarray(written), np.asarray(picture(1)))
        assert not written.getexif()


def test_every_fault_is_a_row_with_its_reason() -> None:
    put("good.jpg")
    jpeg = put("whole.jpg", 1).read_bytes()
    Path("raw/whole.jpg").unlink()
    write("notes.txt", "not a picture")
    write("empty.png", b"")
    write("cut.jpg", jpeg[: len(jpeg) // 2])
    write("broken.png", b"\x89PNG\r\n\x1a\n" + b"and no chunk of a PNG" * 9)
    picture(4, (20, 300)).save("raw/small.png")
    picture(5, (64, 900)).save("raw/long.png")
    picture(6, (200, 200)).save("raw/large.png")
    Path("raw/gone.jpg").symlink_to("nowhere.jpg")
    report = run(max_pixels=200 * 200 - 1, max_aspect=8.0, min_side=64)
    found = by_source()
    reasons = {name.removeprefix("raw/"): row["drop_reason"] for name, row in found.items()}
    assert reasons == {
        "good.jpg": None,
        "notes.txt": "not_an_image",
        "empty.png": "empty_file",
        "cut.jpg": "truncated",
        "broken.png": "corrupt",
        "small.png": "too_small",
        "long.png": "too_large",
        "large.png": "too_large",
        "gone.jpg": "unreadable",
    }
    assert all(row["drop_detail"] for row in found.values() if row["drop_reason"])
    assert found["raw/gone.jpg"]["drop_detail"] == "No such file or directory"
    assert found["raw/small.png"]["width"] == 20
    assert report.metrics["dropped_by_reason"]["too_large"] == 2
    assert dict(report.counts)["dropped"] == 8
    assert len(tree()) == 1
    run(max_pixels=10**6)
    assert by_source()["raw/long.png"]["drop_reason"] == "extreme_aspect"


def test_a_file_over_the_byte_limit_is_hashed_but_not_decoded() -> None:
    put("good.jpg")
    big = put("big.png", 3)
    run(max_bytes=big.stat().st_size - 1)
    row = by_source()["raw/big.png"]
    assert row["image_id"] == sha(big)
    assert (row["drop_reason"], row["bytes"]) == ("too_large", big.stat().st_size)


def test_sources_give_license_and_attributes() -> None:
    put("a/1.jpg", 1)
    put("b/2.jpg", 2)
    put("b/own.jpg", 1)  # the bytes of a/1.jpg
    put("stray.jpg", 3)
    write(
        "sources.yaml",
        "sources:\n- {name: B, path: b, license: CC0-1.0, attribution: Bo, attributes: b.csv}\n"
        "- {name: A, path: a, license: CC-BY-4.0, attribution: Ann}\nattributes: all.csv\n",
    )
    write("b.csv", "path,weather\nb/own.jpg,rain\n")
    write("all.csv", "path,camera,place\nb/own.jpg,X,\na/1.jpg,Y,Bern\n")
    report = run(sources="sources.yaml")
    found = by_source()
    shared = found["A/1.jpg"]
    assert shared["sources"] == ["A/1.jpg", "B/own.jpg"]
    assert (shared["license"], shared["attribution"]) == ("CC0-1.0", "Bo")  # B is listed first
    assert dict(shared["attributes"]) == {"camera": "X", "place": "Bern", "weather": "rain"}
    assert found["B/2.jpg"]["license"] == "CC0-1.0"
    assert found["unlisted/stray.jpg"]["license"] is None
    assert set(found) == {"A/1.jpg", "B/own.jpg", "B/2.jpg", "unlisted/stray.jpg"}
    assert "1 files of no listed source" in report.line()


def test_odd_names_and_loops() -> None:
    put("with space/grün 猫.jpg", 1)
    put("new\nline.jpg", 2)
    put("x" * 251 + ".jpg", 3)
    Path("raw/new\nline.jpg").rename(os.fsdecode(b"raw/caf\xe9\n.jpg"))
    Path("raw/loop").symlink_to(".")
    run()
    assert set(by_source()) == {
        "raw/with space/grün 猫.jpg",
        "raw/caf\\xe9\n.jpg",
        "raw/" + "x" * 251 + ".jpg",
    }


def test_two_runs_and_any_number_of_workers_give_the_same_bytes() -> None:
    for number in range(12):
        put(f"{number}.jpg", number // 2)
    write("bad.jpg", "no")
    run(workers=1)
    first = (TABLE.read_bytes(), tree())
    run(workers=2)
    assert (TABLE.read_bytes(), tree()) == first


def test_a_second_run_follows_the_raw_folder() -> None:
    kept, gone = put("kept.jpg", 1), put("gone.jpg", 2)
    run()
    inode = Path(by_source()["raw/kept.jpg"]["path"]).stat().st_ino
    gone.unlink()
    put("new.jpg", 3)
    Path(by_source()["raw/kept.jpg"]["path"]).with_name(".half.123.partial").write_bytes(b"half")
    (IMAGES / "zz").mkdir()
    (IMAGES / "zz/stranger.txt").write_bytes(b"x")
    report = run()
    assert sorted(tree()) == sorted(
        Path(row["path"]).relative_to(IMAGES).as_posix() for row in rows() if row["path"] is not None
    )
    assert set(by_source()) == {"raw/kept.jpg", "raw/new.jpg"}
    assert Path(by_source()["raw/kept.jpg"]["path"]).stat().st_ino == inode
    assert "3 stale files removed" in report.line()
    assert kept.exists()


def test_a_lost_upright_file_comes_back() -> None:
    put("1.jpg", 1)
    run()
    before = tree()
    Path(rows()[0]["path"]).unlink()
    run()
    assert tree() == before


def test_quality_and_time_are_columns() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010F] = "Maker"
    Image.new("RGB", (80, 64), (100, 100, 100)).save("raw/flat.png", exif=exif)
    run()
    (row,) = rows()
    assert (row["brightness"], row["contrast"], row["sharpness"]) == (100.0, 0.0, 0.0)
    assert row["captured_at"] == "2026-01-02T03:04:05"
    assert not row["attributes"]


def refused(**params: Any) -> str:
    with pytest.raises(CurateError) as caught:
        run(**params)
    assert isinstance(caught.value, InputError | StorageError)
    assert "\n" not in str(caught.value)
    assert not TABLE.exists()
    return str(caught.value)


def test_bad_raw_folders_are_one_line() -> None:
    assert refused() == "raw folder raw holds no file: put images there"
    write("notes.txt", "no picture")
    write("empty.jpg", b"")
    assert refused() == (
        "raw holds 2 files but no usable image (1 empty_file, 1 not_an_image): put images there"
    )
    for path in Path("raw").iterdir():
        path.unlink()
    Path("raw").rmdir()
    assert refused() == "raw folder raw does not exist: create it, or set ingest.raw in params.yaml"
    put("good.jpg")
    run()  # and the next run works


def test_without_a_raw_folder_the_sources_are_all_there_is() -> None:
    Path("sources.yaml").write_text("sources:\n- {name: a, path: raw, license: CC0-1.0}\n")
    settings = IngestParams(raw=None, sources="sources.yaml")
    ports = ingest.Ports(engine=LocalEngine(1, in_process=True))
    with pytest.raises(InputError, match=r"what sources\.yaml names holds no file: put images there"):
        ingest.run(settings, inputs=ingest.Inputs(raw=None), outputs=OUTPUTS, ports=ports)
    put("good.jpg")
    ingest.run(settings, inputs=ingest.Inputs(raw=None), outputs=OUTPUTS, ports=ports)
    (row,) = tables.read(TABLE, schema.IMAGES).to_pylist()
    assert (row["sources"], row["license"]) == (["a/good.jpg"], "CC0-1.0")


def test_the_image_folder_must_not_lie_among_the_raw_files() -> None:
    put("good.jpg")
    with pytest.raises(InputError, match="overlap"):
        ingest.run(
            IngestParams(),
            inputs=ingest.Inputs(raw=Path("raw")),
            outputs=ingest.Outputs(table=TABLE, images=Path("raw/images"), ledger=LEDGER),
            ports=ingest.Ports(engine=LocalEngine(1)),
        )
    assert Path("raw/good.jpg").exists()


def test_a_full_disk_is_one_line_and_the_next_run_works() -> None:
    picture(1).convert("L").save("raw/gray.png")
    node = image_store._NODE
    target = IMAGES / sha(Path("raw/gray.png"))[:2] / f"{sha(Path('raw/gray.png'))}.png"
    target.parent.mkdir(parents=True)
    target.with_name(f".{target.name}.{node}-{os.getpid()}.partial").symlink_to("/dev/full")
    assert (
        refused()
        == f"no space left while writing {target.absolute()}: free some disk and run the stage again"
    )
    run()
    TABLE.unlink()
    tables.partial_of(TABLE).symlink_to("/dev/full")
    assert refused() == f"no space left while writing {TABLE}: free some disk and run the stage again"
    run()
    assert len(rows()) == 1


def test_a_file_size_limit_stops_the_workers_with_one_line() -> None:
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (600, 800), dtype=np.uint8)
        Image.fromarray(noise).save(f"raw/{number}.png")
    code = (
        "import resource, sys\n"
        "from tests.stages.test_ingest import run\n"
        "from curate.errors import StorageError\n"
        "if __name__ == '__main__':\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
        "    try:\n"
        "        run(workers=2)\n"
        "    except StorageError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        _python(code), capture_output=True, text=True, env=_environment(), check=True, timeout=120
    )
    assert done.stdout.startswith(f"cannot write {IMAGES.absolute()}/")
    assert done.stdout.endswith("File too large\n")
    run()
    assert len(tree()) == 4


SLOW = """
import time
from pathlib import Path
from tests.stages import test_ingest as t
from curate.stages import ingest
from curate.params import IngestParams

class Slow:
    def map_batches(self, setup, batches, *, label, total):
        function = setup()
        for batch in batches:
            yield function(batch)
            time.sleep(0.05)

inputs = ingest.Inputs(Path("raw"))
ingest.run(IngestParams(), inputs=inputs, outputs=t.OUTPUTS, ports=ingest.Ports(Slow(), 1))
"""


@pytest.mark.parametrize("files_written", [1, 12])
def test_killed_midway_the_next_run_ends_the_same(files_written: int) -> None:
    for number in range(30):
        put(f"{number}.jpg", number) if number % 3 else picture(number).convert("L").save(f"raw/{number}.png")
    with subprocess.Popen(_python(SLOW), env=_environment()) as process:
        deadline = time.monotonic() + 60
        while len(list(IMAGES.rglob("*.*"))) < files_written and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not TABLE.exists()
    assert 0 < len(tree()) < 30
    run()
    after_kill = (TABLE.read_bytes(), tree())
    for path in [TABLE, LEDGER, *(path for path in IMAGES.rglob("*") if path.is_file())]:
        path.unlink()
    run()
    assert (TABLE.read_bytes(), tree()) == after_kill


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
