"""Pillow's own limit of 179 million pixels, put aside for files that another limit has let in.

`ingest.max_pixels` bounds what ingest takes; whoever reads an upright file must not have a second opinion.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from PIL import Image

USUAL: Final = Image.MAX_IMAGE_PIXELS  # Pillow's, or the program's own
_LIMIT = threading.RLock()  # Pillow's is one for the process


@contextmanager
def any_size() -> Iterator[None]:
    """Without Pillow's own limit: for files that are ours, or that another limit bounds."""
    with _LIMIT:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def open_any_size(file: Path | IO[bytes], formats: tuple[str, ...] | None = None) -> Image.Image:
    """`Image.open` without the limit: Pillow checks it there, and not when pixels are decoded.

    So threads that decode do not wait for each other.

    Args:
        file: To be opened; its pixels are not read yet.
        formats: Pillow's names of those that are tried; None = all.

    Raises:
        OSError: It cannot be read, or is no image of these formats.
    """
    with any_size():
        return Image.open(file, formats=formats)
