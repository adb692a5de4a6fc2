"""From images to vectors of them and of crops of them: what a worker of the stage embed does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from curate import fingerprint, tables
from curate.errors import DeviceMemoryError, InputError
from curate.images import load_upright
from curate.labeling.run import decoding, square_crop, vector_files
from curate.labeling.run.batching import BatchSize
from curate.labeling.run.decoding import ImageFile
from curate.labeling.run.labeler import Failed
from curate.labeling.run.shard_files import ShardFiles, box_key
from curate.labeling.run.vector_files import VectorKey
from curate.ports import Embedder
from curate.records import FloatArray, UInt8Image, derived_id

_WAITING: Final = 256 << 20  # bytes of pixels that wait for a forward pass; one image is always let through
WHOLE: Final = b""


@dataclass(frozen=True, slots=True)
class ToEmbed:
    """An image, and what of it has a vector of its own.

    Attributes:
        image: The file.
        boxes: (n, 4) xyxy pixels of its objects.
    """

    image: ImageFile
    boxes: FloatArray

    def names(self) -> list[VectorKey]:
        """Names of its vectors: the whole image first, then each box."""
        return [(self.image.content_id, key) for key in (WHOLE, *map(box_key, self.boxes))]

    def __str__(self) -> str:
        return str(self.image)


@dataclass(frozen=True, slots=True)
class Embedded:
    """An image whose vectors stand in the files of its shard.

    Attributes:
        version: Of the encoder.
        key: Of the files.
        without: (n,) bool: boxes for which the encoder gave no vector.
    """

    version: str
    key: str
    without: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Encoder:
    """The model of a worker.

    Attributes:
        embedder: Makes the vectors.
        on_gpu: Whether it runs beside the processor: then batches may grow.
        batch_size: Images per forward pass; 0 = found automatically.
    """

    embedder: Embedder
    on_gpu: bool = False
    batch_size: int = 0


def key_of(embedder: Embedder) -> str:
    """Changes with the weights, and with the code that decodes, crops and embeds."""
    modules = (load_upright, decoding, square_crop)
    names = [*(module.__name__ for module in modules), type(embedder).__module__]
    code = fingerprint.digest(*names, without=fingerprint.DECIDES_NOTHING)
    return derived_id("vectors", embedder.model_version, code)[:16]


class VectorMaker:
    """Lives in a worker."""

    def __init__(self, encoder: Encoder, shards: Path) -> None:
        """Set up; `shards` is a folder with a folder per shard."""
        self._embedder, self._shards = encoder.embedder, shards
        self._key = key_of(encoder.embedder)
        self._batch = BatchSize(encoder.batch_size, on_gpu=encoder.on_gpu)

    def make(self, wanted: Sequence[ToEmbed]) -> list[Embedded | Failed]:
        """Make the vectors of images of one shard, or find them there.

        Raises:
            ModelError: The model cannot do it here.
            StorageError: The disk is full or refuses.
        """
        files = ShardFiles(self._shards / wanted[0].image.shard)
        try:
            files.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise tables.storage_error(error, files.folder) from error
        known = vector_files.read(files, self._key)
        todo = [one for one in wanted if any(key not in known for key in one.names())]
        fresh, failed = self._look(todo, known)
        vector_files.add(files, self._key, fresh)
        return [self._result(one, known.keys() | fresh.keys(), failed) for one in wanted]

    def _result(self, one: ToEmbed, found: set[VectorKey], failed: dict[str, Failed]) -> Embedded | Failed:
        whole, *boxes = one.names()
        if one.image.content_id in failed:
            return failed[one.image.content_id]
        if whole not in found:
            return Failed("no_vector", f"image {one.image.path} has no direction for {self._version()}")
        return Embedded(self._version(), self._key, tuple(key not in found for key in boxes))

    def _version(self) -> str:
        return self._embedder.model_version

    def _look(
        self, todo: Sequence[ToEmbed], known: dict[VectorKey, FloatArray]
    ) -> tuple[dict[VectorKey, FloatArray], dict[str, Failed]]:
        """What the model makes of what is missing; and what failed, by content_id."""
        fresh: dict[VectorKey, FloatArray] = {}
        failed: dict[str, Failed] = {}
        waiting: list[tuple[VectorKey, UInt8Image]] = []
        items = {one.image.image_id: one for one in todo}
        with closing(decoding.ahead([one.image for one in todo], decoding.threads())) as decoded:
            for image, pixels in decoded:
                if isinstance(pixels, InputError):
                    gone = not Path(image.path).exists()
                    failed[image.content_id] = Failed("disappeared" if gone else "unreadable", str(pixels))
                    continue
                one = items[image.image_id]
                missing = set(one.names()) - known.keys()
                waiting += [(key, crop) for key, crop in _crops(one, pixels) if key in missing]
                if len(waiting) >= self._batch.size or sum(part.nbytes for _, part in waiting) > _WAITING:
                    self._embed(waiting, fresh, failed)
                    waiting = []
        self._embed(waiting, fresh, failed)
        return fresh, failed

    def _embed(
        self,
        waiting: Sequence[tuple[VectorKey, UInt8Image]],
        fresh: dict[VectorKey, FloatArray],
        failed: dict[str, Failed],
    ) -> None:
        """Each with a vector goes to `fresh`; one that the model gives no direction goes nowhere."""
        found = self._batch.run(self._rows, [pixels for _, pixels in waiting])
        for (key, _), vector in zip(waiting, found, strict=True):
            if isinstance(vector, DeviceMemoryError):
                failed[key[0]] = Failed("out_of_memory", str(vector))
            elif np.isfinite(vector).all():
                fresh[key] = vector

    def _rows(self, images: Sequence[UInt8Image]) -> list[FloatArray]:
        return list(self._embedder.embed(images))


def _crops(one: ToEmbed, pixels: UInt8Image) -> list[tuple[VectorKey, UInt8Image]]:
    """The whole image, and each box that has a pixel in it."""
    whole, *keys = one.names()
    found = [(whole, pixels)]
    for key, box in zip(keys, one.boxes, strict=True):
        crop = square_crop.crop(pixels, box)
        if crop.size:
            found.append((key, crop))
    return found


def making(
    load: Callable[[], Encoder], shards: Path
) -> Callable[[Sequence[ToEmbed]], Sequence[Embedded | Failed]]:
    """Set a worker up for `VectorMaker.make`: its model is loaded once."""
    return VectorMaker(load(), shards).make
