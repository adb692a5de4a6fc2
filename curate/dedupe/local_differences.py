"""Whether two pictures that lie on each other differ somewhere: a copy, or one scene with a change in it.

A mean over the picture cannot tell a copy from the next frame of a camera, so the worst place decides. One
picture is laid over the other, one curve of light is fitted to all pixels and colors of both, and what the
curve leaves over is looked at after a blur of one pixel, which takes away what resampling does to edges.
Limits shrink with the contrast of the picture, or dark and foggy scenes would all be one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.difference_thumbnails import SIDE
from curate.dedupe.filters import blocks, blurred, boxed, halved, inner, slope
from curate.dedupe.registration import agreement, refine, samples, vectorized, warp, warp_cubic

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
_STEPS: Final = 6  # of placement, at most
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
_FULL_CONTRAST: Final = 24.0  # levels of standard deviation at which limits are not lowered
_MIN_UNIT: Final = 0.1
_MOTION: Final = 0.5  # pixels that the placement may be off
_CLIPPED: Final = (5, 250)  # levels at which light may have been cut off
_WELL: Final = 0.7  # correlation of a block
_COLORLESS: Final = 5.0  # levels of Cb and Cr
_COLORFUL: Final = (6.0, 0.3)  # levels, and the share of the picture that has as many

# Fixed on benchmarks.corpus --seed 11 --transforms tune and benchmarks.hard_negatives --seed 11.
MAX_LUMA: Final = 8.5
MAX_COLOR: Final = 15.0
MIN_LEVELS: Final = 0.62
MIN_EDGES: Final = 0.65
MIN_AGREEMENT: Final = 0.45
MIN_SEEN: Final = 0.90
MAX_SHIFT: Final = 110.0
MAX_PLAIN_SHIFT: Final = 12.0
MIN_RISE: Final = 0.3
# Dark and foggy scenes have so few levels that chance and a curve of light explain much: limits are stricter
# below this contrast, by so much more at none.
FAINT_CONTRAST: Final = 16.0
MORE_ALIKE: Final = 0.2  # of levels, edges and agreement
MORE_RISE: Final = 0.4
MIN_FAINT_SHIFT: Final = 3.0  # what the limit of `shift` falls to
# Less than this in common, and two pictures are no variants of each other either.
MIN_ALIKE: Final = 0.4
MIN_HELD: Final = 0.3  # agreement


@dataclass(frozen=True, slots=True)
class Differences:
    """What was measured of each pair; all (P,) float32.

    Attributes:
        luma: Levels that no motion by half a pixel explains, mean over the worst 5 x 5 pixels of 64 x 64.
        color: Levels without lightness, mean over the worst 3 x 3 pixels of 32 x 32.
        levels: -1..1, correlation of luma in the worst 5 x 5 pixels; without contrast there it is 1.
        edges: -1..1, the same of luma without its blur, in the worst of 8 x 8 blocks.
        alike: 0..1, share of the blocks with contrast in which edges correlate well.
        agreement: -1..1, of the placement.
        seen: Share of the one picture that the other shows.
        contrast: Levels; standard deviation of luma of the flatter one.
        color_contrast: Levels; the same of Cb and Cr together, of the more colorful one.
        shift: Levels that the curve of light moves a level by, at most.
        rise: Share of the range of levels that the curve keeps; negative where it falls.
    """

    luma: Floats
    color: Floats
    levels: Floats
    edges: Floats
    alike: Floats
    agreement: Floats
    seen: Floats
    contrast: Floats
    color_contrast: Floats
    shift: Floats
    rise: Floats

    def copies(self, plain: Bools) -> Bools:
        """(P,) whether nothing but light, size and compression sets the two apart.

        Args:
            plain: (P,) pairs of which one has no structure to agree on: they must have the same light.
        """
        unit = _unit(self.contrast)
        color_unit = np.clip((self.contrast + self.color_contrast) / _FULL_CONTRAST, 0.5, 1)
        alike = (self.luma <= MAX_LUMA * unit) & (self.color <= MAX_COLOR * color_unit)
        faint = np.clip(1 - self.contrast / FAINT_CONTRAST, 0, 1)
        more = MORE_ALIKE * faint
        alike &= (self.levels >= MIN_LEVELS + more) & (self.edges >= MIN_EDGES + more)
        alike &= self.seen >= MIN_SEEN
        max_shift = np.maximum(MAX_SHIFT * (1 - faint), MIN_FAINT_SHIFT)
        held = (self.agreement >= MIN_AGREEMENT + more) & (self.shift <= max_shift)
        held &= self.rise >= MIN_RISE + MORE_RISE * faint
        found: Bools = alike & np.where(plain, self.shift <= np.minimum(MAX_PLAIN_SHIFT, max_shift), held)
        return found

    def related(self) -> Bools:
        """(P,) whether most of the picture is the same, whatever the rest may be."""
        found: Bools = (self.alike >= MIN_ALIKE) & (self.agreement >= MIN_HELD)
        return found


def measure(
    first: tuple[Bytes, Bytes], second: tuple[Bytes, Bytes], placement: NDArray[np.float64]
) -> Differences:
    """Compare the details of pairs (`curate.dedupe.difference_thumbnails`).

    Args:
        first: Luma (P, 64, 64) and color (P, 2, 32, 32) of the first pictures.
        second: Likewise.
        placement: (P, 6), from `compare`; improved in place.
    """
    a, inside, agreed = _laid_over(first[0], second[0], placement)
    color_a, color_b = _colors(first[1], second[1], placement)
    b = second[0].astype(np.float32)
    area = np.abs(placement[:, 1] * placement[:, 5] - placement[:, 2] * placement[:, 4])
    seen = inside.mean(axis=(1, 2)) * np.maximum(area, 1)
    shown = inner(inside)
    # From more contrast to less: a curve can lose levels but not bring them back.
    turn = _spread(blurred(b), shown) > _spread(blurred(a), shown)
    a[turn], b[turn], color_a[turn], color_b[turn] = b[turn], a[turn], color_b[turn], color_a[turn]
    rgb_a, rgb_b = _rgb(halved(a), color_a), _rgb(halved(b), color_b)
    whole = halved(shown) > 0.999
    curve = _curve(rgb_a, rgb_b, whole)
    fitted = np.clip(_apply(curve, rgb_a), 0, 255)
    # The curve of a mixture of colors is not the mixture of their curves: put right at half size.
    mixed = fitted @ _LUMA - np.clip(_apply(curve, rgb_a @ _LUMA), 0, 255)
    lit = np.clip(_apply(curve, a), 0, 255) + mixed.repeat(2, axis=1).repeat(2, axis=2)
    soft, soft_b = blurred(lit), blurred(b)
    contrast = _spread(soft_b, shown)
    edges, alike = _edges(soft, soft_b, shown, contrast)
    shift, rise = _light(curve, rgb_a)
    return Differences(
        luma=_luma(_unclipped(b - lit, a) * shown, soft, soft_b),
        color=_color(_unclipped(rgb_b - fitted, rgb_a) * whole[..., None]),
        levels=_levels(soft, soft_b, shown, contrast),
        edges=edges,
        alike=alike,
        agreement=agreed,
        seen=seen.astype(np.float32),
        contrast=contrast,
        color_contrast=np.maximum(*(np.sqrt(c.var(axis=(2, 3)).sum(axis=1)) for c in (color_a, color_b))),
        shift=shift,
        rise=rise,
    )


def _laid_over(first: Bytes, second: Bytes, placement: NDArray[np.float64]) -> tuple[Floats, Floats, Floats]:
    """The first pictures where the second show them (P, 64, 64), where that is, and the agreement (P,)."""
    luma, inside = np.empty((2, *first.shape), np.float32)
    agreed = np.empty(len(first), np.float32)
    _place(first, second, placement, luma, inside, agreed)
    return luma, inside, agreed


@vectorized
def _place(  # noqa: PLR0917 - numba
    first: Bytes, second: Bytes, placement: NDArray[np.float64], luma: Floats, inside: Floats, agreed: Floats
) -> None:
    """Refine placements (P, 6) in place, and sample the first pictures with them."""
    at = samples(SIDE)
    a, b = np.empty((SIDE, SIDE), np.float32), np.empty((SIDE, SIDE), np.float32)
    for k in range(len(first)):
        a[:], b[:] = first[k], second[k]
        best, idle = placement[k].copy(), 0
        warp(a, best, at)
        top = agreement(b, at)
        moved = best.copy()
        for _ in range(_STEPS):
            if top > 0.97 or idle > 1 or not refine(a, b, moved, 1, at):
                break
            if warp(a, moved, at) < SIDE * SIDE / 2:
                break
            found = agreement(b, at)
            idle = 0 if found > top + 0.003 else idle + 1
            if found > top:
                top, best = found, moved.copy()
        if top < 0.3:  # nothing holds it: as it stands
            best[:] = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 1.0])
        placement[k], agreed[k] = best, top
        warp(a, best, at)
        inside[k] = at.inside
        warp_cubic(a, best, luma[k])


def _colors(first: Bytes, second: Bytes, placement: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Cb and Cr (P, 2, 32, 32) less 128, the first where the second show them.

    Of a gray copy of a colorful picture both are without color: only the whole color can be lost, a gray sign
    before a gray wall is no copy of a red one.
    """
    b = second.astype(np.float32) - 128
    a = np.empty_like(b)
    _place_colors(first.astype(np.float32) - 128, placement, a)
    strong, share = _COLORFUL
    chroma = [boxed(np.hypot(part[:, 0], part[:, 1]), 1) for part in (a, b)]
    gray = [part.max(axis=(1, 2)) < _COLORLESS for part in chroma]
    rich = [(part > strong).mean(axis=(1, 2)) > share for part in chroma]
    bare = (gray[0] & rich[1]) | (gray[1] & rich[0])
    a[bare], b[bare] = 0, 0
    return a, b


