"""What local differences are seen on: luma of 64 x 64 pixels and color of 32 x 32, 6 kB per image."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

from curate.records import UInt8Image

SIDE: Final = 64  # pixels of luma, a side; color has half as many
COLUMNS: Final = {"detail": (SIDE, SIDE), "chroma": (2, SIDE // 2, SIDE // 2)}


def detail_thumbnail(pixels: UInt8Image) -> tuple[UInt8Image, UInt8Image]:
    """Luma (64, 64) and the color differences Cb and Cr (2, 32, 32) of a picture squeezed to a square.

    Args:
        pixels: (H, W, 3) uint8 RGB, or (H, W, 1) of a gray picture.

    Returns:
        Both uint8, as in JPEG (ITU-R 601, full range); 128 is no color.
    """
    gray = pixels.shape[2] == 1
    picture = Image.fromarray(pixels[:, :, 0] if gray else pixels)
    small = picture.resize((SIDE, SIDE), Image.Resampling.HAMMING)
    if gray:
        return np.asarray(small), np.full(COLUMNS["chroma"], 128, np.uint8)
    luma, *chroma = small.convert("YCbCr").split()
    return np.asarray(luma), np.stack([np.asarray(band.reduce(2)) for band in chroma])
