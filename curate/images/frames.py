"""Pixels of everything that is no JPEG, by Pillow, frame by frame."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from curate.images import (
    color,
    exif,
    formats,
    header_size,
    heif_color,
    icc_profile,
    pixel_limit,
    png_chunks,
    tiff_directories,
    tiff_pixels,
)
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
class _Source:
    """A file.

    Attributes:
        pixels: What the decoder gets.
        data: All of it.
        kind: Its format.
        png: Taken apart, if it is one.
    """

    pixels: bytes
    data: bytes
    kind: str
    png: png_chunks.Png | None


@dataclass(frozen=True, slots=True)
class Picture:
    """Frame of a file as an upright picture.

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
    png = png_chunks.parse(data) if kind == "PNG" else None
    source = _Source(data if png is None else png.picture, data, kind, png)
    early = header_size.early_size(data, kind)
    if early is not None:
        check(Header(kind, *early, None, None), limits)
    if kind == "TIFF":
        yield from _tiff_pictures(source, limits, frames)
        return
    with _bounded(), _open(source.pixels, kind) as image:
        header = _header(image, kind, Exif())
        check(header, limits)
        Image.MAX_IMAGE_PIXELS = limits.max_pixels  # later frames may be larger
        count = _count(image)
        wanted = _wanted(count, frames, header)
        # The number of frames may be any that a header claims.
        check(header, limits, pixels=header.width * header.height * wanted)
        first = image.tell()
        yield _frame(image, source, limits, (0, first, count))
        others = [index for index in range(wanted) if index != first] if wanted > 1 else []
        for number, index in enumerate(others, start=1):
            yield _frame(image, source, limits, (number, index, count))


def _wanted(count: int, frames: Frames, header: Header) -> int:
    if frames == "drop" and count > 1:
        raise UnfitImageError("animated", f"{count} frames or pages", header)
    return count if frames == "all" else 1


def _tiff_pictures(source: _Source, limits: Limits, frames: Frames) -> Iterator[Picture]:
    """Pages that Pillow reads wrongly or not at all are read by `tiff_pixels`."""
    pages = tiff_directories.pages(source.data)
    sizes = [(page.width, page.height) for page in pages] or [(0, 0)]
    header = Header("TIFF", *sizes[0], None, None)
    wanted = _wanted(len(sizes), frames, header)
    if pages and not all(sizes[0]):
        raise UnfitImageError("corrupt", "a directory without a size")
    if pages:
        check(header, limits, pixels=sum(width * height for width, height in sizes[:wanted]))
    with _bounded(), ExitStack() as opened:
        image: Image.Image | None = None
        for number, index in enumerate([page.index for page in pages[:wanted]] or [0]):
            place = (number, index, len(sizes))
            own = _tiff_frame(source, limits, place) if pages else None
            if own is None and image is None:
                image = opened.enter_context(_open(source.data, "TIFF"))
                Image.MAX_IMAGE_PIXELS = limits.max_pixels
            if own is not None:
                yield own
            elif image is not None:
                yield _frame(image, source, limits, place)


def _tiff_frame(source: _Source, limits: Limits, place: tuple[int, int, int]) -> Picture | None:
    number, index, count = place
    found = exif.read(source.data)
    try:
        page = tiff_pixels.read(source.data, index, limits.max_pixels)
        if page is None:
            return None
        picture, orientation, profile = page
        header = Header("TIFF", *picture.size, orientation or found.orientation, found.captured_at)
        shown = turned_upright(color.to_srgb(picture, profile), header.exif_orientation)
        header = replace(header, width=shown.width, height=shown.height)
        check(header, limits)
    except UnfitImageError as unfit:
        detail = unfit.detail if number == 0 else f"frame {number}: {unfit.detail}"
        raise UnfitImageError(unfit.reason, detail, unfit.header) from unfit
    except DECODER_ERRORS as error:
        raise UnfitImageError("corrupt", f"pixels cannot be converted: {one_line(error)}") from error
    return Picture(header, shown, untouched=False, extension=".png", frame=number, frames=count)


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
    png = png_chunks.parse(data) if kind == "PNG" else None
    return _exif(image, _Source(data, data, kind, png)).orientation or 1


def profile_of(image: Image.Image, data: bytes) -> bytes | None:
    """The ICC profile of an opened picture's colors, whichever way its file tells them; None = sRGB.

    Raises:
        UnfitImageError: unsupported_format of pictures of high dynamic range.
    """
    kind = str(image.format)
    if kind == "PNG":
        return png_chunks.parse(data).profile
    embedded = image.info.get("icc_profile")
    if not embedded and kind in ("AVIF", "HEIF") and (code := heif_color.nclx(data)) is not None:
        return icc_profile.of_cicp(code)
    return embedded if isinstance(embedded, bytes) else None


