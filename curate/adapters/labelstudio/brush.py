"""Masks in Label Studio's own run-length format, which is not COCO's.

The format is a bit stream over the image's RGBA bytes in row order: 32 bits number of bytes, 5 bits word size
less 1, four times 4 bits run size less 1, then runs. A run is 1 bit "repeated", 2 bits which run size, the
length less 1, and one word (repeated) or as many words as it is long. A mask stands in the alpha byte.

Source:
    https://github.com/thi-ng/umbrella/blob/develop/packages/rle-pack/src/index.ts, and the encoder of
    label_studio_sdk.converter.brush, whose bytes `encode` reproduces in NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.errors import AnnotationToolError
from curate.records import BoolArray

_CHANNELS, _OPAQUE = 4, 255
_WORD_BITS = 8
_RUN_BITS = np.array([3, 4, 8, 16])
_LENGTH_BITS, _WORD_SIZE_BITS, _RUN_SIZE_BITS = 32, 5, 4
_HALF_OPAQUE = 128  # a brush stroke's soft rim belongs to the mask from here on
_PLANE = 2


def encode(mask: BoolArray) -> list[int]:
    """The bytes of a mask (H, W), each 0..255.

    Raises:
        AnnotationToolError: Not two-dimensional, or empty of pixels.
    """
    if mask.ndim != _PLANE or mask.size == 0:
        raise AnnotationToolError(f"expected a mask (H, W), got {mask.shape}")
    flat = np.ascontiguousarray(mask, dtype=np.bool_).ravel()
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]) + 1, flat.size)
    values = np.where(flat[ends - 1], _OPAQUE, 0)
    lengths = np.diff(ends, prepend=0) * _CHANNELS
    header = int(flat.size) * _CHANNELS
    header = header << _WORD_SIZE_BITS | (_WORD_BITS - 1)
    for bits in _RUN_BITS:
        header = header << _RUN_SIZE_BITS | int(bits - 1)
    header_bits = _LENGTH_BITS + _WORD_SIZE_BITS + _RUN_SIZE_BITS * len(_RUN_BITS)
    head = np.array([header >> shift & 1 for shift in range(header_bits - 1, -1, -1)], dtype=np.uint8)
    bits = np.concatenate([head, _run_bits(lengths, values)])
    padding = _WORD_BITS - bits.size % _WORD_BITS  # a whole byte of zeros if nothing is left over
    packed: list[int] = np.packbits(np.pad(bits, (0, padding))).tolist()
    return packed


def _run_bits(lengths: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The bits of all runs, one after the other: built as a matrix of left-aligned rows.

    A run over 65,536 is cut into pieces, full ones first; all use the largest run size, as in the SDK.
    """
    longest = int(2 ** _RUN_BITS[-1])
    pieces = (lengths - 1) // longest + 1
    size = np.repeat(np.searchsorted(2 ** _RUN_BITS[:-1], lengths), pieces)
    cut = np.full(int(pieces.sum()), longest, dtype=np.int64)
    cut[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * longest
    code = ((4 | size) << _RUN_BITS[size] | (cut - 1)) << _WORD_BITS | np.repeat(values, pieces)
    width = 3 + _RUN_BITS[size] + _WORD_BITS
    shift = width[:, None] - 1 - np.arange(3 + _RUN_BITS[-1] + _WORD_BITS)[None, :]
    bits = (code[:, None] >> np.maximum(shift, 0)) & 1
    kept: NDArray[np.uint8] = bits[shift >= 0].astype(np.uint8)
    return kept


def decode(rle: Sequence[int], *, width: int, height: int) -> BoolArray:
    """The mask (height, width) of a region's bytes: where its alpha is at least one half.

    Reads what the browser writes as well: coloured pixels, where the bytes of a run differ.

    Raises:
        AnnotationToolError: Damaged, or of another image size.
    """
    try:
        bits = np.unpackbits(np.array(rle, dtype=np.uint8))
        expected = width * height * _CHANNELS
        stream = _Bits(bits)
        total = stream.read(_LENGTH_BITS)
        if total != expected:
            raise AnnotationToolError(
                f"a mask covers {total // _CHANNELS} pixels, expected {width} x {height} = {width * height}"
            )
        pixels = _words(stream, total)
    except (IndexError, ValueError, OverflowError) as error:
        raise AnnotationToolError("a mask's run-length bytes are damaged") from error
    alpha = pixels.reshape(height, width, _CHANNELS)[:, :, -1]
    return np.asarray(alpha >= _HALF_OPAQUE)


class _Bits:
    """A cursor over bits, most significant first."""

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        self._bits = bits
        self._bytes = np.packbits(bits).tobytes()
        self._at = 0

    def read(self, count: int) -> int:
        """The next `count` bits (at most 32) as a number."""
        first, end = self._at, self._at + count
        if end > self._bits.size:
            raise IndexError("past the end")
        self._at = end
        whole = int.from_bytes(self._bytes[first // 8 : (end + 7) // 8], "big")
        return whole >> (-end % 8) & ((1 << count) - 1)

    def words(self, count: int, size: int) -> NDArray[np.uint8]:
        """The next `count` words of `size` bits."""
        end = self._at + count * size
        if end > self._bits.size:
            raise IndexError("past the end")
        block = self._bits[self._at : end].reshape(count, size)
        self._at = end
        return np.packbits(block, axis=1)[:, 0]


def _words(stream: _Bits, total: int) -> NDArray[np.uint8]:
    word_bits = stream.read(_WORD_SIZE_BITS) + 1
    if word_bits != _WORD_BITS:
        raise ValueError("words are bytes in an image")
    run_bits = [stream.read(_RUN_SIZE_BITS) + 1 for _ in range(len(_RUN_BITS))]
    words = np.zeros(total, dtype=np.uint8)
    at = 0
    while at < total:
        repeated = stream.read(1)
        length = stream.read(run_bits[stream.read(2)]) + 1
        if at + length > total:
            raise ValueError("more words than announced")
        words[at : at + length] = stream.read(word_bits) if repeated else stream.words(length, word_bits)
        at += length
    return words
