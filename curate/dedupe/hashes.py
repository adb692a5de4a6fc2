"""Perceptual hashes of 64 bits."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

from curate.records import UInt8Image

_LUMA_SIDE = 32  # pixels
_HASH_SIDE = 8
UInt64Array = NDArray[np.uint64]


def luma_thumbnail(picture: Image.Image) -> UInt8Image:
    """(32, 32) uint8 luma of a picture, reduced with a Lanczos filter as imagehash does it."""
    size = (_LUMA_SIDE, _LUMA_SIDE)
    return np.asarray(picture.convert("L").resize(size, Image.Resampling.LANCZOS))


def phash(thumbnails: NDArray[np.uint8]) -> UInt64Array:
    """The pHash of luma thumbnails, bit for bit that of `imagehash.phash(picture)`.

    The lowest 8 x 8 coefficients of the type-II DCT, each compared with their median. Bits are read row by
    row, the first is the most significant, so that the hexadecimal form is imagehash's too.

    Args:
        thumbnails: (N, 32, 32) uint8, from `luma_thumbnail`.

    Returns:
        (N,) uint64.

    Source: N. Krawetz 2011, "Looks like it"; J. Buchner, imagehash 4.3.
    """
    spectrum = scipy.fft.dct(scipy.fft.dct(thumbnails.astype(np.float64), axis=1), axis=2)
    low = spectrum[:, :_HASH_SIDE, :_HASH_SIDE].reshape(len(thumbnails), _HASH_SIDE**2)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).reshape(-1)
