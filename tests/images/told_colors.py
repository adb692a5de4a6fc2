"""Files that say what their colors mean, in every way that there is: for arithmetic and for a browser."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from curate.images import icc_profile

P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.329))
GAMMA_18 = icc_profile.of_numbers(icc_profile.SRGB, (1.8,))
DISPLAY_P3 = icc_profile.of_numbers(P3, None)


def picture() -> Image.Image:
    """96 x 64 with many colors: red grows to the right, green downwards, blue along the diagonal."""
    y, x = np.mgrid[0:64, 0:96]
    return Image.fromarray(
        np.stack([x * 255 // 95, y * 255 // 63, (x + y) * 255 // 158], -1).astype(np.uint8)
    )


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(image: Image.Image, *chunks: tuple[bytes, bytes], **options: Any) -> bytes:
    """With more chunks behind the header."""
    data = saved(image, "PNG", **options)
    return data[:33] + b"".join(chunk(*one) for one in chunks) + data[33:]


def gamma(value: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", value)


def primaries(values: icc_profile.Primaries) -> tuple[bytes, bytes]:
    *colors, white = values
    numbers = [round(number * 100_000) for pair in (white, *colors) for number in pair]
    return b"cHRM", struct.pack(">8I", *numbers)


def cicp(*values: int) -> tuple[bytes, bytes]:
    return b"cICP", bytes(values)


def gray_profile(exponent: float) -> bytes:
    """An ICC profile of one channel whose samples to this power are light. Source: ICC.1:2022, 8.3.2."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256)) + b"\0\0"
    tags, at = b"", 132 + 24
    for name, body in ((b"wtpt", white), (b"kTRC", curve)):
        tags += name + struct.pack(">II", at, len(body))
        at += len(body)
    header = (
        struct.pack(">I4sI4s4s4s", at, bytes(4), 0x02400000, b"mntr", b"GRAY", b"XYZ ") + bytes(12) + b"acsp"
    )
    header = (header + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\0")
    return header + struct.pack(">I", 2) + tags + white + curve


def avif(code: tuple[int, int]) -> bytes:
    """With these numbers of primaries and transfer curve in its property nclx."""
    data = saved(picture(), "AVIF", quality=100, subsampling="4:4:4")
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", *code) + data[at + 4 :]


def without_adobe(data: bytes) -> bytes:
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4]) :]


def files() -> dict[str, bytes]:
    """By names that end as their format wants it."""
    color, gray = picture(), picture().convert("L")
    cmyk = saved(color.convert("CMYK"), "JPEG", quality=100, subsampling=0)
    wide = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    clear = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    found = {
        "gama.png": png(color, gamma(100_000)),
        "gama_55556.png": png(color, gamma(55_556)),
        "gama_near_srgb.png": png(color, gamma(45_455)),
        "gama_and_chrm_of_srgb.png": png(color, gamma(45_455), primaries(icc_profile.SRGB)),
        "gama_and_chrm.png": png(color, gamma(45_455), primaries(P3)),
        "chrm_alone.png": png(color, primaries(P3)),
        "gray_gama.png": png(gray, gamma(100_000)),
        "srgb_before_gama.png": png(color, (b"sRGB", b"\0"), gamma(100_000)),
        "cicp_p3.png": png(color, cicp(12, 13, 0, 1)),
        "cicp_p3_of_narrow_range.png": png(color, cicp(12, 13, 0, 0)),
        "cicp_709.png": png(color, cicp(1, 1, 0, 1)),
        "cicp_2020.png": png(color, cicp(9, 14, 0, 1)),
        "cicp_gamma.png": png(color, cicp(1, 4, 0, 1)),
        "cicp_linear.png": png(color, cicp(1, 8, 0, 1)),
        "cicp_dci.png": png(color, cicp(11, 13, 0, 1)),
        "cicp_before_icc.png": png(color, cicp(12, 13, 0, 1), icc_profile=GAMMA_18),
        "icc_before_gama.png": png(color, gamma(100_000), icc_profile=DISPLAY_P3),
        "icc.png": png(color, icc_profile=DISPLAY_P3),
        "icc.jpg": saved(color, "JPEG", quality=100, subsampling=0, icc_profile=GAMMA_18),
        "icc.webp": saved(color, "WEBP", lossless=True, icc_profile=DISPLAY_P3),
        "icc.avif": saved(color, "AVIF", quality=100, subsampling="4:4:4", icc_profile=DISPLAY_P3),
        "gray_icc.png": png(gray, icc_profile=gray_profile(1.0)),
        "gray_icc.jpg": saved(gray, "JPEG", quality=100, icc_profile=gray_profile(1.8)),
        "gray16_icc.png": png(wide, icc_profile=gray_profile(1.0)),
        "gray_icc_of_rgb.png": png(gray, icc_profile=GAMMA_18),
        "gray_icc_of_rgb.jpg": saved(gray, "JPEG", quality=100, icc_profile=GAMMA_18),
        "rgb_icc_of_gray.png": png(color, icc_profile=gray_profile(1.0)),
        "gray_alpha_icc.png": png(
            Image.merge("LA", [gray, Image.fromarray(clear)]), icc_profile=gray_profile(1.0)
        ),
        "alpha_gama.png": png(Image.merge("RGBA", [*color.split(), Image.fromarray(clear)]), gamma(100_000)),
        "cmyk.jpg": cmyk,
        "cmyk_without_adobe.jpg": without_adobe(cmyk),
        "cmyk_icc_of_rgb.jpg": saved(color.convert("CMYK"), "JPEG", quality=100, icc_profile=GAMMA_18),
    }
    for code in (
        (12, 13),
        (1, 1),
        (9, 14),
        (1, 4),
        (1, 8),
        (1, 6),
        (11, 13),
        (5, 13),
        (6, 6),
        (22, 13),
        (1, 15),
    ):
        found[f"nclx_{code[0]}_{code[1]}.avif"] = avif(code)
    return found
