"""Roboflow's COCO layout: <split>/_annotations.coco.json beside the images, split valid for validation.

Everything else is as in `curate.formats.coco`.

Source:
    https://roboflow.com/formats/coco-json
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from curate.errors import InputError
from curate.formats import coco, split_names
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, Labels

NAME = "_annotations.coco.json"
_THEIRS = {"validation": "valid"}


def read(path: Path) -> Labels:
    """Open the folder that holds the splits' folders.

    Raises:
        InputError: None of them has such a file.
    """
    files = sorted(path.glob(f"*/{NAME}"))
    if not files:
        raise InputError(f"{path} holds no <split>/{NAME}")
    opened = [coco.read(file) for file in files]
    names = dict.fromkeys(name for labels in opened for name in labels.categories)
    labels = Labels(
        "roboflow", path, tuple(names), problems=[one for found in opened for one in found.problems]
    )
    labels.incomplete = "; ".join(f"{one.path}: {one.incomplete}" for one in opened if one.incomplete)
    labels.images = _images(labels, files, opened)
    return labels


def _images(labels: Labels, files: Sequence[Path], opened: Sequence[Labels]) -> Iterator[LabeledImage]:
    for file, found in zip(files, opened, strict=True):
        split = split_names.of_folder(file.parent.name)
        told = len(found.problems)  # those so far are in `labels` already
        for image in found.images:
            labels.problems += found.problems[told:]
            told = len(found.problems)
            yield replace(image, split=split, path=file.parent / image.name)
        labels.problems += found.problems[told:]


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a folder per split."""
    named = (replace(one, split=_THEIRS.get(one.split or "train", one.split or "train")) for one in images)
    return coco.write(folder, named, about, files, places=("{split}", f"{{split}}/{NAME}"))
