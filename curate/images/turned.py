"""Turns a JPEG without decoding it: blocks of coefficients change places, and some change their sign.

Nothing is quantised again, so the picture stays what the camera wrote: turned back, the coefficients are
the same bit for bit. Pixels mirrored top to bottom are the same too; mirrored left to right, a decoder rounds
about one value in ten thousand to the next level; after an exchange of rows and columns, by which it rounds
in another order, one in forty. Colours at half resolution are interpolated by each decoder as it likes: there
a pixel may move by some levels.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.images.jpeg import JpegHead, without_private
from curate.images.transcode import transcoded

# Orientation -> (exchange rows and columns, then mirror left-right, then mirror top-bottom).
_STEPS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
_YCBCR, _RGB_NAMES = 1, (ord("R"), ord("G"), ord("B"))
_ODD = (-1) ** np.arange(8, dtype=np.int16)


def turned(data: bytes, head: JpegHead, orientation: int) -> bytes | None:
    """The upright file, without application segments; None where it cannot be had without loss.

    A gray file becomes one of three components with empty colours: later stages read RGB.

    Args:
        data: A JPEG that decodes without a warning.
        head: Its header.
        orientation: 1..8, as EXIF says it is stored.

    Source: ITU-T T.81, A.3.3 (DCT): exchanging the frequencies transposes a block, negating the odd ones
    mirrors it. The edge that comes to lie left or on top must not end within a block.
    """
    if not _possible(head, orientation):
        return None
    fast = transcoded(data, head, _STEPS[orientation])
    return _by_library(data, head, orientation) if fast is None else fast


def _by_library(data: bytes, head: JpegHead, orientation: int) -> bytes | None:
    """Of progressive files, and of the rare others."""
    jpeglib = _library()
    with tempfile.TemporaryDirectory(prefix="curate-turn-") as folder:
        source, target = Path(folder, "stored.jpg"), Path(folder, "upright.jpg")
        source.write_bytes(without_private(data, head))
        try:
            stored = jpeglib.read_dct(str(source))
            _turn(stored, head, orientation, jpeglib).write_dct(str(target), flags=["+OPTIMIZE_CODING"])
        except OSError:
            return None
        return target.read_bytes()


@functools.cache
def _library() -> Any:
    import jpeglib  # noqa: PLC0415 - needed for few files

    with contextlib.suppress(RuntimeError):  # some builds lack it; the results are the same, a fifth later
        jpeglib.version.set("turbo210")
    return jpeglib


def _possible(head: JpegHead, orientation: int) -> bool:
    if head.precision != 8 or head.process not in (0xC0, 0xC1, 0xC2) or len(head.components) not in (1, 3):
        return False
    if len(head.components) == 3:
        named_rgb = tuple(name for name, _, _ in head.components) == _RGB_NAMES
        chroma = {component[1:] for component in head.components[1:]}
        if head.adobe not in (None, _YCBCR) or named_rgb or chroma != {(1, 1)}:
            return False
    across, down = (1, 1) if len(head.components) == 1 else head.components[0][1:]
    exchange, left_right, top_bottom = _STEPS[orientation]
    if exchange:  # what is mirrored after the exchange was the other side before it
        left_right, top_bottom = top_bottom, left_right
    return not (left_right and head.width % (8 * across)) and not (top_bottom and head.height % (8 * down))


def _turn(stored: Any, head: JpegHead, orientation: int, jpeglib: Any) -> Any:
    exchange = _STEPS[orientation][0]
    gray = len(head.components) == 1
    planes = [stored.Y] if gray else [stored.Y, stored.Cb, stored.Cr]
    planes = [_plane(plane, orientation) for plane in planes]
    tables = stored.qt.transpose(0, 2, 1) if exchange else stored.qt
    numbers = [int(number) for number in stored.quant_tbl_no]
    if gray:
        planes += [np.zeros_like(planes[0])] * 2
        tables, numbers = tables[[numbers[0]]], [0, 0, 0]
    factors = [(1, 1)] * 3 if gray else [(down, across) for _, across, down in head.components]
    height, width = head.height, head.width
    if exchange:
        height, width = width, height
        factors = [(across, down) for down, across in factors]
    return jpeglib.DCTJPEG(
        path=None,
        content=None,
        height=height,
        width=width,
        block_dims=np.array([plane.shape[:2] for plane in planes]),
        samp_factor=np.array(factors),
        markers=[],
        huffmans=None,
        jpeg_color_space=jpeglib.Colorspace.JCS_YCbCr,
        progressive_mode=False,
        num_scans=1,
        Y=planes[0],
        Cb=planes[1],
        Cr=planes[2],
        K=None,
        qt=np.ascontiguousarray(tables),
        quant_tbl_no=np.array(numbers),
    )


def _plane(blocks: NDArray[np.int16], orientation: int) -> NDArray[np.int16]:
    """Turn one component, (rows, columns, 8 vertical, 8 horizontal frequencies)."""
    exchange, left_right, top_bottom = _STEPS[orientation]
    if exchange:
        blocks = blocks.transpose(1, 0, 3, 2)
    if left_right:
        blocks = blocks[:, ::-1] * _ODD
    if top_bottom:
        blocks = blocks[::-1] * _ODD[:, None]
    return np.ascontiguousarray(blocks, dtype=np.int16)
