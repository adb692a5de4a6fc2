"""Perceptual hashes by imagehash's names, as words of 64 bits, and pHashes of many thumbnails at once.

Bits are read row by row, the first is the most significant, so that the hexadecimal form is imagehash's.
`colorhash` has 42 bits (14 bins of 3), which stand in the low end of the word.

Source: N. Krawetz 2011, "Looks like it"; J. Buchner, imagehash 4.3.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

from curate.records import UInt8Image

UInt64Array = NDArray[np.uint64]
WORD: Final = 64  # bits
_LUMA_SIDE: Final = 32  # pixels of the thumbnail that a pHash of 64 bits wants


def luma_thumbnail(picture: Image.Image, side: int = _LUMA_SIDE) -> UInt8Image:
    """(side, side) uint8 luma of a picture, reduced with a Lanczos filter as imagehash does it."""
    return np.asarray(picture.convert("L").resize((side, side), Image.Resampling.LANCZOS))


def phash(thumbnails: NDArray[np.uint8]) -> UInt64Array:
    """The pHash of luma thumbnails, bit for bit that of `imagehash.phash(picture)`.

    The lowest 8 x 8 coefficients of the type-II DCT, each compared with their median.

    Args:
        thumbnails: (N, 32, 32) uint8, from `luma_thumbnail`.

    Returns:
        (N,) uint64.
    """
    return above_median(low_frequencies(thumbnails, 8))[:, 0]


def low_frequencies(thumbnails: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """(N, side, side) lowest coefficients of the type-II DCT of (N, S, S) thumbnails, scipy's scaling."""
    columns = scipy.fft.dct(thumbnails.astype(np.float64), axis=1)[:, :side]
    return np.ascontiguousarray(scipy.fft.dct(columns, axis=2)[:, :, :side])


def above_median(coefficients: NDArray[np.float64]) -> UInt64Array:
    """(N, words) bits that say which coefficients (N, side, side) lie above the median of their picture."""
    flat = coefficients.reshape(len(coefficients), coefficients.shape[1] * coefficients.shape[2])
    return pack(flat > np.median(flat, axis=1, keepdims=True))


def pack(bits: NDArray[np.bool_]) -> UInt64Array:
    """(N, words) uint64 of (N, bits) booleans, the first the most significant; bits a multiple of 64."""
    packed: NDArray[np.uint8] = np.packbits(bits, axis=1)
    return packed.view(">u8").astype(np.uint64).reshape(len(bits), bits.shape[1] // WORD)


def by_imagehash(picture: Image.Image, name: str) -> np.uint64:
    """The hash of one picture, RGB or gray, by imagehash itself at its default size.

    Args:
        picture: Upright.
        name: phash, dhash, ahash (imagehash calls it average_hash), whash or colorhash.

    Returns:
        Of 64 bits; of colorhash 42.
    """
    import imagehash  # noqa: PLC0415 - its wavelet package takes long to import

    function = imagehash.average_hash if name == "ahash" else getattr(imagehash, name)
    bits = np.asarray(function(picture.convert("RGB") if name == "colorhash" else picture).hash)
    padded = np.zeros((1, WORD), dtype=np.bool_)
    padded[0, WORD - bits.size :] = bits.ravel()
    return np.uint64(pack(padded)[0, 0])
