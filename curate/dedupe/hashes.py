"""Perceptual hashes by imagehash's names, as words of 64 bits, and pHashes of many thumbnails at once.

Bits are read row by row, the first is the most significant of the first word, so that the hexadecimal form
is imagehash's. `colorhash` has a length of its own: 14 bins of 3 bits (imagehash's default), 42 bits, which
stand in the low end of one word.

Source: N. Krawetz 2011, "Looks like it"; J. Buchner, imagehash 4.3.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

from curate.errors import ParamsError
from curate.records import UInt8Image

UInt64Array = NDArray[np.uint64]
WORD: Final = 64  # bits
OVERSAMPLING: Final = 4  # pixels of a pHash's thumbnail a coefficient, as in imagehash
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


def words(name: str, bits: int) -> int:
    """How many words of 64 bits a hash of that name has.

    Raises:
        ParamsError: The hash does not come in that length.
    """
    if name == "colorhash" and bits != WORD:
        raise ParamsError(
            f"dedupe.bits: {bits} does not go with hash colorhash, whose length is fixed (42 bits): set 64"
        )
    return bits // WORD


def of_picture(picture: Image.Image, name: str, bits: int) -> UInt64Array:
    """(words,) hash of one picture of any Pillow mode, bit for bit that of imagehash's function.

    Args:
        picture: Of any mode that Pillow converts to luma.
        name: phash, dhash, ahash (imagehash calls it average_hash), whash or colorhash.
        bits: 64 or 256 (imagehash's hash_size 8 or 16).

    Raises:
        ParamsError: The hash does not come in that length.
    """
    count = words(name, bits)
    side = round(bits**0.5)
    if name == "phash":
        thumbnail = luma_thumbnail(picture, side * OVERSAMPLING)
        found = above_median(low_frequencies(thumbnail[None], side))
    elif name == "dhash":
        size = (side + 1, side)
        luma = np.asarray(picture.convert("L").resize(size, Image.Resampling.LANCZOS))
        found = pack((luma[:, 1:] > luma[:, :-1]).reshape(1, -1))
    elif name == "ahash":
        luma = luma_thumbnail(picture, side)
        found = pack((luma > luma.mean()).reshape(1, -1))
    else:
        found = _from_imagehash(picture, name, side, count)
    first: UInt64Array = found[0]
    return first


def _from_imagehash(picture: Image.Image, name: str, side: int, count: int) -> UInt64Array:
    """(1, words): the rarer ones come from imagehash itself, whose wavelet package takes long to import."""
    import imagehash  # noqa: PLC0415

    found = imagehash.whash(picture, hash_size=side) if name == "whash" else imagehash.colorhash(picture)
    bits = np.asarray(found.hash, dtype=np.bool_).reshape(1, -1)
    padded = np.zeros((1, count * WORD), dtype=np.bool_)
    padded[:, padded.shape[1] - bits.shape[1] :] = bits
    return pack(padded)
