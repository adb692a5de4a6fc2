"""Stage dedupe on real files: keepers explained, all rows kept, the same bytes whatever came before."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps

from curate import schema, tables
from curate.dedupe import hamming_search
from curate.engines.local import LocalEngine
from curate.errors import InputError, ParamsError, StorageError, TableError
from curate.params import DedupeParams
from curate.records import ImageRecord, StageReport
from curate.stages import dedupe

INGESTED, TABLE, PLOT = Path("ingest.parquet"), Path("dedupe/images.parquet"), Path("plots/distances.csv")
INDEX = Path("dedupe/index")
VERDICTS = {
    "phash", "dup_group", "duplicate_of", "dup_hamming", "dup_correlation", "dup_relation", "drop_reason",
    "drop_detail", "quality",
}  # fmt: skip


def scene(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    rng = np.random.default_rng(100 + seed)
    small = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def ingested(files: dict[str, bytes]) -> dict[str, str]:
    """Write the table that ingest would write for these files; image_ids by name."""
    Path("images").mkdir(exist_ok=True)
    ids = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    records = []
    for name, content in files.items():
        key, size = ids[name], len(content)
        base = {"image_id": key, "sources": (name,), "bytes": size}
        if content == b"no":
            records.append(ImageRecord(**base, drop_reason="not_an_image", drop_detail="text"))
            continue
        path = Path("images") / key
        path.write_bytes(content)
        with Image.open(path) as picture:
            width, height = picture.size
        records.append(
            ImageRecord(**base, path=path.as_posix(), width=width, height=height, sharpness=float(size % 7))
        )
    tables.write_rows([record.row() for record in records], INGESTED, schema.IMAGES)
    return ids


def files() -> dict[str, bytes]:
    """Three scenes; of the first a smaller, a re-encoded and a mirrored copy; a broken file."""
    return {
        **{f"a/scene_{number}.png": encoded(scene(number)) for number in range(3)},
        "a/small.png": encoded(scene(0).resize((96, 72), Image.Resampling.LANCZOS)),
        "b/again.jpg": encoded(scene(0), "JPEG", quality=60),
        "b/mirror.png": encoded(ImageOps.mirror(scene(0)).resize((120, 90))),
        "b/broken.jpg": b"no",
    }


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    return ingested(files())


def run(
    workers: int = 0, *, batch_size: int = 64, said: list[str] | None = None, **params: Any
) -> StageReport:
    lines: list[str] = [] if said is None else said
    return dedupe.run(
        DedupeParams(**params),
        inputs=dedupe.Inputs(images=INGESTED),
        outputs=dedupe.Outputs(table=TABLE, plot=PLOT, index=INDEX),
        ports=dedupe.Ports(
            engine=LocalEngine(max(workers, 1), in_process=not workers, retries=1),
            batch_size=batch_size,
            say=lines.append,
        ),
    )


def rows() -> dict[str, dict[str, Any]]:
    return {row["sources"][0]: row for row in tables.read(TABLE, schema.IMAGES).to_pylist()}


def decided(*lines: str) -> Path:
    path = Path("decisions.csv")
    path.write_text("\n".join(["image,decision,other,by,note", *lines]) + "\n")
    return path


def test_a_group_has_one_keeper_and_every_row_stays(project: dict[str, str]) -> None:
    report = run()
    found = rows()
    assert len(found) == 7
    dropped = {name for name, row in found.items() if row["drop_reason"] == "near_duplicate"}
    family = {"a/scene_0.png", "a/small.png", "b/again.jpg", "b/mirror.png"}
    keeper = next(name for name in ("a/scene_0.png", "b/again.jpg") if name not in dropped)
    assert dropped == family - {keeper}
    assert {found[name]["dup_group"] for name in family} == {project[keeper]}
    assert {found[name]["duplicate_of"] for name in dropped} == {project[keeper]}
    assert found[keeper]["duplicate_of"] is None
    assert found["a/scene_1.png"]["dup_group"] is None
    assert found["b/mirror.png"]["dup_relation"] == "mirrored"
    small = found["a/small.png"]
    assert small["dup_relation"] == "same"
    assert small["dup_correlation"] > 0.98
    assert small["drop_detail"] == (
        f"same, {small['dup_hamming']} bits from keeper, correlation {small['dup_correlation']:.2f}; "
        "the other was reduced"
    )
    assert report.line() == "dedupe: 7 images, 3 kept, 3 near-duplicates dropped, 1 groups"
    assert report.metrics["dropped_by_reason"] == {"near_duplicate": 3, "not_an_image": 1}
    assert report.metrics["limits"] == {"min_correlation": 0.5, "min_cosine": 0.95}
    assert report.metrics["duplicates_by_relation"] == {"mirrored": 1, "same": 2}
    assert report.metrics["largest_group"] == 4
    assert report.metrics["candidate_pairs"] == report.metrics["verified_pairs"] == 6
    assert (report.metrics["hashed"], report.metrics["reused"]) == (6, 0)


def test_the_column_is_imagehash_s_phash_whatever_hash_finds_candidates() -> None:
    run(hash="dhash", decode="exact")
    for name, row in rows().items():
        if name == "b/broken.jpg":
            assert row["phash"] is None
            assert row["drop_reason"] == "not_an_image"
        else:
            assert f"{row['phash']:016x}" == str(imagehash.phash(Image.open(row["path"])))


def test_what_ingest_said_is_not_changed() -> None:
    run()
    before = {row["image_id"]: row for row in tables.read(INGESTED, schema.IMAGES).to_pylist()}
    for row in rows().values():
        old = before[row["image_id"]]
        assert {k: v for k, v in row.items() if k not in VERDICTS} == {
            k: v for k, v in old.items() if k not in VERDICTS
        }
        if old["drop_reason"] is not None:
            assert (row["drop_reason"], row["drop_detail"]) == (old["drop_reason"], old["drop_detail"])


def test_the_plot_counts_candidates_and_those_that_were_verified() -> None:
    report = run(max_hamming=40, min_correlation=0.9)
    with PLOT.open(newline="") as file:
        lines = [{name: int(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert [line["hamming"] for line in lines] == list(range(0, 2 * len(lines), 2))
    assert sum(line["pairs"] for line in lines) == report.metrics["candidate_pairs"] > 6
    assert sum(line["verified"] for line in lines) == report.metrics["verified_pairs"] == 6


def test_workers_and_batches_do_not_change_a_byte() -> None:
    run()
    first = (TABLE.read_bytes(), PLOT.read_bytes())
    for workers, batch_size in ((2, 1), (1, 3)):
        shutil.rmtree(INDEX)
        run(workers, batch_size=batch_size)
        assert (TABLE.read_bytes(), PLOT.read_bytes()) == first


def test_growing_in_any_order_gives_the_bytes_of_a_fresh_run() -> None:
    every = files() | {f"c/{n}.png": encoded(scene(n).resize((140, 105))) for n in range(3)}
    names = sorted(every)
    for part in (names[5:], names[2:7], names[::2]):  # images come, go and come back
        ingested({name: every[name] for name in part})
        run()
    ingested(every)
    report = run()
    grown = (TABLE.read_bytes(), PLOT.read_bytes())
    assert 0 < report.metrics["hashed"] < 5
    assert run().metrics["hashed"] == 0
    shutil.rmtree(INDEX)
    assert run().metrics["reused"] == 0
    assert (TABLE.read_bytes(), PLOT.read_bytes()) == grown


def delivery(count: int) -> dict[str, bytes]:
    """Scenes with a copy of every third one, smaller or mirrored in turn."""
    found: dict[str, bytes] = {}
    for number in range(count):
        picture = scene(number)
        found[f"s/{number}.png"] = encoded(picture)
        if number % 3 == 0:
            copy = picture.resize((100, 75)) if number % 2 else ImageOps.mirror(picture)
            found[f"s/{number} copy.png"] = encoded(copy)
    return found


def test_few_new_images_are_compared_with_the_old_ones_only() -> None:
    every = delivery(24)
    held_back = {"s/3 copy.png", "s/21.png", "s/6.png"}
    ingested({name: content for name, content in every.items() if name not in held_back})
    assert run().metrics["compared_anew"] == 29
    assert run().metrics["compared_anew"] == 0
    ingested(every)
    report = run()
    assert (report.metrics["compared_anew"], report.metrics["hashed"]) == (3, 3)
    grown = (TABLE.read_bytes(), PLOT.read_bytes())
    assert report.metrics["verified_pairs"] == 8
    ingested({name: content for name, content in every.items() if name != "s/0.png"})  # one goes ...
    assert run().metrics["compared_anew"] == 0
    ingested(every)  # ... and comes back
    assert run().metrics["compared_anew"] == 0
    assert (TABLE.read_bytes(), PLOT.read_bytes()) == grown
    shutil.rmtree(INDEX)
    assert run().metrics["compared_anew"] == 32
    assert (TABLE.read_bytes(), PLOT.read_bytes()) == grown


def test_other_settings_or_a_damaged_file_compare_all_anew() -> None:
    run()
    before = TABLE.read_bytes()
    assert run(min_correlation=0.9).metrics["compared_anew"] == 6
    assert run().metrics["compared_anew"] == 6
    (kept,) = INDEX.glob("*/pairs.arrow")
    for content in (b"", kept.read_bytes()[:-1], b"{}" + kept.read_bytes()):
        kept.write_bytes(content)
        assert run().metrics["compared_anew"] == 6
        assert TABLE.read_bytes() == before


def test_another_recipe_makes_the_index_anew_and_keeps_the_old_one_until_it_is_done() -> None:
    run()
    old = [path.name for path in INDEX.iterdir() if path.is_dir()]
    path = next(row["path"] for row in rows().values() if row["path"])
    content = Path(path).read_bytes()
    Path(path).unlink()
    with pytest.raises(InputError):
        run(hash="dhash")
    assert {path.name for path in INDEX.iterdir() if path.is_dir()} > set(old)
    Path(path).write_bytes(content)
    assert run(hash="dhash").metrics["hashed"] == 6
    new = [path.name for path in INDEX.iterdir() if path.is_dir()]
    assert len(new) == 1
    assert new != old


def test_a_damaged_index_is_made_anew_with_one_line() -> None:
    run()
    before = TABLE.read_bytes()
    (column,) = INDEX.glob("*/part-*")
    column.write_bytes(column.read_bytes()[:-1])
    said: list[str] = []
    again = run(said=said).metrics
    assert again["hashed"] == again["compared_anew"] == 6
    assert len(said) == 1
    assert said[0].startswith("the index is made anew: ")
    assert TABLE.read_bytes() == before


@pytest.mark.parametrize("workers", [0, 2])
def test_a_disappeared_image_is_named(workers: int) -> None:
    path = next(row["path"] for row in tables.read(INGESTED, schema.IMAGES).to_pylist() if row["path"])
    content = Path(path).read_bytes()
    Path(path).unlink()
    with pytest.raises(InputError) as caught:
        run(workers=workers)
    assert str(caught.value) == (
        f"image {path} has disappeared: run `dvc repro`, whose ingest makes it again"
    )
    Path(path).write_bytes(content[:40])
    with pytest.raises(InputError, match="cannot be read"):
        run(workers=workers)
    assert not TABLE.exists()
    Path(path).write_bytes(content)
    run(workers=workers)


def test_a_missing_table_and_a_full_disk_are_one_line() -> None:
    TABLE.parent.mkdir()
    tables.partial_of(TABLE).symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"^no space left while writing dedupe/images\.parquet: "):
        run()
    INGESTED.unlink()
    with pytest.raises(TableError, match="does not exist: run the stage ingest"):
        run()


def test_a_preferred_source_decides_only_where_nothing_tells_the_original(project: dict[str, str]) -> None:
    # The scenes are drawn from 7 x 9 pixels: the larger of two looks enlarged, and the smaller one reduced.
    run(prefer=("b", "a"))
    assert rows()["a/scene_0.png"]["duplicate_of"] == project["b/mirror.png"]
    assert rows()["b/again.jpg"]["drop_reason"] == "near_duplicate"
    run(prefer=("a", "b"))
    assert rows()["b/mirror.png"]["duplicate_of"] == project["a/scene_0.png"]
    assert rows()["b/again.jpg"]["drop_detail"].endswith("; the other was compressed harder")
    with pytest.raises(ParamsError, match=r"^dedupe\.prefer: no image comes from 'x', only from a, b$"):
        run(prefer=("a", "x"))


def test_decisions_overrule_the_figures(project: dict[str, str]) -> None:
    lines = (
        "a/small.png,keep,,ann,",
        f"{project['b/mirror.png'][:10]},different,{project['a/small.png']},,",
        "a/scene_1.png,drop,,ben,out of focus",
        "a/scene_2.png,same,a/small.png,,",
        f"{'0' * 64},drop,,,",
        "b/broken.jpg,drop,,,",
    )
    report = run(decisions=decided(*lines))
    found = rows()
    small = project["a/small.png"]
    assert found["a/small.png"]["drop_reason"] is None
    assert found["a/scene_0.png"]["duplicate_of"] == small
    assert found["a/scene_0.png"]["drop_detail"].endswith("a person decided to keep the keeper")
    assert found["b/mirror.png"]["dup_group"] != small
    assert found["a/scene_1.png"]["drop_reason"] == "human_decision"
    assert found["a/scene_1.png"]["drop_detail"] == "dropped by ben: out of focus"
    assert found["a/scene_2.png"]["duplicate_of"] == small
    assert found["a/scene_2.png"]["dup_relation"] == "decided"
    assert found["a/scene_2.png"]["dup_correlation"] is None
    assert found["b/broken.jpg"]["drop_reason"] == "not_an_image"
    assert report.metrics["decisions"] == {
        "keep": 1, "drop": 1, "same": 1, "different": 1, "of_absent_images": 1,
    }  # fmt: skip
    assert ("dropped by people", 1) in report.counts
    with pytest.raises(InputError, match=r"^decisions\.csv:2: no image comes from 'a/none\.png'$"):
        run(decisions=decided("a/none.png,keep,,,"))


def test_a_radius_at_which_chance_decides_is_refused_before_anything_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hamming_search, "chance_pairs", lambda _, bits: 1e12 * (bits > 20))
    with pytest.raises(hamming_search.QuadraticSearchError, match=r"set dedupe\.max_hamming to"):
        run(max_hamming=30)
    assert not INDEX.exists()
    run(max_hamming=20)


def test_an_image_that_kills_its_worker_is_dropped_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch, project: dict[str, str]
) -> None:
    """The worker dies of memory, as a decoder that runs wild would: the image's path says so."""
    monkeypatch.setattr(dedupe.update_index, "_setup", _deadly)
    Path("deadly").write_text(project["a/scene_2.png"])
    report = run(workers=2, batch_size=4)
    found = rows()
    assert found["a/scene_2.png"]["drop_reason"] == "crashes_decoder"
    assert "died" in found["a/scene_2.png"]["drop_detail"]
    assert dict(report.counts)["crashed a decoder"] == 1
    assert found["a/small.png"]["phash"] is not None
    Path("deadly").write_text("nothing")
    report = run()
    assert report.metrics["hashed"] == 1
    assert rows()["a/scene_2.png"]["drop_reason"] is None


def _deadly(recipe: Any, lenient: bool) -> Any:
    """As `update_index._setup`, but the image named in the file `deadly` kills the process."""

    def batch(paths: list[str]) -> Any:
        if any(path.endswith(Path("deadly").read_text()) for path in paths):
            os.kill(os.getpid(), signal.SIGKILL)
        return dedupe.update_index._hash(recipe, lenient, paths)

    return batch


def test_a_table_without_fit_images() -> None:
    ingested({"a/broken.jpg": b"no"})
    report = run()
    assert report.line() == "dedupe: 1 images, 0 kept, 0 near-duplicates dropped, 0 groups"
    assert rows()["a/broken.jpg"]["drop_reason"] == "not_an_image"
