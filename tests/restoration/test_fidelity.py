"""PSNR, SSIM and MS-SSIM against scikit-image, their formulas and figures by hand."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import skimage.data
from scipy.signal import fftconvolve
from skimage.measure import block_reduce
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from curate.errors import MetricError
from curate.restoration import fidelity
from curate.restoration.fidelity import Fidelity

RNG = np.random.default_rng(0)
CLEAN = skimage.data.astronaut()[:220, 150:390]
NOISY = np.clip(CLEAN + RNG.normal(0, 12, CLEAN.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("color", ["y", "rgb"])
@pytest.mark.parametrize("border", [0, 4])
def test_equal_to_scikit_image_to_a_millionth(color: fidelity.Color, border: int) -> None:
    clean, noisy = (fidelity.planes(one, color=color, border=border) for one in (CLEAN, NOISY))
    expected = peak_signal_noise_ratio(clean, noisy, data_range=255)
    assert Fidelity("psnr", color=color, border=border).measure(CLEAN, NOISY) == pytest.approx(
        expected, abs=1e-6
    )
    expected = structural_similarity(
        clean,
        noisy,
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert Fidelity("ssim", color=color, border=border).measure(CLEAN, NOISY) == pytest.approx(
        expected, abs=1e-6
    )


def contrast(clean: np.ndarray, noisy: np.ndarray) -> float:
    """The part of SSIM without luminance, by a plain convolution with the window of the paper."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    mean = functools.partial(fftconvolve, in2=window, mode="valid")
    both = mean(clean * noisy) - mean(clean) * mean(noisy)
    spread = mean(clean**2) - mean(clean) ** 2 + mean(noisy**2) - mean(noisy) ** 2
    return float(((2 * both + 58.5225) / (spread + 58.5225)).mean())


def test_ms_ssim_is_its_formula_and_near_that_of_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as theirs

    clean, noisy = (fidelity.planes(one, color="y", border=0)[..., 0] for one in (CLEAN, NOISY))
    found = fidelity.ms_ssim(clean[..., None], noisy[..., None])
    tensors = [torch.from_numpy(one.copy())[None, None] for one in (noisy, clean)]
    assert found == pytest.approx(
        float(theirs(*tensors, data_range=255.0)), abs=1e-3
    )  # it does not cut edges
    expected = 1.0
    for weight in (0.0448, 0.2856, 0.3001, 0.2363):
        expected *= contrast(clean, noisy) ** weight
        clean, noisy = (
            block_reduce(one[: one.shape[0] // 2 * 2, : one.shape[1] // 2 * 2], 2, np.mean)
            for one in (clean, noisy)
        )
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected *= structural_similarity(clean, noisy, data_range=255, **settings) ** 0.1333
    assert found == pytest.approx(expected, abs=1e-6)


def test_luma_is_that_of_bt_601() -> None:
    """Known values: black 16, white 235, the three primaries 81.481, 144.553, 40.966."""
    colors = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)
    luma = fidelity.planes(colors, color="y", border=0)[0, :, 0]
    np.testing.assert_allclose(luma, [16, 235, 81.481, 144.553, 40.966], atol=1e-9)


def test_one_level_everywhere_is_48_db() -> None:
    shifted = (CLEAN // 2).astype(np.uint8)
    psnr = Fidelity("psnr", color="rgb", border=0)
    assert psnr.measure(shifted, shifted + 1) == pytest.approx(20 * math.log10(255))
    assert psnr.measure(CLEAN, CLEAN) == math.inf
    assert Fidelity("ssim", color="y", border=0).measure(CLEAN, CLEAN) == 1
    assert Fidelity("ms_ssim", color="y", border=0).measure(CLEAN, CLEAN) == 1


def test_the_border_is_left_out() -> None:
    framed = CLEAN.copy()
    framed[:4], framed[-4:], framed[:, :4], framed[:, -4:] = 0, 0, 0, 0
    assert Fidelity("psnr", color="rgb", border=4).measure(CLEAN, framed) == math.inf
    assert Fidelity("psnr", color="rgb", border=3).measure(CLEAN, framed) < 40


@pytest.mark.parametrize(
    ("name", "side", "says"),
    [("psnr", 8, "none inside a border of 4"), ("ssim", 18, "11 pixels does not fit 10x10"),
     ("ms_ssim", 180, "does not fit")],
)  # fmt: skip
def test_too_small_is_no_figure(name: str, side: int, says: str) -> None:
    with pytest.raises(MetricError, match=says):
        Fidelity(name, color="y", border=4).measure(CLEAN[:side, :side], NOISY[:side, :side])


def test_other_sizes_are_no_figure() -> None:
    with pytest.raises(MetricError, match="result has 239x220 pixels, what it is compared with 240x220"):
        Fidelity("psnr", color="y", border=0).measure(CLEAN, NOISY[:, 1:])
