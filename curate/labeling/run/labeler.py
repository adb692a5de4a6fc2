"""From images to rows by models: what a worker of the autolabel stage does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from curate import tables
from curate.errors import DeviceMemoryError, InputError, NotFiniteError
from curate.labeling import taxonomy
from curate.labeling.run import cache_keys, decoding, suggestion_rows
from curate.labeling.run.batching import BatchSize
from curate.labeling.run.decoding import ImageFile
from curate.labeling.run.models import Models
from curate.labeling.run.shard_files import ShardFiles
from curate.labeling.run.shard_state import ShardWork
from curate.params import AutolabelParams
from curate.records import Category, Detections, FloatArray, UInt8Image

__all__ = ["Failed", "Labeled", "Labeler", "labeling"]

_DRAWN_AHEAD = 4  # images whose masks wait to be encoded
_Decoded = tuple[ImageFile, UInt8Image]


@dataclass(frozen=True, slots=True)
class Labeled:
    """An image whose rows, if it has any, stand in a file.

    Attributes:
        part: The file; its name is the same for all images of a batch.
        version: Of the models.
        keys: Of the raw boxes and masks that were used.
    """

    part: Path
    version: str
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Failed:
    """An image that no model looked at.

    Attributes:
        reason: unreadable | disappeared | too_large | out_of_memory | not_finite | killed_worker.
        detail: In words.
    """

    reason: str
    detail: str


class Labeler:
    """Everything that turns images into rows; lives in a worker."""

    def __init__(
        self, params: AutolabelParams, categories: tuple[Category, ...], models: Models, shards: Path
    ) -> None:
        """Set up with loaded models.

        Args:
            params: Of the stage.
            categories: The taxonomy.
            models: Loaded.
            shards: Folder with a folder per shard.
        """
        self._params, self._models, self._shards = params, models, shards
        self._keys = cache_keys.of_run(params, categories, models)
        self._taxonomy = taxonomy.digest(categories)
        self._batch = BatchSize(params.detector.batch_size, on_gpu=models.on_gpu)
        self._work = partial(
            ShardWork,
            keys=self._keys,
            params=params,
            names=cache_keys.prompt_names(categories),
            rules=suggestion_rows.rules(params, categories),
        )

    def label(self, images: Sequence[ImageFile]) -> list[Labeled | Failed]:
        """Make the rows of images of one shard, or find them there.

        Raises:
            ParamsError: A prompt is longer than the detector reads.
            ModelError: The models cannot do it here.
            StorageError: The disk is full or refuses.
        """
        files = ShardFiles(self._shards / images[0].shard)
        _make_folder(files.folder)
        path = files.labels(self._keys.labels, [image.content_id for image in images])
        failed: dict[str, Failed] = {}
        if not files.has_labels(path):
            work = self._work(files)
            failed = self._look(images, work)
            work.save()
            done = [image for image in images if image.image_id not in failed]
            path = files.labels(self._keys.labels, [image.content_id for image in done])
            files.write_labels(path, work.annotations(done, self._taxonomy))
        labeled = Labeled(path, self._keys.version, frozenset(self._keys.raw))
        return [failed.get(image.image_id, labeled) for image in images]

    def _look(self, images: Sequence[ImageFile], work: ShardWork) -> dict[str, Failed]:
        """Let the models see what is not known; what failed, by image."""
        failed: dict[str, Failed] = {}
        todo = [image for image in images if work.missing_texts(image) or len(work.missing_masks(image))]
        with ExitStack() as stack:
            decoded = stack.enter_context(closing(decoding.ahead(todo, decoding.threads())))
            draw = stack.enter_context(_Drawing(beside=self._models.on_gpu))
            for batch in self._batches(decoded, work, failed):
                for image, pixels in self._with_boxes(batch, work, failed):
                    self._draw(image, pixels, work, failed, draw)
        return failed

    def _batches(
        self,
        decoded: Iterable[tuple[ImageFile, UInt8Image | InputError]],
        work: ShardWork,
        failed: dict[str, Failed],
    ) -> Generator[list[_Decoded], None, None]:
        """Images of one size for which the same texts are missing: nothing is padded."""
        batch: list[_Decoded] = []
        for image, pixels in decoded:
            if isinstance(pixels, InputError):
                gone = not Path(image.path).exists()
                failed[image.image_id] = Failed("disappeared" if gone else "unreadable", str(pixels))
            elif (fault := _other_size(image, pixels)) is not None:
                failed[image.image_id] = fault
            else:
                if batch and not _alike(batch[0][0], image, work):
                    yield batch
                    batch = []
                batch.append((image, pixels))
                if len(batch) >= self._batch.size:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _with_boxes(
        self, batch: list[_Decoded], work: ShardWork, failed: dict[str, Failed]
    ) -> list[_Decoded]:
        """Ask the detector for what is missing, all at once; the images that it could look at."""
        texts = work.missing_texts(batch[0][0])
        if not texts:
            return batch
        categories = [category for text in texts for category in text.categories]
        detect = partial(self._detect, categories=categories)
        found = self._batch.run(detect, [pixels for _, pixels in batch])
        seen = []
        for (image, pixels), detections in zip(batch, found, strict=True):
            if isinstance(detections, DeviceMemoryError):
                failed[image.image_id] = Failed("out_of_memory", str(detections))
                continue
            if isinstance(detections, NotFiniteError):
                failed[image.image_id] = Failed("not_finite", f"{image}: {detections}")
                continue
            for text in texts:
                work.add_boxes(text, image, detections)
            seen.append((image, pixels))
        return seen

    def _detect(
        self, images: Sequence[UInt8Image], categories: Sequence[Category]
    ) -> list[Detections | NotFiniteError]:
        """What the detector finds; where it answers with values that are no numbers, which images it is."""
        try:
            found = self._models.detector.detect(images, categories)
        except NotFiniteError as error:
            if len(images) == 1:
                return [error]
            return [one for image in images for one in self._detect([image], categories)]
        return [one if _is_finite(one.boxes, one.scores) else NotFiniteError() for one in found]

    def _draw(
        self,
        image: ImageFile,
        pixels: UInt8Image,
        work: ShardWork,
        failed: dict[str, Failed],
        draw: _Drawing,
    ) -> None:
        boxes = work.missing_masks(image)
        if self._models.segmenter is None or not len(boxes):
            return
        try:
            planes, quality = self._models.segmenter.segment(pixels, boxes)
        except DeviceMemoryError as error:
            failed[image.image_id] = Failed("out_of_memory", str(error))
            return
        if not _is_finite(quality):  # its masks would seem to be empty
            failed[image.image_id] = Failed("not_finite", f"{image}: {NotFiniteError()}")
            return
        draw(partial(work.add_masks, image, boxes, planes))


class _Drawing:
    """Encodes and cleans masks: on a GPU beside the next forward pass, else at once."""

    def __init__(self, *, beside: bool) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="masks") if beside else None
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> _Drawing:
        return self

    def __call__(self, job: Callable[[], None]) -> None:
        if self._pool is None:
            job()
            return
        self._waiting.append(self._pool.submit(job))
        if len(self._waiting) > _DRAWN_AHEAD:
            self._waiting.popleft().result()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            for job in self._waiting:
                job.result()


def _is_finite(*values: FloatArray) -> bool:
    return all(bool(np.isfinite(one).all()) for one in values)


def _alike(one: ImageFile, other: ImageFile, work: ShardWork) -> bool:
    return one.size == other.size and work.missing_texts(one) == work.missing_texts(other)


def _other_size(image: ImageFile, pixels: UInt8Image) -> Failed | None:
    height, width = pixels.shape[:2]
    if (width, height) == image.size:
        return None
    detail = f"image {image.path} has {width}x{height} pixels, its table says {image.width}x{image.height}"
    return Failed("unreadable", f"{detail}: run `dvc repro`")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise tables.storage_error(error, folder) from error


def labeling(
    load: Callable[[], Models], params: AutolabelParams, categories: tuple[Category, ...], shards: Path
) -> Callable[[Sequence[ImageFile]], Sequence[Labeled | Failed]]:
    """Set a worker up for `Labeler.label`: its models are loaded once."""
    return Labeler(params, categories, load(), shards).label
