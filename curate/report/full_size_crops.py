"""Parts of images at 100% for pages: a pixel of the file is a pixel of the page."""

from __future__ import annotations

import base64
import io
from typing import Final

from PIL import Image

from curate.report.drawing import Picture

_QUALITY: Final = 95  # of the JPEGs, color at full resolution: what is compared must survive it


def middle(size: tuple[int, int], side: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of at most `side` x `side` pixels in the middle of an image of that size.

    Examples:
        >>> middle((100, 40), 60)
        (20, 0, 80, 40)
    """
    width, height = (min(one, side) for one in size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


def picture(image: Image.Image) -> Picture:
    """An RGB image as a data URI."""
    buffer = io.BytesIO()
    # Not optimize=True: Pillow's buffer for it is too small for noise, and the image would not be written.
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(uri, *image.size)
