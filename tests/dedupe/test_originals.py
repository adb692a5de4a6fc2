"""Which copy is the original, and why: each kind of damage on photographs, in both orders."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from skimage import data

from curate.dedupe.originals import WORDS, Picture, compare

AS_IT_IS = np.array([0, 1.0, 0, 0, 0, 1.0])
Change = Callable[[Image.Image], Image.Image]


def photograph(name: str) -> Image.Image:
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def picture(image: Image.Image, format: str = "PNG") -> Picture:
    return Picture(np.asarray(image.convert("RGB")), format)


def through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def noisy(image: Image.Image) -> Image.Image:
    grain = np.random.default_rng(1).normal(0, 12, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


DAMAGE: dict[str, tuple[Change, str]] = {
    "gray": (lambda image: image.convert("L"), "color"),
    "noise": (noisy, "noise"),
    "jpeg": (lambda image: through_jpeg(image, 25), "jpeg"),
    "jpeg under a finer one": (lambda image: through_jpeg(through_jpeg(image, 50), 95), "jpeg"),
    "few colors": (lambda image: ImageOps.posterize(image, 3), "levels"),
    "sharpened": (lambda image: image.filter(ImageFilter.UnsharpMask(1.2, 120, 0)), "sharpening"),
    "blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(1.5)), "detail"),
    "enlarged": (lambda image: image.resize((900, 700), Image.Resampling.BICUBIC), "enlarged"),
    "enlarged without smoothing": (
        lambda image: image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST), "enlarged",
    ),
    "reduced": (lambda image: image.resize((250, 200), Image.Resampling.LANCZOS), "reduced"),
}  # fmt: skip


@pytest.mark.parametrize("damage", sorted(DAMAGE))
@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_the_original_is_told_from_its_damaged_copy(name: str, damage: str) -> None:
    function, reason = DAMAGE[damage]
    original = through_jpeg(photograph(name), 92)
    first, second = picture(original), picture(function(original))
    found, back = compare(first, second, AS_IT_IS), compare(second, first, AS_IT_IS)
    assert (found.first, back.first) == (True, False)
    assert found.reason == back.reason == reason
    assert WORDS[reason]


def soft(image: Image.Image) -> Image.Image:
    """As out of focus: hardly any detail, and the noise of a sensor."""
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(1.5)), np.float32)
    grain = np.random.default_rng(3).normal(0, 1, blurred.shape)
    return Image.fromarray(np.clip(blurred + grain + 0.5, 0, 255).astype(np.uint8))


def through_webp(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=20)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def smeared(image: Image.Image) -> Image.Image:
    return Image.fromarray(scipy.ndimage.uniform_filter1d(np.asarray(image), 7, axis=1))


SOFT_DAMAGE: dict[str, tuple[Change, str]] = {
    "blurred": (lambda image: image.filter(ImageFilter.GaussianBlur(1.2)), "detail"),
    "moved": (smeared, "detail"),
    "median": (lambda image: image.filter(ImageFilter.MedianFilter(5)), "detail"),
    "webp": (through_webp, "detail"),
    "reduced and enlarged": (
        lambda image: image.resize((image.width // 3, image.height // 3)).resize(image.size), "detail",
    ),
    "sharpened": (lambda image: image.filter(ImageFilter.UnsharpMask(1.2, 180, 0)), "sharpening"),
    "jpeg": (lambda image: through_jpeg(image, 10), "jpeg"),
    "noise": (noisy, "noise"),
    "enlarged": (lambda image: image.resize((900, 700), Image.Resampling.BICUBIC), "enlarged"),
    "reduced": (lambda image: image.resize((250, 200), Image.Resampling.BOX), "reduced"),
}  # fmt: skip


@pytest.mark.parametrize("damage", sorted(SOFT_DAMAGE))
@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_the_original_is_told_on_soft_pictures_too(name: str, damage: str) -> None:
    """They have no fine detail to lose: what is told must be told from the coarser, or from the noise."""
    function, reason = SOFT_DAMAGE[damage]
    original = soft(photograph(name))
    first, second = picture(original), picture(function(original))
    found, back = compare(first, second, AS_IT_IS), compare(second, first, AS_IT_IS)
    assert (found.first, found.reason) == (True, reason)
    assert (back.first, back.reason) == (False, reason)


@pytest.mark.parametrize("quality", [80, 90])
@pytest.mark.parametrize("change", ["sharpened", "blurred"])
def test_sharpening_and_blur_are_told_apart_under_a_jpeg(change: str, quality: int) -> None:
    """Each is the other one undone: only one of the two can be right in either order."""
    function, reason = SOFT_DAMAGE[change]
    original = photograph("coffee")
    found = compare(picture(original), picture(through_jpeg(function(original), quality), "JPEG"), AS_IT_IS)
    assert (found.first, found.reason) == (True, reason)


def test_noise_as_strong_as_a_quantizer_is_no_quantizer() -> None:
    """The original is the one with the steps: the copy has the same up to a difference of their size."""
    original = through_jpeg(photograph("coffee"), 66)
    grain = np.random.default_rng(1).normal(0, 4, (original.height, original.width, 1))
    copy = Image.fromarray(np.clip(np.asarray(original) + grain + 0.5, 0, 255).astype(np.uint8))
    found = compare(picture(original, "JPEG"), picture(copy), AS_IT_IS)
    assert (found.first, found.reason) == (True, "noise")


def stretched(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(ImageEnhance.Contrast(image).enhance(1.35)).enhance(1.05)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize(
    "change",
    [stretched, lambda image: image.filter(ImageFilter.UnsharpMask(1.2, 180, 0))],
    ids=["stretched", "sharpened"],
)
def test_a_quantizer_in_the_original_does_not_speak_against_it(name: str, change: Change) -> None:
    """The copy has lost that trace with the levels that it moved."""
    original = through_jpeg(photograph(name), 40)
    found = compare(picture(original, "JPEG"), picture(change(original)), AS_IT_IS)
    assert found.first is not False


def test_few_levels_of_the_original_do_not_speak_against_it() -> None:
    original = Image.fromarray(np.asarray(photograph("coffee")) // 3 * 3)
    found = compare(picture(original), picture(original.filter(ImageFilter.GaussianBlur(2))), AS_IT_IS)
    assert (found.first, found.reason) == (True, "detail")


def test_an_original_that_was_enlarged_long_ago_is_told_from_a_reduced_copy() -> None:
    """Rows that it repeats are not those that enlarging the smaller one would repeat."""
    coffee = photograph("coffee")
    original = coffee.resize((300, 200)).resize((900, 600), Image.Resampling.NEAREST)
    found = compare(picture(original), picture(original.resize((500, 333))), AS_IT_IS)
    assert (found.first, found.reason) == (True, "reduced")


def test_a_border_and_a_crop_are_told_by_where_the_pictures_lie() -> None:
    original = photograph("chelsea")
    bordered = ImageOps.expand(original, border=24, fill="black")
    wide, tall = (side / (side + 48) for side in original.size)
    placed = np.array([0, 1 / wide, 0, 0, 0, 1 / tall])  # the second shows more than the first: its border
    found = compare(picture(original), picture(bordered), placed)
    assert (found.first, found.reason) == (True, "border")
    crop = original.crop((20, 10, original.width - 20, original.height - 10))
    placed = np.array([0, crop.width / original.width, 0, 0, 0, crop.height / original.height])
    found = compare(picture(original), picture(crop), placed)
    assert (found.first, found.reason) == (True, "view")


def test_a_mirrored_copy_is_laid_over_its_original_first() -> None:
    original = photograph("coffee")
    blurred = ImageOps.mirror(original.filter(ImageFilter.GaussianBlur(1.5)))
    found = compare(picture(blurred), picture(original), np.array([0, -1.0, 0, 0, 0, 1.0]))
    assert (found.first, found.reason) == (False, "detail")
    turned = picture(original.transpose(Image.Transpose.ROTATE_90))
    on_its_side = np.array([0, 0, -1.0, 0, 1.0, 0])
    found = compare(picture(noisy(original)), turned, on_its_side)
    assert (found.first, found.reason) == (False, "noise")


def test_what_the_same_pixels_were_decoded_from_is_kept_and_equals_are_a_tie() -> None:
    original = through_jpeg(photograph("coffee"), 90)
    assert compare(picture(original, "PNG"), picture(original, "JPEG"), AS_IT_IS).first is False
    tie = compare(picture(original), picture(original), AS_IT_IS)
    assert (tie.first, tie.reason) == (None, "")
    brighter = picture(ImageEnhance.Brightness(original).enhance(1.04))
    assert compare(picture(original), brighter, AS_IT_IS).reason in {"", "clipping", "levels"}
    assert (
        compare(
            picture(original.crop((0, 0, 40, 40))), picture(original.crop((0, 0, 40, 41))), AS_IT_IS
        ).first
        is None
    )
