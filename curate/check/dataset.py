"""Opens a data set of any format: its image files, their splits, and which labels belong to which file."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from curate import formats
from curate.check import unread_json
from curate.check.finding import Row
from curate.errors import InputError
from curate.formats import huggingface, image_classes, split_names
from curate.formats.codecs import known_json
from curate.formats.image_files import images_below
from curate.formats.record import LabeledImage, Labels
from curate.system import printable

IMAGES: Final = "images"  # the format of a folder without labels
CLASSES: Final = image_classes.FORMAT
_OF_JSON: Final = ("darwin", "labelme")  # their readers tell of every file that is no JSON
_LABELS_FOLDERS: Final = ("annotations", "labels", "Annotations")  # their images lie beside them
_LICENSE = re.compile(r"^(licen[sc]e|copying)\b", re.IGNORECASE)


@dataclass(slots=True)
class DataSet:
    """A data set whose labels can be read again and again.

    Attributes:
        path: What was opened.
        format: Name of the codec, or `IMAGES`.
        files: Absolute path of each image file by its place, the printable path below the data set's folder.
        splits: Splits of each place; mostly one.
        licenses: License of each place that labels describe; None where they give none.
        says_license: Whether a file of the data set is about its license.
        unread: Findings of what could not be opened: folders, and files of labels.
        field: Of FiftyOne, which labels of a sample; None = as `fiftyone.read` finds it.
        suggestions: The labels are a model's.
    """

    path: Path
    format: str
    root: Path
    files: dict[str, Path] = dataclasses.field(default_factory=dict)
    splits: dict[str, set[str]] = dataclasses.field(default_factory=lambda: defaultdict(set))
    licenses: dict[str, str | None] = dataclasses.field(default_factory=dict)
    says_license: bool = False
    unread: list[tuple[str, Row]] = dataclasses.field(default_factory=list)
    field: str | None = None
    suggestions: bool = False
    _sources: list[Path] = dataclasses.field(default_factory=list)
    _places: list[tuple[str, ...]] = dataclasses.field(
        default_factory=list
    )  # of each labelled image, in reading order

    def labels(self) -> Iterator[Labels]:
        """Every file of labels, opened anew; of Parquet without the bytes of images."""
        for source in self._sources:
            if self.format == "huggingface":
                yield huggingface.read(source, content=False)
            elif self.format == CLASSES:
                yield image_classes.read(source, content=False)
            else:
                yield formats.read(source, self.format, field=self.field, suggestions=self.suggestions)

    def placed(self, labels: Labels, first: int) -> Iterator[tuple[LabeledImage, tuple[str, ...]]]:
        """Labelled images with the places that fit: one if all is well.

        Args:
            labels: One of `labels`.
            first: Images of the ones before it.
        """
        for at, image in enumerate(labels.images, first):
            yield image, self._places[at]


def open_dataset(
    path: Path,
    *,
    format: str | None,
    images: Path | None,
    scratch: Path,
    field: str | None = None,
    suggestions: bool = False,
) -> DataSet:
    """Open a data set.

    Args:
        path: A folder of images, or a file or folder of labels.
        format: One of `formats.READERS`, `CLASSES` or `IMAGES`; None = what stands there tells.
        images: Folder of the image files, where it is not the one of the labels.
        scratch: Where image files are written that stand inside of other files (Parquet).
        field: Of FiftyOne, which labels of a sample; None = as `fiftyone.read` finds it.
        suggestions: A model's labels are wanted, where the format tells them from people's.

    Raises:
        InputError: Nothing is there, no image, or labels that no reader opens.
    """
    unread: list[tuple[str, Row]] = []
    read = partial(formats.read, field=field, suggestions=suggestions)
    name, opened = _format(path, format, unread, read)
    root = images or _root(path, name)
    sources = [one.path for one in opened]
    found = DataSet(
        path, name, root.absolute(), unread=unread, field=field, suggestions=suggestions, _sources=sources
    )
    if not root.is_dir():
        raise InputError(f"{root} is no folder: name the folder of the images with --images")
    _walk(found, root)
    _join(found, opened, scratch)
    if path.is_file():
        _leave_out_other_splits(found)
    if name == "huggingface" or image_classes.in_parquet(path):  # other pictures there are those of its card
        named = {place for places in found._places for place in places}
        found.files = {place: file for place, file in found.files.items() if place in named}
    if not found.files:
        raise InputError(f"{root} holds no image: name the folder of the images with --images")
    for place in found.files:
        split = split_names.of_folders(place)
        if split is not None and not found.splits[place]:
            found.splits[place].add(split)
    found.says_license = any(_LICENSE.match(one.name) for one in root.iterdir()) or _card_says(root)
    return found


def _format(
    path: Path, format: str | None, unread: list[tuple[str, Row]], read: Callable[[Path, str], Labels]
) -> tuple[str, list[Labels]]:
    """Name of the codec, and what it opens; `unread` takes JSON that no codec can tell of."""
    if not path.exists():
        raise InputError(f"{path} does not exist: name a folder of images, or a file or folder of labels")
    if format == IMAGES:
        return IMAGES, []
    if format == CLASSES or (format is None and image_classes.in_parquet(path)):
        return CLASSES, [image_classes.read(path)]
    if path.is_dir() and format in (None, "coco"):
        listed = list(_coco_files(path, unread))
        if listed or format == "coco":
            return "coco", listed
    name = format or _detected(path)
    if name is None:
        unread += unread_json.below(path, {row.file for _, row in unread})
        found = [image_classes.read(path)] if image_classes.in_folders(path) else []
        return (CLASSES, found) if found else (IMAGES, [])
    if name == "coco" and path.is_dir():
        told_by, _ = next(known_json(path))  # what `formats.detect` went by
        if any(row.file == told_by for _, row in unread):
            return name, []
        raise InputError(f"{path} holds COCO files below its first folders: name the file itself")
    if name in _OF_JSON:
        unread.clear()
    return name, [read(path, name)]


def _detected(path: Path) -> str | None:
    """Name of the codec; None for a folder that none knows."""
    try:
        return formats.detect(path)
    except InputError:
        if path.is_dir():
            return None
        raise


def _coco_files(folder: Path, unread: list[tuple[str, Row]]) -> Iterator[Labels]:
    """Read COCO files of the folder, of annotations/, and beside the images of each split."""
    for pattern in ("*.json", "annotations/*.json", "*/_annotations.coco.json"):
        for file in sorted(folder.glob(pattern)):
            if file.name.startswith("."):
                continue
            try:
                yield formats.read(file, "coco")
            except InputError as error:  # perhaps another sort of JSON, such as captions or our export.json
                row = unread_json.row(file, error)
                if row is not None:
                    unread.append(("damaged", row))


def _root(path: Path, name: str) -> Path:
    if path.is_dir():
        return path
    return path.parent.parent if name == "coco" and path.parent.name in _LABELS_FOLDERS else path.parent


def _walk(found: DataSet, root: Path) -> None:
    """Note every image file, and folders that cannot be listed."""
    for one in images_below(root):
        if isinstance(one, Path):
            found.files[printable(one.relative_to(root))] = one.absolute()
        elif one.folder == root:
            raise InputError(f"{root} cannot be listed: {one.error.strerror}")
        else:
            place = printable(one.folder.relative_to(root))
            row = Row(images=(place,), detail=f"the folder cannot be listed: {one.error.strerror}")
            found.unread.append(("not_decoded", row))


def _join(found: DataSet, opened: Sequence[Labels], scratch: Path) -> None:
    """Find the file of each labelled image."""
    by_name: dict[str, list[str]] = defaultdict(list)
    by_path = {file: place for place, file in found.files.items()}
    for place in found.files:
        by_name[place.rpartition("/")[2]].append(place)
    for labels in opened:
        hint = _split_of(os.path.relpath(labels.path, found.root))
        for image in labels.images:
            split = image.split or (hint if labels.path.is_file() else None)
            if image.content is not None:
                places: tuple[str, ...] = (_extracted(found, image, split, scratch),)
            elif image.path is not None:
                places = (_known(found, image.path.absolute(), by_path),)
            else:
                places = _fitting(image.name, by_name, labels.path, split, found)
            found._places.append(places)
            if len(places) == 1:
                found.licenses[places[0]] = image.license
                found.splits[places[0]].update(filter(None, (split, *image.other_splits)))


def _split_of(labels: str) -> str | None:
    """The split that a file of labels is named after, else that of its folders."""
    return split_names.of_file(PurePosixPath(labels).name) or split_names.of_folders(labels)


def _leave_out_other_splits(found: DataSet) -> None:
    """One label file of many, such as that of the test split: images of other splits are not meant."""
    mine = split_names.of_file(found.path.name)
    named = {place for places in found._places for place in places}
    for place in list(found.files) if mine else []:
        if place not in named and split_names.of_folders(place) not in (None, mine):
            del found.files[place]


def _extracted(found: DataSet, image: LabeledImage, split: str | None, scratch: Path) -> str:
    """Write an image's bytes into a file; a name that was there before gets a number."""
    plain = PurePosixPath(image.name.replace("\\", "/")).name
    place = f"{split}/{plain}" if split else plain
    number = 1
    while place in found.files:
        number += 1
        stem, dot, suffix = plain.rpartition(".")
        place = f"{split + '/' if split else ''}{stem or suffix}-{number}{dot}{suffix if stem else ''}"
    target = scratch / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(image.content or b"")
    found.files[place] = target.absolute()
    return place


