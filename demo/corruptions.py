"""What goes wrong in real folders, made on purpose: near-duplicates and odd encodings of a frame."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from demo.distinct_scenes import BoolArray, Frame, FrameObject, encode_rle
from demo.scenes import MIN_MASK_PIXELS

UInt8Array = npt.NDArray[np.uint8]

_ORIENTATION, _EXIF_IFD, _GPS_IFD, _DATE_TIME_ORIGINAL = 0x0112, 0x8769, 0x8825, 0x9003
# How the pixels are stored so that a reader that honours the orientation sees the scene upright.
_STORED: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def jpeg_bytes(
    image: UInt8Array,
    *,
    quality: int,
    orientation: int = 1,
    captured_at: str | None = None,
    gps: bool = False,
) -> bytes:
    """Encode a picture as JPEG.

    Args:
        image: (H, W, 3) RGB, upright.
        quality: libjpeg's scale.
        orientation: EXIF value; the pixels are stored turned accordingly.
        captured_at: EXIF DateTimeOriginal, "YYYY:MM:DD hh:mm:ss".
        gps: write a position into the EXIF block (a reader must not carry it on).
    """
    picture = Image.fromarray(image)
    if orientation != 1:
        picture = picture.transpose(_STORED[orientation])
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    if captured_at is not None:
        exif.get_ifd(_EXIF_IFD)[_DATE_TIME_ORIGINAL] = captured_at
    if gps:
        exif.get_ifd(_GPS_IFD).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    return _saved(picture, "JPEG", quality=quality, exif=exif.tobytes())


def cmyk_jpeg_bytes(image: UInt8Array) -> bytes:
    """Encode as a four-channel JPEG, as print shops deliver them."""
    return _saved(Image.fromarray(image).convert("CMYK"), "JPEG", quality=92)


def gray16_png_bytes(image: UInt8Array) -> bytes:
    """Encode the luma as a 16-bit gray PNG that uses the whole range."""
    luma = np.asarray(Image.fromarray(image).convert("L")).astype(np.uint16) * 257
    return _saved(Image.fromarray(luma), "PNG")


def palette_png_bytes(image: UInt8Array) -> bytes:
    """Encode as a PNG of 256 colors."""
    return _saved(Image.fromarray(image).quantize(256, method=Image.Quantize.MEDIANCUT), "PNG")


def rounded_corners(frame: Frame, radius: int = 22) -> tuple[Frame, bytes]:
    """Encode as a PNG with transparent corners that hide arbitrary colors.

    Args:
        frame: the picture; its signs lose what lies under a transparent corner.
        radius: pixels.
    """
    width, height = frame.size
    opaque = np.zeros((height, width), dtype=np.uint8)
    cv2.rectangle(opaque, (radius, 0), (width - 1 - radius, height - 1), (255,), -1)
    cv2.rectangle(opaque, (0, radius), (width - 1, height - 1 - radius), (255,), -1)
    for x in (radius, width - 1 - radius):
        for y in (radius, height - 1 - radius):
            cv2.circle(opaque, (x, y), radius, (255,), -1)
    hidden = frame.image.copy()
    hidden[opaque == 0] = (255, 0, 255)
    encoded = _saved(Image.fromarray(np.dstack([hidden, opaque])), "PNG")
    white = frame.image.copy()
    white[opaque == 0] = 255
    masks = [frame.mask(index) & (opaque > 0) for index in range(len(frame.objects))]
    return _with_masks(frame, white, masks), encoded


def resized(frame: Frame, scale: float) -> Frame:
    """Resize the picture and its masks."""
    size = round(frame.size[0] * scale), round(frame.size[1] * scale)
    image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    masks = []
    for index in range(len(frame.objects)):
        share = cv2.resize(frame.mask(index).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        masks.append(share >= 0.5)
    return _with_masks(frame, image, masks)


def cropped(frame: Frame, edges: tuple[int, int, int, int]) -> Frame:
    """The picture without `edges` pixels at its left, top, right and bottom."""
    left, top, right, bottom = edges
    width, height = frame.size
    window = np.s_[top : height - bottom, left : width - right]
    masks = [frame.mask(index)[window] for index in range(len(frame.objects))]
    return _with_masks(frame, np.ascontiguousarray(frame.image[window]), masks)


def brightened(frame: Frame, gain: float) -> Frame:
    """The picture with all values multiplied by `gain`."""
    image = np.clip(np.round(frame.image.astype(np.float32) * np.float32(gain)), 0, 255).astype(np.uint8)
    return replace(frame, image=image)


def _with_masks(frame: Frame, image: UInt8Array, masks: list[BoolArray]) -> Frame:
    """The new picture with the signs of which half is still there."""
    area_scale = image.shape[0] * image.shape[1] / (frame.size[0] * frame.size[1])
    kept: list[FrameObject] = []
    for index, (item, mask) in enumerate(zip(frame.objects, masks, strict=True)):
        before = frame.mask(index).sum()
        if mask.sum() >= max(0.5 * before * min(1.0, area_scale), MIN_MASK_PIXELS / 2):
            kept.append(FrameObject(item.category, encode_rle(mask)))
    return Frame(image, tuple(kept))


def _saved(picture: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()
