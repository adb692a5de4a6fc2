"""Pictures for people: the middle at 100%, no word in the file, and a spoilt one that everybody sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image, PngImagePlugin

from curate.errors import InputError
from curate.restoration import comparison_pictures, fidelity
from curate.restoration.comparison_pictures import ComparisonPictures
from curate.restoration.comparison_plan import CLEAN, SPOILT, Comparison

PHOTO = skimage.data.astronaut()


def pictures(folder: Path) -> ComparisonPictures:
    folder.mkdir(exist_ok=True)
    text = PngImagePlugin.PngInfo()
    text.add_text("curate upscale", "made by model a")
    for name, shift in (("a", 0), ("b", 9), ("clean", 3)):
        Image.fromarray(np.roll(PHOTO, shift, 1)).save(folder / f"{name}.png", pnginfo=text)
    results = {("i", name): folder / f"{name}.png" for name in "ab"}
    return ComparisonPictures(folder / "shown", results, {"i": folder / "clean.png"}, raters=2)


def test_tasks_name_files_by_content_and_keys_change_with_it(tmp_path: Path) -> None:
    one, swapped = (Comparison(name, "i", *sides, "vote") for name, sides in (("x", "ab"), ("y", "ba")))
    made = pictures(tmp_path)
    first, second = made.draft(one), made.draft(swapped)
    assert (first.left, first.right) == (second.right, second.left)
    assert first.task_id != second.task_id
    assert first.raters == 2
    assert pictures(tmp_path).draft(one) == first
    assert sorted(path.suffix for path in (tmp_path / "shown").iterdir()) == [".png"] * 2
    with Image.open(first.left) as shown:
        assert (shown.info, shown.size) == ({}, (512, 512))
        np.testing.assert_array_equal(np.asarray(shown), PHOTO)
    Image.fromarray(PHOTO[::-1]).save(tmp_path / "a.png")
    again = ComparisonPictures(tmp_path / "shown", made._results, made._clean, raters=2).draft(one)
    assert again.task_id != first.task_id
    assert again.right == first.right


def test_votes_outlive_another_version_of_the_png_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, made = Comparison("x", "i", "a", "b", "vote"), pictures(tmp_path)
    first = made.draft(one)
    before = {path.name: path.read_bytes() for path in (tmp_path / "shown").iterdir()}
    save = Image.Image.save

    def otherwise(self: Image.Image, *place: Any, **settings: Any) -> None:
        save(self, *place, **settings | {"compress_level": 9})

    monkeypatch.setattr(Image.Image, "save", otherwise)
    again = ComparisonPictures(tmp_path / "again", made._results, made._clean, raters=2).draft(one)
    assert again.task_id == first.task_id
    after = {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)  # other bytes, the same pixels


def test_the_same_bytes_in_another_shape_are_another_picture(tmp_path: Path) -> None:
    for name, size in (("a", (8, 2)), ("b", (2, 8))):
        Image.new("RGB", size).save(tmp_path / f"{name}.png")
    results = {("i", name): tmp_path / f"{name}.png" for name in "ab"}
    shown = ComparisonPictures(tmp_path / "shown", results, {}, raters=1)
    draft = shown.draft(Comparison("x", "i", "a", "b", "vote"))
    assert draft.left != draft.right


def test_large_images_are_shown_in_their_middle() -> None:
    large = np.zeros((900, 1400, 3), np.uint8)
    large[450, 700] = 255
    shown = comparison_pictures.middle(large)
    assert shown.shape == (640, 640, 3)
    assert shown[320, 320].tolist() == [255] * 3


def test_the_spoilt_one_is_far_below_anything_a_model_makes(tmp_path: Path) -> None:
    made = pictures(tmp_path)
    check = made.draft(Comparison("z", "i", CLEAN, SPOILT, "attention"))
    clean, spoilt = (np.asarray(Image.open(path)) for path in (check.left, check.right))
    figure = fidelity.Fidelity("ssim", color="y", border=0)
    small = Image.fromarray(clean).resize((128, 128), Image.Resampling.BICUBIC)
    bicubic = np.asarray(small.resize((512, 512), Image.Resampling.BICUBIC))
    assert figure.measure(clean, spoilt) < 0.45
    assert figure.measure(clean, bicubic) > 0.7
    np.testing.assert_array_equal(spoilt, comparison_pictures.spoilt(clean, seed="i"))


def test_a_picture_that_is_gone_is_named(tmp_path: Path) -> None:
    made = pictures(tmp_path)
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png"):
        made.draft(Comparison("x", "i", "a", "b", "vote"))