@vectorized
def _place_colors(bands: Floats, placement: NDArray[np.float64], out: Floats) -> None:
    for k in range(len(bands)):
        for band in range(2):
            warp_cubic(bands[k, band], placement[k], out[k, band])


def _spread(picture: Floats, shown: Floats) -> Floats:
    """(P,) standard deviation of the pixels that are shown."""
    count = np.maximum(shown.sum(axis=(1, 2)), 1)
    away = picture - ((picture * shown).sum(axis=(1, 2)) / count)[:, None, None]
    found: Floats = np.sqrt((away * away * shown).sum(axis=(1, 2)) / count)
    return found


def _rgb(luma: Floats, color: Floats) -> Floats:
    """(P, S, S, 3) levels from luma and Cb, Cr less 128 (ITU-R 601)."""
    blue, red = color[:, 0], color[:, 1]
    return np.stack(
        [luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=3
    )


def _curve(a: Floats, b: Floats, shown: Bools) -> Floats:
    """(P, 4) cubic of a / 128 - 1 that gives b, from every fourth pixel.

    Least squares with Cauchy's weights, drawn a little towards the identity where levels are missing.
    """
    x = a[:, ::2, ::2].reshape(len(a), -1).astype(np.float64) / 128 - 1
    y = b[:, ::2, ::2].reshape(len(a), -1).astype(np.float64)
    present: Any = shown[:, ::2, ::2].repeat(3, axis=-1).reshape(len(a), -1).astype(np.float64)
    clipped = (x <= _CLIPPED[0] / 128 - 1) | (x >= _CLIPPED[1] / 128 - 1)
    present = present * np.where(clipped, 0.1, 1)  # their level may have been any beyond
    basis = np.stack([np.ones_like(x), x, x * x, x**3], axis=1)
    pull = np.array([1e-9, 1e-5, 1e-3, 1e-3]) * (present.sum(axis=1)[:, None] + 1)
    weight: Any = present
    curve: Any = None
    for _ in range(4):
        weighted = basis * weight[:, None]
        left = weighted @ basis.transpose(0, 2, 1) + np.eye(4) * pull[:, None]
        right = (weighted @ y[..., None])[..., 0] + pull * [128, 128, 0, 0]
        curve = np.linalg.solve(left, right[..., None])[..., 0]
        missed = np.abs(y - (curve[..., None] * basis).sum(axis=1))
        scale = (missed * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-6)
        weight = present / (1 + (missed / (2 * np.maximum(scale, 1.5)[:, None])) ** 2)
    found: Floats = curve.astype(np.float32)
    return found


def _apply(curve: Floats, levels: Floats) -> Floats:
    """The curves (P, 4) of levels (P, ...)."""
    k = curve.T.reshape(4, -1, *[1] * (levels.ndim - 1))
    x = levels * np.float32(1 / 128) - 1
    found: Floats = k[0] + x * (k[1] + x * (k[2] + x * k[3]))
    return found


def _light(curve: Floats, rgb: Floats) -> tuple[Floats, Floats]:
    """`shift` and `rise` of curves over the levels that there are."""
    low, high = np.percentile(rgb[:, ::2, ::2].reshape(len(rgb), -1), [2, 98], axis=1)
    x = (low[:, None] + np.linspace(0, 1, 9) * (high - low)[:, None]).astype(np.float32)
    y = _apply(curve, x)
    falls = np.diff(y, axis=1).min(axis=1) < -2.5
    kept = (y[:, -1] - y[:, 0]) / (high - low + 0.1)
    return np.abs(y - x).max(axis=1), np.where(falls, -1, kept).astype(np.float32)


def _unclipped(rest: Floats, levels: Floats) -> Floats:
    """What is left over, but for what was cut off at black or white."""
    low, high = _CLIPPED
    found: Floats = np.where(((levels >= high) & (rest > 0)) | ((levels <= low) & (rest < 0)), 0, rest)
    return found


def _luma(rest: Floats, one: Floats, other: Floats) -> Floats:
    beyond = np.abs(blurred(rest)) - _MOTION * np.minimum(slope(one), slope(other))
    found: Floats = boxed(np.maximum(beyond, 0), 2).max(axis=(1, 2))
    return found


def _color(rest: Floats) -> Floats:
    rest = rest - (rest @ _LUMA)[..., None]
    squares = sum(boxed(rest[..., band], 1) ** 2 for band in range(3))
    found: Floats = np.sqrt(squares).max(axis=(1, 2))
    return found


def _levels(one: Floats, other: Floats, shown: Floats, contrast: Floats) -> Floats:
    a, b = boxed(one, 2), boxed(other, 2)
    products = (boxed(one * one, 2) - a * a, boxed(other * other, 2) - b * b, boxed(one * other, 2) - a * b)
    found = _correlations(products, 8.0 * _unit(contrast))
    worst: Floats = np.where(boxed(shown, 2) > 0.98, found, 1).min(axis=(1, 2))
    return worst


def _edges(one: Floats, other: Floats, shown: Floats, contrast: Floats) -> tuple[Floats, Floats]:
    """`edges` and `alike`."""
    a, b = ((part - blurred(part, 4)) * shown for part in (one, other))
    share = blocks(shown)
    products = tuple(blocks(part) / (share + 1e-6) for part in (a * a, b * b, a * b))
    noise = 2.0 * _unit(contrast)
    found, there = _correlations(products, noise), share > 0.5
    rich = there & (np.maximum(products[0], products[1]) > (noise * noise)[:, None, None])
    well = (rich & (found > _WELL)).sum(axis=(1, 2)) / np.maximum(rich.sum(axis=(1, 2)), 1)
    worst: Floats = np.where(there, found, 1).min(axis=(1, 2))
    return worst, well.astype(np.float32)


def _unit(contrast: Floats) -> Floats:
    """What limits are multiplied with."""
    found: Floats = np.clip(contrast / _FULL_CONTRAST, _MIN_UNIT, 1)
    return found


def _correlations(products: tuple[Floats, ...], noise: Floats) -> Floats:
    """Correlations from the variances of both and the covariance; contrast below the noise counts for 1."""
    aa, bb, ab = products
    forgiven = (noise * noise)[:, None, None]
    found: Floats = (ab + forgiven) / np.sqrt((np.maximum(aa, 0) + forgiven) * (np.maximum(bb, 0) + forgiven))
    return found
