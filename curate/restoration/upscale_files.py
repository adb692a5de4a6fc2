"""Image files through an upscaler into PNG files: what a worker does. A file that is done is not made again.

Each file is written aside and renamed, and says in itself from what it was made: a run that is killed repeats
at most the image that each worker was at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from curate import fingerprint, tables
from curate.errors import DeviceMemoryError, InputError, ModelError
from curate.file_identity import sha256_of
from curate.images import pixel_limit, png_stream
from curate.params import UpscaleParams
from curate.ports import Upscaler
from curate.records import FloatArray
from curate.restoration import image_pixels, tiles
from curate.restoration.image_pixels import ImagePixels, Samples

KEY = "curate upscale"  # keyword of the text in the PNG
_MARGIN = 4  # pixels around a band of alpha: a cubic kernel reaches two
_CUBIC, _LANCZOS = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS


@dataclass(frozen=True, slots=True)
class UpscaleTask:
    """An image to be upscaled: `source` into the PNG `target`."""

    image_id: str
    source: Path
    target: Path

    def __str__(self) -> str:
        return f"image {self.source}"


@dataclass(frozen=True, slots=True)
class Upscaled:
    """An image that is done.

    Attributes:
        task: Which.
        model_version: Of the weights.
        scale: Of the model, which does not see an image that only has to be made smaller to fit.
        width: Pixels of the result.
        height: The same.
        source_sha256: Of the bytes it was made from.
        again: It was there already.
        ran_on: Device and precision of the model.
    """

    task: UpscaleTask
    model_version: str
    scale: int
    width: int
    height: int
    source_sha256: str
    again: bool
    ran_on: str


@dataclass(frozen=True, slots=True)
class NotUpscaled:
    """An image that is not.

    Attributes:
        task: Which.
        reason: unreadable | disappeared | too_large | out_of_memory | killed_worker.
        detail: In words.
    """

    task: UpscaleTask
    reason: str
    detail: str


Outcome = Upscaled | NotUpscaled
_Read = Outcome | tuple[ImagePixels, str, str]  # pixels, sha256 of the source, key


def upscaling(
    load: Callable[[], Upscaler], params: UpscaleParams
) -> Callable[[Sequence[UpscaleTask]], list[Outcome]]:
    """Set a worker up: its model is loaded once."""
    return FileUpscaler(load(), params).upscale


class FileUpscaler:
    """A model with what it learns about memory; lives in a worker."""

    def __init__(self, upscaler: Upscaler, params: UpscaleParams) -> None:
        self._upscaler, self._params = upscaler, params
        self._size = tiles.TileSize(params.tile, params.overlap)
        code = fingerprint.digest(__name__, type(upscaler).__module__, without=fingerprint.DECIDES_NOTHING)
        decided = params.tile, params.overlap, params.png_level, params.fit
        # Not params.device and precision: what `auto` is differs from machine to machine, and so do pixels.
        self._settings = repr((upscaler.model_version, upscaler.ran_on, *decided, code))

    def upscale(self, images: Sequence[UpscaleTask]) -> list[Outcome]:
        """One outcome per image; the next one is read while the model works.

        Raises:
            StorageError: The disk is full or refuses.
            ModelError: The model cannot do it here.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
            waiting: list[Future[_Read]] = [reader.submit(self._read, task) for task in images[:1]]
            outcomes = []
            for place, task in enumerate(images):
                read = waiting.pop().result()
                waiting += [reader.submit(self._read, after) for after in images[place + 1 : place + 2]]
                outcomes.append(self._made(task, *read) if isinstance(read, tuple) else read)
        return outcomes

    def _read(self, task: UpscaleTask) -> _Read:
        try:
            source = sha256_of(task.source)
            key = hashlib.sha256(f"{source} {self._settings}".encode()).hexdigest()
            found = _finished(task.target, key)
            if found is not None:
                return self._outcome(task, found, source, again=True)
            return image_pixels.read(task.source, max_pixels=self._params.max_pixels), source, key
        except MemoryError:
            return NotUpscaled(task, "out_of_memory", f"image {task.source}: no memory to decode it")
        except FileNotFoundError:
            return NotUpscaled(task, "disappeared", f"image {task.source} has disappeared")
        except (InputError, OSError) as error:
            too_large = isinstance(error, image_pixels.TooLargeError)
            return NotUpscaled(task, "too_large" if too_large else "unreadable", str(error))

    def _made(self, task: UpscaleTask, pixels: ImagePixels, source: str, key: str) -> Outcome:
        size = _result_size(pixels, self._upscaler.scale, self._params.fit)
        try:
            with tables.replacing(task.target) as partial:
                self._write(partial, pixels, size, key)
        except (DeviceMemoryError, MemoryError) as error:
            return NotUpscaled(task, "out_of_memory", f"image {task.source}: {error}")
        except ModelError as error:
            raise ModelError(f"image {task.source}: {error}") from error
        return self._outcome(task, size, source, again=False)

    def _outcome(self, task: UpscaleTask, size: tuple[int, int], source: str, *, again: bool) -> Upscaled:
        made_by = self._upscaler
        return Upscaled(task, made_by.model_version, made_by.scale, *size, source, again, made_by.ran_on)

    def _write(self, path: Path, pixels: ImagePixels, size: tuple[int, int], key: str) -> None:
        """Bands are packed by a thread while the model makes the next one."""
        channels = (1 if pixels.gray else 3) + (pixels.alpha is not None)
        with (
            path.open("wb") as file,
            png_stream.PngStream(
                file,
                width=size[0],
                height=size[1],
                channels=channels,
                bits=pixels.bits,
                level=self._params.png_level,
                profile=pixels.profile,
                texts=((KEY, key),),
            ) as png,
            ThreadPoolExecutor(1, thread_name_prefix="pack") as packer,
        ):
            packing: Future[None] | None = None
            for band in self._bands(pixels, size):
                if packing is not None:
                    packing.result()
                packing = packer.submit(png.write, band)
            if packing is not None:
                packing.result()

    def _bands(self, pixels: ImagePixels, size: tuple[int, int]) -> Iterator[Samples]:
        scale = self._upscaler.scale
        height, width = pixels.color.shape[:2]
        unit = image_pixels.Unit(pixels.color)
        if size == (width * scale, height * scale):
            done = 0
            for band in tiles.upscaled_bands(unit, self._upscaler, self._size):
                rows = band.shape[0] // scale
                made = _samples(band, _alpha_band(pixels, done, rows, scale), pixels)
                del band
                yield made
                done += rows
            return
        smaller = max(width, height) <= max(size)  # then the model comes first
        whole = (
            np.concatenate(list(tiles.upscaled_bands(unit, self._upscaler, self._size)))
            if smaller
            else unit[:]
        )
        yield _samples(*_shrunk(whole, pixels, size), pixels)


