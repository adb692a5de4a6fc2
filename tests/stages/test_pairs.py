"""Stage pairs: sub-images with partners, as BasicSR reads them; no leak between splits or from a test set."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import skimage.data
from PIL import Image

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.errors import InputError, MetricError, ParamsError, ReleaseError
from curate.params import DedupeParams, PairsParams, ReleaseParams
from curate.records import StageReport
from curate.release import split_record
from curate.restoration import ffmpeg, pair_images, table_schemas
from curate.stages import build_index, pairs
from tests import builders
from tests.builders import image_id
from tests.restoration import restoration_rows

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
RELEASE = ReleaseParams(validation_share=0.2, test_share=0.2)
ENGINE = LocalEngine(in_process=True)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = []
    for name in PHOTOS:
        Image.fromarray(getattr(skimage.data, name)()[:200, :260]).save(f"{name}.png")
        rows.append(row(name, 260, 200))
    Image.new("RGB", (50, 40)).save("small.png")
    rows += [row("small", 50, 40), row("gone", 300, 300)]
    variant = row("chelsea-again", 260, 200) | {"path": "chelsea.png", "dup_group": image_id("chelsea")}
    tables.write_rows([*rows, variant], Path("images.parquet"), schema.IMAGES)


def row(name: str, width: int, height: int) -> dict[str, object]:
    return builders.image(name, path=f"{name}.png", width=width, height=height).row()


def run(release: ReleaseParams = RELEASE, **settings: object) -> StageReport:
    params = PairsParams.model_validate(
        {"crop": 128, "step": 100, "scale": 4, "preset": "classical", **settings}
    )
    return pairs.run(
        params,
        dedupe=DedupeParams(),
        release=release,
        inputs=pairs.Inputs(
            Path("images.parquet"), Path("diagnosed.parquet"), Path("splits.parquet"), Path("release")
        ),
        outputs=pairs.Outputs(Path("pairs"), Path("pairs.parquet"), Path("leaks.csv"), Path("own-index")),
        ports=pairs.Ports(ENGINE),
    )


def written() -> list[dict[str, object]]:
    return tables.read(Path("pairs.parquet"), table_schemas.IMAGE_PAIRS).to_pylist()


def test_rows_files_and_meta_info_say_the_same() -> None:
    report = run()
    rows = written()
    assert dict(report.counts) == {
        "images": 7,
        "pairs": len(rows),
        "images too small": 1,
        "images unreadable": 1,
    }
    assert len(rows) == 5 * 6  # 260 = 128 + 100 + 32: three across, and two down
    for one in rows:
        clean, bad = (np.asarray(Image.open(str(one[name]))) for name in ("hr_path", "lr_path"))
        assert clean.shape == (128, 128, 3)
        assert bad.shape == (32, 32, 3)
        assert hashlib.sha256(clean.tobytes()).hexdigest() == one["hr_sha256"]
        assert json.loads(str(one["recipe"]))[0]["mode"] == "bicubic, widened"
    # As BasicSR's paired_paths_from_meta_info_file: the first word of a line, below either folder.
    lines = Path("pairs/meta_info.txt").read_text().splitlines()
    assert lines[0].endswith(".png (128,128,3)")
    names = {line.split(" ")[0] for line in lines}
    assert names == {path.name for path in Path("pairs/HR").iterdir()}
    assert names == {path.name for path in Path("pairs/LR").iterdir()}
    both = Path("pairs/meta_info_pair.txt").read_text().splitlines()
    assert set(both) == {f"HR/{name}, LR/{name}" for name in names}
    parts = Path("pairs").glob("meta_info_t*.txt"), Path("pairs").glob("meta_info_v*.txt")
    assert sorted(line for part in itertools.chain(*parts) for line in part.read_text().splitlines()) == lines


def test_the_same_seed_makes_the_same_bytes_and_another_does_not() -> None:
    def contents() -> dict[str, str]:
        return {
            path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (*Path("pairs").rglob("*.*"), Path("pairs.parquet"))
        }

    run(preset="real_esrgan")
    first = contents()
    run(preset="real_esrgan")
    assert contents() == first
    run(preset="real_esrgan", seed=1)
    other = contents()
    assert len(other) == len(first)
    assert not set(other.values()) & {value for name, value in first.items() if "/LR/" in name}


def readable_only() -> None:
    rows = tables.read(Path("images.parquet"), schema.IMAGES).to_pylist()
    kept = [one for one in rows if one["path"] not in ("gone.png", "small.png")]
    tables.write_rows(kept, Path("images.parquet"), schema.IMAGES)


def test_a_scene_is_in_one_split() -> None:
    readable_only()
    run()
    by_image: dict[object, set[object]] = {}
    for one in written():
        by_image.setdefault(one["image_id"], set()).add(one["split"])
    assert all(len(found) == 1 for found in by_image.values())
    assert by_image[image_id("chelsea")] == by_image[image_id("chelsea-again")]
    assert set.union(*by_image.values()) == {"train", "validation", "test"}


def diagnosed(of: dict[str, tuple[list[str], dict[str, str]]]) -> None:
    rows = [restoration_rows.diagnosed(image_id(name), faults, bands) for name, (faults, bands) in of.items()]
    tables.write_rows(rows, Path("diagnosed.parquet"), table_schemas.DIAGNOSED)


def test_images_with_a_fault_get_no_pair_and_what_is_not_known_is_counted() -> None:
    readable_only()
    fine = {"noisy": "not noisy", "blurred": "not blurred"}
    diagnosed(
        {
            "rocket": (["noisy"], fine | {"noisy": "noisy"}),
            "coffee": (["blurred"], fine | {"blurred": "blurred"}),
            "astronaut": ([], fine),
            "chelsea": ([], fine | {"noisy": "not known"}),
        }
    )
    counts = dict(run(exclude_faults=["noisy"]).counts)
    assert counts["images left out by fault"] == 1
    assert counts["images not known to be without"] == 2  # one is not known, one has no row
    found = {one["image_id"] for one in written()}
    assert found == {image_id(name) for name in ("coffee", "astronaut", "chelsea", "chelsea-again")}
    run(exclude_faults=["noisy", "blurred"])
    assert image_id("coffee") not in {one["image_id"] for one in written()}
    assert "images left out by fault" not in dict(run().counts)
    diagnosed({name: (["noisy"], {}) for name in (*PHOTOS, "chelsea-again")})
    with pytest.raises(InputError, match=r"keeps no image for a pair.*pairs\.exclude_faults"):
        run(exclude_faults=["noisy"])
    with pytest.raises(ValueError, match="exclude_faults"):
        run(exclude_faults=["ugly"])


def splits_of() -> dict[object, object]:
    return {one["image_id"]: one["split"] for one in written()}


def test_an_image_that_was_released_keeps_its_split_whatever_comes_and_goes() -> None:
    readable_only()
    run()
    before = splits_of()
    split_record.save(Path("splits.parquet"), {str(key): str(value) for key, value in before.items()})
    for number in range(12):  # new images, which would draw all splits anew
        Image.fromarray(np.roll(skimage.data.coffee()[:200, :260], 17 * number, axis=1)).save(
            f"new{number}.png"
        )
    rows = tables.read(Path("images.parquet"), schema.IMAGES).to_pylist()
    more = [row(f"new{number}", 260, 200) for number in range(12)]
    tables.write_rows([*rows, *more], Path("images.parquet"), schema.IMAGES)
    other = RELEASE.model_copy(update={"seed": 5, "test_share": 0.4})
    report = run(other)
    assert {key: splits_of()[key] for key in before} == before
    assert dict(report.counts)["images in their former split"] == len(before)
    run(other.model_copy(update={"keep_splits": False}))
    assert {key: splits_of()[key] for key in before} != before


def test_the_last_release_knows_splits_that_the_record_lacks() -> None:
    readable_only()
    run()
    Path("release/data").mkdir(parents=True)
    table = pa.table({"image_id": [image_id(name) for name in PHOTOS]})
    pq.write_table(table, "release/data/test-0-00000-of-00001.parquet")
    run()
    assert {splits_of()[image_id(name)] for name in PHOTOS} == {"test"}


def attributes(of: dict[str, list[tuple[str, str]]]) -> None:
    readable_only()
    rows = tables.read(Path("images.parquet"), schema.IMAGES).to_pylist()
    rows = [one | {"attributes": of.get(Path(one["path"]).stem, [])} for one in rows]
    tables.write_rows(rows, Path("images.parquet"), schema.IMAGES)


def test_a_split_of_the_source_s_own_is_kept() -> None:
    attributes(
        {"coffee": [("split", "test")], "rocket": [("split", "val")], "astronaut": [("split", "test")]}
    )
    run(ReleaseParams(validation_share=0, test_share=0))
    found = {(one["image_id"], one["split"]) for one in written()}
    expected = {"coffee": "test", "astronaut": "test", "rocket": "validation"}
    expected |= {"chelsea": "train", "chelsea-again": "train"}
    assert found == {(image_id(name), split) for name, split in expected.items()}


def test_images_with_an_equal_value_of_group_by_share_a_split() -> None:
    attributes({"coffee": [("camera", "a")], "rocket": [("camera", "a")], "astronaut": [("camera", "a")]})
    for seed in range(4):
        run(RELEASE.model_copy(update={"group_by": ("camera",), "seed": seed}))
        of_camera = {
            one["split"]
            for one in written()
            if one["image_id"] in {image_id(name) for name in ("coffee", "rocket", "astronaut")}
        }
        assert len(of_camera) == 1
    with pytest.raises(ReleaseError, match=r"release\.group_by names 'place', which no image has"):
        run(RELEASE.model_copy(update={"group_by": ("place",)}))


def test_a_picture_of_the_test_set_gets_no_pair() -> None:
    Path("bench").mkdir()
    Image.open("rocket.png").resize((200, 154)).save("bench/other.jpg", quality=80)
    build_index.run(
        DedupeParams(),
        source=Path("bench"),
        out=Path("bench-index"),
        ports=build_index.Ports(ENGINE, lambda _: None, 8),
    )
    readable_only()
    report = run(against="bench-index")
    assert dict(report.counts)["images in the test set"] == 1
    assert image_id("rocket") not in {one["image_id"] for one in written()}
    assert image_id("coffee") in {one["image_id"] for one in written()}


def test_grids_are_those_of_extract_subimages() -> None:
    params = PairsParams(crop=480, step=240, scale=4, min_rest=0)
    across = [x for x, y, _, _ in pair_images.places(1000, 480, params) if y == 0]
    assert across == [0, 240, 480, 520]
    long = params.model_copy(update={"min_rest": 100})
    assert [x for x, *_ in pair_images.places(1000, 480, long)] == [0, 240, 480]
    whole = PairsParams(crop=0, scale=4)
    assert list(pair_images.places(1001, 483, whole)) == [(0, 0, 1000, 480)]
    assert list(pair_images.places(3, 483, whole)) == []


def test_several_sizes_and_several_partners() -> None:
    run(sizes=[1.0, 0.75], per_place=2, preset="real_esrgan", step=128)
    rows = written()
    assert len({one["pair_id"] for one in rows}) == len(rows) == 5 * 2 * (6 + 4)
    assert {one["resized"] for one in rows} == {1.0, 0.75}
    recipes = {one["recipe"] for one in rows}
    assert len(recipes) == len(rows)


def test_mistakes_are_one_line_and_leave_what_was_there() -> None:
    run()
    before = sorted(Path("pairs/HR").iterdir())
    with pytest.raises(ParamsError, match="'none' is none of"):
        run(preset="none")
    with pytest.raises(InputError, match="no image gives a pair; the first"):
        run(crop=512)
    assert sorted(Path("pairs/HR").iterdir()) == before


def test_a_codec_that_fails_names_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> bytes:
        raise MetricError("ffmpeg fails: no such encoder")

    monkeypatch.setattr(ffmpeg, "run", fails)
    says = r"image \w+\.png, 128x128 pixels at 0,0: preset video cannot be applied \(ffmpeg fails: no such"
    with pytest.raises(InputError, match=says):
        run(preset="video")
    assert not Path("pairs").exists()
