"""The image files of an exported data set: linked where the same bytes lie elsewhere, else written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from curate.errors import InputError
from curate.folder_walk import Closed, find
from curate.formats.record import LabeledImage

SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif",
     ".jxl", ".gif", ".jp2"}
)  # fmt: skip


def images_below(root: Path) -> Iterator[Path | Closed]:
    """Every file that is named as an image, folder by folder, in the order of the names, but hidden ones."""
    return find(root, lambda name: Path(name).suffix.lower() in SUFFIXES, hidden=False)


class ImageFiles:
    """Puts image files into a folder under names whose stems are unique, whatever their upper case.

    Many formats name the file of labels after the stem of the image's: "a.jpg" and "a.png" would share one.

    Attributes:
        linked: Files that take no space of their own.
        renamed: Files that could not keep their name.
    """

    def __init__(self, root: Path, store: Path | None = None) -> None:
        """Prepare; no file is written yet.

        Args:
            root: Folder of the data set.
            store: Folder with image files by name; one of the same bytes is linked to.
        """
        self.linked = 0
        self.renamed = 0
        self._root = root
        self._store = store
        self._taken: set[str] = set()

    def name(self, image: LabeledImage) -> str:
        """A file name without folders, unique by its stem."""
        original = PurePosixPath(image.name.replace("\\", "/"))
        stem, number = original.stem, 1
        while (unique := f"{stem}-{number}" if number > 1 else stem).casefold() in self._taken:
            number += 1
        self._taken.add(unique.casefold())
        self.renamed += number > 1
        return f"{unique}{original.suffix}"

    def place(self, image: LabeledImage, folder: str) -> str:
        """Put the file into a folder of the data set, under its unique name; that name.

        Raises:
            InputError: Its bytes are nowhere.
        """
        name = self.name(image)
        target = self._root / folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        content = self.content(image)
        source = image.path if image.content is None else self._stored(image, content)
        if source is not None:
            with suppress(OSError):  # another file system, or one without links
                os.link(source, target)
                self.linked += 1
                return name
        target.write_bytes(content)
        return name

    @staticmethod
    def content(image: LabeledImage) -> bytes:
        """The bytes of the image file.

        Raises:
            InputError: They are nowhere.
        """
        if image.content is not None:
            return image.content
        try:
            if image.path is not None:
                return image.path.read_bytes()
        except OSError as error:
            raise InputError(f"{image.path} cannot be read: {error.strerror}") from error
        raise InputError(f"{image.file}: the image {image.name!r} comes without its file")

    def _stored(self, image: LabeledImage, content: bytes) -> Path | None:
        if self._store is None:
            return None
        found = self._store / image.name
        try:
            same = found.stat().st_size == len(content) and found.read_bytes() == content
        except OSError:
            return None
        return found if same else None
