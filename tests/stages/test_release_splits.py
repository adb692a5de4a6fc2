"""Splits over several releases of one project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curate.errors import ReleaseError, StorageError, TableError
from curate.records import Annotation, ImageRecord, StageReport
from curate.release import split_record
from tests import builders
from tests.builders import annotation, image, image_id
from tests.stages.test_release import FOLDER, INPUTS, OUTPUTS, run

NAMES = ("stop_sign", "parking_sign")
BOX = (10.0, 10.0, 60.0, 60.0)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path)


def photographs(count: int, *, seed: int = 0) -> list[ImageRecord]:
    """Images that look like nothing else: random blocks of color."""
    records = []
    for number in range(count):
        record = image(f"photograph {number}", dup_group=None)
        path = Path(record.path or "")
        if not path.exists():
            rng = np.random.default_rng([seed, number])
            pixels = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels.resize((builders.WIDTH, builders.HEIGHT), Image.Resampling.BICUBIC).save(path, quality=90)
        records.append(record)
    return records


def labels(records: list[ImageRecord], *, other: int = 0) -> list[Annotation]:
    """An object on each; every `other`th is called differently than before."""
    rows = []
    for number, record in enumerate(records):
        name = record.sources[0][5:-4]
        category = NAMES[(number % 3 == 0) ^ bool(other and number % other == 0)]
        rows.append(annotation(name, category, BOX, origin="consensus"))
    return rows


def released(records: list[ImageRecord], *, other: int = 0, **params: Any) -> StageReport:
    builders.write_images(INPUTS.images, records)
    builders.write_annotations(INPUTS.consensus, labels(records, other=other))
    return run(**params)


def splits() -> dict[str, str]:
    return {
        key: path.name.partition("-")[0]
        for path in FOLDER.glob("data/*.parquet")
        for key in pq.read_table(path, columns=["image_id"]).column("image_id").to_pylist()
    }


def test_growing_by_5_20_and_100_percent_and_relabelling_20_percent_moves_none() -> None:
    released(photographs(100))
    before = splits()
    assert len(before) == 100
    for count, other in ((100, 5), (105, 0), (120, 5), (200, 0)):
        report = released(photographs(count), other=other)
        after = splits()
        assert len(after) == count
        assert {key: after[key] for key in before} == before
        assert dict(report.counts)["in their former split"] == len(before)
        before = after
        assert list(after.values()).count("test") == pytest.approx(0.15 * count, abs=2)


def test_other_shares_and_seeds_move_none_unless_told() -> None:
    records = photographs(40)
    released(records)
    before = splits()
    released(records, seed=5, test_share=0.4)
    assert splits() == before
    report = released(records, seed=5, test_share=0.4, keep_splits=False)
    assert splits() != before
    assert "in their former split" not in dict(report.counts)


def test_an_image_that_left_comes_back_to_its_split() -> None:
    records = photographs(40)
    released(records)
    before = splits()
    released(records[:20])
    released(records)
    assert splits() == before


@pytest.mark.parametrize("lost", ["folder", "record"])
def test_either_of_folder_and_record_is_enough(lost: str) -> None:
    records = photographs(40)
    released(records)
    before = splits()
    if lost == "record":
        OUTPUTS.record.unlink()
    else:
        for path in FOLDER.rglob("*.parquet"):
            path.unlink()
    released(records, seed=9)
    assert splits() == before


def test_a_run_that_fails_or_dies_loses_no_split(monkeypatch: pytest.MonkeyPatch) -> None:
    records = photographs(40)
    released(records)
    before, record = splits(), OUTPUTS.record.read_bytes()
    vanished = Path(records[3].path or "")
    pixels = vanished.read_bytes()
    vanished.unlink()
    with pytest.raises(Exception, match="has disappeared"):
        released(records)
    vanished.write_bytes(pixels)
    assert (splits(), OUTPUTS.record.read_bytes()) == (before, record)

    def died(*_: object) -> None:
        raise StorageError("killed between folder and record")

    with monkeypatch.context() as patched:
        patched.setattr(split_record, "save", died)
        with pytest.raises(StorageError):
            released(photographs(60), seed=3)
    grown = splits()
    released(photographs(60), seed=4)
    assert splits() == grown
    assert {key: grown[key] for key in before} == before


def test_a_damaged_record_stops_the_release() -> None:
    released(photographs(20))
    OUTPUTS.record.write_bytes(b"PAR1 no")
    with pytest.raises(TableError, match=r"splits\.parquet is damaged .*dvc checkout"):
        released(photographs(20))


def test_scenes_stay_together_and_images_without_one_are_counted() -> None:
    records = [
        replace(record, attributes=(("scene", str(number // 4)),) if number < 36 else ())
        for number, record in enumerate(photographs(40))
    ]
    report = released(records, group_by=["scene"], validation_share=0.2, test_share=0.2)
    home = splits()
    for start in range(0, 36, 4):
        assert len({home[record.image_id] for record in records[start : start + 4]}) == 1
    assert dict(report.counts)["groups of several images"] == 9
    assert dict(report.counts)["without scene"] == 4


def test_the_split_of_a_source_is_honoured() -> None:
    records = [
        replace(record, attributes=(("split", "val" if number % 2 else "train"),) if number < 20 else ())
        for number, record in enumerate(photographs(40))
    ]
    report = released(records)
    home = splits()
    assert [home[record.image_id] for record in records[:20]] == ["train", "validation"] * 10
    assert dict(report.counts)["in their source's split"] == 20
    assert set(home.values()) == {"train", "validation", "test"}


def leaking_copy(record: ImageRecord) -> ImageRecord:
    """The same photograph as another file, of which no table says that it is one."""
    copy = image("leaking copy")
    path = Path(copy.path or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(record.path or "") as picture:
        picture.save(path, quality=60)
    return copy


def test_a_picture_that_stands_in_two_splits_fails_the_release_whatever_the_tables_say() -> None:
    records = photographs(40)
    released(records)
    home, before = splits(), (FOLDER / "release.json").read_bytes()
    tested = next(record for record in records if home[record.image_id] == "test")
    copy = replace(leaking_copy(tested), attributes=(("split", "train"),))
    with pytest.raises(ReleaseError) as caught:
        released([*records, copy])
    text = str(caught.value)
    assert "no_leaks: 1 pairs of images in different splits show the same picture, such as " in text
    assert f"{image_id('leaking copy')[:12]} (train" in text
    assert f"{tested.image_id[:12]} (test" in text
    assert (FOLDER / "release.json").read_bytes() == before
    released([*records, replace(copy, attributes=(("split", "test"),))])


def test_what_people_called_different_is_no_leak() -> None:
    from curate.params import DedupeParams
    from curate.stages import release
    from tests.stages.test_release import PORTS

    records = photographs(12)
    copy = replace(leaking_copy(records[0]), attributes=(("split", "train"),))
    records[0] = replace(records[0], attributes=(("split", "test"),))
    with pytest.raises(ReleaseError, match="show the same picture"):
        released([*records, copy])
    decisions = Path("decisions.csv")
    decisions.write_text(
        f"image,decision,other,by,note\n{records[0].image_id},different,{copy.image_id},ann,\n"
    )
    search = replace(PORTS.leaks, params=DedupeParams(decisions=decisions))
    report = release.run(
        release.ReleaseParams(),
        gates=release.GatesParams(),
        inputs=INPUTS,
        outputs=OUTPUTS,
        ports=release.Ports(search),
        labelers="people",
    )
    assert dict(report.counts)["images"] == 13


def test_a_group_torn_by_a_newcomer_is_refused_until_told() -> None:
    records = photographs(40)
    released(records)
    home = splits()
    one, two = (next(r for r in records if home[r.image_id] == split) for split in ("train", "test"))
    tied = [replace(r, dup_group=one.image_id) if r in (one, two) else r for r in records]
    with pytest.raises(ReleaseError, match=r"1 groups of images belong together and have several splits"):
        released(tied)
    report = released(tied, split_conflicts="move")
    assert dict(report.counts)["moved to another split"] == 1
    assert len({splits()[r.image_id] for r in (one, two)}) == 1
