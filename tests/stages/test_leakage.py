"""Leaks against an index: of a folder, of a table, by the command."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image, ImageOps
from typer.testing import CliRunner

from curate import schema, tables
from curate.cli import app
from curate.dedupe import feature_index, id_rows
from curate.engines.local import LocalEngine
from curate.errors import InputError, TableError
from curate.params import DedupeParams
from curate.stages import build_index, leakage
from tests.permissions import permissions_count
from tests.stages.test_dedupe import INGESTED, encoded, ingested, scene

ENGINE = LocalEngine(1, in_process=True)
LEAKS, OWN, BENCHMARK = Path("leaks.csv"), Path("own"), Path("benchmark")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Four scenes; a benchmark holds one as it is, one smaller, one mirrored, another one, and a text."""
    monkeypatch.chdir(tmp_path)
    folder = Path("photos/deep")
    folder.mkdir(parents=True)
    (folder / "same bytes.png").write_bytes(encoded(scene(0)))
    (folder / "copy of it.png").write_bytes(encoded(scene(0)))
    (folder / "smaller.jpg").write_bytes(encoded(scene(1).resize((100, 75)), "JPEG"))
    (folder / "mirrored.png").write_bytes(encoded(ImageOps.mirror(scene(2))))
    (folder / "other.png").write_bytes(encoded(scene(9)))
    (folder / "readme.txt").write_text("no image")
    return ingested({f"cam/{number}.png": encoded(scene(number)) for number in range(4)})


def indexed(source: Path = Path("photos"), **params: object) -> tuple[str, list[str]]:
    said: list[str] = []
    ports = build_index.Ports(ENGINE, said.append)
    return build_index.run(DedupeParams(**params), source=source, out=BENCHMARK, ports=ports).line(), said


def leaks() -> list[dict[str, str]]:
    leakage.run(
        DedupeParams(),
        inputs=leakage.Inputs(images=INGESTED, base=BENCHMARK),
        outputs=leakage.Outputs(leaks=LEAKS, index=OWN),
        ports=leakage.Ports(ENGINE),
    )
    with LEAKS.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_an_index_each_content_once_and_what_is_no_image_is_named() -> None:
    line, said = indexed()
    assert line == "index: 4 images, 4 new, 1 files refused"
    assert len(said) == 1
    assert "readme.txt" in said[0]
    assert indexed()[0] == "index: 4 images, 0 new, 1 files refused"
    (Path("photos") / "late.png").write_bytes(encoded(scene(20)))
    assert indexed()[0] == "index: 5 images, 1 new, 1 files refused"


