"""WebDataset: tar files of <key>.<image> and <key>.json, about 500 MB each; written only.

The JSON holds everything that a release says of the image. A key has no dot, because the first one ends it.

Source:
    https://github.com/webdataset/webdataset#the-webdataset-format
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, polygon_rings

_SHARD_BYTES = 500_000_000


class _Shards:
    """The tar files of a split."""

    def __init__(self, folder: Path, split: str) -> None:
        self._folder, self._split = folder, split
        self._number, self._bytes = 0, 0
        self._tar = self._open()

    def add(self, name: str, data: bytes) -> None:
        entry = tarfile.TarInfo(name)  # no time and no owner: equal content, equal bytes
        entry.size = len(data)
        self._tar.addfile(entry, io.BytesIO(data))
        self._bytes += len(data)

    def next_if_full(self) -> None:
        """Begin another file; between images only, so that an image and its labels stay together."""
        if self._bytes >= _SHARD_BYTES:
            self.close()
            self._number, self._bytes = self._number + 1, 0
            self._tar = self._open()

    def close(self) -> None:
        self._tar.close()

    def _open(self) -> tarfile.TarFile:
        return tarfile.open(self._folder / f"{self._split}-{self._number:06d}.tar", "w")


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write the tar files of all splits, and classes.json: the names in the order of their numbers."""
    losses = Losses(
        "mask",
        "polygon",
        "crowd",
        "score",
        "support",
        "review",
        "object_id",
        "attributes",
        "image_attributes",
        "license",
        "attribution",
        "tags",
        "split",
        "empty",
    )
    numbers = {name: number for number, name in enumerate(about.categories)}
    shards: dict[str, _Shards] = {}
    try:
        for image in images:
            losses.look(image)
            split = image.split or "train"
            if split not in shards:
                shards[split] = _Shards(folder, split)
            shards[split].next_if_full()
            name = PurePosixPath(files.name(image))
            key = name.stem.replace(".", "_")
            shards[split].add(f"{key}{name.suffix.lower()}", files.content(image))
            text = json.dumps(_described(image, numbers, losses), ensure_ascii=False)
            shards[split].add(f"{key}.json", text.encode())
    finally:
        for one in shards.values():
            one.close()
    (folder / "classes.json").write_text(
        json.dumps(list(about.categories), ensure_ascii=False) + "\n", "utf-8"
    )
    return losses


def _described(image: LabeledImage, numbers: dict[str, int], losses: Losses) -> dict[str, Any]:
    size = image.size
    assert size is not None  # noqa: S101 - writers get images of known size
    objects = []
    for one in image.objects:
        x1, y1, x2, y2 = one.box() or (0.0, 0.0, 0.0, 0.0)
        rle, rings = one.mask(size), polygon_rings(one.polygons)
        losses.outline(one, written=bool(rings))
        described: dict[str, Any] = {
            "id": one.object_id,
            "category": numbers[one.category],
            "category_name": one.category,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "iscrowd": int(one.is_crowd),
            "segmentation": None if rle is None else {"size": [size[1], size[0]], "counts": rle},
            "polygon": rings,
        }
        described |= {"confidence": one.confidence, "made_from": list(one.made_from)}
        described |= {"score": one.score} if one.score is not None else {}
        objects.append({**described, **({"attributes": dict(one.attributes)} if one.attributes else {})})
    return {
        "file_name": image.name,
        "image_id": image.image_id,
        "width": size[0],
        "height": size[1],
        "split": image.split,
        "license": image.license,
        "attribution": image.attribution,
        "tags": list(image.tags),
        "attributes": dict(image.attributes),
        "confidence": image.confidence,
        "review": image.review,
        "objects": objects,
    }
