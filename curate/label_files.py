"""Labels read from any format and written into any other in one call; `import curate` names both functions.

`curate import` reads labels into a project and `curate export` writes a release: these need neither.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Final

from PIL import ExifTags

from curate import formats, tables
from curate.errors import InputError, RecordError
from curate.formats import LabeledImage, Labels
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_join import NOTES
from curate.images import pixel_limit

_SIDEWAYS: Final = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


def read_labels(
    path: str | PathLike[str],
    format: str | None = None,
    *,
    field: str | None = None,
    suggestions: bool = False,
) -> Labels:
    """Read the labels of a file or folder, in any of sixteen formats (docs/formats.md): COCO, YOLO, VOC, ...

    All images are in memory afterwards; `curate.formats.read` yields them one by one.

    Args:
        path: A file or folder.
        format: Such as "coco"; None = what stands there tells.
        field: Which of a sample's labels, of FiftyOne only.
        suggestions: A model's labels are wanted, where the format tells them from people's.

    Returns:
        Its `images` are a list; each has `name`, `split` and `objects`, an object has `category`, `bbox_xyxy`
        (corners), `polygons` and `rle`: pixels, or shares of width and height where `relative` says so. Its
        `problems` are the entries that could not be read, with file and line.

    Raises:
        InputError: Not there, of no known format, or damaged as a whole.

    Examples:
        >>> import json
        >>> _ = Path("cars.json").write_text(json.dumps({
        ...     "images": [{"id": 7, "file_name": "a.jpg", "width": 40, "height": 30}],
        ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 6, 20, 12]}],
        ...     "categories": [{"id": 3, "name": "car"}],
        ... }))
        >>> labels = read_labels("cars.json")
        >>> labels.format, labels.categories, labels.problems
        ('coco', ('car',), [])
        >>> [(image.name, one.category, one.bbox_xyxy) for image in labels.images for one in image.objects]
        [('a.jpg', 'car', (10.0, 6.0, 30.0, 18.0))]
    """
    labels = formats.read(Path(path), format, field=field, suggestions=suggestions)
    labels.images = list(labels.images)
    return labels


def write_labels(
    labels: Labels,
    folder: str | PathLike[str],
    format: str,
    *,
    images: str | PathLike[str] | None = None,
    suggestions: bool = False,
) -> dict[str, int]:
    """Write labels with their images as a data set of another format, whole or not at all.

    Coordinates stay in the frame that they were drawn in, and image files are copied as they are.

    Args:
        labels: As `read_labels` returns them.
        folder: The new folder; must be empty if it is there.
        format: Such as "yolo", "coco" or "voc"; docs/formats.md says what each holds.
        images: The folder that names of images start from, where the labels do not tell where the files lie.
        suggestions: What a model proposed is written too; else only what people looked at.

    Returns:
        What is not in the new data set, by its name: what the format cannot hold, and images that nobody
        labeled, which are left out as no one knows that they are empty. Empty if nothing is lost.

    Raises:
        InputError: An unknown format, a folder that holds something, an entry that could not be read (clear
            `labels.problems` to go on without), labels of two people for one image, an image file that is
            missing or of another size than stated, or a shape that is damaged or without an area.
        StorageError: The disk is full or refuses.

    Examples:
        >>> from PIL import Image
        >>> from curate.formats import LabeledImage, LabeledObject, Labels
        >>> Path("photos").mkdir()
        >>> Image.new("RGB", (40, 30)).save("photos/a.jpg")
        >>> car = LabeledObject("car", bbox_xyxy=(10, 6, 30, 18), score=0.9)
        >>> labels = Labels("mine", Path("photos"), ("car",), [LabeledImage("a.jpg", (car,))])
        >>> lost = write_labels(labels, "for_yolo", "yolo", images="photos")
        >>> lost["scores"]
        1
        >>> Path("for_yolo/labels/train/a.txt").read_text().split()
        ['0', '0.5', '0.4', '0.5', '0.4']
        >>> again = read_labels("for_yolo")
        >>> again.format, len(again.images), again.problems
        ('yolo', 1, [])
    """
    folder = Path(folder).absolute()
    if format not in formats.WRITERS:
        raise InputError(f"format {format!r} is not known: choose {', '.join(sorted(formats.WRITERS))}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty: choose another folder, or empty it")
    labels.images = found = list(labels.images)
    _refuse_incomplete(labels)
    kept = [image for image in found if _is_answer(image, suggestions=suggestions)]
    _refuse_twice(kept)
    named = [*labels.categories, *(one.category for image in kept for one in image.objects)]
    about = About(tuple(dict.fromkeys(named)), folder.name)
    with tables.new_folder(folder) as partial:
        files = ImageFiles(partial)
        losses = formats.WRITERS[format](partial, _in_pixels(kept, images), about, files)
    losses.add("file names, which another image had", files.renamed)
    losses.add("images that nobody labeled", len(found) - len(kept))
    return dict(losses.counts)


def _is_answer(image: LabeledImage, *, suggestions: bool) -> bool:
    return image.labeled and (suggestions or not (image.suggested or image.human is False))


def _refuse_incomplete(labels: Labels) -> None:
    if labels.incomplete:
        raise InputError(f"{labels.path}: {labels.incomplete}: nothing is written of it")
    faults = [one for one in labels.problems if one.kind not in NOTES]
    if faults:
        first = faults[0]
        place = f"{first.file}:{first.line}" if first.line else str(first.file)
        told = " ".join(text for text in (first.image, first.entry, first.detail) if text)
        raise InputError(
            f"{place}: {first.kind}: {told}; {len(faults)} such: correct the file, or set "
            "labels.problems = [] to write the rest"
        )


def _refuse_twice(images: list[LabeledImage]) -> None:
    """A data set would hold the image twice: of several people's labels one set has to be made first."""
    counts = Counter((image.split, image.name) for image in images)
    for image in images:
        if counts[image.split, image.name] > 1:
            raise InputError(
                f"{image.file}: {image.name} has {counts[image.split, image.name]} sets of labels: keep one "
                "person's in labels.images, or settle them (curate.consensus)"
            )


