"""The ffmpeg of imageio-ffmpeg, and a frame through a video codec with it."""

from __future__ import annotations

import subprocess

import numpy as np

from curate.errors import MetricError
from curate.extras import require
from curate.records import UInt8Image

_TIME_S = 600.0
_MIN_SIDE = 16  # pixels; libx265 refuses less


def program() -> str:
    """Path of ffmpeg's program.

    Raises:
        MissingExtraError: It is not installed.
    """
    return str(require("imageio_ffmpeg", extra="ffmpeg").get_ffmpeg_exe())


def run(arguments: list[str], *, given: bytes = b"", folder: str | None = None) -> bytes:
    """What it writes to its output; it reads `given`.

    Raises:
        MetricError: It fails; the message has its first words.
    """
    try:
        done = subprocess.run(
            [program(), "-loglevel", "error", *arguments],
            input=given,
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=_TIME_S,
        )
    except subprocess.TimeoutExpired as error:
        raise MetricError(f"ffmpeg is not done after {_TIME_S:.0f} s") from error
    if done.returncode:
        message = " ".join(done.stderr.decode(errors="replace").split())
        raise MetricError(f"ffmpeg fails: {message[:200]}")
    return done.stdout


def through_codec(image: UInt8Image, codec: str, crf: int) -> UInt8Image:
    """A frame (H, W, 3), encoded and decoded; sides are made even, and 16 at least, and cut again.

    Args:
        image: The frame.
        codec: h264 or hevc.
        crf: Constant rate factor, 0 = best, 51 = worst.

    Raises:
        MetricError: The codec fails.
        MissingExtraError: ffmpeg is not installed.
    """
    height, width = image.shape[:2]
    more = [max(side % 2, _MIN_SIDE - side) for side in (height, width)]
    even = np.pad(image, ((0, more[0]), (0, more[1]), (0, 0)), mode="edge")
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{even.shape[1]}x{even.shape[0]}"]
    encoder = {"h264": "libx264", "hevc": "libx265"}[codec]
    settings = ["-c:v", encoder, "-crf", str(crf), "-pix_fmt", "yuv420p", "-threads", "1", "-f", "matroska"]
    quiet = ["-x265-params", "log-level=error:pools=1"] if codec == "hevc" else []
    packed = run([*raw, "-i", "-", *settings, *quiet, "-"], given=even.tobytes())
    plain = run(["-f", "matroska", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], given=packed)
    return np.frombuffer(plain, np.uint8).reshape(even.shape)[:height, :width]
