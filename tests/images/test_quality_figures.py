"""Quality figures: ladders of degradations, values by hand, and scikit-image's own blur effect."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import skimage.data
import skimage.measure
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from curate.images import jpeg, pixel_statistics, quality_figures, quantization_tables
from curate.images.quality_figures import NAMES, QualityFigures
from curate.images.quality_sums import REACH, SKIP, TILE, quality_sums
from curate.images.upright_srgb import Limits, upright

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")
LIMITS = Limits(min_side=1, max_pixels=10**8, max_aspect=1000)


def figures(picture: Image.Image) -> QualityFigures:
    luma = pixel_statistics.plane(picture.convert("RGB"))
    sharpness = pixel_statistics.measure_luma(luma).sharpness
    return quality_figures.measure(luma, sharpness, halved=pixel_statistics.is_halved(*picture.size))


def photograph(name: str, side: int | None = None) -> Image.Image:
    picture = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    return picture if side is None else picture.resize((side, side), Image.Resampling.LANCZOS)


def noisy(picture: Image.Image, sigma: float) -> Image.Image:
    pixels = np.asarray(picture).astype(float)
    grains = np.random.default_rng(3).normal(0, sigma, (*pixels.shape[:2], 1))
    return Image.fromarray(np.clip(pixels + grains, 0, 255).astype(np.uint8))


def compressed(picture: Image.Image, quality: float) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(quality))
    return Image.open(buffer).convert("RGB")


def enlarged(picture: Image.Image, times: float) -> Image.Image:
    small = round(picture.width / times), round(picture.height / times)
    return picture.resize(small, Image.Resampling.LANCZOS).resize(picture.size, Image.Resampling.BICUBIC)


def barred(picture: Image.Image, share: float) -> Image.Image:
    pixels = np.asarray(picture).copy()
    lines = round(len(pixels) * share / 2)
    pixels[:lines], pixels[len(pixels) - lines :] = 0, 0
    return Image.fromarray(pixels)


def pillared(picture: Image.Image, share: float) -> Image.Image:
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    return barred(turned, share).transpose(Image.Transpose.ROTATE_270)


def gained(picture: Image.Image, gain: float) -> Image.Image:
    return picture.point(lambda value: value * gain)


def darkened(picture: Image.Image, levels: float) -> Image.Image:
    return picture.point(lambda value: value - levels)


def posterized(picture: Image.Image, step: float) -> Image.Image:
    return picture.point(lambda value: value // int(step) * int(step))


Change = Callable[[Image.Image, float], Image.Image]
# Figure, what makes it worse, by how much, and whether it then rises.
LADDERS: tuple[tuple[str, Change, tuple[float, ...], bool], ...] = (
    ("noise", noisy, (0, 3, 6, 12, 24), True),
    ("blur", lambda one, by: one.filter(ImageFilter.GaussianBlur(by)), (0, 0.5, 1, 2, 4), True),
    ("log_laplacian", lambda one, by: one.filter(ImageFilter.GaussianBlur(by)), (0, 1, 2, 4, 8), False),
    ("blockiness", compressed, (60, 20, 10, 5, 2), True),
    ("shadows", darkened, (0, 50, 100, 150, 200), True),
    ("highlights", gained, (1, 1.5, 2, 3, 5), True),
    ("entropy", posterized, (1, 4, 16, 64, 255), False),
    ("letterbox", barred, (0, 0.05, 0.1, 0.3, 0.5), True),
    ("pillarbox", pillared, (0, 0.05, 0.1, 0.3, 0.5), True),
    ("bandwidth", enlarged, (1, 3, 4, 6, 8), False),
)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("size", [None, 300])
@pytest.mark.parametrize("ladder", LADDERS, ids=[ladder[0] for ladder in LADDERS])
def test_each_figure_follows_its_degradation(
    name: str, size: int | None, ladder: tuple[str, Change, tuple[float, ...], bool]
) -> None:
    figure, change, steps, rises = ladder
    start = photograph(name, size)
    values = [getattr(figures(change(start, step)), figure) for step in steps]
    for milder, harder in pairwise(values):
        assert harder > milder if rises else harder < milder, values


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_blur_does_not_depend_on_how_much_texture_there_is(name: str) -> None:
    """The Laplacian tells the least textured sharp photograph from no blurred one; the share does."""
    sharp = figures(photograph(name, 300)).blur
    blurred = [figures(photograph(one, 300).filter(ImageFilter.GaussianBlur(3))).blur for one in PHOTOGRAPHS]
    assert sharp < min(blurred)


def test_blur_orders_pictures_as_scikit_image_s_does() -> None:
    pictures = [
        photograph(name, 300).filter(ImageFilter.GaussianBlur(by)) for name in PHOTOGRAPHS for by in range(5)
    ]
    ours = [figures(one).blur for one in pictures]
    theirs = [skimage.measure.blur_effect(np.asarray(one.convert("L"))) for one in pictures]
    assert np.corrcoef(np.argsort(np.argsort(ours)), np.argsort(np.argsort(theirs)))[0, 1] > 0.95


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0])
def test_noise_on_a_gray_picture_is_its_standard_deviation(sigma: float) -> None:
    gray = Image.new("L", (320, 320), 128)
    assert figures(noisy(gray.convert("RGB"), sigma)).noise == pytest.approx(sigma, rel=0.12)


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_quality_is_the_one_that_the_file_was_saved_with(quality: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (90, 120, 60)).save(buffer, "JPEG", quality=quality)
    data = buffer.getvalue()
    found = quantization_tables.quality(data, jpeg.read_head(data))
    assert found is not None
    with Image.open(io.BytesIO(data)) as image:
        table = image.quantization[0]  # type: ignore[attr-defined]
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", quality=found)
    with Image.open(io.BytesIO(buffer.getvalue())) as image:
        assert image.quantization[0] == table  # type: ignore[attr-defined]


def test_a_file_without_a_table_of_luma_has_no_quality() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    data = buffer.getvalue()
    head = jpeg.read_head(data)
    without = [one for one in head.segments if one[0] != 0xDB]
    from dataclasses import replace

    assert quantization_tables.quality(data, replace(head, segments=tuple(without))) is None


def test_ingest_s_decode_measures_them_and_png_has_no_jpeg_quality() -> None:
    for kind, quality in (("JPEG", 40.0), ("PNG", math.nan)):
        buffer = io.BytesIO()
        photograph("chelsea").save(buffer, kind, **({"quality": 40} if kind == "JPEG" else {}))
        (found,) = upright(buffer.getvalue(), LIMITS, frames="first", jpeg_quality=95)
        assert found.quality.jpeg_quality == pytest.approx(quality, nan_ok=True)
        assert found.quality.blur == pytest.approx(figures(photograph("chelsea")).blur, abs=0.05)


def test_packed_figures_come_back() -> None:
    one = figures(photograph("coffee"))
    back = quality_figures.unpacked(one.packed())
    assert back is not None
    assert tuple(back) == NAMES
    assert back["jpeg_quality"] is None
    assert back["blur"] == pytest.approx(one.blur)
    assert quality_figures.unpacked(None) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32))
def test_sums_are_those_of_the_definition(height: int, width: int, seed: int) -> None:
    luma = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    sums, wide = quality_sums(luma), luma.astype(np.int64)
    across, down = np.abs(np.diff(wide, axis=1)), np.abs(np.diff(wide, axis=0))
    assert sums.rows[0].tolist() == [*down.sum(axis=1), 0]
    assert sums.rows[1].tolist() == across.sum(axis=1).tolist()
    assert sums.rows[2].tolist() == wide.sum(axis=1).tolist()
    assert sums.columns[0].tolist() == [*across[::SKIP].sum(axis=0), 0]
    assert sums.columns[1].tolist() == down[::SKIP].sum(axis=0).tolist()
    assert sums.columns[2].tolist() == wide[::SKIP].sum(axis=0).tolist()
    counted = luma[::SKIP, ::2].reshape(-1)
    assert sums.histogram.tolist() == np.bincount(counted, minlength=256).tolist()
    assert [int(sums.changes[0]), int(sums.kept[0])] == blurred(wide[::SKIP])
    some = slice(REACH, height - REACH - 1, SKIP) if height > 2 * REACH + 1 else slice(0, 0)
    assert [int(sums.changes[1]), int(sums.kept[1])] == blurred(wide.T, some)
    assert sums.noise.shape == (-(-(height // TILE) // SKIP), width // TILE)
    if sums.noise.size:
        assert int(sums.noise[0, 0]) == int(np.abs(two_laplacians(wide))[: TILE - 1, : TILE - 1].sum())


def blurred(lines: NDArray[np.int64], some: slice = slice(None)) -> list[int]:
    times = 2 * REACH + 1
    if lines.shape[1] <= times:
        return [0, 0]
    change = times * np.abs(np.diff(lines, axis=1))[:, REACH : lines.shape[1] - REACH - 1]
    soft = np.abs(lines[:, times:] - lines[:, :-times])
    chosen = slice(None) if some == slice(None) else slice(0, None, SKIP)
    return [int(change[:, chosen].sum()), int(np.minimum(change, soft)[:, chosen].sum())]


def two_laplacians(wide: NDArray[np.int64]) -> NDArray[np.int64]:
    corners = wide[:-2, :-2] + wide[:-2, 2:] + wide[2:, :-2] + wide[2:, 2:]
    sides = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    return np.asarray(corners - 2 * sides + 4 * wide[1:-1, 1:-1])


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (15, 40), (64, 64)])
def test_plain_and_tiny_pictures_have_figures(size: tuple[int, int]) -> None:
    found = figures(Image.new("RGB", size, (255, 255, 255)))
    assert (found.highlights, found.shadows, found.entropy) == (1.0, 0.0, 0.0)
    assert (found.letterbox, found.pillarbox) == (0.0, 0.0)  # a plain picture is no bar
    assert math.isnan(found.blur)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_has_no_bandwidth(level: int) -> None:
    """It is not a picture that was enlarged 64 times."""
    assert math.isnan(figures(Image.new("L", (200, 200), level)).bandwidth)