def test_leaks_are_named_with_what_was_found(project: dict[str, str]) -> None:
    indexed()
    found = {row["place"]: row for row in leaks()}
    assert list(found) == [
        place for place, _ in sorted(project.items(), key=lambda item: item[1]) if place in found
    ]
    assert set(found) == {"cam/0.png", "cam/1.png", "cam/2.png"}
    assert {place: (row["other_place"], row["relation"]) for place, row in found.items()} == {
        "cam/0.png": ("deep/copy of it.png", "identical"),
        "cam/1.png": ("deep/smaller.jpg", "same"),
        "cam/2.png": ("deep/mirrored.png", "mirrored"),
    }
    for place, row in found.items():
        assert row["image_id"] == project[place]
        path = Path("photos") / row["other_place"]
        assert row["other_id"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert float(row["correlation"]) > 0.95


def test_flat_images_of_the_same_bytes_are_leaks_too() -> None:
    flat = encoded(Image.new("RGB", (160, 120), (7, 7, 7)))
    Path("photos/flat.png").write_bytes(flat)
    indexed()
    ingested({"cam/flat.png": flat})
    assert [row["relation"] for row in leaks()] == ["identical"]


def test_the_order_in_which_an_index_grew_does_not_matter() -> None:
    table = [Path("photos/deep") / name for name in ("smaller.jpg", "mirrored.png")]
    contents = {path: path.read_bytes() for path in table}
    for path in table:
        path.unlink()
    indexed()
    for path, content in contents.items():
        path.write_bytes(content)
    indexed()
    leaks()
    grown = LEAKS.read_bytes()
    for path in sorted(BENCHMARK.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    indexed()
    leaks()
    assert LEAKS.read_bytes() == grown


def test_a_table_can_be_indexed_and_all_of_it_leaks_into_itself() -> None:
    assert indexed(INGESTED)[0] == "index: 4 images, 4 new, 0 files refused"
    assert [row["relation"] for row in leaks()] == ["identical"] * 4
    assert feature_index.reading(BENCHMARK).places(
        id_rows.sorted_rows(feature_index.reading(BENCHMARK).ids)
    ) == [row["place"] for row in leaks()]


def test_an_index_of_other_settings_is_refused() -> None:
    indexed(decode="exact", crops=False)
    with pytest.raises(TableError) as caught:
        leaks()
    assert str(caught.value) == (
        "benchmark was made with dedupe.decode exact (here fast), dedupe.crops False (here True): "
        "set params.yaml alike, or make the index again"
    )


def test_sources_that_hold_nothing_are_refused() -> None:
    Path("empty").mkdir()
    with pytest.raises(InputError, match=r"^empty holds no image$"):
        indexed(Path("empty"))
    with pytest.raises(InputError, match=r"^none does not exist: give a folder of images or an"):
        indexed(Path("none"))


def test_the_commands() -> None:
    def command(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["dedupe", *words])
        return done.exit_code, done.stdout

    assert command("index", "photos", "--out", "benchmark")[0] == 0
    search = ("against", "benchmark", "--table", str(INGESTED), "--index", "own")
    code, text = command(*search)
    assert code == 0
    assert text == "against: 4 images, 4 images in the index, 3 leaks, 3 pairs: leaks.csv\n"
    code, text = command(*search, "--fail", "--json")
    document = json.loads(text)
    assert (code, document["counts"]["leaks"], document["pairs"]) == (1, 3, "leaks.csv")
    ingested({"cam/3.png": encoded(scene(3))})
    assert command(*search, "--fail") == (
        0,
        "against: 1 images, 4 images in the index, 0 leaks, 0 pairs: leaks.csv\n",
    )


def test_of_an_image_with_other_pixels_the_earlier_ones_do_not_leak() -> None:
    """The index keeps what it knew; a table whose upright files were made anew has rows for the new ones."""
    indexed(INGESTED)
    table = tables.read(INGESTED, schema.IMAGES)
    first = table["path"][0].as_py()
    Path(first).write_bytes(encoded(scene(77)))
    digests = pa.array([hashlib.sha256(Path(first).read_bytes()).hexdigest(), *[None] * (len(table) - 1)])
    at = table.column_names.index("upright_sha256")
    tables.write(table.set_column(at, "upright_sha256", digests), INGESTED, schema.IMAGES)
    assert indexed(INGESTED)[0] == "index: 4 images, 1 new, 0 files refused"
    assert [row["relation"] for row in leaks()] == ["identical"] * 4
    assert len({row["other_id"] for row in leaks()}) == 4


def test_a_folder_is_walked_through_links_and_whatever_the_names_are() -> None:
    elsewhere = Path("elsewhere")
    elsewhere.mkdir()
    Path(os.fsdecode(b"elsewhere/caf\xe9.png")).write_bytes(encoded(scene(3)))
    (Path("photos") / "linked").symlink_to(elsewhere.absolute())
    (Path("photos") / "gone.png").symlink_to("nowhere")
    line, said = indexed()
    assert line == "index: 5 images, 5 new, 2 files refused"
    assert any(one == "photos/gone.png is a link that leads nowhere" for one in said)
    assert {row["place"]: row["other_place"] for row in leaks()}["cam/3.png"] == r"linked/caf\xe9.png"


def test_a_folder_that_cannot_be_listed_is_one_line() -> None:
    folder = Path("photos/deep")
    folder.chmod(0)
    try:
        with (
            permissions_count(),
            pytest.raises(InputError, match=r"photos/deep cannot be listed: Permission"),
        ):
            indexed()
    finally:
        folder.chmod(0o755)


def test_only_what_the_other_table_holds_now_counts() -> None:
    """The index keeps what was in it before."""
    indexed()
    before = {row["place"] for row in leaks()}
    assert before == {"cam/0.png", "cam/1.png", "cam/2.png"}
    table = tables.read(INGESTED, schema.IMAGES)
    other = Path("other.parquet")
    kept = pc.equal(table["image_id"], hashlib.sha256(encoded(scene(0))).hexdigest())
    tables.write(table.filter(kept), other, schema.IMAGES)
    report = leakage.run(
        DedupeParams(),
        inputs=leakage.Inputs(images=INGESTED, base=BENCHMARK, base_images=other),
        outputs=leakage.Outputs(leaks=LEAKS, index=OWN),
        ports=leakage.Ports(ENGINE),
    )
    with LEAKS.open(newline="") as file:
        assert [row["relation"] for row in csv.DictReader(file)] == ["identical"]
    assert "1 images in the index" in report.line()
