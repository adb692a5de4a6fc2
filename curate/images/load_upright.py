"""Upright images for the stages after ingest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from curate.errors import InputError
from curate.images.image_errors import DECODER_ERRORS, one_line
from curate.images.pixel_limit import open_any_size
from curate.records import UInt8Image

ADVICE = "run `dvc repro`, whose ingest makes it again"


def load_upright(path: Path) -> UInt8Image:
    """Pixels (H, W, 3) uint8 of an upright RGB file that ingest wrote, however many they are.

    Raises:
        InputError: The file disappeared or is damaged.
    """
    return np.array(open_upright(path))


def open_upright(path: Path) -> Image.Image:
    """Load an upright file as a Pillow picture of mode RGB."""
    try:
        with open_any_size(path, ("JPEG", "PNG", "WEBP")) as image:
            image.load()
            return image.convert("RGB")
    except FileNotFoundError as error:
        raise disappeared(path) from error
    except DECODER_ERRORS as error:
        raise InputError(f"image {path} cannot be read ({one_line(error)}): {ADVICE}") from error


def disappeared(path: Path) -> InputError:
    """The error for an upright file that a table names and that is not there."""
    return InputError(f"image {path} has disappeared: {ADVICE}")
