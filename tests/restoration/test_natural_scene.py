"""NIQE's formula: fits recover planted shapes, the distance is that of the paper, and faults raise it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import stats
from scipy.ndimage import correlate

from curate.errors import MetricError
from curate.restoration import natural_scene
from curate.restoration.natural_scene import Naturalness, NaturalSceneModel

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "camera")


def photograph(name: str) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(getattr(skimage.data, name)()).convert("RGB"))


@pytest.fixture(scope="module")
def model() -> NaturalSceneModel:
    large = [np.asarray(Image.fromarray(photograph(name)).resize((960, 768))) for name in PHOTOGRAPHS]
    textures = [getattr(skimage.data, name)() for name in ("brick", "grass", "gravel")]
    return natural_scene.fit(
        [*map(photograph, PHOTOGRAPHS), *large, *(np.dstack([one] * 3) for one in textures)]
    )


@pytest.mark.parametrize("shape", [0.6, 1.0, 2.0, 4.0])
def test_the_shape_of_a_generalized_gaussian_is_found_again(shape: float) -> None:
    values = stats.gennorm.rvs(shape, scale=1.5, size=200_000, random_state=1)
    found, left, right = natural_scene.asymmetric_gaussian(values)
    assert found == pytest.approx(shape, rel=0.03)
    assert (left, right) == (pytest.approx(1.5, rel=0.03), pytest.approx(1.5, rel=0.03))


def test_the_two_sides_of_an_asymmetric_one_are_found_again() -> None:
    """Halves of generalized Gaussians of one shape, each drawn as often as its scale says."""
    rng = np.random.default_rng(0)
    left, right, shape = 0.5, 2.0, 1.2
    size = np.abs(stats.gennorm.rvs(shape, size=300_000, random_state=rng))
    side = rng.random(size.size) < right / (left + right)
    found = natural_scene.asymmetric_gaussian(np.where(side, right * size, -left * size))
    assert found == pytest.approx((shape, left, right), rel=0.03)


def test_luma_is_normalized_by_a_gaussian_window_of_seven_pixels() -> None:
    luma = photograph("camera")[:64, :64, 0].astype(float)
    line = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    window = np.outer(line, line) / line.sum() ** 2
    mean = correlate(luma, window, mode="nearest")
    spread = np.sqrt(np.abs(correlate(luma**2, window, mode="nearest") - mean**2))
    found, deviation = natural_scene.normalized(luma)
    np.testing.assert_allclose(deviation, spread, atol=1e-6)
    np.testing.assert_allclose(found, (luma - mean) / (spread + 1), atol=1e-6)


def test_the_features_of_a_patch_are_those_of_the_paper() -> None:
    block = np.random.default_rng(2).normal(size=(48, 48))
    found = natural_scene.features_of(block)
    assert found.shape == (18,)
    assert found[0] == pytest.approx(2, rel=0.06)  # a Gaussian
    across = block * np.roll(block, 1, axis=1)
    shape, left, right = natural_scene.asymmetric_gaussian(across)
    assert (found[2], found[4], found[5]) == (shape, left, right)
    mean = stats.gennorm(shape)  # the mean of one side's absolute value is the ratio of gamma functions
    expected = mean.expect(np.abs)
    assert found[3] == pytest.approx((right - left) * expected, rel=1e-3)


def test_the_distance_is_that_of_two_gaussians(model: NaturalSceneModel) -> None:
    image = photograph("coffee")
    features, _ = natural_scene._patches(image)
    apart = features.mean(axis=0) - model.mean
    spread = (np.cov(features.T) + model.covariance) / 2
    expected = np.sqrt(apart @ np.linalg.inv(spread) @ apart)
    assert Naturalness(model).measure(image, image) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_noise_blur_and_blocks_raise_it(name: str, model: NaturalSceneModel) -> None:
    clean = Image.fromarray(photograph(name))
    figure = Naturalness(model)

    def of(picture: Image.Image) -> float:
        return figure.measure(photograph(name), np.asarray(picture))

    blurred = [of(clean.filter(ImageFilter.GaussianBlur(sigma))) for sigma in (0, 2, 4)]
    assert all(harder > milder for milder, harder in pairwise(blurred)), blurred
    noise = np.random.default_rng(0).normal(0, 1, (*photograph(name).shape[:2], 1))
    noisy = [
        of(Image.fromarray(np.clip(photograph(name) + noise * sigma, 0, 255).astype(np.uint8)))
        for sigma in (0, 10, 40)
    ]
    assert noisy[2] > noisy[0], noisy
    assert not figure.higher_is_better


def test_too_little_is_no_figure(model: NaturalSceneModel) -> None:
    with pytest.raises(MetricError, match="have 0 sharp patches of 96 pixels: its model takes 100"):
        natural_scene.fit([np.zeros((40, 40, 3), np.uint8)])
    with pytest.raises(MetricError, match=r"have \d+ sharp patches"):
        natural_scene.fit([photograph("coffee")])
    small = photograph("coffee")[:96, :100]
    with pytest.raises(MetricError, match="100x96 pixels have fewer than 2 patches of 96"):
        Naturalness(model).measure(small, small)
    plain = np.full((300, 300, 3), 90, np.uint8)
    with pytest.raises(MetricError, match="patches of 96 with texture"):
        Naturalness(model).measure(plain, plain)
