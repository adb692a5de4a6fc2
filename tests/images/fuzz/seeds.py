"""Small valid files in every format and mode that ingest reads."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

_SIZE = (64, 48)


def _picture(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: _SIZE[1], : _SIZE[0]]
    base = np.stack([x * 4, y * 5, (x + y) * 2], axis=-1) + rng.integers(0, 40, (_SIZE[1], _SIZE[0], 3))
    return Image.fromarray(np.clip(base, 0, 255).astype(np.uint8))


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2026:02:03 04:05:06"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return exif


def _jpegs(picture: Image.Image, profile: bytes) -> list[bytes]:
    return [
        _saved(picture, "JPEG", quality=80),
        _saved(picture, "JPEG", quality=80, progressive=True, subsampling=0),
        _saved(picture, "JPEG", exif=_exif(6), icc_profile=profile, restart_marker_blocks=2),
        _saved(picture, "JPEG", exif=_exif(3), progressive=True, comment=b"a comment"),
        _saved(picture.convert("L"), "JPEG"),
        _saved(picture.convert("CMYK"), "JPEG"),
        _saved(picture, "MPO", save_all=True, append_images=[picture]),
    ]


def _pngs(picture: Image.Image, profile: bytes) -> list[bytes]:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "hello " * 50, zip=True)
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>', zip=True)
    gray = np.asarray(picture.convert("L"))
    alpha = picture.convert("RGBA")
    alpha.putalpha(picture.convert("L"))
    return [
        _saved(picture, "PNG", exif=_exif(8), icc_profile=profile, pnginfo=text),
        _saved(picture.quantize(16), "PNG", transparency=3),
        _saved(Image.fromarray(gray.astype(np.uint16) * 257), "PNG"),
        _saved(alpha, "PNG"),
        _saved(picture.convert("1"), "PNG"),
        _saved(picture, "PNG", save_all=True, append_images=[picture.rotate(90)]),
    ]


def _tiffs(picture: Image.Image) -> list[bytes]:
    gray = np.asarray(picture.convert("L")).astype(np.float32)
    kinds = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    return [
        *(_saved(picture, "TIFF", compression=kind, exif=_exif(5)) for kind in kinds),
        _saved(picture.convert("1"), "TIFF", compression="group4"),
        _saved(Image.fromarray(gray), "TIFF"),
        _saved(picture.convert("CMYK"), "TIFF"),
        _saved(picture, "TIFF", save_all=True, append_images=[picture.convert("L")], big_tiff=True),
    ]


def seeds() -> list[bytes]:
    """All of them; formats whose encoder is not installed are left out."""
    Image.init()
    picture = _picture(0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = [*_jpegs(picture, profile), *_pngs(picture, profile), *_tiffs(picture)]
    other = [_picture(1), _picture(2)]
    files += [
        _saved(picture, "WEBP", quality=80, exif=_exif(2)),
        _saved(picture.convert("RGBA"), "WEBP", lossless=True),
        _saved(picture, "WEBP", save_all=True, append_images=other),
        _saved(picture, "GIF", save_all=True, append_images=other),
        _saved(picture.quantize(8), "GIF"),
        _saved(picture, "BMP"),
        _saved(picture.quantize(8), "BMP"),
        _saved(picture, "PPM"),
        _saved(picture, "JPEG2000"),
    ]
    if "AVIF" in Image.SAVE:
        files += [_saved(picture, "AVIF"), _saved(picture, "AVIF", save_all=True, append_images=other)]
    import pillow_heif

    pillow_heif.register_heif_opener()
    files += [
        _saved(picture, "HEIF", exif=_exif(6)),
        _saved(picture, "HEIF", save_all=True, append_images=other),
    ]
    try:
        import pillow_jxl.JpegXLImagePlugin  # noqa: F401
    except ImportError:
        return files
    return [
        *files,
        _saved(picture, "JXL"),
        _saved(picture.convert("RGBA"), "JXL", lossless=True, exif=_exif(3).tobytes()),
    ]