def _known(found: DataSet, path: Path, by_path: dict[Path, str]) -> str:
    """The place of a file that a reader found, perhaps outside of the folder."""
    plain = Path(os.path.normpath(path))
    if plain not in by_path:
        place = printable(Path(os.path.relpath(plain, found.root)))
        by_path[plain] = place
        found.files[place] = plain
    return by_path[plain]


def _fitting(
    name: str, by_name: dict[str, list[str]], source: Path, split: str | None, found: DataSet
) -> tuple[str, ...]:
    """Places that end as a name does; of several those of the split, then those beside the label file."""
    name = name.replace("\\", "/").removeprefix("./").lstrip("/")
    fitting = [
        place
        for place in by_name.get(name.rpartition("/")[2], ())
        if place == name or place.endswith(f"/{name}")
    ]
    if len(fitting) > 1:
        of_split = [place for place in fitting if split and split_names.of_folders(place) == split]
        fitting = of_split or fitting
    if len(fitting) > 1:
        beside = [place for place in fitting if (source.parent / name).absolute() == found.files[place]]
        fitting = beside or fitting
    return tuple(fitting)


def _card_says(root: Path) -> bool:
    """Whether a card or data.yaml has a line `license: ...`."""
    for name in ("README.md", "data.yaml", "dataset-metadata.json"):
        file = root / name
        if file.is_file() and re.search(
            r"^\W*licen[sc]es?\b", file.read_text(encoding="utf-8", errors="replace"), re.IGNORECASE | re.M
        ):
            return True
    return False
