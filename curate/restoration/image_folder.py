"""The images of a folder or of single paths, and a name for each result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curate.errors import InputError
from curate.folder_walk import paths_below

ENDINGS: Final = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm")


@dataclass(frozen=True, slots=True)
class FoundImages:
    """Images of a folder or list, and what was passed over.

    Attributes:
        files: Paths with the name of each result, without an ending, relative to any folder; sorted by name.
        others: Files that are passed over, by their ending.
    """

    files: tuple[tuple[Path, str], ...]
    others: tuple[Path, ...]


def find(places: Sequence[Path]) -> FoundImages:
    """Files named by their ending below folders, and files named one by one whatever they are called.

    A result is called like its image, at the same place below its folder; where two images differ by their
    ending only, with that ending.

    Args:
        places: Files and folders.

    Raises:
        InputError: There is no such place, or no image, or two images in the same place of two folders, or a
            folder cannot be listed.
    """
    files: list[tuple[Path, Path]] = []
    others: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = [one for one in paths_below(place, "*") if one.is_file() and not _hidden(one, place)]
            files += [(one, one.relative_to(place)) for one in inside if one.suffix.lower() in ENDINGS]
            others += [one for one in inside if one.suffix.lower() not in ENDINGS]
        elif place.is_file():
            files.append((place, Path(place.name)))
        else:
            raise InputError(f"{place} does not exist: name a folder of images, or an image")
    if not files:
        raise InputError(f"{', '.join(map(str, places))}: no image ends with {', '.join(ENDINGS)}")
    plain = Counter(name.with_suffix("") for _, name in files)
    named: dict[str, Path] = {}
    for path, name in files:
        result = (name if plain[name.with_suffix("")] > 1 else name.with_suffix("")).as_posix()
        if named.setdefault(result, path) != path:
            raise InputError(f"{path} and {named[result]} would both become {result}: upscale them apart")
    return FoundImages(tuple((path, name) for name, path in sorted(named.items())), tuple(others))


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
