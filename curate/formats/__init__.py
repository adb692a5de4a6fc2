"""Labels in every format that tools and trainers read: one codec a file, each with what it cannot hold.

`read(path)` opens a file or folder, `read_categories(path)` counts what it names; `READERS` and `WRITERS` say
which formats there are.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from curate.errors import InputError
from curate.formats import fiftyone
from curate.formats.codecs import READERS, WRITERS, detect
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem

__all__ = [
    "READERS",
    "WRITERS",
    "LabeledImage",
    "LabeledObject",
    "Labels",
    "Problem",
    "detect",
    "read",
    "read_categories",
]


def read(
    path: Path, format: str | None = None, *, field: str | None = None, suggestions: bool = False
) -> Labels:
    """Open labels of any known format.

    Args:
        path: A file or folder.
        format: One of `READERS`; None = what stands there tells.
        field: Of FiftyOne, which of a sample's labels; None = as `fiftyone.read` finds it.
        suggestions: A model's labels are wanted, where the format tells them from people's.

    Raises:
        InputError: Not there, of no known format, or damaged as a whole; single entries that cannot be read
            come as `problems`. Or a field where the format has none.
    """
    name = format or detect(path)
    if name not in READERS:
        raise InputError(f"format {name!r} cannot be read: known are {', '.join(sorted(READERS))}")
    if field is not None and name != "fiftyone":
        raise InputError(f"{path}: --field {field} is for FiftyOne's labels; {name} has no fields")
    with _one_line(path):
        if name == "fiftyone":
            labels = fiftyone.read(path, field=field, suggestions=suggestions)
        else:
            labels = READERS[name](path)
    labels.images = _in_one_line(labels.images, path)
    return labels


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """A file that is damaged as a whole is told in a line, whatever reads it."""
    try:
        yield
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def _in_one_line(images: Iterable[LabeledImage], path: Path) -> Iterator[LabeledImage]:
    with _one_line(path):
        yield from images


def read_categories(path: Path, format: str | None = None) -> dict[str, int]:
    """The categories of a label file with the number of their objects, to begin a taxonomy from.

    Names come in the file's own order where it lists them (also those without any object), else in the order
    of their first use; spelt as the file spells them, which may be more than taxonomy.yaml allows as a name.

    Args:
        path: A file or folder.
        format: One of `READERS`; None = what stands there tells.

    Raises:
        InputError: As `read`.

    Examples:
        >>> text = '{"images": [{"id": 7, "file_name": "a.jpg"}], "categories": [{"id": 3, "name": "car"}]}'
        >>> _ = Path("labels.json").write_text(text)
        >>> read_categories(Path("labels.json"))
        {'car': 0}
    """
    counts: Counter[str] = Counter()
    listed: list[str] = []
    for labels in _of_every_field(path, format or detect(path)):
        for image in labels.images:
            counts.update(one.category for one in image.objects)
        listed += labels.categories
    return {name: counts[name] for name in dict.fromkeys([*listed, *counts])}


def _of_every_field(path: Path, format: str) -> Iterator[Labels]:
    """FiftyOne's samples may have several people's and models' labels: each names categories."""
    fields = fiftyone.fields_of(path) if format == "fiftyone" else {}
    for field in fields or (None,):
        yield read(path, format, field=field)
