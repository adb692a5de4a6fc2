"""Degradation: known kernels, one seed one result, and the partner lies where the clean image does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import skimage.data
from PIL import Image
from skimage.registration import phase_cross_correlation

from curate.errors import ParamsError
from curate.restoration import blur_kernels, degradation, degradation_presets, ffmpeg
from curate.restoration.degradation_presets import BUILT_IN, Preset

PHOTO = np.ascontiguousarray(skimage.data.astronaut()[:256, 128:384])


def made(name: str, seed: int, scale: int = 4) -> tuple[np.ndarray, list[dict[str, object]]]:
    return degradation.degrade(PHOTO, BUILT_IN[name], scale=scale, identity=(seed,))


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_one_seed_one_result_and_another_seed_another(name: str) -> None:
    first, recipe = made(name, 1)
    again, again_recipe = made(name, 1)
    assert first.shape == (64, 64, 3)
    np.testing.assert_array_equal(first, again)
    assert recipe == again_recipe == json.loads(json.dumps(recipe))
    if name != "classical":
        assert not np.array_equal(first, made(name, 2)[0])


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_a_recipe_does_not_depend_on_pixels(name: str) -> None:
    """Poisson noise takes more or fewer draws as pixels are; what comes after it is drawn as before."""
    flipped = PHOTO.copy()
    flipped[::7, ::5] ^= 1
    for seed in range(8):
        _, recipe = made(name, seed)
        for other in (flipped, np.zeros_like(PHOTO), np.ascontiguousarray(255 - PHOTO[::-1])):
            assert degradation.degrade(other, BUILT_IN[name], scale=4, identity=(seed,))[1] == recipe


def test_classical_is_the_widened_bicubic_kernel() -> None:
    small, recipe = made("classical", 0)
    expected = Image.fromarray(PHOTO).resize((64, 64), Image.Resampling.BICUBIC)
    difference = np.abs(small.astype(int) - np.asarray(expected))  # Pillow rounds between its two passes
    assert difference.max() <= 3
    assert difference.mean() < 0.3
    assert recipe == [{"step": "resize", "width": 64, "height": 64, "mode": "bicubic, widened"}]


def shift(small: np.ndarray) -> float:
    """Pixels of the small image by which it is moved, by phase correlation of its bicubic enlargement."""
    large = np.asarray(Image.fromarray(small).resize((256, 256), Image.Resampling.BICUBIC).convert("L"))
    gray = np.asarray(Image.fromarray(PHOTO).convert("L"))
    moved, _, _ = phase_cross_correlation(gray.astype(float), large.astype(float), upsample_factor=50)
    return float(np.hypot(*moved)) / 4


def without_noise() -> Preset:
    """Every step of Real-ESRGAN that could move pixels; noise cannot, and hides what is measured."""
    steps = BUILT_IN["real_esrgan"].steps
    return Preset(
        steps=tuple(
            one.model_copy(update={"quality": degradation_presets._range(95, 95)})
            if one.step in ("jpeg", "finish")
            else one
            for one in steps
            if one.step != "noise"
        )
    )


def test_partners_are_aligned_within_a_tenth_of_a_pixel() -> None:
    assert shift(made("classical", 0)[0]) <= 0.1
    assert shift(made("video", 3)[0]) <= 0.1
    found = [
        shift(degradation.degrade(PHOTO, without_noise(), scale=4, identity=(seed,))[0]) for seed in range(30)
    ]
    assert max(found) <= 0.1, found
    noisy = [shift(made("real_esrgan", seed)[0]) for seed in range(12)]
    assert float(np.median(noisy)) <= 0.1
    moved = np.roll(made("classical", 0)[0], 1, axis=1)
    assert shift(moved) > 0.8  # the measure sees a pixel


def test_the_ranges_of_real_esrgan_are_kept_and_used() -> None:
    recipes = [step for seed in range(120) for step in made("real_esrgan", seed)[1]]
    quality = [step["quality"] for step in recipes if step["step"] == "jpeg"]
    assert len(quality) == 240
    assert min(quality) >= 30
    assert max(quality) <= 95
    assert max(quality) - min(quality) > 50
    sigma = [step["sigma_x"] for step in recipes if step["step"] == "blur"]
    assert 0.2 <= min(sigma) < 0.5
    assert 2.5 < max(sigma) <= 3
    noise = [step for step in recipes if step["step"] == "noise"]
    assert 0.4 < np.mean([step["kind"] == "gaussian" for step in noise]) < 0.6
    assert 0.3 < np.mean([step["gray"] for step in noise]) < 0.5
    assert {step["kernel"] for step in recipes if step["step"] == "blur"} == set(degradation_presets._KERNELS)


def steps_of(preset: Preset, *, seeds: int = 80) -> list[list[dict[str, Any]]]:
    return [degradation.degrade(PHOTO, preset, scale=4, identity=(seed,))[1] for seed in range(seeds)]


def test_the_second_resize_is_of_the_size_of_the_pair() -> None:
    """As published: also what is neither up nor down comes to that size."""
    for recipe in steps_of(BUILT_IN["real_esrgan"], seeds=40):
        *_, second, _ = [step for step in recipe if step["step"] == "resize"]
        assert round(0.3 * 64) <= second["width"] <= round(1.2 * 64)
    kept = [step for step in BUILT_IN["real_esrgan"].steps if step.step == "resize"][1]
    (recipe,) = steps_of(Preset(steps=(kept.model_copy(update={"up": 0, "down": 0}),)), seeds=1)
    assert [(step["width"], step["height"]) for step in recipe] == [(64, 64)]


def test_shapes_of_kernels_are_half_up_to_1_and_half_from_1() -> None:
    blur = BUILT_IN["real_esrgan"].steps[0]
    for kernel, low, high in (("generalized_iso", 0.5, 4), ("plateau_iso", 1, 2)):
        only = blur.model_copy(update={"kernels": {kernel: 1.0}, "sinc": 0})
        shapes = np.array([recipe[0]["shape"] for recipe in steps_of(Preset(steps=(only,)), seeds=100)])
        assert low <= shapes.min() <= 1 < 0.9 * high < shapes.max() <= high
        assert 0.4 < np.mean(shapes <= 1) < 0.6


def test_the_last_sinc_filter_has_one_least_cutoff_for_every_size() -> None:
    blur, finish = BUILT_IN["real_esrgan"].steps[0], BUILT_IN["real_esrgan"].steps[-1]
    cutoffs = []
    for step in (blur, finish):
        recipes = steps_of(Preset(steps=(step.model_copy(update={"sinc": 1}),)))
        cutoffs.append([one["cutoff"] for recipe in recipes for one in recipe if one["step"] == "sinc"])
    assert np.pi / 5 <= min(cutoffs[0]) < np.pi / 3 <= min(cutoffs[1])


def test_a_gaussian_kernel_has_its_sigma_and_a_turned_one_its_angle() -> None:
    kernel = blur_kernels.gaussian_like(21, 1.5, 1.5, 0.0)
    axis = np.arange(21) - 10
    assert kernel.sum() == pytest.approx(1)
    assert float((kernel.sum(axis=0) * axis**2).sum()) == pytest.approx(1.5**2, rel=0.01)
    turned = blur_kernels.gaussian_like(21, 3, 1, np.pi / 4)
    x, y = np.meshgrid(axis, axis)
    assert float((turned * x * y).sum()) == pytest.approx((9 - 1) / 2, rel=0.05)
    np.testing.assert_allclose(
        blur_kernels.gaussian_like(15, 2, 1, 0.3, shape=1),
        blur_kernels.gaussian_like(15, 1, 2, 0.3 + np.pi / 2),
    )
    flat = blur_kernels.gaussian_like(21, 3, 3, 0, shape=2, plateau=True)
    assert flat[10, 11] / flat[10, 10] > 0.95  # a plateau


def test_a_sinc_filter_passes_below_its_cutoff_and_stops_above() -> None:
    kernel = blur_kernels.circular_sinc(21, np.pi / 3)
    response = np.abs(np.fft.fft(kernel.sum(axis=0), 240))
    frequency = 2 * np.pi * np.arange(240) / 240
    assert response[(frequency < np.pi / 6)].min() > 0.8
    assert response[(frequency > np.pi / 1.7) & (frequency <= np.pi)].max() < 0.2
    assert kernel.min() < 0  # it rings


@pytest.mark.parametrize("size", [7, 11, 13, 21])
@pytest.mark.parametrize("shape", [(90, 131), (5, 40), (2, 3)])
def test_a_convolution_is_that_of_scipy_at_every_size(size: int, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(size).random((*shape, 3), dtype=np.float32)
    for kernel in (
        blur_kernels.gaussian_like(size, 3, 0.7, 0.4),
        blur_kernels.gaussian_like(size, 2, 1, -1.2, shape=1.7, plateau=True),
        blur_kernels.circular_sinc(size, 1.9),
    ):
        found = blur_kernels.convolved(image, kernel)
        expected = scipy.ndimage.convolve(image.astype(np.float64), kernel[..., None], mode="mirror")
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_codec_frame_of_odd_size_keeps_it() -> None:
    odd = PHOTO[:101, :75]
    for codec in ("h264", "hevc"):
        good, bad = (ffmpeg.through_codec(odd, codec, crf).astype(int) for crf in (5, 45))
        assert good.shape == odd.shape
        assert np.abs(good - odd).mean() < 3 < np.abs(bad - odd).mean()


OWN = """
presets:
  soft:
    steps:
      - {step: blur, sigma: {low: 2, high: 2}}
      - {step: downscale}
