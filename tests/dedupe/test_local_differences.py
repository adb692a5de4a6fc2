"""Same or variant: copies are the same, a local change makes a variant, other dark scenes are neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from curate.dedupe.features import Features, Recipe, extract
from curate.dedupe.hamming_search import Pairs
from curate.dedupe.local_differences import Differences
from curate.dedupe.verify import PIXEL_RELATIONS, verify
from tests.dedupe.test_verify import cropped, photograph

RECIPE = Recipe("phash", "fast", "mirrored", True)
Change = Callable[[Image.Image], Image.Image]


def told(folder: Path, first: Image.Image, second: Image.Image) -> str:
    """same, variant or different."""
    for name, picture in (("a.png", first), ("b.png", second)):
        picture.save(folder / name)
    features: Features = extract([folder / "a.png", folder / "b.png"], RECIPE)
    one, none = np.zeros(1, np.int64), np.zeros(1, np.uint16)
    found = verify(features, Pairs(one, one + 1, none), RECIPE, min_correlation=0.5)
    if not found.same[0]:
        return "different"
    return "variant" if PIXEL_RELATIONS[found.relation[0]] == "variant" else "same"


def with_object(share: float) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        changed, side = picture.copy(), (share * picture.width * picture.height) ** 0.5
        left, top = picture.width * 0.55, picture.height * 0.3
        ImageDraw.Draw(changed).ellipse((left, top, left + side, top + side), fill=(20, 180, 220))
        return changed

    return change


def lettered(text: str, ink: tuple[int, int, int] = (200, 30, 30)) -> Image.Image:
    sign = Image.new("RGB", (400, 400), (120, 140, 130))
    draw = ImageDraw.Draw(sign)
    draw.ellipse((60, 60, 340, 340), fill="white", outline=ink, width=36)
    draw.text((200, 200), text, fill="black", anchor="mm", font_size=120)
    return sign


SAME: dict[str, Change] = {
    "smaller": lambda picture: picture.resize((240, 180)),
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(1.5)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
    "flatter": lambda picture: ImageEnhance.Contrast(picture).enhance(0.7),
    "gray": lambda picture: picture.convert("L"),
    "cropped": lambda picture: cropped(picture, 0.03, 0.04, 0.96, 0.97),
}
VARIANT: dict[str, Change] = {
    "object of 2%": with_object(0.02),
    "object of 10%": with_object(0.1),
    "tint": lambda picture: Image.merge("RGB", [picture.getchannel(name) for name in "RBG"]),
}


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("change", sorted(SAME))
def test_light_size_and_compression_leave_a_picture_the_same(tmp_path: Path, name: str, change: str) -> None:
    assert told(tmp_path, photograph(name), SAME[change](photograph(name))) == "same"


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("change", sorted(VARIANT))
def test_what_differs_in_one_place_makes_a_variant(tmp_path: Path, name: str, change: str) -> None:
    assert told(tmp_path, photograph(name), VARIANT[change](photograph(name))) == "variant"


def test_signs_of_another_color_or_number_are_not_the_same(tmp_path: Path) -> None:
    assert told(tmp_path, lettered("30"), lettered("30").resize((300, 300))) == "same"
    assert told(tmp_path, lettered("30"), lettered("80")) != "same"
    assert told(tmp_path, lettered("30"), lettered("30", (30, 60, 200))) != "same"
    assert told(tmp_path, lettered("30", (90, 90, 90)), lettered("30", (200, 30, 30))) != "same"


def test_pictures_that_share_a_half_are_not_the_same(tmp_path: Path) -> None:
    left, right, other = (photograph(name).resize((400, 300)) for name in ("coffee", "chelsea", "astronaut"))
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 400).astype(np.uint8), (300, 1)))
    halves = [Image.composite(part, left, ramp) for part in (right, other)]
    assert told(tmp_path, *halves) != "same"


@pytest.mark.parametrize(("low", "spread"), [(12, 3), (180, 6)], ids=["dark", "fog"])
def test_other_scenes_of_little_contrast_are_two_pictures(tmp_path: Path, low: int, spread: int) -> None:
    def dim(name: str) -> Image.Image:
        pixels = np.asarray(photograph(name).resize((400, 300)).convert("RGB")).astype(np.float32)
        levels = (pixels - pixels.mean()) / pixels.std() * spread + low
        return Image.fromarray(
            np.clip(levels + np.random.default_rng(0).normal(0, 1, levels.shape), 0, 255).astype(np.uint8)
        )

    assert told(tmp_path, dim("coffee"), dim("chelsea")) == "different"
    assert told(tmp_path, dim("coffee"), dim("coffee").resize((300, 225))) == "same"


def test_faint_pictures_are_copies_by_stricter_limits_only() -> None:
    """Figures as two foggy scenes have that are not one, and the same of pictures of full contrast."""
    figures = {
        "luma": 0.7, "color": 0.5, "levels": 0.93, "edges": 0.86, "alike": 1.0, "agreement": 0.8,
        "seen": 0.97, "color_contrast": 0.0, "shift": 25.0, "rise": 0.66,
    }  # fmt: skip
    columns = {name: np.full(2, value, np.float32) for name, value in figures.items()}
    found = Differences(contrast=np.array([3.6, 40.0], np.float32), **columns)
    assert found.copies(np.zeros(2, np.bool_)).tolist() == [False, True]
    near = {**columns, "shift": np.full(2, 2.0, np.float32), "rise": np.full(2, 0.97, np.float32)}
    copies = Differences(contrast=found.contrast, **near).copies(np.zeros(2, np.bool_))
    assert copies.tolist() == [True, True]