def _frame(image: Image.Image, source: _Source, limits: Limits, place: tuple[int, int, int]) -> Picture:
    number, index, count = place
    kind = source.kind
    header = _header(image, kind, Exif())
    try:
        if index != image.tell():
            image.seek(index)
        header = _header(image, kind, _exif(image, source))
        check(header, limits)
        image.load()
        header = _header(image, kind, _exif(image, source))
        check(header, limits)  # some decoders only now know the true size
    except UnfitImageError as unfit:
        detail = unfit.detail if number == 0 else f"frame {number}: {unfit.detail}"
        raise UnfitImageError(unfit.reason, detail, unfit.header or header) from unfit
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnfitImageError("too_large", one_line(error), header) from error
    except DECODER_ERRORS as error:
        raise damaged(error, header) from error
    turn = header.exif_orientation if _turns(image, kind) else None
    try:
        profile = source.png.profile if source.png is not None else profile_of(image, source.data)
        value_range = _range_of_sbit(image, source.png)
        converted = color.to_srgb(image, profile, value_range=value_range)
        picture = turned_upright(converted, turn)
    except UnfitImageError as unfit:
        raise UnfitImageError(unfit.reason, unfit.detail, header) from unfit
    except DECODER_ERRORS as error:
        raise UnfitImageError("corrupt", f"pixels cannot be converted: {one_line(error)}", header) from error
    untouched = count == 1 and _untouched(image, source, turn, profile)
    return Picture(header, picture, untouched, _KEPT[kind] if untouched else ".png", number, count)


def _range_of_sbit(image: Image.Image, png: png_chunks.Png | None) -> tuple[float, float] | None:
    """Range of 16-bit gray that was, against PNG's rules, never scaled up from the bits that it has.

    No value has any higher bit. A picture that was scaled up and is as dark as that would show nothing.
    """
    if png is None or not png.significant_bits or not image.mode.startswith("I;16"):
        return None
    bits = png.significant_bits[0]
    if not 8 <= bits < 16 or int(np.asarray(image).max()) >= 1 << bits:
        return None
    return 0.0, float((1 << bits) - 1)


def _open(data: bytes, kind: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=(kind,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnfitImageError("too_large", one_line(error)) from error
    except UnidentifiedImageError as error:
        if not formats.is_strong(data):
            raise formats.no_image(data) from error
        raise _unidentified(data, kind) from error
    except DECODER_ERRORS as error:
        raise (damaged(error, None) if formats.is_strong(data) else formats.no_image(data)) from error


def _unidentified(data: bytes, kind: str) -> UnfitImageError:
    """Why Pillow does not know a file, which it tells only to those who ask its reader itself."""
    try:
        Image.OPEN[kind][0](io.BytesIO(data), "")
    except DECODER_ERRORS as error:
        found = damaged(error, None)
        return UnfitImageError(found.reason, f"its header cannot be read: {found.detail}")
    return UnfitImageError("corrupt", "starts like an image, but its header cannot be read")


def _count(image: Image.Image) -> int:
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except DECODER_ERRORS:
        return 1  # decoding will say what is wrong


def _exif(image: Image.Image, source: _Source) -> Exif:
    info: dict[Any, Any] = image.info
    if source.png is not None:
        return exif.read(source.png.exif, source.png.xmp)
    if source.kind == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        found = exif.read(source.data)
        orientation = tags.get(0x0112)
        valid = isinstance(orientation, int) and 1 <= orientation <= 8
        return Exif(orientation if valid else found.orientation, found.captured_at)
    if source.kind == "HEIF":
        return Exif(info.get("original_orientation"), exif.read(info.get("exif")).captured_at)
    block, packet = info.get("exif"), info.get("xmp")
    packet = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    heeds_xmp = source.kind == "JPEG" or source.kind in _KEPT
    return exif.read(block if isinstance(block, bytes) else None, packet if heeds_xmp else None)


def _header(image: Image.Image, kind: str, found: Exif) -> Header:
    width, height = image.size
    if (found.orientation or 1) >= 5 and _turns(image, kind):  # 5..8 swap the sides
        width, height = height, width
    return Header(kind, width, height, found.orientation, found.captured_at)


def _turns(image: Image.Image, kind: str) -> bool:
    """Whether the orientation in EXIF is still to be applied; a JPEG inside a JPEG XL comes unturned."""
    return kind not in _TURNED_BY_DECODER or bool(getattr(image, "jpeg", False))


def _untouched(image: Image.Image, source: _Source, turn: int | None, profile: bytes | None) -> bool:
    if source.kind not in _KEPT or image.mode != "RGB" or "transparency" in image.info:
        return False
    if source.png is not None:
        if source.data[_PNG_DEPTH_AT] != 8 or not source.png.is_whole:  # bits per channel
            return False
        if not _opens(source):
            return False
    return (turn or 1) == 1 and color.is_srgb(profile)


def _opens(source: _Source) -> bool:
    """Whether Pillow reads the file as it is, with what is not its picture: else other readers may not."""
    try:
        with _open(source.data, "PNG") as image:
            if source.png is not None and source.png.has_more_behind:
                image.load()
            image.getexif()
    except (UnfitImageError, *DECODER_ERRORS):
        return False
    return True


@contextmanager
def _bounded() -> Iterator[None]:
    """Without Pillow's own pixel limit, whose place ours takes; its warnings on odd files silent."""
    before = Image.MAX_IMAGE_PIXELS or pixel_limit.USUAL  # another thread may have put it aside
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
