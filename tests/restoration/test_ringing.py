"""Ringing: Gibbs' own figure, and a ladder of filters on photographs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.ndimage import convolve, gaussian_filter
from scipy.special import sici

from curate.errors import MetricError
from curate.restoration import blur_kernels
from curate.restoration.ringing import ringing

Luma = NDArray[np.uint8]
PHOTOGRAPHS = ("astronaut", "coffee", "camera")


def photograph(name: str) -> Luma:
    return np.asarray(Image.fromarray(getattr(skimage.data, name)()).convert("L"))


def levels(values: NDArray[np.float64]) -> Luma:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def cut_off(luma: Luma, cutoff: float) -> Luma:
    kernel = blur_kernels.circular_sinc(21, cutoff)
    return levels(convolve(luma.astype(np.float64), kernel, mode="mirror"))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("falls", [False, True])
def test_a_step_without_its_high_frequencies_has_the_figure_of_gibbs(turned: bool, falls: bool) -> None:
    """1.0895 beyond the edge and then 0.9514: half and the sine integral of pi and of 2 pi over pi."""
    first, second = (0.5 + sici(np.pi * n)[0] / np.pi for n in (1, 2))
    assert (first, second) == pytest.approx((1.0895, 0.9514), abs=1e-4)
    away = np.pi * (np.arange(64) - 31) / 2  # so that both lie on pixels
    response = 0.5 + sici(away)[0] / np.pi
    assert (response[33], response[35]) == pytest.approx((first, second))
    luma = levels(np.tile(60 + 120 * (response[::-1] if falls else response), (64, 1)))
    found = ringing(luma.T.copy() if turned else luma)
    assert found == pytest.approx(first - second, abs=0.005)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_it_rises_as_a_filter_cuts_more_off(name: str) -> None:
    clean = photograph(name)
    values = [ringing(clean), *(ringing(cut_off(clean, cutoff)) for cutoff in (2.0, 1.6, 1.3))]
    assert values[0] < 0.03
    assert all(harder > milder for milder, harder in pairwise(values)), values
    assert values[-1] > 0.1


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_it_rises_with_sharpening(name: str) -> None:
    clean = photograph(name)
    values = [
        ringing(np.asarray(Image.fromarray(clean).filter(ImageFilter.UnsharpMask(1.5, amount, 0))))
        for amount in (0, 50, 100, 200)
    ]
    assert all(harder > milder for milder, harder in pairwise(values)), values


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_blur_and_noise_are_no_ringing(name: str) -> None:
    clean = photograph(name)
    noise = np.random.default_rng(0).normal(0, 8, clean.shape)
    assert ringing(levels(gaussian_filter(clean.astype(np.float64), 1))) < 0.05
    assert ringing(levels(clean + noise)) < 0.05


def test_without_sharp_edges_it_is_not_known() -> None:
    with pytest.raises(MetricError, match="0 sharp edges between plain areas are too few"):
        ringing(np.tile(np.arange(200, dtype=np.uint8), (100, 1)))
    with pytest.raises(MetricError, match="too few"):
        ringing(np.zeros((4, 4), np.uint8))
