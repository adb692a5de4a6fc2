"""Image files below a folder, under every name that they have there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from curate.formats.image_files import SUFFIXES

# A link of such a name that leads nowhere was no folder of images.
_OTHER_FILES = frozenset(
    {".csv", ".gz", ".json", ".jsonl", ".md", ".parquet", ".pdf", ".tar", ".txt", ".xml", ".yaml", ".zip"}
)


class Closed(NamedTuple):
    """A folder that cannot be listed, or a link that leads nowhere and may be meant for one.

    Attributes:
        folder: Which.
        error: Why not.
    """

    folder: Path
    error: OSError


def below(root: Path) -> Iterator[Path | Closed]:
    """Every file that is named as an image, folder by folder, in the order of the names.

    Links to folders are followed under each of their names, as `train` and `test` may be links to one; a link
    to a folder that it stands in is not. What begins with a dot is passed over, and so are sockets, pipes and
    devices. A link that leads nowhere is given: whoever opens it says so.
    """
    yield from _in(os.fsencode(root), ())


def _in(folder: bytes, above: tuple[tuple[int, int], ...]) -> Iterator[Path | Closed]:
    """Files of a folder and of those in it; `above` are the ones that it stands in."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - bytes
        own = (status.st_dev, status.st_ino)
        if own in above:
            return
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Closed(Path(os.fsdecode(folder)), error)
        return
    inner: list[bytes] = []
    for entry in found:
        if not entry.name.startswith(b"."):
            yield from _found(entry, inner)
    for one in inner:
        yield from _in(one, (*above, own))


def _found(entry: os.DirEntry[bytes], inner: list[bytes]) -> Iterator[Path | Closed]:
    """What there is to say of an entry; folders go to `inner`."""
    path = Path(os.fsdecode(entry.path))
    is_image = path.suffix.lower() in SUFFIXES
    try:
        mode = entry.stat().st_mode
    except OSError as error:  # a link that leads nowhere
        if is_image:
            yield path
        elif path.suffix.lower() not in _OTHER_FILES:  # `signs.v3` may be a folder
            yield Closed(path, error)
        return
    if stat.S_ISDIR(mode):
        inner.append(entry.path)
    elif stat.S_ISREG(mode) and is_image:
        yield path
