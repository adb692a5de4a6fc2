"""Names for people that stand outside `data/`: in metrics, plots and the report, which are shared.

Numbers are given in the order in which people appear, and stay: `data/people.csv` remembers them, and it
alone says who is who.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from curate import tables
from curate.errors import TableError

_HEADER = ("annotator_id", "pseudonym")
_PREFIX = "labeler-"


def names(path: Path | None, people: Iterable[str | None]) -> dict[str, str]:
    """The pseudonym of each person: those of the file, and further numbers for who is not in it.

    Args:
        path: `data/people.csv`; it need not exist. None = nobody is remembered.
        people: Addresses or other ids; new ones are numbered in sorted order.

    Returns:
        Pseudonyms by id, of everybody in the file and in `people`.

    Raises:
        TableError: The file is damaged.

    Examples:
        >>> names(None, ["bob@example.org", "ann@example.org"])
        {'ann@example.org': 'labeler-1', 'bob@example.org': 'labeler-2'}
    """
    known = {} if path is None else _read(path)
    taken = {int(name.removeprefix(_PREFIX)) for name in known.values()}
    for person in sorted({one for one in people if one is not None} - known.keys()):
        number = max(taken, default=0) + 1
        taken.add(number)
        known[person] = f"{_PREFIX}{number}"
    return known


def remember(path: Path | None, people: Iterable[str | None]) -> dict[str, str]:
    """Give people pseudonyms as `names` does, and write new people to the file.

    Raises:
        TableError: The file is damaged.
        StorageError: The file cannot be written.
    """
    found = names(path, people)
    if path is not None and found != _read(path):
        with tables.replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_HEADER)
            writer.writerows(found.items())
    return found


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        found: dict[str, str] = dict(rows)
        numbers = {int(name.removeprefix(_PREFIX)) for name in found.values()}
    except (OSError, ValueError, csv.Error) as error:
        raise TableError(
            f"{path} is damaged ({error}): delete it, and everybody gets a new number"
        ) from error
    if tuple(header) != _HEADER or len(numbers) != len(rows):
        raise TableError(f"{path} is damaged: delete it, and everybody gets a new number")
    return found
