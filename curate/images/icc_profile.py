"""ICC profiles of colors that a file tells by numbers: primaries, white point and transfer curve.

So every way in which a file says what its colors mean goes through one color management.
"""

from __future__ import annotations

import functools
import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.images.image_errors import ADVICE, UnfitImageError

Primaries = tuple[tuple[float, float], ...]  # x, y of red, green, blue and white, as CIE 1931 has them

_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
SRGB: Primaries = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)
# By the number of ITU-T H.273 (ISO/IEC 23091-2), table 2; 2 means "unspecified".
_BY_NUMBER: dict[int, Primaries] = {
    1: SRGB,
    2: SRGB,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_SRGB_LIKE = {1, 2, 6, 13, 14, 15}  # transfer curves that browsers show as sRGB's
_GAMMA = {4: 2.2, 5: 2.8, 8: 1.0}
_VIDEO = {1, 6, 14, 15}
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_VIDEO_CURVE = (2.4,)  # of a display (BT.1886), not of a camera (BT.709)
_HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}
# Bradford's adaptation to the D50 of the profile connection space. Source: ICC.1:2022, annex E.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.96422, 1.0, 0.82521])


class Cicp(NamedTuple):
    """Coding-independent code points of ITU-T H.273: numbers of primaries, transfer curve and matrix."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool


def of_cicp(code: Cicp, *, video_curve: bool = False) -> bytes | None:
    """The profile of code points; None where they mean sRGB or nothing known.

    Args:
        code: The code points.
        video_curve: The curve of BT.709 is that of a display, as browsers have it in PNG; in AVIF and HEIC,
            where encoders write it for photographs in sRGB, they show it as sRGB's.

    Raises:
        UnfitImageError: unsupported_format where the picture is of high dynamic range.
    """
    if (kind := _HIGH_DYNAMIC_RANGE.get(code.transfer)) is not None:
        raise UnfitImageError(
            "unsupported_format", f"high dynamic range ({kind}) {ADVICE}, with its tones mapped to sRGB"
        )
    primaries = _BY_NUMBER.get(code.primaries)
    if primaries is None or not (code.transfer in _SRGB_LIKE or code.transfer in _GAMMA):
        return None
    if video_curve and code.transfer in _VIDEO:
        return of_numbers(primaries, _VIDEO_CURVE)
    gamma = _GAMMA.get(code.transfer)
    return None if primaries == SRGB and gamma is None else of_numbers(primaries, (gamma,) if gamma else None)


@functools.lru_cache(maxsize=64)
def of_numbers(primaries: Primaries, curve: tuple[float, ...] | None) -> bytes | None:
    """Build the ICC profile of a matrix color space.

    Args:
        primaries: Chromaticities.
        curve: From a sample to its light, as g or (g, a, b, c, d): the sample to the power of g; or
            (a * sample + b) to the power of g, but c * sample below d. None = sRGB's.

    Returns:
        Bytes of an ICC profile; None where the primaries span no colors.

    Source: ICC.1:2022, 7.2 (header), 10.18 (parametric curves) and 10.31 (XYZ numbers).
    """
    try:
        colorants = _to_d50(primaries)
        curve = curve or _SRGB_CURVE
        parametric = b"para\0\0\0\0" + struct.pack(">HH", 0 if len(curve) == 1 else 3, 0) + _fixed(*curve)
        columns = [b"XYZ \0\0\0\0" + _fixed(*column) for column in colorants.T]
        white = b"XYZ \0\0\0\0" + _fixed(*_D50)
    except (np.linalg.LinAlgError, ZeroDivisionError, struct.error, OverflowError, ValueError):
        return None
    tags = [(b"wtpt", white), *zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)]
    tags += [(name, parametric) for name in (b"rTRC", b"gTRC", b"bTRC")]
    return _assembled(tags)


def _to_d50(primaries: Primaries) -> NDArray[np.float64]:
    """XYZ of red, green and blue, a column each, as seen under D50."""
    xyz = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    white = xyz[:, 3]
    colorants = xyz[:, :3] * np.linalg.solve(xyz[:, :3], white)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ colorants
    return adapted


def _fixed(*values: float) -> bytes:
    """Numbers of 16 bits before and 16 behind the point."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _assembled(tags: list[tuple[bytes, bytes]]) -> bytes:
    table, bodies, at = [], [], 132 + 12 * len(tags)
    for name, body in tags:
        table.append(name + struct.pack(">II", at, len(body)))
        bodies.append(body)
        at += len(body)
    header = struct.pack(">I4sI4s4s4s", at, b"\0\0\0\0", 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + _fixed(*_D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + b"".join(table + bodies)
