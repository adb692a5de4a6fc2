"""Classes of whole images: folders that are named after them, or a column of Parquet; read only.

None of `formats.READERS`: whoever wants objects would take such an image for one in which nothing is.
`<split>/<class>/<image>` or `<class>/<image>`; of Parquet the column `label` or `labels` beside `image`.

Source:
    torchvision's ImageFolder, and https://huggingface.co/docs/datasets/image_dataset#imagefolder
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from curate.errors import InputError
from curate.formats import huggingface_files, split_names
from curate.formats.image_files import images_below
from curate.formats.record import LabeledImage, Labels, Problem
from curate.system import printable

FORMAT: Final = "classes"
_COLUMNS: Final = ("label", "labels")
_KINDS: Final = (
    pa.types.is_integer, pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string, pa.types.is_null,
)  # fmt: skip
_MIN_CLASSES = 2  # classes that folders must have to be taken for such by themselves


def in_folders(path: Path) -> bool:
    """Whether a folder holds folders of classes, by their names: they need folders of splits above them.

    Without these, folders may stand for cameras or days: whoever knows better says so.
    """
    classes = set()
    for file in _files(path):
        parts = file.relative_to(path).parts
        if len(parts) < 3 or split_names.of_folder(parts[0]) is None:
            return False
        classes.add(parts[1])
    return len(classes) >= _MIN_CLASSES


def read(path: Path, *, content: bool = True) -> Labels:
    """Open a folder of classes, or Parquet with a column of them.

    Args:
        path: The folder or file.
        content: Read the bytes of images that stand in Parquet too.

    Raises:
        InputError: There is none, or the column does not hold one class per image.
    """
    if in_parquet(path):
        return _of_parquet(path, content=content)
    if not path.is_dir():
        raise InputError(f"{path} is no folder of classes, and no Parquet with a column `label`")
    labels = Labels(FORMAT, path, tuple(_folders(path)))
    labels.images = (_of_file(path, file) for file in _files(path))
    return labels


def _folders(root: Path) -> Iterator[str]:
    """Every class that has a folder, also without any image."""
    found: dict[str, None] = {}
    for folder in _inner(root):
        named = _inner(folder) if split_names.of_folder(folder.name) else [folder]
        found |= dict.fromkeys(printable(Path(one.name)) for one in named)
    yield from sorted(found)


def _inner(folder: Path) -> list[Path]:
    """Folders in it; none where it cannot be listed, of which the walk over the images tells."""
    with suppress(OSError):
        return [one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")]
    return []


def _of_file(root: Path, file: Path) -> LabeledImage:
    place = printable(file.relative_to(root))
    *folders, _ = place.split("/")
    split = split_names.of_folder(folders[0]) if folders else None
    named = folders[1:] if split else folders
    return LabeledImage(
        name=place,
        split=split,
        tags=tuple(named[:1]),
        labeled=bool(named),
        file=root,
        path=file,
    )


def _files(root: Path) -> Iterator[Path]:
    """Whoever looks at the images says which folders cannot be listed."""
    return (found for found in images_below(root) if isinstance(found, Path))


def in_parquet(path: Path) -> bool:
    """Whether this is Parquet (or Arrow) with images and a column of classes, and none of objects."""
    if path.is_file() and path.suffix not in (".parquet", ".arrow"):
        return False
    try:
        columns = huggingface_files.schema(huggingface_files.files(path)[0]).names
    except InputError:
        return False
    return "image" in columns and "objects" not in columns and any(name in columns for name in _COLUMNS)


def _of_parquet(path: Path, *, content: bool) -> Labels:
    files = huggingface_files.files(path)
    schema = huggingface_files.schema(files[0])
    column = next(name for name in _COLUMNS if name in schema.names)
    for file in files:
        _refuse_other_kinds(file, huggingface_files.schema(file), column)
    split_of = {file: huggingface_files.split(file, path) for file in files}
    labels = Labels(FORMAT, path, tuple(_names(schema.metadata or {}, column)))
    labels.images = (
        replace(_of_row(row, row[column], labels, file, number), split=split)
        for file, split in split_of.items()
        for number, row in enumerate(huggingface_files.rows(file, content=content), 1)
    )
    return labels


def _refuse_other_kinds(file: Path, schema: pa.Schema, column: str) -> None:
    """One class per image, by its name or its number: a list of them would become a class of its own."""
    kind = schema.field(column).type if column in schema.names else None
    inner = kind.value_type if kind is not None and pa.types.is_dictionary(kind) else kind
    if inner is None or not any(is_kind(inner) for is_kind in _KINDS):
        raise InputError(
            f"{file}: the column `{column}` {'is not there' if kind is None else f'holds {kind}'}; expected "
            "one class per image, as its name or its number"
        )


def _names(metadata: Any, column: str) -> list[str]:
    """Names of the class labels, as `datasets` writes them; empty where the column holds the names."""
    try:
        return [str(one) for one in json.loads(metadata[b"huggingface"])["info"]["features"][column]["names"]]
    except (KeyError, TypeError, ValueError):
        return []


def _of_row(row: Any, label: Any, labels: Labels, file: Path, number: int) -> LabeledImage:
    names = labels.categories
    picture = huggingface_files.picture(row)
    image = str(picture.get("path") or f"{file.stem}-{number}")
    name = "" if label in (None, -1) else str(label)  # -1 = not known
    if name and names and isinstance(label, int):
        name = names[label] if 0 <= label < len(names) else ""
        if not name:
            detail = f"class {label}, where the file names {len(names)} classes, from 0"
            labels.problems.append(Problem("damaged", file, number, f"row {number}", image, detail))
    return LabeledImage(
        name=image,
        tags=(name,) if name else (),
        labeled=bool(name),
        file=file,
        line=number,
        content=picture.get("bytes"),
    )
