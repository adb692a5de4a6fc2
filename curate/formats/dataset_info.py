"""What an exported data set says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curate.folder_walk import paths_below

REPORT: Final = "export.json"  # beside an exported data set: what its format could not hold


def json_files(path: Path) -> Iterator[Path]:
    """JSON files in a folder and below, sorted, without our own report.

    Raises:
        InputError: A folder cannot be listed.
    """
    return (file for file in paths_below(path, "*.json") if file.name != REPORT)


@dataclass(frozen=True, slots=True)
class About:
    """Facts that stand once in a data set.

    Attributes:
        categories: Names in the order of their class labels.
        name: Of the data set.
        version: Of the data set.
        license: Of the annotations; empty where it is not known.
        digest: Of the release's content; empty where there is none.
        url: What stands before the places of image files in formats that name them by address.
    """

    categories: tuple[str, ...]
    name: str = ""
    version: str = ""
    license: str = ""
    digest: str = ""
    url: str = ""

    def address(self, place: str) -> str:
        """The address of an image file, from its place in the data set."""
        return f"{self.url.rstrip('/')}/{place}" if self.url else place
