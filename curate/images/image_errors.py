"""What is known of a file before its pixels, what an image must keep to, and why a file is no fit image."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from curate.errors import InputError

# What to do about a format that is not read; follows its name.
ADVICE = "is not read: convert the file to 8-bit JPEG, PNG or TIFF in sRGB"
# What decoders have been seen to raise on damaged bytes.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image must keep to; see `IngestParams`."""

    min_side: int  # pixels
    max_pixels: int
    max_aspect: float  # longer side over shorter side


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in a file besides its pixels.

    Attributes:
        format: Pillow's name; a multi-picture JPEG is "JPEG".
        width: Upright pixels.
        height: Upright pixels.
        exif_orientation: 1..8, or None where the file has none that is valid.
        captured_at: ISO 8601 in the camera's local time, or None.
    """

    format: str
    width: int
    height: int
    exif_orientation: int | None
    captured_at: str | None


class UnfitImageError(InputError):
    """A file that cannot become an image.

    Attributes:
        reason: The `drop_reason`: not_an_image, unsupported_format, empty_file, truncated, corrupt,
            too_small, too_large, extreme_aspect or animated.
        detail: The `drop_detail`: one line.
        header: As far as it could be read.
    """

    def __init__(self, reason: str, detail: str, header: Header | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.header = reason, detail, header


def check(header: Header, limits: Limits, *, pixels: int | None = None) -> None:
    """Refuse a size before anything of it is decoded.

    Args:
        header: Of the file.
        limits: To keep to.
        pixels: Of all frames that are to be decoded; None = one of the header's size.

    Raises:
        UnfitImageError: too_large, too_small or extreme_aspect.
    """
    width, height = header.width, header.height
    size = f"{width}x{height}"
    if width * height > limits.max_pixels:
        raise UnfitImageError("too_large", f"{size} is over {limits.max_pixels} pixels", header)
    if pixels is not None and pixels > limits.max_pixels:
        raise UnfitImageError(
            "too_large", f"all frames have {pixels} pixels, over {limits.max_pixels}", header
        )
    if min(width, height) < limits.min_side:
        raise UnfitImageError("too_small", f"{size} has a side under {limits.min_side} pixels", header)
    if max(width, height) > limits.max_aspect * min(width, height):
        raise UnfitImageError(
            "extreme_aspect", f"{size}: one side is over {limits.max_aspect:g} times the other", header
        )


def damaged(error: BaseException, header: Header | None) -> UnfitImageError:
    """The verdict on a file whose decoder raised `error`."""
    line = one_line(error)
    lower = line.lower()
    # libjpeg: "Premature end of JPEG file" is a missing rest, "Corrupt JPEG data: premature end of data
    # segment" a hole in the middle.
    short = ("truncated", "premature end of jpeg", "unexpected end of file")
    if any(text in lower for text in short):
        return UnfitImageError("truncated", line, header)
    foreign = ("unsupported", "not supported", "unknown", "not implemented", "cannot handle")
    if any(text in lower for text in foreign):
        return UnfitImageError("unsupported_format", f"{line}: convert the file to JPEG, PNG or TIFF", header)
    return UnfitImageError("corrupt", line, header)


def one_line(error: BaseException) -> str:
    """A message without line breaks and of bounded length."""
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
