"""What other formats call our splits: train2017/1.jpg, instances_val2017.json, ImageSets/Main/val.txt."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

# As trainers name folders and lists -> as a release names it.
OURS: Final[Mapping[str, str]] = {"train": "train", "val": "validation", "test": "test"}
_THEIRS: Final = {ours: theirs for theirs, ours in OURS.items()}
# As people name folders.
SPELLINGS: Final[Mapping[str, str]] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_FOLDER = re.compile(rf"({'|'.join(SPELLINGS)})(?:\d{{4}})?", re.IGNORECASE)
_WORD = re.compile(rf"(?:^|[_\-. ])({'|'.join(SPELLINGS)})(?:\d{{4}})?(?=$|[_\-. ])", re.IGNORECASE)


def theirs(split: str | None) -> str:
    """The trainers' name; images of no split are for training."""
    return _THEIRS.get(split or "train", split or "train")


def of_folder(name: str) -> str | None:
    """The split that a folder is named after, with or without a year.

    Examples:
        >>> of_folder("train2017"), of_folder("Valid"), of_folder("trains")
        ('train', 'validation', None)
    """
    found = _FOLDER.fullmatch(name)
    return SPELLINGS[found.group(1).lower()] if found else None


def of_folders(place: str) -> str | None:
    """The split that a folder of a place is named after; the outermost counts.

    Other folders, such as cameras or days, are no splits: copies in two of them leak nowhere.

    Examples:
        >>> of_folders("train2017/000001.jpg"), of_folders("trains/1.jpg"), of_folders("a/valid/1.jpg")
        ('train', None, 'validation')
    """
    for part in PurePosixPath(place).parts[:-1]:
        if found := of_folder(part):
            return found
    return None


def of_file(name: str) -> str | None:
    """The split that is a word of a file's name.

    Examples:
        >>> of_file("instances_val2017.json"), of_file("part_1.parquet"), of_file("contest.json")
        ('validation', None, None)
    """
    found = _WORD.search(PurePosixPath(name).stem)
    return SPELLINGS[found.group(1).lower()] if found else None


def listed(folders: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """Splits by what stands in the lists of folders, such as val.txt: a name a line, mostly in one of them.

    Args:
        folders: That hold the lists; what is there of them is read.
    """
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for folder in folders:
        for spelled, ours in SPELLINGS.items():
            listing = folder / f"{spelled}.txt"
            for line in listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else ():
                found[line.strip()].setdefault(ours)
    return {name: tuple(splits) for name, splits in found.items() if name}