def _shrunk(
    made: FloatArray, pixels: ImagePixels, size: tuple[int, int]
) -> tuple[FloatArray, FloatArray | None]:
    """Colors and alpha at that size; a color counts by its alpha: what is clear lends its own to nothing."""
    if pixels.alpha is None:
        return np.stack([_resized(made[..., c], size, _LANCZOS) for c in range(3)], axis=-1), None
    alpha = pixels.alpha.astype(np.float32) / np.float32(pixels.white)
    if alpha.shape != made.shape[:2]:
        alpha = np.clip(_resized(alpha, (made.shape[1], made.shape[0]), _CUBIC), 0, 1)
    small = np.clip(_resized(alpha, size, _LANCZOS), 0, 1)
    shrunk = np.stack([_resized(made[..., c] * alpha, size, _LANCZOS) for c in range(3)], axis=-1)
    seen = small >= 0.5 / pixels.white  # else it is stored as clear
    return np.where(seen[..., None], shrunk / np.where(seen, small, 1)[..., None], 0), small


def _result_size(pixels: ImagePixels, scale: int, fit: str | None) -> tuple[int, int]:
    """Width and height of the result: times the scale, or the largest that fits."""
    height, width = pixels.color.shape[:2]
    if fit is None:
        return width * scale, height * scale
    box = [int(side) for side in fit.split("x")]
    factor = min(box[0] / width, box[1] / height, scale)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _samples(band: FloatArray, alpha: FloatArray | None, pixels: ImagePixels) -> Samples:
    """A band (h, W, 3) in [0, 1] as the file stores it: (h, W, channels). The band is used up."""
    shown = band.mean(axis=2, keepdims=True) if pixels.gray else band
    if alpha is not None:
        shown = np.concatenate([shown, alpha[..., None]], axis=2)
    np.clip(shown, 0.0, 1.0, out=shown)  # in place: of a wide image a band has hundreds of megabytes
    shown *= np.float32(pixels.white)
    return np.rint(shown, out=shown).astype(pixels.color.dtype)


def _alpha_band(pixels: ImagePixels, start: int, rows: int, scale: int) -> FloatArray | None:
    """Rows of alpha, bicubic: no model was trained on it."""
    if pixels.alpha is None:
        return None
    top = max(0, start - _MARGIN)
    part = pixels.alpha[top : start + rows + _MARGIN].astype(np.float32) / np.float32(pixels.white)
    width = part.shape[1]
    box = (0, start - top, width, start - top + rows)
    return _resized(part, (width * scale, rows * scale), _CUBIC, box)


def _resized(
    plane: FloatArray,
    size: tuple[int, int],
    kernel: Image.Resampling,
    box: tuple[int, int, int, int] | None = None,
) -> FloatArray:
    picture = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(picture.resize(size, kernel, box=box))


def may_write(target: Path) -> bool:
    """Whether nothing is there, or a file that was made here, from whatever image and by whatever model."""
    try:
        with target.open("rb") as file:
            return png_stream.text_of(file, KEY) is not None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _finished(target: Path, key: str) -> tuple[int, int] | None:
    """Width and height of the file, if it is there and was made from just that."""
    try:
        with target.open("rb") as file:
            if png_stream.text_of(file, KEY) != key:
                return None
        with pixel_limit.any_size(), Image.open(target) as header:
            return header.size
    except OSError:
        return None
