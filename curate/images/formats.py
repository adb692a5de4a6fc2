"""Which format the bytes of a file are in. The name of a file says nothing."""

from __future__ import annotations

import functools
import importlib.util

from PIL import Image

from curate.extras import require
from curate.images.image_errors import ADVICE, UnfitImageError

# Beginnings that no text file has by accident.
_STRONG: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\xff\x0a", "JXL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
)
# Beginnings that a text may have too: behind these, a header that cannot be read is no image.
_WEAK: tuple[tuple[bytes, str], ...] = (
    (b"BM", "BMP"),
    *((b"P%d" % number, "PPM") for number in range(1, 7)),
    (b"Pf", "PPM"),
)
_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"8BPS", "Photoshop"),
    (b"%PDF-", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"DDS ", "DDS"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"FUJIFILMCCD-RAW", "camera raw (RAF)"),
    (b"IIRO", "camera raw (ORF)"),
    (b"IIU\0", "camera raw (RW2)"),
    (b"qoif", "QOI"),
)


def sniff(data: bytes) -> str:
    """Pillow's name of the format.

    Raises:
        UnfitImageError: unsupported_format or not_an_image.
    """
    for start, name in (*_STRONG, *_WEAK):
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _of_brands(data)
    for start, name in _OTHERS:
        if data.startswith(start):
            raise UnfitImageError("unsupported_format", f"{name} {ADVICE}")
    if b"<svg" in data[:1024].lower():
        raise UnfitImageError("unsupported_format", f"SVG {ADVICE}")
    raise no_image(data)


def _of_brands(data: bytes) -> str:
    """Format of a file in ISO base media format, by its brands (ISO/IEC 14496-12, 4.3)."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}
    if data[8:12] == b"crx ":
        raise UnfitImageError("unsupported_format", f"camera raw (CR3) {ADVICE}")
    if brands & _AVIF:
        return "AVIF"
    if brands & _HEIF:
        return "HEIF"
    raise no_image(data)


def is_strong(data: bytes) -> bool:
    """Whether the beginning belongs to an image beyond doubt."""
    return not data.startswith(tuple(start for start, _ in _WEAK))


def no_image(data: bytes) -> UnfitImageError:
    """The verdict on a file that is no image."""
    return UnfitImageError("not_an_image", f"no known image signature; first bytes {data[:8].hex(' ')}")


def ready(kind: str) -> None:
    """Make Pillow able to open a format.

    Raises:
        UnfitImageError: unsupported_format, with the package to install.
    """
    _initialize()
    if kind == "HEIF":
        if importlib.util.find_spec("pillow_heif") is None:
            raise UnfitImageError("unsupported_format", "HEIC needs pip install 'curate-vision[heif]'")
        _register_heif()
    elif kind == "JXL":
        if importlib.util.find_spec("pillow_jxl") is None:
            raise UnfitImageError("unsupported_format", "JPEG XL needs pip install 'curate-vision[jxl]'")
        _register_jxl()
    if kind not in Image.OPEN:
        raise UnfitImageError("unsupported_format", f"{kind} is not read by this build of Pillow")


@functools.cache
def _initialize() -> None:
    Image.init()
    if "AVIF" in Image.OPEN:
        from PIL import AvifImagePlugin  # noqa: PLC0415 - only where Pillow has it

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # an engine's workers are one per core already


@functools.cache
def _register_heif() -> None:
    import pillow_heif  # noqa: PLC0415 - loads a codec library

    pillow_heif.register_heif_opener()
    pillow_heif.options.DECODE_THREADS = 1


@functools.cache
def _register_jxl() -> None:
    plugin = require("pillow_jxl.JpegXLImagePlugin", extra="jxl")
    plugin.DECODE_THREADS = 0
