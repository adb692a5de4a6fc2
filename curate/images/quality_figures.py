"""What can be told of a picture's technical quality from the luma plane that ingest decodes anyway.

All figures are of that plane: at half size from 384 pixels of the shorter side on
(`curate.images.pixel_statistics.is_halved`). So noise is half of what the file's own pixels have, and an
enlargement of less than about two and a half times cannot be seen in a large picture.
"""

from __future__ import annotations

import functools
import math
import struct
from dataclasses import astuple, dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LINES, _LINE = 8, 128  # lines of a spectrum, and pixels of one, at most
_SHORTEST: Final = 16  # pixels of a side; less has no spectrum to speak of
_DETAIL: Final = 0.95  # share of the weighted energy that counts as the picture's
_ROUNDING: Final = 0.2  # levels squared a frequency: three times what rounding to whole levels makes


@dataclass(frozen=True, slots=True)
class QualityFigures:
    """Technical quality of one picture. NaN = it cannot be said of this one.

    Attributes:
        noise: Standard deviation in levels, where three quarters of the picture are less smooth. Source:
            J. Immerkaer 1996, "Fast noise variance estimation".
        blur: 0 (sharp) to 1: the share of the change between neighbors that a further blur leaves, of the
            axis with more of it. What texture there is cancels out; where every slope is under a level a
            pixel, it rises no more. Source: F. Crete et al. 2007, "The blur
            effect: perception and estimation with a new no-reference perceptual blur metric".
        log_laplacian: Natural logarithm of 1 + the variance of the Laplacian (`sharpness`).
        jpeg_quality: 1..100 as libjpeg counts, from the quantization table; NaN of other formats.
        blockiness: By how much the differences at the borders of 8x8 blocks exceed those elsewhere, as a
            share of these; 0 = no blocks. Source: Z. Wang, H. Sheikh, A. Bovik 2002, "No-reference perceptual
            quality assessment of JPEG compressed images".
        shadows: Share of the pixels that are black: 0 or 1 of 255.
        highlights: Share of the pixels that are white: 254 or 255.
        entropy: Of the histogram of luma, bits in [0, 8].
        letterbox: Share of the height that plain bars above and below take.
        pillarbox: Share of the width that plain bars at the sides take.
        bandwidth: Share of the resolution that holds detail, 0..1; about 1 / n of an enlargement n times;
            NaN of a flat picture, which has none.
    """

    noise: float
    blur: float
    log_laplacian: float
    jpeg_quality: float
    blockiness: float
    shadows: float
    highlights: float
    entropy: float
    letterbox: float
    pillarbox: float
    bandwidth: float

    def packed(self) -> bytes:
        """The figures as bytes for the ledger, in the order of `NAMES`."""
        return _LAYOUT.pack(*astuple(self))


NAMES: Final = tuple(field.name for field in fields(QualityFigures))
_LAYOUT: Final = struct.Struct(f"<{len(NAMES)}f")


def unpacked(data: bytes | None) -> dict[str, float | None] | None:
    """What `packed` made, by name; None instead of NaN, and for a picture that was never measured."""
    if data is None:
        return None
    return {
        name: None if value != value else value  # noqa: PLR0124 - NaN
        for name, value in zip(NAMES, _LAYOUT.unpack(data), strict=True)
    }


def measure(
    luma: NDArray[np.uint8], sharpness: float, *, halved: bool, jpeg_quality: float | None = None
) -> QualityFigures:
    """Figures of a luma plane (H, W), 0..255.

    Args:
        luma: As `pixel_statistics.measure_luma` gets it.
        sharpness: What that found: variance of the Laplacian.
        halved: The plane has half the width and height of the picture: blocks have 4 pixels per side.
        jpeg_quality: 1..100, where the file is a JPEG.

    Examples:
        >>> board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
        >>> found = measure(board, 1020.0**2, halved=False)
        >>> found.shadows, found.highlights, found.letterbox
        (0.5, 0.5, 0.0)
    """
    from curate.images.quality_sums import quality_of_sums  # noqa: PLC0415 - loads numba

    noise, blur, blockiness, shadows, highlights, entropy, letterbox, pillarbox = quality_of_sums(
        luma, 4 if halved else 8
    )
    return QualityFigures(
        noise=noise,
        blur=blur,
        log_laplacian=math.log1p(sharpness),
        jpeg_quality=math.nan if jpeg_quality is None else jpeg_quality,
        blockiness=blockiness,
        shadows=shadows,
        highlights=highlights,
        entropy=entropy,
        letterbox=letterbox,
        pillarbox=pillarbox,
        bandwidth=_bandwidth(luma),
    )


def _bandwidth(luma: NDArray[np.uint8]) -> float:
    """Share of the frequencies that hold detail, along rows or columns, whichever has more.

    Pictures have power as one over the frequency squared (D. Field 1987, "Relations between the statistics
    of natural images and the response properties of cortical cells"): of the difference of neighbors every
    frequency that a picture has counts alike.
    """
    height, width = luma.shape
    if min(height, width) < _SHORTEST:
        return math.nan
    count = min(_LINE, 1 << (min(height, width).bit_length() - 1))
    top, left = (height - count) // 2, (width - count) // 2
    lines = np.empty((2, _LINES, count), dtype=np.float32)
    lines[0] = luma[:: height // _LINES][:_LINES, left : left + count]
    lines[1] = luma[top : top + count, :: width // _LINES][:, :_LINES].T
    window, rounding = _window(count)
    spectra = np.fft.rfft((lines[:, :, 1:] - lines[:, :, :-1]) * window, count)[:, :, 1:]
    power = np.square(np.abs(spectra)).sum(axis=1)
    power = np.maximum(power - rounding, 0)
    reached = np.cumsum(power, axis=1)
    if not reached[:, -1].any():  # flat: no detail of which a share could be said
        return math.nan
    below = int((reached < _DETAIL * reached[:, -1:]).sum(axis=1).max())
    return (below + 1) / int(power.shape[1])


@functools.cache
def _window(count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A Hann window for the differences of `count` pixels, and the power that rounding leaves.

    The difference of neighbors passes 2 (1 - cos w) of what is white, such as the error of rounding.
    """
    rounding = _LINES * count * _ROUNDING * (1 - np.cos(np.linspace(0, np.pi, count // 2)))
    return np.hanning(count - 1).astype(np.float32), rounding.astype(np.float32)
