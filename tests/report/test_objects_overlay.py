"""Objects as SVG paths: where they are, how fine, and in colors that people tell apart."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from curate.geometry import masks, outlines
from curate.report import objects_overlay
from curate.report.objects_overlay import OKABE_ITO, looks, shape
from tests import builders

SIZE = (640, 480)
BOX = (100.0, 80.0, 300.0, 260.0)
# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency"
# (2009), tables of severity 1.0, on linear RGB.
BLINDNESS = {
    "protanopia": (0.1523, 1.0526, -0.2049, 0.1145, 0.7863, 0.0992, -0.0039, -0.0481, 1.052),
    "deuteranopia": (0.3673, 0.8606, -0.228, 0.2801, 0.6725, 0.0474, -0.0118, 0.0429, 0.9689),
    "tritanopia": (1.2555, -0.0767, -0.1788, -0.0784, 0.9308, 0.1476, 0.0047, 0.6914, 0.3039),
}  # fmt: skip


def lab(color: str, blindness: str | None = None) -> np.ndarray:
    """CIE L*a*b* (D65) as somebody with that blindness sees it."""
    srgb = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    if blindness is not None:
        linear = np.clip(np.array(BLINDNESS[blindness]).reshape(3, 3) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(xyz / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("blindness", [None, *BLINDNESS])
def test_people_are_told_apart_whoever_looks(blindness: str | None) -> None:
    people = [f"labeler-{number}" for number in range(1, 5)]
    colors = [look.color for look in looks(people, ["#e6194b", "#f58231", "#4363d8", "#ffe119"]).values()]
    for one, other in itertools.combinations(colors, 2):
        assert np.linalg.norm(lab(one, blindness) - lab(other, blindness)) > 10, (one, other)
    dashes = [look.dash for look in looks(people, []).values()]
    assert len(set(dashes)) == 4, "color is not the only sign"


def test_colors_are_not_those_of_the_categories() -> None:
    categories = ["#e6194b", "#f58231", "#4363d8", "#ffe119"]
    chosen = [look.color for look in looks(["a", "b", "c"], categories).values()]
    for color, category in itertools.product(chosen, categories):
        assert np.linalg.norm(lab(color) - lab(category)) > 25, (color, category)
    assert looks(["a"], ["#0072b2"])["a"].color != "#0072b2"
    assert set(chosen) <= set(OKABE_ITO)


def ring(path: str) -> tuple[float, ...]:
    return tuple(float(number) for number in re.findall(r"-?\d+", path))


def test_a_mask_is_drawn_where_it_is_with_few_corners() -> None:
    plane = builders.ellipse(BOX, size=SIZE)
    row = builders.annotation("a", "stop_sign", BOX, rle=builders.rle(plane))
    drawn = shape(row, "labeler-1", "stop sign", size=SIZE)
    assert drawn is not None
    corners = ring(drawn.mask)
    again = outlines.filled(((corners,),), width=SIZE[0], height=SIZE[1])
    assert again is not None
    iou = masks.rle_iou([again], [builders.rle(plane)], width=SIZE[0], height=SIZE[1])[0, 0]
    assert iou > 0.97
    assert len(corners) / 2 < 60
    assert drawn.box == "M100 80H300V260H100Z"


def test_holes_stay_holes_and_damage_is_left_out() -> None:
    plane = builders.ellipse(BOX, size=SIZE) & ~builders.ellipse((150.0, 120.0, 250.0, 220.0), size=SIZE)
    row = builders.annotation("a", "stop_sign", BOX, rle=builders.rle(plane))
    drawn = shape(row, "x", "stop sign", size=SIZE)
    assert drawn is not None
    assert drawn.mask.count("M") == 2
    damaged = shape(builders.annotation("a", "stop_sign", BOX, rle="!!"), "x", "y", size=SIZE)
    assert damaged is not None
    assert damaged.mask == ""
    assert shape(builders.annotation("a", None, None), "x", "", size=SIZE) is None


def test_what_people_drew_in_words() -> None:
    rows = [builders.annotation("a", kind, BOX) for kind in ("stop_sign", "stop_sign", "parking_sign")]
    made = [shape(row, "labeler-1", str(row.category), size=SIZE) for row in rows]
    shapes = [one for one in made if one is not None]
    said = objects_overlay.counted(shapes, ["labeler-1", "labeler-2"])
    assert said == {"labeler-1": "2 stop_sign, 1 parking_sign", "labeler-2": ""}
