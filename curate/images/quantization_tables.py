"""The quality that a JPEG was saved with, from its quantization table."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np

from curate.images.jpeg import JpegHead

_TABLES: Final = 0xDB
# Of luma, in the order of the file (zigzag), at quality 50. Source: ITU-T T.81, table K.1.
_STANDARD: Final = np.array(
    [
        16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29,
        40,
        58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103,
        104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
    ],
    dtype=np.int64,
)  # fmt: skip
_QUALITIES: Final = np.arange(1, 101)
# Source: libjpeg, jcparam.c, jpeg_quality_scaling and jpeg_add_quant_table.
_SCALES: Final = np.where(_QUALITIES < 50, 5000 // _QUALITIES, 200 - 2 * _QUALITIES)
_EVERY: Final = np.clip((_SCALES[:, None] * _STANDARD + 50) // 100, 1, 255)


def quality(data: bytes, head: JpegHead) -> int | None:
    """Quality 1..100 whose table of libjpeg is nearest to the file's own of luma; None where it has none.

    Encoders with tables of their own, such as cameras' and Photoshop's, get the number that is as coarse.

    Args:
        data: The file.
        head: Its header.
    """
    table = _luma_table(data, head)
    return None if table is None else _nearest(table)


@functools.lru_cache(256)  # a data set has few tables
def _nearest(table: bytes) -> int:
    values = np.frombuffer(table, np.uint8 if len(table) == 64 else ">u2").astype(np.int64)
    return int(np.abs(_EVERY - values).sum(axis=1).argmin()) + 1


def _luma_table(data: bytes, head: JpegHead) -> bytes | None:
    """Table 0 as the file has it, which every encoder uses for luma: 64 values of one byte or two."""
    for marker, start, stop in head.segments:
        at = start + 4
        while marker == _TABLES and at < stop:
            size = 2 if data[at] >> 4 else 1
            values = data[at + 1 : at + 1 + 64 * size]
            if data[at] & 15 == 0 and len(values) == 64 * size:
                return values
            at += 1 + 64 * size
    return None
