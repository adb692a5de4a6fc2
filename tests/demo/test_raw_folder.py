"""The raw folder: every planted fault is there, its truth fits, and a seed always makes the same bytes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageOps

from demo.distinct_scenes import (
    MIN_DISTANCE,
    SceneSpec,
    decode_rle,
    draw_distinct,
    hamming,
    perceptual_hash,
)
from demo.raw_folder import make_files, write_files
from demo.raw_sources import SOURCES, RawFile
from demo.scenes import mask_bbox_xyxy


@pytest.fixture(scope="module")
def files() -> list[RawFile]:
    return make_files(3, scenes=64, jobs=1)[0]


def _upright(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode == "I;16":
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        if picture.mode == "RGBA":
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        return np.asarray(picture.convert("RGB"))


def test_every_kind_is_planted(files: list[RawFile]) -> None:
    kinds = Counter(file.kind for file in files)
    assert kinds == {
        "clean": 60,
        "near_duplicate": 20,
        "exact_copy": 8,
        "truncated": 4,
        "empty": 2,
        "not_image": 3,
    }
    transforms = Counter(file.transform for file in files)
    for transform in ("reencode", "resize", "crop", "brightness"):
        assert transforms[transform] == 5
    for transform in ("cmyk", "gray16", "alpha", "palette"):
        assert transforms[transform] == 2
    assert {2, 3, 6, 8} <= {file.exif_orientation for file in files}


def test_sources_of_copies_exist_and_bytes_agree(files: list[RawFile]) -> None:
    by_path = {file.path: file for file in files}
    for file in files:
        if file.of is not None:
            same = by_path[file.of].content == file.content
            assert same == (file.kind == "exact_copy")
    across = [
        f for f in files if f.kind == "exact_copy" and f.of and f.of.split("/")[0] != f.path.split("/")[0]
    ]
    assert across
    assert not [a for a, count in Counter(f.content for f in files if f.kind == "clean").items() if count > 1]


def test_modes_of_the_odd_formats(files: list[RawFile]) -> None:
    modes = {"cmyk": "CMYK", "gray16": "I;16", "alpha": "RGBA", "palette": "P"}
    for file in files:
        if file.transform in modes:
            with Image.open(io.BytesIO(file.content)) as picture:
                assert picture.mode == modes[file.transform]


def test_upright_pixels_are_the_scene(files: list[RawFile]) -> None:
    limits = {"gray16": 60.0, "palette": 12.0, "cmyk": 8.0}
    for file in files:
        if file.frame is not None:
            upright = _upright(file.content)
            assert upright.shape == file.frame.image.shape
            if file.kind == "clean":
                difference = np.abs(upright.astype(int) - file.frame.image.astype(int)).mean()
                assert difference < limits.get(file.transform or "", 8.0), file.path


def test_truth_fits_each_file(files: list[RawFile]) -> None:
    for file in files:
        truth = file.truth()
        for item in truth["objects"]:
            mask = decode_rle(item["rle"], truth["height"], truth["width"])
            assert tuple(item["bbox_xyxy"]) == mask_bbox_xyxy(mask)
            assert mask.any()
        if file.kind in ("truncated", "empty", "not_image"):
            assert truth["width"] is None
            with (
                pytest.raises(OSError, match=r"truncated|cannot identify"),
                Image.open(io.BytesIO(file.content)) as picture,
            ):
                picture.load()


def test_only_planted_pictures_look_alike(files: list[RawFile]) -> None:
    groups = [(file.of or file.path, perceptual_hash(_upright(file.content))) for file in files if file.frame]
    unplanted = [
        hamming(a, b) for i, (family, a) in enumerate(groups) for other, b in groups[:i] if family != other
    ]
    assert min(unplanted) > 6
    planted = [
        hamming(a, b) for i, (family, a) in enumerate(groups) for other, b in groups[:i] if family == other
    ]
    assert np.mean(np.array(planted) <= 8) > 0.7


def test_a_scene_that_resembles_an_earlier_one_is_drawn_again() -> None:
    spec = SceneSpec(5, (160, 120), ("china", "coffee", "brick"))
    frames, redrawn = draw_distinct([spec, spec], jobs=1)
    assert redrawn == 1
    assert hamming(*(perceptual_hash(frame.image) for frame in frames)) >= MIN_DISTANCE


def test_two_runs_write_the_same_bytes(files: list[RawFile], tmp_path: Path) -> None:
    again = make_files(3, scenes=64, jobs=2)[0]  # other processes, same bytes
    digests = []
    for name, made in (("a", files), ("b", again)):
        root = tmp_path / name
        write_files(
            made, seed=3, out=root / "raw", meta=root / "raw_meta", truth=root / "demo" / "truth.json"
        )
        tree = sorted(path for path in root.rglob("*") if path.is_file())
        digests.append({str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in tree})
    assert digests[0] == digests[1]
    root = tmp_path / "a"
    listed = yaml.safe_load((root / "raw_meta" / "sources.yaml").read_text())["sources"]
    assert [entry["name"] for entry in listed] == [source.name for source in SOURCES]
    assert all((root / "raw_meta" / entry["path"]).is_dir() and entry["license"] for entry in listed)
    with (root / "raw_meta" / "attributes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(1 for file in files if file.attributes)
    assert all((root / "raw_meta" / row["path"]).is_file() for row in rows)
    truth = json.loads((root / "demo" / "truth.json").read_text())
    assert set(truth["files"]) == {file.path for file in files}


@pytest.mark.parametrize(("seed", "scenes"), [(-1, 64), (10**6, 64), (0, 10)])
def test_arguments_out_of_range_are_refused(seed: int, scenes: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        make_files(seed, scenes=scenes)
