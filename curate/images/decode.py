"""Decode the bytes of one raw file to upright RGB, or say why not."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from PIL import Image, UnidentifiedImageError

from curate.images import colour
from curate.images.verdicts import DECODER_ERRORS, Header, Limits, UnfitImageError, check

# No EPS or PDF: their decoders start other programs. No format without a signature, such as TGA.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM")
# Signatures that no text file has by accident: behind one of these, undecodable bytes are a damaged image.
_SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0\x0cjP  ",
)
_UNSUPPORTED = {b"ftypheic": "HEIC", b"ftypheix": "HEIC", b"ftypmif1": "HEIF", b"ftypjxl ": "JPEG XL"}
_ORIENTATION, _EXIF_IFD, _DATE_TIME_ORIGINAL = 0x0112, 0x8769, 0x9003

__all__ = ["Decoded", "Header", "Limits", "UnfitImageError", "decode"]
_EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
_PNG_DEPTH_AT = 24  # offset of IHDR's bit depth


@dataclass(frozen=True, slots=True)
class Decoded:
    """An upright picture.

    Attributes:
        header: Of the file.
        picture: Mode RGB, upright, sRGB.
        extension: The file's own, such as ".jpg", if `untouched`; otherwise of the copy to be encoded.
        untouched: The file itself shows exactly `picture` to every reader: it needs no copy of its own.
    """

    header: Header
    picture: Image.Image
    extension: str
    untouched: bool


def decode(data: bytes, limits: Limits) -> Decoded:
    """Decode every pixel of the first frame of an image.

    The bytes decide the format, never the name. EXIF orientation is applied; colours become 8-bit sRGB as
    `curate.images.colour` says.

    Args:
        data: The whole file.
        limits: Checked on the header, before any pixel is decoded.

    Raises:
        UnfitImageError: With reason and detail.
    """
    if not data:
        raise UnfitImageError("empty_file", "0 bytes")
    with _quiet(), _open(data) as image:
        header = _load(image, limits)
        untouched = _untouched(image, data, header)
        try:
            picture = _upright(image)
        except DECODER_ERRORS as error:
            raise UnfitImageError("corrupt", f"pixels cannot be converted: {_line(error)}", header) from error
    extension = _EXTENSIONS[header.format] if untouched or header.format == "JPEG" else ".png"
    return Decoded(header, picture, extension, untouched)


def _load(image: Image.Image, limits: Limits) -> Header:
    # Asking a PNG for its EXIF data decodes its pixels, so its size is checked before, its EXIF read after.
    late_exif = image.format == "PNG"
    header = Header("PNG", *image.size, None, None) if late_exif else _header(image)
    check(header, limits)
    try:
        image.load()
    except DECODER_ERRORS as error:
        raise _damaged(error, header) from error
    return _header(image) if late_exif else header


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_known_formats())
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except DECODER_ERRORS as error:
        raise (_damaged(error, None) if _signed(data) else _unidentified(data)) from error


def _known_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _unidentified(data: bytes) -> UnfitImageError:
    kind = _UNSUPPORTED.get(data[4:12])
    if kind is not None:
        return UnfitImageError("unsupported_format", f"{kind} is not read: convert the file to JPEG or PNG")
    if _signed(data):
        return UnfitImageError("corrupt", "starts like an image, but its header cannot be read")
    return UnfitImageError("not_an_image", f"no known image signature; first bytes {data[:8].hex(' ')}")


def _signed(data: bytes) -> bool:
    return data.startswith(_SIGNATURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def _damaged(error: BaseException, header: Header | None) -> UnfitImageError:
    line = _line(error)
    reason = "truncated" if "truncated" in line.lower() else "corrupt"
    return UnfitImageError(reason, line, header)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _header(image: Image.Image) -> Header:
    try:
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION)
        taken = exif.get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL)
    except DECODER_ERRORS:  # a damaged EXIF block says nothing; the pixels may still be whole
        orientation = taken = None
    valid = orientation if isinstance(orientation, int) and orientation in range(1, 9) else None
    width, height = image.size
    # Pillow's TIFF reader tells the upright size before it has decoded anything.
    if valid is not None and valid >= 5 and image.format != "TIFF":  # 5..8 swap the sides
        width, height = height, width
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    return Header(kind, width, height, valid, _iso_time(taken))


def _iso_time(taken: object) -> str | None:
    if not isinstance(taken, str):
        return None
    try:
        # The camera's local time: this tag has no zone.
        return datetime.strptime(taken.strip("\0 "), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None


def _untouched(image: Image.Image, data: bytes, header: Header) -> bool:
    if header.format not in _EXTENSIONS or image.mode != "RGB" or "transparency" in image.info:
        return False
    if image.format != "MPO" and getattr(image, "is_animated", False):
        return False
    if header.format == "PNG" and data[_PNG_DEPTH_AT] != 8:  # bits a channel
        return False
    return (_turn(image) or 1) not in range(2, 9) and colour.is_srgb(image.info.get("icc_profile"))


def _turn(image: Image.Image) -> int | None:
    """The orientation still to be applied: also from XMP; none after a TIFF was loaded, which turns it."""
    try:
        value = image.getexif().get(_ORIENTATION)
    except DECODER_ERRORS:
        return None
    return value if isinstance(value, int) else None


def _upright(image: Image.Image) -> Image.Image:
    picture = colour.to_srgb(image)
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(_turn(image) or 1)
    return picture if method is None else picture.transpose(method)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's own pixel limit, which `Limits` replaces, and without its warnings on odd files."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