def _in_pixels(images: list[LabeledImage], folder: str | PathLike[str] | None) -> Iterator[LabeledImage]:
    """The images as writers take them: with their bytes, their size, and coordinates in pixels."""
    for image in images:
        what = f"{image.file}: {image.name}"
        path = image.path or (Path(folder) / image.name if folder is not None else None)
        if image.content is None and path is None:
            raise InputError(f"{what} comes without its file: say images=FOLDER")
        content = ImageFiles.content(replace(image, path=path))
        size = _size(image, content, what)
        whole = replace(image.in_pixels(size), width=size[0], height=size[1], content=content)
        for one in whole.objects:
            try:
                one.mask(size)
                box = one.box()
            except RecordError as error:
                raise InputError(f"{what}: {one.entry or one.category}: {error}") from error
            if box is None:
                raise InputError(f"{what}: {one.entry or one.category} has no area")
        yield whole


def _size(image: LabeledImage, content: bytes, what: str) -> tuple[int, int]:
    """Width and height of the frame that the labels were drawn in."""
    try:
        with pixel_limit.open_any_size(io.BytesIO(content)) as picture:
            stored = picture.size
            sideways = picture.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
    except OSError as error:
        raise InputError(f"{what} cannot be read as an image: {error}") from error
    upright = stored[::-1] if sideways else stored
    if image.size is None:
        if sideways and image.objects and upright != stored:
            raise InputError(
                f"{what} is turned by EXIF, and its labels do not say whether they were drawn before or "
                "after: set width and height of the image"
            )
        return upright
    if image.size not in (stored, upright):
        stated, there = (f"{width} x {height}" for width, height in (image.size, stored))
        raise InputError(f"{what} is {stated} by its labels, and its file {there}: find the right file")
    return image.size
