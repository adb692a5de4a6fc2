"""Pixels of everything that is no JPEG, by Pillow, frame by frame."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, UnidentifiedImageError

from curate.images import colour, exif, formats, sizes, tiff
from curate.images.exif import Exif
from curate.images.image_errors import (
    DECODER_ERRORS,
    Header,
    Limits,
    UnfitImageError,
    check,
    damaged,
    one_line,
)

Frames = Literal["first", "all", "drop"]

_PNG_DEPTH_AT = 24  # offset of IHDR's bit depth
_KEPT = {"PNG": ".png", "WEBP": ".webp"}  # formats that every later reader knows
# libheif and libjxl turn the picture as the file's own header says; EXIF repeats it.
_TURNED_BY_DECODER = ("HEIF", "JXL", "TIFF")


@dataclass(frozen=True, slots=True)
class Picture:
    """One upright frame.

    Attributes:
        header: Of the file, with the size of this frame.
        picture: Mode RGB, upright, sRGB.
        untouched: The file itself shows exactly `picture` to every reader.
        extension: The file's own if `untouched`, otherwise ".png".
        frame: 0-based, in the order of the file; the primary image of a HEIF comes first.
        frames: How many there are.
    """

    header: Header
    picture: Image.Image
    untouched: bool
    extension: str
    frame: int
    frames: int


def pictures(data: bytes, kind: str, limits: Limits, frames: Frames) -> Iterator[Picture]:
    """Decode the wanted frames, one at a time.

    Args:
        data: The whole file.
        kind: Its format, from `formats.sniff`.
        limits: Checked on headers, before any pixel is decoded.
        frames: Which are wanted; "drop" refuses files with several.

    Raises:
        UnfitImageError: With reason and detail.
    """
    formats.ready(kind)
    early = sizes.early_size(data, kind)
    if early is not None:
        check(Header(kind, *early, None, None), limits)
    pages = tiff.pages(data) if kind == "TIFF" else None
    with _bounded(), _open(data, kind) as image:
        header = _header(image, kind, Exif())
        check(header, limits)
        Image.MAX_IMAGE_PIXELS = limits.max_pixels  # later frames may be larger
        count = len(pages or [0]) if pages is not None else _count(image)
        if frames == "drop" and count > 1:
            raise UnfitImageError("animated", f"{count} frames or pages", header)
        wanted = count if frames == "all" else 1
        if pages is not None:
            pixels = sum(page.width * page.height for page in pages[:wanted])
        else:
            pixels = header.width * header.height * wanted
        check(header, limits, pixels=pixels)  # the number of frames may be any that a header claims
        for number, index in enumerate(_places(image.tell(), wanted, pages)):
            yield _frame(image, data, kind, limits, (number, index, count))


def turned_upright(picture: Image.Image, orientation: int | None) -> Image.Image:
    """Turn a picture as EXIF says it is stored."""
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation or 1)
    return picture if method is None else picture.transpose(method)


def turn_of(image: Image.Image, data: bytes) -> int:
    """The orientation that a loaded picture of one frame is still to be turned by, 1..8."""
    kind = "JPEG" if image.format in ("JPEG", "MPO") else str(image.format)
    if kind != "JPEG" and kind not in _KEPT:
        found = image.getexif().get(0x0112, 1)
        return found if isinstance(found, int) and 1 <= found <= 8 else 1
    return _exif(image, data, kind).orientation or 1


def _frame(
    image: Image.Image, data: bytes, kind: str, limits: Limits, place: tuple[int, int, int]
) -> Picture:
    number, index, count = place
    header = _header(image, kind, Exif())
    try:
        if index != image.tell():
            image.seek(index)
        header = _header(image, kind, _exif(image, data, kind))
        check(header, limits)
        image.load()
        header = _header(image, kind, _exif(image, data, kind))  # of a PNG it may stand behind the pixels
        check(header, limits)  # some decoders only now know the true size
    except UnfitImageError as unfit:
        if number == 0:
            raise
        raise UnfitImageError(unfit.reason, f"frame {number}: {unfit.detail}", unfit.header) from unfit
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnfitImageError("too_large", one_line(error), header) from error
    except DECODER_ERRORS as error:
        raise damaged(error, header) from error
    turn = header.exif_orientation if _turns(image, kind) else None
    try:
        picture = turned_upright(colour.to_srgb(image), turn)
    except DECODER_ERRORS as error:
        raise UnfitImageError("corrupt", f"pixels cannot be converted: {one_line(error)}", header) from error
    untouched = count == 1 and _untouched(image, data, kind, turn)
    return Picture(header, picture, untouched, _KEPT[kind] if untouched else ".png", number, count)


def _open(data: bytes, kind: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=(kind,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnfitImageError("too_large", one_line(error)) from error
    except UnidentifiedImageError as error:
        if not formats.is_strong(data):
            raise formats.no_image(data) from error
        raise UnfitImageError("corrupt", "starts like an image, but its header cannot be read") from error
    except DECODER_ERRORS as error:
        raise (damaged(error, None) if formats.is_strong(data) else formats.no_image(data)) from error


def _count(image: Image.Image) -> int:
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except DECODER_ERRORS:
        return 1  # decoding will say what is wrong


def _places(first: int, wanted: int, pages: list[tiff.Directory] | None) -> Iterator[int]:
    """Where Pillow counts the wanted frames; it stands at the primary one."""
    if pages:
        yield from (page.index for page in pages[:wanted])
        return
    yield first
    if wanted > 1:
        yield from (index for index in range(wanted) if index != first)


def _exif(image: Image.Image, data: bytes, kind: str) -> Exif:
    info: dict[Any, Any] = image.info
    if kind == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        found = exif.read(data)
        orientation = tags.get(0x0112)
        valid = isinstance(orientation, int) and 1 <= orientation <= 8
        return Exif(orientation if valid else found.orientation, found.captured_at)
    if kind == "HEIF":
        return Exif(info.get("original_orientation"), exif.read(info.get("exif")).captured_at)
    block = info.get("exif")
    if block is None and isinstance(text := info.get("Raw profile type exif"), str):  # ImageMagick's way
        try:
            block = bytes.fromhex("".join(text.split("\n")[3:]))
        except ValueError:
            block = None
    packet = info.get("xmp", info.get("XML:com.adobe.xmp"))
    packet = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    return exif.read(
        block if isinstance(block, bytes) else None, packet if kind == "JPEG" or kind in _KEPT else None
    )


def _header(image: Image.Image, kind: str, found: Exif) -> Header:
    width, height = image.size
    if (found.orientation or 1) >= 5 and _turns(image, kind):  # 5..8 swap the sides
        width, height = height, width
    return Header(kind, width, height, found.orientation, found.captured_at)


def _turns(image: Image.Image, kind: str) -> bool:
    """Whether the orientation in EXIF is still to be applied; a JPEG inside a JPEG XL comes unturned."""
    return kind not in _TURNED_BY_DECODER or bool(getattr(image, "jpeg", False))


def _untouched(image: Image.Image, data: bytes, kind: str, turn: int | None) -> bool:
    if kind not in _KEPT or image.mode != "RGB" or "transparency" in image.info:
        return False
    if kind == "PNG" and data[_PNG_DEPTH_AT] != 8:  # bits a channel
        return False
    return (turn or 1) == 1 and colour.is_srgb(image.info.get("icc_profile"))


@contextmanager
def _bounded() -> Iterator[None]:
    """Without Pillow's own pixel limit, whose place ours takes; its warnings on odd files silent."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
