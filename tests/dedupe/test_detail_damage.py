"""What was done to detail, on spectra that are made by the formula of the filter."""

from __future__ import annotations

import numpy as np
import pytest

from curate.dedupe.detail_damage import adds_noise, adds_overlay, is_sharpened, keeps_detail, loses_detail
from curate.dedupe.power_spectra import RINGS, Spectra

FREQUENCY = np.pi * (np.arange(RINGS) + 0.5) / RINGS  # radians per pixel
POWER = (1e5 / (1 + np.arange(RINGS)) ** 3).astype(np.float32)  # as of photographs


def filtered(gain: np.ndarray, added: float = 0.0) -> Spectra:
    """A picture and the same after a filter, with something unrelated and white."""
    return Spectra(
        POWER, (gain**2 * POWER + added).astype(np.float32), (gain * POWER).astype(np.float32), 1, 1
    )


def unsharp(amount: float, radius: float = 1.0) -> np.ndarray:
    return 1 + amount * (1 - np.exp(-((FREQUENCY * radius) ** 2) / 2))


def blur(radius: float) -> np.ndarray:
    return np.exp(-((FREQUENCY * radius) ** 2) / 2)


@pytest.mark.parametrize("amount", [0.5, 1, 2, 3])
def test_an_unsharp_mask_is_a_sharpening_and_its_inverse_is_none(amount: float) -> None:
    found = filtered(unsharp(amount))
    assert is_sharpened(found, coded=False)
    assert not is_sharpened(found.swapped(), coded=False)
    assert not adds_noise(found)


@pytest.mark.parametrize("radius", [0.7, 1, 2])
def test_the_inverse_of_a_blur_is_no_sharpening(radius: float) -> None:
    found = filtered(blur(radius), added=1 / 12)
    assert loses_detail(found)
    assert not is_sharpened(found.swapped(), coded=False)
    assert not keeps_detail(found)


def test_a_gain_that_nobody_sharpens_by_is_the_inverse_of_a_blur() -> None:
    assert is_sharpened(filtered(unsharp(3)), coded=False)
    assert not is_sharpened(filtered(unsharp(6)), coded=False)


def test_noise_is_told_by_its_evenness_and_an_overlay_by_its_coarseness() -> None:
    noisy = filtered(np.ones(RINGS), added=50)
    assert adds_noise(noisy)
    assert not adds_noise(noisy.swapped())
    assert keeps_detail(noisy)
    assert not adds_overlay(noisy)
    coarse = POWER.copy()
    coarse[6:] = 0
    text = Spectra(POWER, POWER + coarse, POWER, 1, 1)
    assert adds_overlay(text)
    assert not adds_overlay(text.swapped())
    assert not adds_noise(text)
