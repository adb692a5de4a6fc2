"""Which formats there are, and which of them a path holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

from curate.errors import InputError
from curate.folder_walk import find, named
from curate.formats import (
    coco,
    createml,
    cvat,
    darwin,
    datumaro,
    fiftyone,
    huggingface,
    huggingface_imagefolder,
    json_stream,
    kitti,
    labelme,
    labelstudio,
    openimages,
    roboflow,
    sagemaker,
    voc,
    webdataset,
    yolo,
)
from curate.formats.dataset_info import REPORT, About
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
    "createml": createml.read,
    "cvat": cvat.read,
    "darwin": darwin.read,
    "datumaro": datumaro.read,
    "fiftyone": fiftyone.read,
    "huggingface": huggingface.read,
    "imagefolder": huggingface_imagefolder.read,
    "kitti": kitti.read,
    "label-studio": labelstudio.read,
    "labelme": labelme.read,
    "openimages": openimages.read,
    "roboflow": roboflow.read,
    "sagemaker": sagemaker.read,
    "voc": voc.read,
    "yolo": yolo.read,
}
WRITERS: Final[Mapping[str, Writer]] = {
    "coco": coco.write,
    "createml": createml.write,
    "cvat": cvat.write,
    "darwin": darwin.write,
    "datumaro": datumaro.write,
    "imagefolder": huggingface_imagefolder.write,
    "kitti": kitti.write,
    "label-studio": labelstudio.write,
    "labelme": labelme.write,
    "roboflow": roboflow.write,
    "sagemaker": sagemaker.write,
    "voc": voc.write,
    "webdataset": webdataset.write,
    "yolo": yolo.write,
    "yolo-seg": yolo.write_outlines,
}


def detect(path: Path) -> str:
    """The name of the reader for a file or folder, by what stands in it.

    Raises:
        InputError: It is not there, or none knows it.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: name a file or folder of labels")
    found = _folder(path) if path.is_dir() else _file(path)
    if found is None:
        raise InputError(f"{path}: no format is known by this: say one of {', '.join(sorted(READERS))}")
    return found


# Names of files and folders that one format alone has; the first that is there decides.
_MARKS: Final = (
    ("data.yaml", "yolo"),
    ("label_2", "kitti"),
    ("samples.json", "fiftyone"),
    ("*/_annotations.coco.json", "roboflow"),
    ("*.manifest", "sagemaker"),
    ("**/metadata.jsonl", "imagefolder"),
    ("**/metadata.parquet", "imagefolder"),
    ("*.parquet", "huggingface"),
    ("data/*.parquet", "huggingface"),
    ("data-*.arrow", "huggingface"),
    ("*/data-*.arrow", "huggingface"),
    ("annotations.xml", "cvat"),
    ("**/*.xml", "voc"),
)
_SUFFIXES: Final = {
    ".yaml": "yolo",
    ".yml": "yolo",
    ".parquet": "huggingface",
    ".arrow": "huggingface",
    ".csv": "openimages",
    ".jsonl": "imagefolder",
    ".manifest": "sagemaker",
}


def _folder(path: Path) -> str | None:
    below: set[str] | None = None
    for mark, name in _MARKS:
        if not mark.startswith("**/"):
            there = any(path.glob(mark))
        else:
            below = _marks_below(path) if below is None else below
            there = mark in below
        if there:
            return name
    return next((name for _, name in known_json(path)), None)


def known_json(folder: Path) -> Iterator[tuple[Path, str]]:
    """JSON files in a folder and below whose format is known, with its name; our own report is none.

    Raises:
        InputError: None is known, and one is damaged.
    """
    damaged, known = None, False
    for file in _listed(folder, "*.json"):
        try:
            name = None if file.name == REPORT else _json(file)
        except InputError as error:
            damaged = damaged or error
        else:
            if name is not None:
                known = True
                yield file, name
    if damaged is not None and not known:
        raise damaged


def _marks_below(folder: Path) -> set[str]:
    """Marks of `_MARKS` for which any folder will do, found by one walk."""
    marks = {mark: mark.removeprefix("**/") for mark, _ in _MARKS if mark.startswith("**/")}
    matches = {mark: named(pattern) for mark, pattern in marks.items()}
    return {
        mark
        for file in _listed(folder, *marks.values())
        for mark, matching in matches.items()
        if matching(file.name)
    }


def _listed(folder: Path, *patterns: str) -> Iterator[Path]:
    """Without what lies in closed folders, of which the readers tell."""
    return (one for one in find(folder, named(*patterns)) if isinstance(one, Path))


def _file(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix == ".xml":
        head = path.read_bytes()[:4096]
        return "cvat" if b"<annotations" in head else "voc"
    return _json(path) if suffix == ".json" else _SUFFIXES.get(suffix)


def _json(path: Path) -> str | None:
    """Recognize the format by the keys of the outermost object, or of the outermost list's first entry."""
    lists = frozenset({"images", "annotations", "categories", "items", "samples"})
    keys: set[str] = set()
    for entry in json_stream.entries(path, lists):
        if not entry.key:
            return _of_list(entry.value)
        keys.add(entry.key)
        if (
            {"images", "annotations"} & keys
            and "item" not in keys
            and keys & {"categories", "info", "images"}
        ):
            return "coco"
        for key, name in (
            ("items", "datumaro"),
            ("samples", "fiftyone"),
            ("shapes", "labelme"),
            ("item", "darwin"),
        ):
            if key in keys:
                return name
    return "coco" if "annotations" in keys else None


def _of_list(first: object) -> str | None:
    if not isinstance(first, dict):
        return None
    if "data" in first:
        return "label-studio"
    return "createml" if "image" in first or "imagefilename" in first else None
