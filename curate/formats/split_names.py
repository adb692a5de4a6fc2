"""What other formats call our splits."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
