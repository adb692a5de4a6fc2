"""What a run hands to its workers and what comes back, shard by shard."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate import schema, tables
from curate.images import load_upright
from curate.labeling.run import external_sort
from curate.labeling.run.decoding import ImageFile
from curate.labeling.run.failures import Failures
from curate.labeling.run.labeler import Failed, Labeled
from curate.labeling.run.score_histograms import Scores
from curate.ports import Casualty

_Result = TypeVar("_Result")


class Dispatch:
    """Shards that are with workers.

    Attributes:
        failures: Images that no model looked at.
    """

    def __init__(
        self, failures: Failures, *, max_pixels: int | None = None, section: str = "autolabel"
    ) -> None:
        """Begin.

        Args:
            failures: Takes what fails.
            max_pixels: Larger images are not read; None = all are.
            section: Of params.yaml that says so.
        """
        self.failures = failures
        self._max_pixels, self._section = max_pixels, section
        self._offered: deque[list[ImageFile]] = deque()  # and not yet taken

    def offer(self, kept: pa.Table) -> Iterator[list[ImageFile]]:
        """The images of each shard that can be worked on; the others fail here.

        Args:
            kept: Columns of `ImageFile`, the images of a shard one after the other.

        Raises:
            InputError: Too many fail.
        """
        shards = kept["shard"].combine_chunks().dictionary_encode().indices.to_numpy()
        borders = np.flatnonzero(np.diff(shards, prepend=-1, append=-1))
        for start, stop in itertools.pairwise(borders):
            images = []
            for row in kept.slice(start, stop - start).to_pylist():  # of one shard
                image = ImageFile(**row)
                fault = self._fault(image)
                if fault is None:
                    images.append(image)
                else:
                    self.failures.add(image, fault)
            if images:
                self._offered.append(images)
                yield images

    def good(self, results: Sequence[_Result | Failed | Casualty]) -> Iterator[tuple[ImageFile, _Result]]:
        """What went well of the shard that was offered first and not yet taken; the rest fails.

        Raises:
            InputError: Too many failed.
        """
        for image, result in zip(self._offered.popleft(), results, strict=True):
            if isinstance(result, Casualty):
                detail = f"image {image.path} ended its worker {result.tries} times ({result.how})"
                self.failures.add(image, Failed("killed_worker", detail))
            elif isinstance(result, Failed):
                self.failures.add(image, result)
            else:
                yield image, result

    def _fault(self, image: ImageFile) -> Failed | None:
        if self._max_pixels is not None and image.width * image.height > self._max_pixels:
            detail = (
                f"image {image.path} has {image.width}x{image.height} pixels, more than "
                f"{self._section}.max_pixels = {self._max_pixels:,}"
            )
            return Failed("too_large", detail)
        if not Path(image.path).is_file():
            return Failed("disappeared", str(load_upright.disappeared(Path(image.path))))
        return None


class Collected(Dispatch):
    """The results of a run of the stage autolabel.

    Attributes:
        keys: Of the raw boxes and masks that hold.
        version: Of the models; None where no image came to them.
        with_boxes: Images with a suggestion; known after `write`.
    """

    def __init__(self, failures: Failures, *, max_pixels: int) -> None:
        """Begin; see `Dispatch`."""
        super().__init__(failures, max_pixels=max_pixels)
        self.keys: set[str] = set()
        self.version: str | None = None
        self.with_boxes = 0
        self._parts: dict[Path, None] = {}

    @property
    def parts(self) -> set[Path]:
        """The files with finished rows."""
        return set(self._parts)

    def take(self, results: Sequence[Labeled | Failed | Casualty]) -> None:
        """The results of the shard that was offered first and not yet taken.

        Raises:
            InputError: Too many failed.
        """
        for _, result in self.good(results):
            self._parts[result.part] = None
            self.version = result.version
            self.keys |= result.keys

    def write(
        self, path: Path, *, taxonomy_digest: str, scores: Scores, imported: Sequence[pa.Table] = ()
    ) -> None:
        """The rows of all parts, of all failures and of `imported` as one table; of the parts none is held.

        Raises:
            TableError: A part was damaged meanwhile.
            StorageError: The disk is full or refuses.
        """
        rows = len(self.failures) + sum(pq.read_metadata(part).num_rows for part in self._parts)
        rows += sum(table.num_rows for table in imported)
        tables_of_parts = itertools.chain(self._read(taxonomy_digest), imported)
        external_sort.gather(tables_of_parts, rows, path, seen=scores.add)

    def _read(self, taxonomy_digest: str) -> Iterator[pa.Table]:
        self.with_boxes = 0
        for part in self._parts:  # an image's rows stand in one part
            table = tables.read(part, schema.ANNOTATIONS)
            suggested = table.filter(pc.equal(table["outcome"], "object"))
            self.with_boxes += pc.count_distinct(suggested["image_id"]).as_py()
            yield table
        yield self.failures.table(self.version, taxonomy_digest)