"""


def test_presets_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(OWN)
    preset = degradation_presets.find("soft", tmp_path / "p.yaml")
    small, recipe = degradation.degrade(PHOTO, preset, scale=2, identity=(0,))
    assert small.shape == (128, 128, 3)
    assert [step["step"] for step in recipe] == ["blur", "resize"]
    assert recipe[0]["sigma_x"] == 2
    assert isinstance(degradation_presets.find("video", tmp_path / "p.yaml"), Preset)


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        (OWN, "none", "pairs.preset = 'none' is none of classical, real_esrgan, soft, video"),
        (OWN.replace("soft", "video"), "video", "video is the name of a preset that is built in"),
        (OWN.replace("low: 2", "low: 3"), "soft", "low 3.0 is more than high 2.0"),
        (OWN.replace("step: blur", "step: bllur"), "soft", r"p\.yaml:5"),
    ],
)
def test_a_wrong_preset_is_one_line(tmp_path: Path, text: str, name: str, says: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ParamsError, match=says):
        degradation_presets.find(name, tmp_path / "p.yaml")


STEPS = """
presets:
  own:
    steps:
      - {step: downscale}
      - %s
"""


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("{step: blur, sigma: {low: 0, high: 2}}", r"blur\.sigma .* expected 0\.01 to 100, not 0 to 2"),
        ("{step: blur, sigma: {low: 1.0e-9, high: 2}}", r"blur\.sigma .* expected 0\.01 to 100"),
        ("{step: blur, sigma: {low: 1, high: .inf}}", r"blur\.sigma\.high .* finite"),
        ("{step: blur, sigma: {low: 1, high: 2}, generalized: {low: -1, high: 2}}", r"blur\.generalized"),
        ("{step: blur, sigma: {low: 1, high: 2}, plateau: {low: 0, high: 2}}", r"blur\.plateau"),
        ("{step: blur, sigma: {low: 1, high: 2}, kernels: {iso: 0, aniso: 0}}", "kernels: all shares are 0"),
        ("{step: resize, up: 0.7, down: 0.7, factors: {low: 0.5, high: 2}}", "more than 1 together"),
        ("{step: resize, up: 0, down: 1, factors: {low: 0.2, high: 0.5}}", "low <= 1 <= high"),
        ("{step: resize, up: 0, down: 1, factors: {low: 0, high: 1}}", r"resize\.factors .* 0\.01 to 16"),
        (
            "{step: noise, gaussian: 1, sigma: {low: -3, high: 2}, poisson: {low: 0, high: 1}, gray: 0}",
            r"noise\.sigma .* expected 0 to 255",
        ),
        (
            "{step: noise, gaussian: 1, sigma: {low: 0, high: 2}, poisson: {low: -1, high: 1}, gray: 0}",
            r"noise\.poisson",
        ),
        ("{step: jpeg, quality: {low: 0, high: 90}}", r"jpeg\.quality .* expected 1 to 100"),
        ("{step: jpeg, quality: {low: 50, high: 150}}", r"jpeg\.quality .* expected 1 to 100, not 50 to 150"),
        ("{step: codec, codecs: [h264], crf: {low: 20, high: 99}}", r"codec\.crf .* expected 0 to 51"),
        ("{step: codec, codecs: [h264], crf: {low: -1, high: 9}}", r"codec\.crf .* expected 0 to 51"),
        ("{step: finish, sinc: 1, quality: {low: 50, high: 101}}", r"finish\.quality .* expected 1 to 100"),
    ],
)
def test_a_range_that_would_be_drawn_otherwise_is_refused_by_name(
    tmp_path: Path, step: str, says: str
) -> None:
    (tmp_path / "p.yaml").write_text(STEPS % step)
    with pytest.raises(ParamsError, match=rf"p\.yaml:6: presets\.own\.steps\.1\.{'.*' + says}"):
        degradation_presets.find("own", tmp_path / "p.yaml")


@pytest.mark.filterwarnings("error")
def test_the_ends_of_all_ranges_can_be_drawn() -> None:
    def only(**step: object) -> Preset:
        return Preset.model_validate({"steps": [step]})

    def both(value: float) -> dict[str, float]:
        return {"low": value, "high": value}

    for kernel in degradation_presets._KERNELS:
        for sigma in (0.01, 100):
            blur = only(step="blur", kernels={kernel: 1}, sigma=both(sigma))
            small, _ = degradation.degrade(PHOTO, blur, scale=4, identity=(0,))
            assert abs(float(small.mean()) - float(PHOTO.mean())) < 4
    for quality in (1, 100):
        jpeg = only(step="jpeg", quality=both(quality))
        assert degradation.degrade(PHOTO, jpeg, scale=4, identity=(0,))[1][0]["quality"] == quality
    for codec in ("h264", "hevc"):
        for crf in (0, 51):
            video = only(step="codec", codecs=[codec], crf=both(crf))
            assert degradation.degrade(PHOTO, video, scale=4, identity=(0,))[1][0]["crf"] == crf


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("shape", [(2, 3), (15, 40), (40, 9)])
def test_a_codec_frame_below_the_least_size_of_a_codec_keeps_its_own(
    codec: str, shape: tuple[int, int]
) -> None:
    small = PHOTO[: shape[0], : shape[1]]
    made = ffmpeg.through_codec(small, codec, 5)
    assert made.shape == small.shape
    assert np.abs(made.astype(int) - small).mean() < 12
