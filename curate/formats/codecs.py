"""Which formats there are, and which of them a path holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from curate.errors import InputError
from curate.formats import coco, huggingface, voc, yolo
from curate.formats.about import About
from curate.formats.image_files import ImageFiles
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, Labels


class Writer(Protocol):
    """Writes a data set into an empty folder; what it could not hold comes back counted."""

    def __call__(
        self, folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles
    ) -> Losses:
        """Write into `folder`, which is empty."""


READERS: Final[Mapping[str, Callable[[Path], Labels]]] = {
    "coco": coco.read,
    "yolo": yolo.read,
    "voc": voc.read,
    "huggingface": huggingface.read,
}
WRITERS: Final[Mapping[str, Writer]] = {
    "coco": coco.write,
    "yolo": yolo.write,
    "yolo-seg": yolo.write_outlines,
    "voc": voc.write,
}


def detect(path: Path) -> str:
    """The name of the reader for a file or folder, by what stands in it.

    Raises:
        InputError: None knows it.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: name a file or folder of labels")
    found = _folder(path) if path.is_dir() else _file(path)
    if found is None:
        raise InputError(f"{path}: no format is known by this: say one of {', '.join(sorted(READERS))}")
    return found


def _file(path: Path) -> str | None:
    suffix = path.suffix.lower()
    by_suffix = {".yaml": "yolo", ".yml": "yolo", ".parquet": "huggingface", ".xml": "voc", ".json": "coco"}
    return by_suffix.get(suffix)


def _folder(path: Path) -> str | None:
    if (path / "data.yaml").is_file():
        return "yolo"
    if any(path.glob("*.parquet")) or any(path.glob("data/*.parquet")):
        return "huggingface"
    return "voc" if any(path.rglob("*.xml")) else None
