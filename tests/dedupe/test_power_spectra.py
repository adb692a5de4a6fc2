"""Spectra of two pictures: known answers for noise, filters and pictures that have nothing in common."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from curate.dedupe.power_spectra import RINGS, spectra

NOISE = np.random.default_rng(5).normal(128, 10, (512, 512)).astype(np.float32)


def test_white_noise_has_its_variance_in_every_ring() -> None:
    found = spectra(NOISE, NOISE)
    assert found is not None
    # The first ring holds the mean, which is taken away.
    assert found.a[1:] == pytest.approx(np.full(RINGS - 1, 100), rel=0.15)
    assert found.coherence == pytest.approx(np.ones(RINGS), abs=1e-4)
    assert found.difference.max() < 0.1


def test_the_gain_is_that_of_the_filter() -> None:
    """Of (1, 2, 1) / 4 along both sides: cos(pi f) to the fourth on average between axis and diagonal."""
    kernel = np.array([1, 2, 1], np.float32) / 4
    soft = scipy.ndimage.convolve(NOISE, kernel[:, None] * kernel, mode="wrap")
    found = spectra(NOISE, soft)
    assert found is not None
    u, v = np.meshgrid(np.fft.rfftfreq(64), np.fft.fftfreq(64))
    ring = (np.hypot(u, v) * 2 * RINGS).astype(int)
    wanted = [(np.cos(np.pi * u) ** 2 * np.cos(np.pi * v) ** 2)[ring == r].mean() for r in range(RINGS)]
    assert found.gain == pytest.approx(np.array(wanted), abs=0.03)
    assert found.swapped().gain[2] == pytest.approx(1 / wanted[2], rel=0.1)


def test_what_is_added_does_not_change_the_gain() -> None:
    more = NOISE + np.random.default_rng(6).normal(0, 5, NOISE.shape).astype(np.float32)
    found = spectra(NOISE, more)
    assert found is not None
    assert found.gain == pytest.approx(np.ones(RINGS), abs=0.1)
    assert found.difference[1:] == pytest.approx(np.full(RINGS - 1, 25), rel=0.15)
    assert found.calm == pytest.approx(found.busy, rel=0.2)


def test_a_picture_smaller_than_a_block_has_none() -> None:
    assert spectra(NOISE[:63], NOISE[:63]) is None
