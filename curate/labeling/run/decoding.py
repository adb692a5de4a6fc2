"""Images decoded ahead of the models, so that those never wait for a file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from curate import system
from curate.errors import InputError
from curate.images import load_upright
from curate.records import UInt8Image

_BYTES = 256 << 20  # of pixels that wait; one image is always let through
_AHEAD = 64  # images
_MAX_THREADS = 8


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A kept row, as far as this stage needs it, and its shard.

    `upright_sha256` is of the upright file where it holds other bytes than the source; None = the source's.
    """

    image_id: str
    path: str
    width: int
    height: int
    shard: str
    upright_sha256: str | None = None

    @property
    def content_id(self) -> str:
        """Key of what models made of it; other pixels under the same image_id have another one."""
        return self.image_id if self.upright_sha256 is None else f"{self.image_id}-{self.upright_sha256[:16]}"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, upright pixels."""
        return self.width, self.height

    def __str__(self) -> str:
        return f"image {self.path}"


def threads() -> int:
    """Decoders of a worker: as many as it may use cores, one at least.

    Decoding a JPEG, PNG or WebP gives up Python's lock, so threads do as much as processes would, and no
    pixels travel between processes (`python -m benchmarks autolabel` measures both).
    """
    return max(1, min(_MAX_THREADS, int(os.environ.get("OMP_NUM_THREADS") or system.cores())))


def ahead(
    images: Sequence[ImageFile], workers: int
) -> Generator[tuple[ImageFile, UInt8Image | InputError], None, None]:
    """Each image with its pixels (H, W, 3), or with why it cannot be read; in order.

    At most 64 images and 256 MiB of pixels wait.

    Args:
        images: What to read.
        workers: Threads.
    """
    coming = iter(images)
    waiting: deque[tuple[ImageFile, Future[UInt8Image | InputError]]] = deque()
    taken = 0  # bytes
    upcoming = next(coming, None)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        while waiting or upcoming is not None:
            while upcoming is not None and (not waiting or (taken < _BYTES and len(waiting) < _AHEAD)):
                waiting.append((upcoming, pool.submit(_pixels, upcoming)))
                taken += _bytes(upcoming)
                upcoming = next(coming, None)
            image, decoded = waiting.popleft()
            pixels = decoded.result()
            taken -= _bytes(image)
            del decoded  # its result lives as long as the caller wants, no longer
            yield image, pixels
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _bytes(image: ImageFile) -> int:
    return 3 * image.width * image.height


def _pixels(image: ImageFile) -> UInt8Image | InputError:
    try:
        return load_upright.load_upright(Path(image.path))
    except InputError as error:
        return error
