"""What other formats call our splits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# As trainers name folders and lists -> as a release names it.
OURS: Final[Mapping[str, str]] = {"train": "train", "val": "validation", "test": "test"}
_THEIRS: Final = {ours: theirs for theirs, ours in OURS.items()}


def theirs(split: str | None) -> str:
    """The trainers' name; images of no split are for training."""
    return _THEIRS.get(split or "train", split or "train")
