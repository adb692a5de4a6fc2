"""Where raw files come from: the optional YAML list of sources, and their CSV files of attributes.

    sources:
      - name: camera_a
        path: camera_a            # folder, relative to this file; inside the raw folder
        license: CC0-1.0
        attribution: Jane Doe
        attributes: camera_a.csv  # optional
    attributes: attributes.csv    # optional, for files of all sources

A CSV has a column `path`, relative to the CSV's own folder, and one column an attribute. Positions (latitude,
longitude, anything of GPS) are refused: they would travel into every release.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from curate.errors import InputError
from curate.images.walk import printable
from curate.yamlfile import load_model, load_yaml

UNLISTED = "unlisted"
_POSITION_NAMES = {
    "lat",
    "latitude",
    "lon",
    "lng",
    "long",
    "longitude",
    "altitude",
    "geo",
    "location",
    "coordinates",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of raw files with one licence.

    Attributes:
        name: Begins every entry of the column `sources`.
        folder: Absolute, without links.
        license: SPDX-like identifier, or None if unknown.
        attribution: Whom to name, or None.
    """

    name: str
    folder: Path
    license: str | None = None
    attribution: str | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources of a raw folder; earlier ones have priority where the same bytes occur in several.

    Attributes:
        sources: As listed; the last one takes what no other does.
        attributes: By absolute path.
        own_files: The list and the CSV files themselves: not images.
    """

    sources: tuple[Source, ...]
    attributes: Mapping[Path, Mapping[str, str]] = field(default_factory=dict)
    own_files: frozenset[Path] = frozenset()

    def of(self, path: Path) -> int:
        """Index of the innermost source whose folder holds the absolute `path`."""
        holding = [i for i, source in enumerate(self.sources) if path.is_relative_to(source.folder)]
        return max(holding, key=lambda i: (len(self.sources[i].folder.parts), -i))


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$")
    path: str = Field(min_length=1)
    license: str | None = None
    attribution: str | None = None
    attributes: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[_Entry, ...] = Field(min_length=1)
    attributes: str | None = None


def load(raw: Path, listing: str | None) -> Sources:
    """The sources of a raw folder.

    Args:
        raw: The folder.
        listing: Name of the YAML file, relative to `raw`; None for one source, named after the folder,
            of unknown licence.

    Raises:
        ParamsError: The file is missing or malformed, with its line.
        InputError: A path in it leads nowhere or out of `raw`; a CSV names a file that is not there.
    """
    root = absolute(raw)
    if listing is None:
        return Sources((Source(root.name or "raw", root),))
    path = raw / listing
    file = load_model(path, _File)
    _, lines = load_yaml(path)
    sources: list[Source] = []
    tables: list[Path] = []
    for index, entry in enumerate(file.sources):
        where = f"{path}:{lines.get(('sources', index), 1)}: source {entry.name!r}"
        if entry.name == UNLISTED or entry.name in [source.name for source in sources]:
            raise InputError(f"{where}: this name is taken: choose another")
        folder = absolute(path.parent / entry.path)
        if not folder.is_dir():
            raise InputError(f"{where}: path {entry.path!r} is no folder: correct it, or remove the entry")
        if not folder.is_relative_to(root):
            raise InputError(f"{where}: path {entry.path!r} leads out of {raw}: sources lie inside")
        sources.append(Source(entry.name, folder, entry.license, entry.attribution))
        tables.extend([path.parent / entry.attributes] if entry.attributes else [])
    tables.extend([path.parent / file.attributes] if file.attributes else [])
    sources.append(Source(UNLISTED, root))
    return Sources(tuple(sources), _read_tables(tables), frozenset(map(absolute, [path, *tables])))


def absolute(path: Path) -> Path:
    """`path` without `..`, its folders without links; a link at its end stays one."""
    plain = Path(os.path.normpath(Path.cwd() / path))
    return plain.parent.resolve() / plain.name if not plain.is_dir() else plain.resolve()


def _read_tables(tables: Sequence[Path]) -> dict[Path, Mapping[str, str]]:
    attributes: dict[Path, dict[str, str]] = {}
    for table in tables:
        for line, name, values in _rows(table):
            target = absolute(table.parent / name)
            if not target.is_file():
                raise InputError(f"{table}:{line}: {name!r} is no file: correct the path or remove the row")
            known = attributes.setdefault(target, {})
            clash = next((key for key in values if key in known), None)
            if clash is not None:
                raise InputError(f"{table}:{line}: {clash} of {name!r} is given twice: remove a row")
            known.update(values)
    return dict(attributes)


def _rows(table: Path) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Line (from 1), path and filled attributes of every row."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = _columns(table, reader.fieldnames)
            for row in reader:
                if None in row or None in row.values():
                    raise InputError(
                        f"{table}:{reader.line_num}: expected {len(columns) + 1} fields, as in line 1"
                    )
                yield reader.line_num, row["path"], {key: row[key] for key in columns if row[key]}
    except FileNotFoundError as error:
        raise InputError(f"{table} does not exist: correct `attributes` in the list of sources") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read: {error}") from error


def _columns(table: Path, names: Sequence[str] | None) -> list[str]:
    names = list(names or ())
    if "path" not in names:
        raise InputError(f"{table}:1: no column 'path'; columns are {', '.join(map(repr, names)) or 'none'}")
    if len(set(names)) != len(names):
        raise InputError(f"{table}:1: a column is named twice: {', '.join(names)}")
    for name in names:
        plain = name.strip().lower()
        if plain in _POSITION_NAMES or "gps" in plain:
            raise InputError(
                f"{table}:1: column {name!r} holds positions, which are never taken in: remove it"
            )
    return [name for name in names if name != "path"]


def entry_name(source: Source, path: Path) -> str:
    """The entry of the column `sources` for a file of this source."""
    return f"{source.name}/{printable(path.relative_to(source.folder))}"
