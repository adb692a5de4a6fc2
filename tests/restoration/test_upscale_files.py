"""Files in, PNG out: nothing is lost on the way, and nothing is made twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from curate.adapters.upscalers import BicubicUpscaler
from curate.errors import DeviceMemoryError, ModelError
from curate.params import UpscaleParams
from curate.records import FloatArray
from curate.report import upscale_page
from curate.restoration import image_pixels
from curate.restoration.upscale_files import FileUpscaler, NotUpscaled, Upscaled, UpscaleTask

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RNG = np.random.default_rng(1)


class Counting(BicubicUpscaler):
    """Bicubic that says how often it was asked."""

    def __init__(self, scale: int = 2, *, broken: bool = False) -> None:
        super().__init__(scale)
        self.broken, self.calls = broken, 0

    def upscale(self, tile: FloatArray) -> FloatArray:
        self.calls += 1
        if self.broken:
            raise DeviceMemoryError("the device has no memory")
        return super().upscale(tile)


class Nearest(BicubicUpscaler):
    """Repeats each pixel: mixes no colors."""

    def upscale(self, tile: FloatArray) -> FloatArray:
        return tile.repeat(self.scale, axis=0).repeat(self.scale, axis=1)

    def __init__(self) -> None:
        super().__init__(2)


def task(path: Path) -> UpscaleTask:
    return UpscaleTask(path.name, path, path.parent / "out" / f"{path.stem}.png")


def upscale(path: Path, upscaler: BicubicUpscaler | None = None, **settings: Any) -> Upscaled | NotUpscaled:
    params = UpscaleParams.model_validate({"tile": 64, "overlap": 8, **settings})
    (outcome,) = FileUpscaler(upscaler or Counting(), params).upscale([task(path)])
    return outcome


def test_alpha_profile_and_gray_are_kept(tmp_path: Path) -> None:
    plane = np.tile(np.arange(120, dtype=np.uint8), (90, 1))
    alpha = np.where(np.arange(90)[:, None] > 45, 255, 0).repeat(120, axis=1).astype(np.uint8)
    Image.fromarray(np.dstack([plane, alpha]), "LA").save(tmp_path / "a.png", icc_profile=PROFILE)
    done = upscale(tmp_path / "a.png")
    assert isinstance(done, Upscaled)
    assert (done.width, done.height, done.scale, done.again) == (240, 180, 2, False)
    with Image.open(done.task.target) as made:
        assert (made.mode, made.info["icc_profile"]) == ("LA", PROFILE)
        values = np.asarray(made)
        expected = Image.fromarray(alpha.astype(np.float32)).resize((240, 180), Image.Resampling.BICUBIC)
        assert np.abs(values[..., 1] - np.clip(np.asarray(expected), 0, 255)).max() < 1
        small = Image.fromarray(plane.astype(np.float32)).resize((240, 180), Image.Resampling.BICUBIC)
        assert np.abs(values[..., 0] - np.clip(np.asarray(small), 0, 255)).max() < 1


def test_16_bits_stay_16_bits(tmp_path: Path) -> None:
    values = RNG.integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "d.png"), values)
    done = upscale(tmp_path / "d.png")
    assert isinstance(done, Upscaled)
    made = cv2.imread(str(done.task.target), cv2.IMREAD_UNCHANGED)
    assert (made.dtype, made.shape) == (np.uint16, (40, 60, 3))
    assert len(np.unique(made % 256)) > 200  # the low byte is no filling


def test_what_is_done_is_not_made_again_and_what_changed_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (30, 30), "red").save(path)
    upscaler = Counting()
    first, again = upscale(path, upscaler), upscale(path, upscaler)
    assert isinstance(first, Upscaled)
    assert isinstance(again, Upscaled)
    assert (upscaler.calls, first.again, again.again) == (1, False, True)
    assert (again.width, again.source_sha256) == (60, first.source_sha256)
    upscale(path, upscaler, png_level=9)
    assert upscaler.calls == 2
    Image.new("RGB", (30, 30), "blue").save(path)
    upscale(path, upscaler, png_level=9)
    first.task.target.write_bytes(first.task.target.read_bytes()[:40])  # damaged: no key in it
    upscale(path, upscaler, png_level=9)
    assert upscaler.calls == 4


def test_other_precision_or_device_makes_other_pixels(tmp_path: Path) -> None:
    Image.new("RGB", (30, 30), "red").save(tmp_path / "a.png")
    """Those it ran in: `auto` is another one on another machine."""
    upscaler = Counting()
    upscale(tmp_path / "a.png", upscaler)
    for ran_on in ("cpu float16", "cuda float16"):
        upscaler.ran_on = ran_on
        done = upscale(tmp_path / "a.png", upscaler)
        assert isinstance(done, Upscaled)
        assert (done.again, done.ran_on) == (False, ran_on)
    assert upscaler.calls == 3
    named = upscale(tmp_path / "a.png", upscaler, device="cuda", precision="float16")  # what auto was
    assert isinstance(named, Upscaled)
    assert named.again


def test_results_above_pillow_s_limit_are_found_again_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_500)  # the result has 3,600: as 12 million become 192
    Image.new("RGB", (30, 30), "red").save(tmp_path / "a.png")
    done, again = upscale(tmp_path / "a.png"), upscale(tmp_path / "a.png")
    assert isinstance(done, Upscaled)
    assert isinstance(again, Upscaled)
    assert again.again
    row = {"path": done.task.target, "source": tmp_path / "a.png", "width": 60, "height": 60}
    row |= {
        "outcome": "upscaled",
        "image_id": "a",
        "model": "m",
        "model_license": "mit",
        "model_version": "1",
    }
    page = upscale_page.write([row], tmp_path / "page.html")
    assert page.read_text().count('type="range"') == 1


def test_fit_enlarges_to_a_box_and_shrinks_without_a_model(tmp_path: Path) -> None:
    Image.fromarray(RNG.integers(0, 256, (100, 80, 4)).astype(np.uint8)).save(tmp_path / "a.png")
    upscaler = Counting(4)
    done = upscale(tmp_path / "a.png", upscaler, fit="200x300")
    assert isinstance(done, Upscaled)
    assert ((done.width, done.height), upscaler.calls > 0) == ((200, 250), True)
    upscaler.calls = 0
    small = upscale(tmp_path / "a.png", upscaler, fit="50x50")
    assert isinstance(small, Upscaled)
    assert ((small.width, small.height), upscaler.calls) == ((40, 50), 0)
    with Image.open(small.task.target) as made:
        assert made.mode == "RGBA"


@pytest.mark.parametrize("fit", ["23x23", "90x90"])  # without a model, and after it
def test_a_clear_color_does_not_bleed_into_what_is_seen(tmp_path: Path, fit: str) -> None:
    values = np.zeros((61, 61, 4), np.uint8)
    values[:, :31] = (255, 0, 0, 255)
    values[:, 31:] = (0, 255, 0, 0)
    Image.fromarray(values).save(tmp_path / "a.png")
    done = upscale(tmp_path / "a.png", Nearest(), fit=fit)
    assert isinstance(done, Upscaled)
    with Image.open(done.task.target) as made:
        red, green, _, alpha = np.moveaxis(np.asarray(made).astype(int), -1, 0)
    assert alpha.min() == 0 < alpha.max()
    assert red[alpha > 128].min() > 220  # after a model alpha is softer than the colors; mixed, both are 128
    assert green[alpha > 128].max() < 35


def test_failures_have_a_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    Image.new("RGB", (50, 50)).save(tmp_path / "a.png")
    cases = [
        (upscale(tmp_path / "bad.png"), "unreadable"),
        (upscale(tmp_path / "gone.png"), "disappeared"),
        (upscale(tmp_path / "a.png", max_pixels=100), "too_large"),
        (upscale(tmp_path / "a.png", Counting(broken=True)), "out_of_memory"),
    ]
    for outcome, reason in cases:
        assert isinstance(outcome, NotUpscaled)
        assert outcome.reason == reason
        assert outcome.task.source.name in outcome.detail
    assert not list((tmp_path / "out").glob("*"))


def test_lack_of_memory_while_decoding_says_nothing_of_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))

    def decode(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(image_pixels, "_decoded", decode)
    made = upscale(tmp_path / "a.png", Counting())
    assert isinstance(made, NotUpscaled)
    assert made.reason == "out_of_memory"


def test_a_model_that_cannot_do_an_image_is_told_with_the_image(tmp_path: Path) -> None:
    class Even(BicubicUpscaler):
        def upscale(self, tile: FloatArray) -> FloatArray:
            raise ModelError(f"even.onnx cannot be run on a tile of {tile.shape[1]}x{tile.shape[0]} pixels")

    Image.new("RGB", (41, 30)).save(tmp_path / "odd.png")
    with pytest.raises(ModelError, match=r"image .*odd\.png: even\.onnx cannot be run on a tile of 41x30"):
        upscale(tmp_path / "odd.png", Even(2))
